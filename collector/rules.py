"""Versions of the declared rules: transactions remember by which one they were judged."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import msgspec

from collector.correlation.choreography import RuleBook
from collector.models import RuleSet


def registered(rulebook: RuleBook) -> RuleBook:
    """The same rules with the id of their stored version, stored now if they are new."""
    declared = msgspec.json.encode([rulebook.to_json(), rulebook.limits], order="deterministic").decode()
    digest = hashlib.sha256(declared.encode()).hexdigest()
    return msgspec.structs.replace(rulebook, version=_version(digest, declared))


@lru_cache(maxsize=8)
def _version(digest: str, declared: str) -> int:
    row, _ = RuleSet.objects.get_or_create(digest=digest, defaults={"declared": msgspec.json.decode(declared)})
    return row.pk
