"""Laws of counting: what was added and subtracted leaves nothing, however mixed; and what is told of it is near."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from collector.correlation.causality import Link, Links
from collector.correlation.events import Skeleton, in_order
from collector.mining.contribution import (
    EPOCH,
    Contribution,
    causal_form,
    contribution,
    first_hourly,
    hour_of,
    micros_of,
    moment_of,
    without_echoes,
)
from collector.mining.counts import Counts, Figure, Key
from collector.mining.differences import Differences, Entries
from collector.mining.durations import bucket, percentiles
from collector.mining.ranges import rounded
from tests.property.dances import TYPES

NOW = datetime(2026, 11, 20, 12, 34, tzinfo=UTC)
times = st.integers(0, 60 * 365 * 24 * 3600 * 4).map(lambda quarters: EPOCH + timedelta(seconds=quarters / 4))
gaps = st.integers(0, 60) | st.integers(0, 10**15)


@st.composite
def contributions(draw: st.DrawFn) -> Contribution:
    types = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=8))
    return Contribution(
        choreography=draw(st.sampled_from(("one", "two"))),
        status=draw(st.sampled_from(("running", "completed"))),
        hours=draw(st.sampled_from((1, 24))),
        bucket=24 * draw(st.integers(0, 3)),
        types=tuple(types),
        gaps=tuple(draw(st.lists(gaps, min_size=len(types) - 1, max_size=len(types) - 1))),
        variant=draw(st.integers(0, 2)),
        causal=draw(st.integers(0, 2)),
    )


def changed(found: Sequence[Contribution], gone: Sequence[Contribution] = ()) -> Counts:
    """By what these change the counts."""
    differences = Differences()
    differences.add(found)
    differences.subtract(gone)
    apart = told([*differences.told(apart=True), *differences.ways((), apart=True)])
    assert plain(apart) == plain(told([*differences.told(apart=False), *differences.ways((), apart=False)]))
    return apart


def told(entries: Iterable[Entries]) -> Counts:
    counts = Counts()
    for choreography, kind, hours, first, status, always, *columns in entries:
        for source, target, count, total, durations in zip(*columns, strict=True):
            figure = Figure(count, total)
            figure.take(durations)
            assert not figure.says_nothing
            key = Key(choreography, kind, hours, first, status, source, target)
            assert key not in counts, "each key comes once"
            counts[key] = figure
            if always:
                counts.setdefault(key._replace(hours=0, bucket=0), Figure()).add(figure)
    return counts


def together(*several: Counts) -> Counts:
    counts = Counts()
    for one in several:
        for key, figure in one.items():
            counts.setdefault(key, Figure()).add(figure)
    return counts


@given(st.lists(contributions(), max_size=5), st.lists(contributions(), max_size=5), st.randoms())
def test_what_was_added_and_subtracted_leaves_nothing(
    kept: list[Contribution], gone: list[Contribution], rng: object
) -> None:
    steps = [(entry, 1) for entry in kept] + [(entry, sign) for entry in gone for sign in (1, -1)]
    rng.shuffle(steps)  # type: ignore[attr-defined]
    mixed = together(*(changed([entry]) if sign > 0 else changed((), [entry]) for entry, sign in steps))
    assert plain(mixed) == plain(changed(kept))
    assert plain(changed([*kept, *gone], gone)) == plain(mixed)


@given(st.lists(contributions(), max_size=8), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=9))
def test_what_is_counted_before_ways_have_numbers_is_the_same(
    entries: list[Contribution], numbers: list[tuple[int, int]]
) -> None:
    """Also where several have the same one, as what is beyond the bound and one of its causal variants have."""
    differences = Differences()
    for place, entry in enumerate(entries):
        entry.variant = entry.causal = -1 - place
        differences.add([entry])
    found = told([*differences.told(apart=True), *differences.ways(numbers, apart=True)])
    for entry in entries:
        entry.variant, entry.causal = numbers[-1 - entry.variant]
    assert plain(found) == plain(changed(entries))


@given(st.lists(contributions(), max_size=5))
def test_there_are_as_many_events_as_contributions_have(entries: list[Contribution]) -> None:
    counts = changed(entries)
    events = Counter(name for entry in entries for name in entry.types)
    counted = {
        name: sum(
            figure.count for key, figure in counts.items() if (key.kind, key.source, key.hours) == ("node", name, 0)
        )
        for name in events
    }
    assert counted == events


def plain(counts: Counts) -> dict[object, object]:
    return {
        key: (figure.count, figure.total, {i: n for i, n in figure.durations.items() if n})
        for key, figure in counts.told()
    }


@given(st.lists(gaps, min_size=1, max_size=40), st.sampled_from((0.01, 0.5, 0.95, 0.99, 1.0)))
def test_percentiles_are_right_to_one_per_cent(durations: list[int], q: float) -> None:
    counts: dict[int, int] = {}
    for micros in durations:
        counts[bucket(micros)] = counts.get(bucket(micros), 0) + 1
    exact = sorted(durations)[max(1, math.ceil(q * len(durations))) - 1] / 1e6
    (found,) = percentiles(counts, [q])
    assert found is not None
    assert abs(found - exact) <= 0.01 * exact
    assert percentiles({}, [q]) == [None]


@given(times | st.none(), times | st.none(), times)
def test_a_range_is_rounded_outward_to_whole_buckets(
    since: datetime | None, until: datetime | None, began: datetime
) -> None:
    """So all that began within it is counted, and what is counted is by how its bucket lies."""
    within = rounded(since, until, NOW)
    found = begun(began)
    counted_in = (within.since is None or found.bucket >= within.since) and (
        within.until is None or found.bucket < within.until
    )
    if (since is None or began >= since) and (until is None or began < until):
        assert counted_in
    elif counted_in:  # its bucket reaches into the range
        assert since is None or moment_of(found.bucket + found.hours) > since
        assert until is None or moment_of(found.bucket) < until


@given(times | st.none(), times | st.none(), st.integers(0, 48 * 3))
def test_a_range_is_whole_days_and_the_hours_beside_them(
    since: datetime | None, until: datetime | None, ago: int
) -> None:
    """So each of its hours is read once, and of a long range few."""
    within = rounded(since, until, NOW)
    parts = within.parts
    hour = hour_of(NOW) - ago
    day = hour - hour % 24
    by_day = (parts.first is None or day >= parts.first) and (parts.last is None or day < parts.last)
    inside = (within.since is None or hour >= within.since) and (within.until is None or hour < within.until)
    assert by_day + (hour in parts.hours) == inside
    assert len(parts.hours) == len(set(parts.hours)) <= 2 * 23
    assert all(hour >= first_hourly(NOW) for hour in parts.hours)


def begun(moment: datetime) -> Contribution:
    return contribution("one", "running", ("T",), micros_of(moment), (), first_hourly(NOW))


@given(times)
def test_the_bucket_holds_the_beginning(began: datetime) -> None:
    found = begun(began)
    assert moment_of(found.bucket) <= began < moment_of(found.bucket + found.hours)
    assert (found.hours == 1) == (hour_of(began) >= first_hourly(NOW))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[tuple[int, int]]]:
    """Types, and links from earlier to later places."""
    types = draw(st.lists(st.sampled_from(TYPES[:3]), min_size=1, max_size=7))
    pairs = [(parent, child) for child in range(len(types)) for parent in range(child)]
    return types, draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []


def form(types: list[str], links: list[tuple[int, int]]) -> object:
    return causal_form(types, Links(tuple(Link(parent, child, "explicit") for parent, child in links), ()))


@given(graphs(), st.randoms())
def test_a_causal_variant_is_the_same_whatever_came_first(
    graph: tuple[list[str], list[tuple[int, int]]], rng: object
) -> None:
    types, links = graph
    order = list(range(len(types)))
    rng.shuffle(order)  # type: ignore[attr-defined]
    places = {old: new for new, old in enumerate(order)}
    moved = [(places[parent], places[child]) for parent, child in links]
    assert form([types[old] for old in order], moved) == form(types, links)


def test_causal_variants_differ_where_something_else_led_to_it() -> None:
    types = ["A", "B", "C"]
    assert form(types, [(0, 1), (0, 2)]) != form(types, [(0, 1), (1, 2)])
    assert form(types, [(0, 1), (0, 2)]) != form(types, [(0, 1)])
    assert form(types, []) == form(["C", "A", "B"], [])


def event(name: str, time: datetime, *causes: str) -> Skeleton:
    return Skeleton("s", name, "T", "one", time, time, time, "t", 0, int(name), causes)


@given(st.lists(st.lists(st.integers(0, 9), max_size=2), min_size=10, max_size=10))
def test_what_descends_from_our_own_events_is_left_out_and_nothing_else(named: list[list[int]]) -> None:
    events = [event(str(n), NOW + timedelta(seconds=n), *map(str, causes)) for n, causes in enumerate(named)]
    events[0] = event("0", NOW, "ours")
    reached = {"0"}
    for _ in events:
        reached |= {found.id for found in events if reached & set(found.causes)}
    left = without_echoes(events, ["ours"])
    assert [found.id for found in in_order(left)] == [str(n) for n in range(10) if str(n) not in reached]
    assert without_echoes(events, []) == events
