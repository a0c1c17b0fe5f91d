"""What was learned of choreographies, put beside what is declared: it says something only where that says nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import timedelta

import msgspec

from collector.correlation.choreography import IDLE_UNDECLARED, Choreography, Rule, RuleBook

PREFIX = "learned:"
"""Keys of learned rules begin with it."""


class Learned(msgspec.Struct, frozen=True):
    """Of a choreography: its response rules with their deadlines, the event types that end its transactions, and all
    that were met. Of what has other types nothing was learned."""

    name: str
    rules: tuple[Rule, ...] = ()
    ends: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()


def learned_rule(after: Sequence[str], expect: Sequence[str], service: str, within: timedelta) -> Rule:
    """Its key follows from what it says, so that it stays while the deadline drifts."""
    said = hashlib.blake2b(msgspec.json.encode((after, expect)), digest_size=6).hexdigest()
    return Rule(f"{PREFIX}{said}", tuple(after), tuple(expect), service, within, learned=True)


def completed(rulebook: RuleBook, learned: Iterable[Learned]) -> RuleBook:
    """The rules with what was learned where they are silent: of choreographies that nobody declared, of triggers that
    no rule names, and of rules without a time."""
    found = {one.name: one for one in learned}
    declared = tuple(
        _beside(choreography, found[choreography.name]) if choreography.name in found else choreography
        for choreography in rulebook.choreographies
    )
    others = tuple(_alone(one) for name, one in sorted(found.items()) if name not in rulebook.by_name)
    return msgspec.structs.replace(rulebook, choreographies=declared, learned=others)


def _alone(found: Learned) -> Choreography:
    return Choreography(
        name=found.name,
        completes=found.ends,
        idle_timeout=IDLE_UNDECLARED,
        declared=False,
        learned=found.rules,
        known=found.known,
    )


def _beside(declared: Choreography, found: Learned) -> Choreography:
    triggers = {name for rule in declared.rules for name in rule.after}
    return msgspec.structs.replace(
        declared,
        rules=tuple(_timed(rule, found.rules) for rule in declared.rules),
        learned=tuple(rule for rule in found.rules if triggers.isdisjoint(rule.after)),
        known=found.known,
    )


def _timed(rule: Rule, found: Iterable[Rule]) -> Rule:
    """A rule that sets no time gets the one that its answers were seen to take."""
    if rule.within is not None or rule.optional or rule.compensates:
        return rule
    like = (one for one in found if set(one.after) == set(rule.after) and set(one.expect) & set(rule.expect))
    times = [one.within for one in like if one.within is not None]
    return msgspec.structs.replace(rule, within=max(times), learned=True) if times else rule
