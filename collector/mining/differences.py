"""What some contributions come to, less others: by what the counts differ.

Those of one time are looked at together, column by column: what is counted and how long it took make one number, and
numbers are counted by compiled code, several times faster than one contribution after the other. So most is done while
the database still reads others. What is in both goes without a trace.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from operator import add
from typing import Any, NamedTuple

from collector.mining.contribution import ALWAYS, Contribution
from collector.mining.durations import NOTHING, buckets

Place = tuple[str, str, int, int]
"""Choreography, status, hours and bucket."""
Pair = tuple[Any, Any]
"""What is counted: of edges their source and target, of ways the numbers of variant and causal variant."""

_SLOTS = 1 << 12
"""More buckets than there are: the last is far beyond any duration."""
_CASE = ("", "")


class Entries(NamedTuple):
    """What the counts of one kind differ by, at one time, and where `always` for all times too: columns, in which each
    source and target comes once. Of `durations` each is a list: a bucket, how many lie in it, another bucket …; a
    bucket may come twice."""

    choreography: str
    kind: str
    hours: int
    bucket: int
    status: str
    always: bool
    sources: Sequence[str]
    targets: Sequence[str]
    counts: Sequence[int]
    totals: Sequence[int]
    durations: Sequence[Sequence[int]]


class _Slots(dict[Pair, int]):
    """The first slot of each pair's own, in the order in which they come."""

    def __missing__(self, pair: Pair) -> int:
        self[pair] = first = len(self) * _SLOTS - NOTHING
        return first


class _Sum:
    """How often something came: by slot, or by type for what takes no time; and how long it took, by the first slot."""

    __slots__ = ("counted", "totals")

    def __init__(self) -> None:
        self.counted: Counter[Any] = Counter()
        self.totals: Counter[int] = Counter()


class _Sums(defaultdict[str, _Sum]):
    """By kind."""

    def __init__(self) -> None:
        super().__init__(_Sum)


_Column = tuple[str, Sequence[Any], Mapping[int, int]]
"""Of a kind what is counted, and totals."""


class Differences:
    """Holds as much as there are different things to count, and no contributions."""

    def __init__(self) -> None:
        self._sums: defaultdict[Place, _Sums] = defaultdict(_Sums)
        self._slots: defaultdict[str, _Slots] = defaultdict(_Slots)
        self._steps: dict[tuple[str, ...], list[int]] = {}

    def add(self, found: Iterable[Contribution]) -> None:
        for sums, those in self._by_place(found):
            for kind, column, totals in self._columns(those):
                sums[kind].counted.update(column)
                if totals:
                    sums[kind].totals.update(totals)

    def subtract(self, gone: Iterable[Contribution]) -> None:
        for sums, those in self._by_place(gone):
            for kind, column, totals in self._columns(those):
                sums[kind].counted.subtract(Counter(column))
                if totals:
                    sums[kind].totals.subtract(totals)

    def _by_place(self, contributions: Iterable[Contribution]) -> Iterator[tuple[_Sums, list[Contribution]]]:
        places: dict[Place, list[Contribution]] = {}
        for one in contributions:
            places.setdefault((one.choreography, one.status, one.hours, one.bucket), []).append(one)
        return ((self._sums[place], those) for place, those in places.items())

    def _columns(self, those: Sequence[Contribution]) -> Iterator[_Column]:
        ways = [one.types for one in those]
        yield "start", [types[0] for types in ways], {}
        yield "end", [types[-1] for types in ways], {}
        wholes = [sum(one.gaps) for one in those]
        long, slots, case = buckets(wholes), self._slots["way"], self._slots["case"][_CASE]
        yield "case", [case + bucket for bucket in long], {case: sum(wholes)}
        yield _timed("way", [slots[one.variant, one.causal] for one in those], wholes, long)
        gaps = list(chain.from_iterable([one.gaps for one in those]))
        yield _timed("edge", self._taken(ways), gaps, buckets(gaps))

    def _taken(self, ways: Sequence[tuple[str, ...]]) -> list[int]:
        """The first slots of all steps."""
        known, slots, steps = self._steps, self._slots["edge"], []
        for types in ways:
            those = known.get(types)
            if those is None:
                those = known[types] = [slots[pair] for pair in pairwise(types)]
            steps += those
        return steps

    def told(self, *, apart: bool) -> Iterator[Entries]:
        """All but ways. `apart`: what comes to all times is told by itself, which is less where much is told of many
        times."""
        pairs = list(self._slots["edge"])
        numbers, sums = range(len(pairs)), [self._told(kind, apart) for kind in ("case", "start", "end", "edge")]
        for (place, cases), (_, starts), (_, ends), (_, edges) in zip(*sums, strict=True):
            steps = _gathered(place, apart, "edge", edges, pairs, numbers)
            yield from steps
            yield from _gathered(place, apart, "case", cases, [_CASE], range(1))
            events = Counter(starts.counted)  # each is the first, or comes directly after another
            for those in steps:
                for name, n in zip(those.targets, those.counts, strict=True):
                    events[name] += n
            for kind, counted in (("start", starts.counted), ("end", ends.counted), ("node", events)):
                yield from _untimed(place, apart, kind, counted)

    def ways(self, numbers: Sequence[tuple[int, int]], *, apart: bool) -> Iterator[Entries]:
        """What comes to variants and causal variants. `numbers`: those of ways that had none yet, -1 being the first of
        them."""
        pairs = [numbers[-1 - pair[0]] if pair[0] < 0 else pair for pair in self._slots["way"]]
        for column, kind in enumerate(("variant", "causal")):
            first: dict[int, int] = {}
            owners = [first.setdefault(pair[column], number) for number, pair in enumerate(pairs)]
            names = [(str(pair[column]), "") for pair in pairs]
            for place, of in self._told("way", apart):
                yield from _gathered(place, apart, kind, of, names, owners)

    def _told(self, kind: str, apart: bool) -> Iterator[tuple[Place, _Sum]]:
        """Of each time; then, where that is told apart, of all times together."""
        always: defaultdict[tuple[str, str], _Sum] = defaultdict(_Sum)
        for place, sums in self._sums.items():
            yield place, (own := sums[kind])
            if apart:
                every = always[place[0], place[1]]
                every.counted.update(own.counted)
                every.totals.update(own.totals)
        for (choreography, status), every in always.items():
            yield (choreography, status, ALWAYS, 0), every


def _timed(kind: str, slots: Sequence[int], micros: Sequence[int], bucketed: Sequence[int]) -> _Column:
    totals: defaultdict[int, int] = defaultdict(int)
    for slot, took in zip(slots, micros, strict=True):
        totals[slot] += took
    return kind, list(map(add, slots, bucketed)), totals


def _untimed(place: Place, apart: bool, kind: str, counted: Counter[str]) -> list[Entries]:
    names = [name for name, n in counted.items() if n]
    if not names:
        return []
    many = len(names)
    return [
        _entries(place, apart, kind, names, [""] * many, [counted[name] for name in names], [0] * many, [()] * many)
    ]


def _gathered(
    place: Place, apart: bool, kind: str, of: _Sum, pairs: Sequence[Pair], owners: Sequence[int]
) -> list[Entries]:
    """What was counted, told by pair; `owners` says under which pair's number each number is told."""
    durations: dict[int, list[int]] = {}
    for slot, n in of.counted.items():
        if n:
            owner = owners[slot // _SLOTS]
            found = durations.get(owner)
            if found is None:
                durations[owner] = [slot % _SLOTS + NOTHING, n]
            else:
                found += (slot % _SLOTS + NOTHING, n)
    totals: dict[int, int] = {}
    for slot, total in of.totals.items():
        if total:
            owner = owners[slot // _SLOTS]
            totals[owner] = totals.get(owner, 0) + total
    told = [*durations, *[owner for owner, total in totals.items() if total and owner not in durations]]
    if not told:
        return []
    took = [durations.get(owner, ()) for owner in told]
    sources, targets = zip(*[pairs[owner] for owner in told], strict=True)
    counts = [sum(those[1::2]) for those in took]
    return [_entries(place, apart, kind, sources, targets, counts, [totals.get(owner, 0) for owner in told], took)]


def _entries(place: Place, apart: bool, kind: str, *columns: Sequence[Any]) -> Entries:
    choreography, status, hours, bucket = place
    return Entries(choreography, kind, hours, bucket, status, not apart, *columns)
