"""Event logs to mine: made at random, stored as a collector stores them, and counted the plain way."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from collector.correlation.choreography import RuleBook
from collector.decoding import decode
from collector.kafka import Span
from collector.models import Progress, Topic
from collector.queries import MinedMap
from collector.records import Record, TopicRef
from collector.storage import store
from tests.builders import cloud_event, record

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SIXTY_YEARS = timedelta(days=60 * 365)
MICROSECOND = timedelta(microseconds=1)


class LogEvent(msgspec.Struct, frozen=True):
    case: str
    id: str
    type: str
    time: datetime
    causes: tuple[str, ...] = ()


def log(
    seed: int, cases: int, *, types: int = 8, longest: int = 12, begin: datetime | None = None, name: str = "c"
) -> list[LogEvent]:
    """Cases of one to `longest` events. Types repeat, also one after the other; many events have the same time; some
    gaps are microseconds, some days. They start within an hour from `begin`, or at any time from 1970 to 2030."""
    rng = random.Random(seed)
    made = []
    for number in range(cases):
        at = begin + rng.random() * timedelta(hours=1) if begin else EPOCH + rng.random() * SIXTY_YEARS
        for step in range(rng.randint(1, longest)):
            kind = "Started" if step == 0 and rng.random() < 0.7 else f"Type{int(rng.paretovariate(1)) % types}"
            causes = (f"{name}{number}-{rng.randrange(step)}",) if step and rng.random() < 0.5 else ()
            made.append(LogEvent(f"{name}{number}", f"{name}{number}-{step}", kind, at, causes))
            at += rng.choice(
                (
                    timedelta(0),
                    timedelta(microseconds=rng.randint(1, 50)),
                    timedelta(seconds=rng.lognormvariate(2, 2)),
                    timedelta(seconds=rng.randint(0, 3)),
                )
            )
    return made


class Store:
    """Some topics of a few partitions, into which a log is written, copies of events included."""

    def __init__(self, topics: int = 2, partitions: int = 3) -> None:
        rows = [Topic.objects.create(cluster="c", uid=f"uid-{n}", name=f"topic-{n}") for n in range(topics)]
        self.topics = [TopicRef(row.pk, row.cluster, row.uid, row.name) for row in rows]
        self._offsets = {(topic.row, p): 0 for topic in self.topics for p in range(partitions)}
        Progress.objects.bulk_create(
            Progress(topic_id=row, partition=p, next_offset=0, first_offset=0, from_start=True)
            for row, p in self._offsets
        )
        self._partitions = partitions
        self.places: dict[str, list[tuple[datetime, str, int, int]]] = {}
        """By event, the record's timestamp, topic, partition and offset of each copy."""

    def write(self, events: Iterable[LogEvent], stamp: datetime, rng: random.Random) -> None:
        """One batch; each event somewhere, stamped at one of a few moments."""
        spans: dict[tuple[int, int], Span] = {}
        read: list[Record] = []
        for event in events:
            topic, partition = rng.choice(self.topics), rng.randrange(self._partitions)
            key = (topic.row, partition)
            span = spans.setdefault(key, Span(topic, partition, self._offsets[key], self._offsets[key], []))
            moment = stamp + timedelta(milliseconds=rng.randint(0, 3))
            headers = cloud_event(event.type, event.case, event.id, "/log", event.time, event.causes)
            made = record(
                *headers, topic=topic, partition=partition, offset=span.next_offset, timestamp=moment, value=b"{}"
            )
            self.places.setdefault(event.id, []).append((moment, topic.name, partition, span.next_offset))
            span.records.append(made)
            span.next_offset += 1
            self._offsets[key] += 1
            read.append(made)
        store.write(
            list(spans.values()),
            [(found, decode(found)) for found in read],
            RuleBook(
                (),
            ),
            "log",
        )

    def write_all(self, events: Sequence[LogEvent], seed: int, batch: int = 500) -> None:
        """Shuffled, a tenth of them twice."""
        rng = random.Random(seed)
        everything = [*events, *rng.sample(list(events), len(events) // 10)]
        rng.shuffle(everything)
        for start in range(0, len(everything), batch):
            self.write(everything[start : start + batch], datetime(2026, 1, 1, tzinfo=UTC), rng)


class Plain(msgspec.Struct):
    """The same log counted the plain way. Durations in microseconds."""

    cases: dict[str, list[LogEvent]]
    """Each in event order."""

    @classmethod
    def of(cls, events: Iterable[LogEvent], places: dict[str, list[tuple[datetime, str, int, int]]]) -> Plain:
        cases: dict[str, list[LogEvent]] = {}
        for event in events:
            cases.setdefault(event.case, []).append(event)
        for case in cases.values():
            case.sort(key=lambda event: (event.time, *min(places[event.id]), event.id))
        return cls(cases)

    def named(self, name: str) -> Plain:
        """Of the transactions that are named after this first event type."""
        return Plain({key: case for key, case in self.cases.items() if case[0].type == name})

    @property
    def names(self) -> set[str]:
        return {case[0].type for case in self.cases.values()}

    @property
    def nodes(self) -> Counter[str]:
        return Counter(event.type for case in self.cases.values() for event in case)

    @property
    def starts(self) -> Counter[str]:
        return Counter(case[0].type for case in self.cases.values())

    @property
    def ends(self) -> Counter[str]:
        return Counter(case[-1].type for case in self.cases.values())

    @property
    def variants(self) -> Counter[tuple[str, ...]]:
        return Counter(tuple(event.type for event in case) for case in self.cases.values())

    @property
    def wholes(self) -> list[int]:
        return [(case[-1].time - case[0].time) // MICROSECOND for case in self.cases.values()]

    @property
    def edges(self) -> dict[tuple[str, str], list[int]]:
        found: dict[tuple[str, str], list[int]] = {}
        for case in self.cases.values():
            for before, after in pairwise(case):
                gap = (after.time - before.time) // MICROSECOND
                found.setdefault((before.type, after.type), []).append(gap)
        return found


def nearest_rank(durations: Sequence[int], q: float) -> float:
    """In seconds."""
    return sorted(durations)[max(1, math.ceil(q * len(durations))) - 1] / 1e6


def agrees(mined: MinedMap, plain: Plain) -> None:
    """Counts are equal, means agree to rounding, percentiles within 1%."""
    assert mined.transactions == len(plain.cases)
    assert mined.events == plain.nodes.total()
    assert {node.type: node.count for node in mined.nodes} == plain.nodes
    assert {node.type: node.starts for node in mined.nodes if node.starts} == plain.starts
    assert {node.type: node.ends for node in mined.nodes if node.ends} == plain.ends
    assert {(edge.source, edge.target): edge.count for edge in mined.edges} == {
        pair: len(gaps) for pair, gaps in plain.edges.items()
    }
    timed = [(edge.took, plain.edges[edge.source, edge.target]) for edge in mined.edges]
    for took, durations in [*timed, (mined.took, plain.wholes)]:
        assert took.mean == pytest.approx(sum(durations) / len(durations) / 1e6, abs=1e-6)
        for q, value in ((0.5, took.p50), (0.95, took.p95), (0.99, took.p99)):
            assert value == pytest.approx(nearest_rank(durations, q), rel=0.01, abs=0)
