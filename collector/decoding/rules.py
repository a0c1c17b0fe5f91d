"""What the configuration says about the records of its topics: where ids are, what names them, what is at stake.

A correlation rule goes before the dialects: what it finds counts more than what the envelope says, and what it does not
name is read from the envelope. So a rule may give an id to CloudEvents that carry none, or make events of plain JSON.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from collector.decoding import paths, values
from collector.decoding.content import Content
from collector.decoding.event import UNTYPED, Event, Undecodable
from collector.decoding.naming import MAX_CAUSES, bounded
from collector.decoding.paths import Path
from collector.records import Record

MAX_TRANSACTIONS = 100
MAX_KEYS = 20
_MOST_AT_STAKE = 1e15
_EPOCH = re.compile(r"\d{9,19}")
CONFIGURED = "configured rule"
"""The dialect of what only a rule could read."""


class CorrelationRule(msgspec.Struct, frozen=True):
    """Where the records of some topics say what they are. Of several paths for one thing the first that leads anywhere
    counts; for transaction ids and causes, all of them do. `number` counts from 1."""

    number: int
    topics: re.Pattern[str]
    transaction_id: tuple[Path, ...] = ()
    id: tuple[Path, ...] = ()
    type: tuple[Path, ...] = ()
    service: tuple[Path, ...] = ()
    source: tuple[Path, ...] = ()
    time: tuple[Path, ...] = ()
    causes: tuple[Path, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        return (*self.transaction_id, *self.id, *self.type, *self.service, *self.source, *self.time, *self.causes)


def correlated(rules: Iterable[CorrelationRule], content: Content, found: Event | Undecodable) -> Event | Undecodable:
    """The event as the first of these rules has it that finds what it looks for; else what the dialects made of it."""
    for rule in rules:
        notes: list[str] = []
        transactions, basis = _transactions(rule, content, notes)
        if transactions if rule.transaction_id else any(_first((path,), content) for path in rule.paths):
            return _event(rule, content, found, (transactions, basis), notes)
    return found


class Link(msgspec.Struct, frozen=True):
    """Ids of one transaction: what these paths lead to on one event names the same one. The first goes before."""

    number: int
    topics: re.Pattern[str]
    ids: tuple[Path, ...]


def linked(links: Iterable[Link], content: Content, event: Event) -> Event:
    """The event with the ids that these links find: each names its transaction, and those of one link the same one."""
    names, groups, basis = dict.fromkeys(event.transaction_ids), list(event.links), event.basis
    for link in links:
        group: dict[str, int] = {}
        for rank, path in enumerate(link.ids):
            for text in paths.texts(path, content):
                name = values.clean(text.strip())
                if not values.is_none(name) and len(group) < MAX_TRANSACTIONS:
                    group.setdefault(values.bounded(name), rank)
                    basis = basis or f"link {link.number}, {path}"
        names.update(dict.fromkeys(group))
        if len(group) > 1:
            groups.append(tuple((rank, name) for name, rank in group.items()))
    kept = tuple(names)[:MAX_TRANSACTIONS]
    whole = tuple(group for group in groups if all(name in kept for _, name in group))
    return msgspec.structs.replace(event, transaction_ids=kept, links=whole, basis=basis)


def with_keys(names: Iterable[Path], content: Content, event: Event) -> Event:
    """The event with the business keys that its record holds: pairs of what the key is called and its value."""
    keys: dict[tuple[str, str], None] = {}
    for path in names:
        for text in paths.texts(path, content):
            cleaned = values.bounded(values.clean(text.strip()))
            if not values.is_none(cleaned) and len(keys) < MAX_KEYS:
                keys[path.short, cleaned] = None
    return msgspec.structs.replace(event, keys=tuple(keys)) if keys else event


def with_impact(path: Path, content: Content, event: Event) -> Event:
    """The event with what is at stake by its record: the largest number that the path leads to."""
    numbers = [number for value in paths.found(path, content) if (number := _number(value)) is not None]
    return msgspec.structs.replace(event, impact=max(numbers)) if numbers else event


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) <= _MOST_AT_STAKE else None


def _transactions(rule: CorrelationRule, content: Content, notes: list[str]) -> tuple[tuple[str, ...], str]:
    """The ids of all transactions that the record names, and where the first was found."""
    ids: dict[str, str] = {}
    for path in rule.transaction_id:
        for text in paths.texts(path, content):
            name = values.clean(text.strip())
            if not values.is_none(name):
                ids.setdefault(bounded(name, "transaction id", notes), str(path))
    if len(ids) > MAX_TRANSACTIONS:
        notes.append(f"more than {MAX_TRANSACTIONS} transactions: the rest was left out")
    names = tuple(ids)[:MAX_TRANSACTIONS]
    return names, f"rule {rule.number}, {ids[names[0]]}" if names else ""


def _event(
    rule: CorrelationRule,
    content: Content,
    found: Event | Undecodable,
    correlation: tuple[tuple[str, ...], str],
    notes: list[str],
) -> Event:
    base = found if isinstance(found, Event) else _bare(content.record, found.record_time)
    transactions, basis = correlation if correlation[0] else (base.transaction_ids, base.basis)
    said = {
        name: bounded(text, name, notes)
        for name, where in (("id", rule.id), ("type", rule.type), ("source", rule.source), ("service", rule.service))
        if (text := _first(where, content))
    }
    if "source" in said:
        said.setdefault("service", values.service_of(said["source"]))
    elif "service" in said and not isinstance(found, Event):
        said["source"] = said["service"]
    time = _moment(text) if (text := _first(rule.time, content)) else None
    if text and time is None:
        notes.append("its time is not readable: the record's stands for it")
    return msgspec.structs.replace(
        base,
        **said,
        time=time or base.time,
        transaction_ids=transactions,
        basis=basis,
        causes=_causes(rule, content) or base.causes,
        notes=(*_still_true(base.notes, {*said, *(["time"] if time else [])}), *notes),
    )


def _bare(record: Record, record_time: datetime) -> Event:
    """What is known of a record of no dialect."""
    topic = record.topic.name
    return Event(
        id=record.coordinates,
        source=values.bounded(topic),
        type=UNTYPED,
        service=values.bounded(values.service_of(topic)),
        time=record_time,
        record_time=record_time,
        dialect=CONFIGURED,
        notes=(
            "no id: its coordinates stand for it",
            "no source: the topic stands for it",
            "no type",
            "no time: the record's stands for it",
        ),
    )


def _still_true(notes: Iterable[str], said: set[str]) -> tuple[str, ...]:
    """Without the notes on what was missing in the envelope, and a rule has found."""
    return tuple(
        note for note in notes if not any(note == f"no {name}" or note.startswith(f"no {name}:") for name in said)
    )


def _first(where: Iterable[Path], content: Content) -> str:
    for path in where:
        for text in paths.texts(path, content):
            cleaned = values.clean(text.strip())
            if not values.is_none(cleaned):
                return cleaned
    return ""


def _causes(rule: CorrelationRule, content: Content) -> tuple[str, ...]:
    names = [values.clean(text.strip()) for path in rule.causes for text in paths.texts(path, content)]
    return tuple(dict.fromkeys(values.bounded(name) for name in names if not values.is_none(name)))[:MAX_CAUSES]


def _moment(text: str) -> datetime | None:
    """A time as text, or as seconds, milliseconds, microseconds or nanoseconds since 1970, by how large it is."""
    if not _EPOCH.fullmatch(text):
        time = values.moment(text)
        return time if time is not None and values.within_bounds(time) else None
    seconds = float(text)
    while seconds >= 1e11:
        seconds /= 1000
    return datetime.fromtimestamp(seconds, UTC)
