"""Versions of the declared rules: transactions remember by which one they were judged."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

import msgspec

from collector.correlation.choreography import RuleBook
from collector.models import RuleSet

_latest: Final[list[tuple[RuleBook, RuleBook]]] = []


def registered(rulebook: RuleBook) -> RuleBook:
    """The same rules with the id of their stored version, stored now if they are new."""
    if not _latest or _latest[0][0] is not rulebook:
        _latest[:] = [(rulebook, _register(rulebook))]
    return _latest[0][1]


def _register(rulebook: RuleBook) -> RuleBook:
    declared = msgspec.json.encode([rulebook.to_json(), rulebook.limits], order="deterministic").decode()
    digest = hashlib.sha256(declared.encode()).hexdigest()
    return msgspec.structs.replace(rulebook, version=_version(digest, declared))


@lru_cache(maxsize=8)
def _version(digest: str, declared: str) -> int:
    row, _ = RuleSet.objects.get_or_create(digest=digest, defaults={"declared": msgspec.json.decode(declared)})
    return row.pk
