"""Transactions in the formats of process-mining tools, as pieces of text, so that no log need fit into memory.

XES: IEEE 1849. OCEL 2.0 (JSON): https://www.ocel-standard.org. CSV: one event a line, columns named as in XES.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any
from xml.sax.saxutils import quoteattr

import msgspec

from collector.queries import Exported
from dashboard.spreadsheet import lines

Pages = Callable[[], AsyncIterator[list[Exported]]]
"""Begins anew with each call."""

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_COLUMNS = ("case:concept:name", "concept:name", "time:timestamp", "org:resource", "event_id", "source", "topic",
            "case:choreography", "case:status")  # fmt: skip
_XES = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849.2023" xes.features="">
<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
<extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
<extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
<classifier name="Activity" keys="concept:name"/>
"""


async def as_csv(pages: Pages) -> AsyncIterator[str]:
    yield lines([_COLUMNS])
    async for page in pages():
        yield lines(
            (
                entry.transaction_id,
                event.type,
                event.time.isoformat(),
                event.service,
                event.id,
                event.source,
                event.topic,
                entry.choreography,
                entry.status,
            )
            for entry in page
            for event in entry.events
        )


async def as_xes(pages: Pages) -> AsyncIterator[str]:
    yield _XES
    async for page in pages():
        yield "".join(_trace(entry) for entry in page)
    yield "</log>\n"


def _trace(entry: Exported) -> str:
    parts = ["<trace>", _string("concept:name", entry.transaction_id), _string("choreography", entry.choreography)]
    parts.append(_string("status", entry.status))
    for event in entry.events:
        parts += [
            "<event>",
            _string("concept:name", event.type),
            f'<date key="time:timestamp" value="{_time(event.time)}"/>',
        ]
        parts += [
            _string("org:resource", event.service),
            _string("event_id", event.id),
            _string("source", event.source),
        ]
        parts += [_string("topic", event.topic), "</event>"]
    return "".join([*parts, "</trace>\n"])


def _string(key: str, value: str) -> str:
    return f'<string key="{key}" value={quoteattr(_NOT_XML.sub("�", value))}/>'


async def as_ocel(pages: Pages) -> AsyncIterator[str]:
    """Objects are the transactions; their type is the choreography. Three passes: types, objects, events."""
    kinds: set[str] = set()
    types: set[str] = set()
    async for page in pages():
        kinds.update(entry.choreography for entry in page)
        types.update(event.type for entry in page for event in entry.events)
    yield '{"objectTypes":' + _json(
        [{"name": name, "attributes": [{"name": "status", "type": "string"}]} for name in sorted(kinds)]
    )
    attributes = [{"name": name, "type": "string"} for name in ("service", "source", "topic")]
    yield ',"eventTypes":' + _json([{"name": name, "attributes": attributes} for name in sorted(types)])
    yield ',"objects":['
    async for piece in _joined(pages, lambda entry: [_object(entry)]):
        yield piece
    yield '],"events":['
    async for piece in _joined(pages, lambda entry: [_event(entry, place) for place in range(len(entry.events))]):
        yield piece
    yield "]}\n"


async def _joined(pages: Pages, made: Callable[[Exported], list[dict[str, Any]]]) -> AsyncIterator[str]:
    between = ""
    async for page in pages():
        if found := [_json(item) for entry in page for item in made(entry)]:
            yield between + ",\n".join(found)
            between = ",\n"


def _object(entry: Exported) -> dict[str, Any]:
    status = {"name": "status", "time": _time(entry.started_at), "value": entry.status}
    return {"id": entry.transaction_id, "type": entry.choreography, "attributes": [status]}


def _event(entry: Exported, place: int) -> dict[str, Any]:
    """Ids are unique within a source only, and an event may belong to several transactions."""
    event = entry.events[place]
    named = (("service", event.service), ("source", event.source), ("topic", event.topic))
    return {
        "id": f"{entry.transaction_id}/{event.source}/{event.id}",
        "type": event.type,
        "time": _time(event.time),
        "attributes": [{"name": name, "value": value} for name, value in named],
        "relationships": [{"objectId": entry.transaction_id, "qualifier": "transaction"}],
    }


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


FORMATS: dict[str, tuple[Callable[[Pages], AsyncIterator[str]], str]] = {
    "xes": (as_xes, "application/xml"),
    "ocel": (as_ocel, "application/json"),
    "csv": (as_csv, "text/csv"),
}
"""By name: what writes it, and its media type."""
