"""The usual record, read the short way: a CloudEvent in binary mode that says all it should, and nothing beside.

Records of a topic have the same headers in the same order. Where in them each attribute lies is worked out once for
each such list of names, and remembered; whatever is unusual about a record is left to the decoder. What is read here is
what the decoder would read (a property test says so), in half the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from sys import intern
from typing import NamedTuple, cast

from collector.decoding import cloudevents, failures, naming, tracing, values
from collector.decoding.dialects import CLOUDEVENTS_BINARY
from collector.decoding.event import Event
from collector.decoding.plans import PLANS, Look
from collector.decoding.values import FIRST_YEAR, LAST_YEAR, LONGEST_NONE, SURELY_SHORT
from collector.records import Header, Record

MOST_HEADERS = 30
BESIDE = tracing.MARKERS | failures.MARKERS
"""Headers that say something beside what the dialect does."""
_PLAN = PLANS[CLOUDEVENTS_BINARY.name]
_NAME = _PLAN.name
_ENOUGH = SURELY_SHORT + 1
"""So many bytes of a text that is remembered tell whether it is short enough for that."""
LONGEST_NAMES = 1_000
"""Characters of all names together: longer lists are not remembered."""
MOST_LAYOUTS = 1_000
NOWHERE = -1


class Layout(NamedTuple):
    """The places of the attributes in a list of headers; `NOWHERE` for those that need not be there."""

    version: int
    id: int
    source: int
    type: int
    time: int
    transaction: int
    causes: int
    subject: int
    content_type: int
    basis: str


layouts: dict[tuple[str, ...], Layout | None] = {}


def read(record: Record, headers: Sequence[Header]) -> Event | None:
    """The event, if these headers of the record are as usual; else None, which says nothing about it."""
    if not headers:
        return None
    names, raws = zip(*headers, strict=True)
    try:
        layout = layouts[names]
    except KeyError:
        layout = _laid_out(names)
    if layout is None:
        return None
    try:
        return _along(layout, record, cast("tuple[bytes, ...]", raws))
    except (AttributeError, TypeError, ValueError):  # one of them is null, not UTF-8, or no time
        return None


def _along(layout: Layout, record: Record, raws: Sequence[bytes]) -> Event | None:
    version, id_at, source_at, type_at, time_at, transaction_at, causes_at, subject_at, content_at, basis = layout
    if raws[version] != cloudevents.VERSION or (content_at != NOWHERE and not _plain(raws[content_at][:_ENOUGH])):
        return None
    identifier, transaction = raws[id_at].decode(), raws[transaction_at].decode()
    named, kind = _source(raws[source_at][:_ENOUGH]), _text(raws[type_at][:_ENOUGH])
    time, stamp = datetime.fromisoformat(raws[time_at].decode()), record.timestamp
    if (
        named is None
        or kind is None
        or stamp is None
        or not _usual(identifier)
        or not _usual(transaction)
        or time.tzinfo is not UTC
        or not FIRST_YEAR <= time.year <= LAST_YEAR
        or not FIRST_YEAR <= stamp.year <= LAST_YEAR
    ):
        return None
    subject = ""
    causes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if subject_at != NOWHERE and not _usual(subject := raws[subject_at].decode()):
        return None
    if causes_at != NOWHERE:
        written = raws[causes_at].decode()
        if _usual(written) and "," not in written:
            causes = (written,)
        elif _says(written):
            found: list[str] = []
            causes = naming.causes(written, found)
            notes = tuple(found)
        else:
            return None
    source, service = named
    return Event(
        identifier, source, kind, service, time, stamp, _NAME, (transaction,), causes, subject, "", basis, notes
    )


def _says(text: str) -> bool:
    """Neither none, nor with anything to be mended."""
    return len(text) > LONGEST_NONE and text[0] != " " != text[-1] and text.isprintable()


def _usual(text: str) -> bool:
    """The same, and not to be shortened."""
    return LONGEST_NONE < len(text) <= SURELY_SHORT and text[0] != " " != text[-1] and text.isprintable()


@lru_cache(maxsize=4_096)
def _text(raw: bytes) -> str | None:
    """One of few texts, such as types; None for an unusual one."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return intern(text) if _usual(text) else None


@lru_cache(maxsize=4_096)
def _source(raw: bytes) -> tuple[str, str] | None:
    """A source and the service that it names; None for an unusual one."""
    text = _text(raw)
    return None if text is None else (text, values.service_of(text))


@lru_cache(maxsize=256)
def _plain(content_type: bytes) -> bool:
    """Whether this content type announces no structured CloudEvent."""
    return len(content_type) < _ENOUGH and cloudevents.form_of(content_type) is None


def _laid_out(names: tuple[str, ...]) -> Layout | None:
    """Works out where the attributes lie, and remembers it; None where something is missing, irregular or beside."""
    found = _layout([name.lower() for name in names]) if len(names) <= MOST_HEADERS else None
    if sum(map(len, names)) <= LONGEST_NAMES:
        if len(layouts) >= MOST_LAYOUTS:
            layouts.clear()
        layouts[names] = found
    return found


def _layout(names: Sequence[str]) -> Layout | None:
    if len(set(names)) < len(names) or not BESIDE.isdisjoint(names):
        return None

    def place(*wanted: str) -> int:
        return next((names.index(name) for name in wanted if name in names), NOWHERE)

    def first(look: Look) -> int:
        return place(*[name for _, name, _, _ in look])

    look, basis = _PLAN.transaction[0]
    found = Layout(
        version=place("ce_specversion"),
        id=first(_PLAN.id),
        source=first(_PLAN.source),
        type=first(_PLAN.type),
        time=first(_PLAN.time),
        transaction=first(look),
        causes=first(_PLAN.causes),
        subject=first(_PLAN.subject),
        content_type=place("content-type"),
        basis=basis,
    )
    needed = (found.version, found.id, found.source, found.type, found.time, found.transaction)
    return None if NOWHERE in needed else found
