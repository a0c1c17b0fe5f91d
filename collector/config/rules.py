"""Versions of the rules, with what was learned: transactions remember by which one they were judged."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

import msgspec

from collector.correlation.choreography import RuleBook
from collector.correlation.learned import completed
from collector.learning import rules as learned
from collector.models import RuleSet

_latest: Final[list[tuple[RuleBook, learned.Version | None, RuleBook]]] = []


def registered(rulebook: RuleBook) -> RuleBook:
    """The same rules, and those learned, with the id of their stored version, stored now if they are new. One query."""
    version = learned.version() if rulebook.learns else None
    if not _latest or _latest[0][0] is not rulebook or _latest[0][1] != version:
        found = rulebook if version is None else completed(rulebook, learned.in_force())
        _latest[:] = [(rulebook, version, _register(found, rulebook))]
    return _latest[0][2]


def _register(rulebook: RuleBook, declared: RuleBook) -> RuleBook:
    written = _written(rulebook)
    return msgspec.structs.replace(rulebook, version=_version(_digest(written), _digest(_written(declared)), written))


def _written(rulebook: RuleBook) -> str:
    return msgspec.json.encode([rulebook.to_json(), rulebook.limits], order="deterministic").decode()


def _digest(written: str) -> str:
    return hashlib.sha256(written.encode()).hexdigest()


@lru_cache(maxsize=8)
def _version(digest: str, declaration: str, written: str) -> int:
    stored = {"declaration": declaration, "declared": msgspec.json.decode(written)}
    row, _ = RuleSet.objects.get_or_create(digest=digest, defaults=stored)
    return row.pk
