"""docs/dialects.md, out of the tables that records are read by: `python -m collector.decoding.described` prints it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from collector.decoding import failures, tracing
from collector.decoding.dialect import At, Dialect, Marker, Place, Places
from collector.decoding.dialects import DIALECTS, FAILED, GENERIC, TRACED
from collector.decoding.readings import text

_INTRODUCTION = """\
# Dialects

How records say which event they are, and which transaction they belong to. All of this is recognised without
configuration; what [configuration](configuration.md) says of a topic comes before it. This page is made by `make docs`
out of the tables in `collector/decoding/`.

A dialect is known by its **marker**; the first one in the order of this page that a record has decides. For each
attribute the first place counts that says something. Names of headers are compared without regard to case; of a header
that comes twice the last counts. Text that is empty, blank or `null` is no id. A null or empty value is still an event.

An event without an id is named by its coordinates, one without a source by its topic, one without a time of its own has
its record's. Times are RFC 3339 with 0 to 9 fractional digits, unless something else is said.

The value's members are read from JSON, or from what was written with a schema out of a
[schema registry](configuration.md#schema-registry).
"""
_ATTRIBUTES = (
    ("transaction", "transaction"),
    ("id", "id"),
    ("caused by", "causes"),
    ("type", "type"),
    ("source", "source"),
    ("time", "time"),
    ("subject", "subject"),
    ("trace", "trace"),
)


def markdown() -> str:
    parts = [_INTRODUCTION, *(_section(dialect) for dialect in DIALECTS), _traces(), _failures()]
    return "\n".join(parts)


def _section(dialect: Dialect) -> str:
    lines = [f"## {dialect.name}", "", f"Known by: {_marker(dialect)}.", ""]
    rows = [(label, _places(getattr(dialect, name))) for label, name in _ATTRIBUTES if getattr(dialect, name)]
    if dialect.weak:
        rows.append(("transaction, at last", f"{_places(dialect.weak)} ({dialect.weak_note})"))
    if rows:
        lines += [*_table(("attribute", "where"), rows), ""]
    if dialect.note:
        lines += [dialect.note, ""]
    if dialect.documents:
        lines += [f"<{dialect.documents}>", ""]
    return "\n".join(lines)


def _marker(dialect: Dialect) -> str:
    marker = dialect.marker
    if dialect is TRACED:
        return "a [trace context](#trace-context), and nothing else"
    if dialect is FAILED:
        return "what a [failed delivery](#failed-deliveries) says, and nothing else"
    if dialect is GENERIC:
        return "one of the headers that name a transaction, an id or a type"
    known = ", ".join(_conditions(marker))
    return f"{known}; or a content type that begins with `{marker.content_type}`" if marker.content_type else known


def _conditions(marker: Marker) -> Iterable[str]:
    if marker.topic:
        yield f"a topic whose name begins with `{marker.topic}`"
    if marker.headers:
        yield f"{_plural('header', marker.headers)} {_names(marker.headers)}"
    if marker.any_of:
        yield f"one of the headers {_names(marker.any_of)}"
    if marker.prefix:
        yield f"a header whose name begins with `{marker.prefix}`"
    if marker.without:
        yield f"no header whose name begins with `{marker.without}`"
    if marker.members:
        yield f"{_plural('member', marker.members)} of the value {_names([path for path, _ in marker.members])}"


def _places(places: Places) -> str:
    """Neighbours of one kind together."""
    return "; ".join(_place(list(alike)) for _, alike in groupby(places, key=lambda at: (at.place, at.reading)))


def _place(alike: Sequence[At]) -> str:
    place, reading = alike[0].place, alike[0].reading
    where = "the key" if place is Place.KEY else f"{place.value} {_names(at.name for at in alike)}"
    return where if reading is text else f"{where} ({(reading.__doc__ or '').strip()})"


def _traces() -> str:
    rows = [
        (convention.name, _names([convention.marker, *convention.others]), convention.note)
        for convention in tracing.CONVENTIONS
    ]
    return "\n".join(
        [
            "## Trace context",
            "",
            "A record of any dialect may have one; the first valid one counts. A transaction outlives a trace, and a",
            "trace may hold several: its id stands for a transaction's only where nothing better is there, and the",
            "event's basis says so.",
            "",
            *_table(("form", "headers", "to know"), rows),
            "",
        ]
    )


def _failures() -> str:
    rows = []
    for convention in failures.CONVENTIONS:
        said = (
            ("original", (*convention.topic, *convention.partition, *convention.offset)),
            ("exception", convention.exception),
            ("message", convention.message),
            ("attempts", convention.attempts),
        )
        names = "; ".join(f"{label}: {_names(found)}" for label, found in said if found)
        rows.append((convention.name, _names(convention.marker), names, convention.note))
    return "\n".join(
        [
            "## Failed deliveries",
            "",
            "A copy of a record on a dead-letter or retry topic says so in its headers, beside those of its dialect.",
            "",
            *_table(("convention", "known by one of", "says", "to know"), rows),
            "",
        ]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _plural(word: str, of: Sequence[object]) -> str:
    return word if len(of) == 1 else f"{word}s"


if __name__ == "__main__":
    print(markdown(), end="")
