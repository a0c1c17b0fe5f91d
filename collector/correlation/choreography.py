"""Choreographies as declared: which events start, end and fail a kind of transaction, and its response rules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from collector.correlation.shape import Remembered

if TYPE_CHECKING:
    from collector.correlation.causality import Links
    from collector.correlation.standing import Standing

GRACE = timedelta(milliseconds=500)
SKEW = timedelta(seconds=5)
HISTORY_AGE = timedelta(hours=1)
TRANSACTION_EVENTS = 2_000
LOOP = 20
FAN_OUT = 200
IDLE_UNDECLARED = timedelta(hours=1)
"""Silence after which a transaction without a declared choreography counts as over."""


class Limits(msgspec.Struct, frozen=True):
    """Bounds of judgement.

    skew: how far an event's own time may be from its record's timestamp and still be believed.
    grace: what a deadline is overdrawn by before it counts.
    history_age: events older than this at arrival are history; they raise no alert.
    transaction_events: above this many, a transaction is oversized and judged no more.
    loop: how often events of one type may lead to one another in one chain before that is called a loop.
    fan_out: how many events one event may lead to before that is called runaway.
    """

    skew: timedelta = SKEW
    grace: timedelta = GRACE
    history_age: timedelta = HISTORY_AGE
    transaction_events: int = TRANSACTION_EVENTS
    loop: int = LOOP
    fan_out: int = FAN_OUT


class Rule(msgspec.Struct, frozen=True):
    """After every event of `after` (several: a join), one of `expect` is expected from `service` within `within`.

    `compensates` names the event type that the answer undoes: the rule then applies only where that event happened.
    `optional`: the answer may come, and nobody waits for it. `part` names the sub-choreography that the rule is of.
    `learned`: its deadline was learned, and is nobody's promise.
    """

    key: str
    after: tuple[str, ...]
    expect: tuple[str, ...]
    service: str = ""
    within: timedelta | None = None
    compensates: str | None = None
    even_after_end: bool = False
    optional: bool = False
    part: str = ""
    learned: bool = False

    @property
    def awaited(self) -> str:
        """The awaited types as people read them: "PaymentAuthorized or PaymentDeclined"."""
        return " or ".join(self.expect)

    @property
    def binding(self) -> bool:
        """Whether an end without its answer is one with something missing."""
        return not self.optional and not self.survives_end

    @property
    def survives_end(self) -> bool:
        return self.even_after_end or self.compensates is not None


class Choreography(msgspec.Struct, frozen=True, dict=True):
    """A kind of transaction. `declared` is false for those that are only named after their first event type.

    `completes_all`: it takes all completing events, not one of them. `never_after`: what must not follow an event.
    `only_after`: what has to have come before an event. `parts`: choreographies that such a transaction passes through;
    their rules are among `rules`, after its own. `learned`: what its transactions were seen to do, where nothing is
    declared; such rules say what is awaited, and never what deviates. They hold for transactions all of whose event
    types are `known` from learning.
    """

    name: str
    starts: frozenset[str] = frozenset()
    completes: frozenset[str] = frozenset()
    fails: frozenset[str] = frozenset()
    timeout: timedelta | None = None
    idle_timeout: timedelta | None = None
    rules: tuple[Rule, ...] = ()
    declared: bool = True
    completes_all: bool = False
    never_after: dict[str, tuple[str, ...]] = {}
    only_after: dict[str, tuple[str, ...]] = {}
    parts: tuple[Choreography, ...] = ()
    learned: tuple[Rule, ...] = ()
    known: frozenset[str] = frozenset()

    @cached_property
    def digest(self) -> str:
        """The same for all that are declared alike, in every process."""
        return blake2b(msgspec.json.encode(self, order="deterministic"), digest_size=16).hexdigest()

    @cached_property
    def mentioned(self) -> frozenset[str]:
        """Every event type that the declaration names."""
        in_rules = {
            name
            for rule in self.rules
            for name in (*rule.after, *rule.expect, *((rule.compensates,) if rule.compensates else ()))
        }
        in_bounds = {
            name
            for bound in (self.never_after, self.only_after)
            for of, names in bound.items()
            for name in (of, *names)
        }
        in_parts = frozenset[str]().union(*(part.mentioned for part in self.parts))
        return self.starts | self.completes | self.fails | in_rules | in_bounds | in_parts

    @cached_property
    def ends(self) -> frozenset[str]:
        return self.completes | self.fails

    @cached_property
    def settled_by(self) -> dict[str, tuple[str, ...]]:
        """By rule, the types of event that settle its pending responses: its answers, and what ends the whole or the
        part that it is of."""
        ends = {part.name: self.ends | part.ends for part in self.parts}
        rules = (*self.rules, *self.learned)
        return {rule.key: (*rule.expect, *sorted(ends.get(rule.part, self.ends))) for rule in rules}

    @cached_property
    def links(self) -> Remembered[Links]:
        """What led to what, by shape: filled by `collector.correlation.causality`."""
        return Remembered()

    @cached_property
    def expected_by(self) -> dict[str, list[Rule]]:
        """Rules by the types that answer them."""
        found: dict[str, list[Rule]] = {}
        for rule in self.rules:
            for name in rule.expect:
                found.setdefault(name, []).append(rule)
        return found


@lru_cache(maxsize=1_024)
def undeclared(name: str) -> Choreography:
    return Choreography(name=name, idle_timeout=IDLE_UNDECLARED, declared=False)


class RuleBook(msgspec.Struct, frozen=True, dict=True):
    """All choreographies of one version of the rules; `version` is the stored RuleSet's id, 0: none.

    `learned` are those of which nothing is declared. `learns`: what is learned is to be used.
    """

    choreographies: tuple[Choreography, ...] = ()
    limits: Limits = Limits()
    learned: tuple[Choreography, ...] = ()
    learns: bool = False
    version: int = 0
    announces: bool = False
    """Whether what becomes of transactions is to be told back on the bus."""

    @cached_property
    def by_name(self) -> dict[str, Choreography]:
        return {choreography.name: choreography for choreography in self.choreographies}

    @cached_property
    def _by_learning(self) -> dict[str, Choreography]:
        return {choreography.name: choreography for choreography in self.learned}

    @cached_property
    def _by_start(self) -> dict[str, Choreography]:
        return {name: c for c in reversed(self.choreographies) for name in c.starts}

    @cached_property
    def _by_mention(self) -> dict[str, Choreography]:
        return {name: c for c in reversed(self.choreographies) for name in c.mentioned}

    @cached_property
    def _wholes(self) -> dict[str, list[Choreography]]:
        """By name, the choreographies that pass through a choreography."""
        found: dict[str, list[Choreography]] = {}
        for whole in self.choreographies:
            for part in whole.parts:
                found.setdefault(part.name, []).append(whole)
        return found

    @cached_property
    def standings(self) -> Remembered[Standing]:
        """Where transactions stand, by shape: filled by `collector.correlation.standing`."""
        return Remembered()

    def named(self, name: str) -> Choreography:
        return self.by_name.get(name) or self._by_learning.get(name) or undeclared(name)

    def choose(self, types: Iterable[str]) -> Choreography:
        """The choreography of a transaction whose events have these types, in event order.

        That of its earliest start event; else the first declared one that mentions one of its types, earliest first;
        else one named after its first event type. One that passes through the one so found goes before it, if its own
        start event is there too: clocks need not agree on which of the two starts came first.
        """
        types = list(types)
        for table in (self._by_start, self._by_mention):
            for name in types:
                if name in table:
                    found = table[name]
                    wholes = self._wholes.get(found.name, ())
                    return next((whole for whole in wholes if not whole.starts.isdisjoint(types)), found)
        first = types[0] if types else ""
        return self._by_learning.get(first) or undeclared(first)

    def to_json(self) -> Any:
        """The same in every process: sets are sorted."""
        return msgspec.to_builtins((*self.choreographies, *self.learned), order="deterministic")
