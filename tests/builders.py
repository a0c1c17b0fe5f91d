"""Short ways to make what tests speak of: moments, records, events, rules, and how far reading has come."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from collector.correlation.choreography import Choreography, Limits, Rule, RuleBook
from collector.correlation.events import Skeleton
from collector.correlation.reading import Reading
from collector.records import Record, TopicRef, pack_headers

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ORDERS = TopicRef(row=1, cluster="cluster-1", uid="uid-orders", name="orders")

Header = tuple[str, bytes | None]


def at(seconds: float) -> datetime:
    """So many seconds past noon."""
    return NOON + timedelta(seconds=seconds)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def record(
    *headers: Header,
    value: bytes | None = b"{}",
    topic: TopicRef = ORDERS,
    partition: int = 0,
    offset: int = 7,
    timestamp: datetime | None = NOON,
    key: bytes | None = None,
    headers_error: str = "",
) -> Record:
    return Record(topic, partition, offset, timestamp, key, value, pack_headers(headers), headers_error)


def cloud_event(
    kind: str = "OrderPlaced",
    transaction: str | None = "order-1",
    name: str = "event-1",
    source: str = "/services/order",
    time: datetime | str | None = NOON,
    causes: Iterable[str] = (),
) -> tuple[Header, ...]:
    """The headers of a CloudEvent in binary mode: its type, transaction id, id …; what is None or empty is left out."""
    moment = time.isoformat() if isinstance(time, datetime) else time
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": name,
        "ce_source": source,
        "ce_type": kind,
        "ce_time": moment,
        "ce_correlationid": transaction,
        "ce_causationid": ",".join(causes),
    }
    return tuple((header, value.encode()) for header, value in attributes.items() if value)


def happened(
    kind: str,
    when: float,
    name: str = "",
    *,
    causes: tuple[str, ...] = (),
    stamped: float | None = None,
    arrived: float | None = None,
    source: str = "/services/any",
    topic: str = "orders",
    partition: int = 0,
    offset: int = 0,
    trace: str = "",
) -> Skeleton:
    """An event so many seconds past noon by its own clock, `stamped` by the record's, and stored when it `arrived`."""
    stamp = when if stamped is None else stamped
    return Skeleton(
        source=source,
        id=name or f"{kind}@{when:g}",
        type=kind,
        service=source.rsplit("/", 1)[-1],
        time=at(when),
        record_time=at(stamp),
        received_at=at(stamp if arrived is None else arrived),
        topic=topic,
        partition=partition,
        offset=offset or round(when * 1000),
        causes=causes,
        trace=trace,
    )


def story(told: str) -> list[Skeleton]:
    """ "Placed@0 Paid@3": these events, so many seconds past noon; an event's id is what is written of it."""
    return [happened(kind, float(when), f"{kind}@{when}") for kind, when in (part.split("@") for part in told.split())]


def rule(
    after: str,
    expect: str,
    within: float | None = 30,
    *,
    service: str = "",
    compensates: str | None = None,
    even_after_end: bool = False,
) -> Rule:
    """A response rule: "A + B" after a join, "A | B" where there are alternatives. Its key is both."""
    return Rule(
        key=f"{after} -> {expect}",
        after=tuple(after.split(" + ")),
        expect=tuple(expect.split(" | ")),
        service=service,
        within=None if within is None else seconds(within),
        compensates=compensates,
        even_after_end=even_after_end,
    )


def choreography(
    *rules: Rule,
    name: str = "order",
    starts: Iterable[str] = ("Placed",),
    completes: Iterable[str] = ("Completed",),
    fails: Iterable[str] = ("Cancelled",),
    timeout: float | None = None,
    idle_timeout: float | None = None,
) -> Choreography:
    return Choreography(
        name=name,
        starts=frozenset(starts),
        completes=frozenset(completes),
        fails=frozenset(fails),
        timeout=None if timeout is None else seconds(timeout),
        idle_timeout=None if idle_timeout is None else seconds(idle_timeout),
        rules=rules,
    )


def rulebook(*choreographies: Choreography, limits: Limits | None = None) -> RuleBook:
    return RuleBook(choreographies, limits or Limits())


def read_until(when: float | None, *, from_start: bool = True) -> Reading:
    """Everything appended up to so many seconds past noon has been read; None: that is not known yet."""
    return Reading({1: None if when is None else at(when)}, from_start=from_start)
