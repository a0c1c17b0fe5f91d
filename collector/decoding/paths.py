"""Paths into a record, as configuration writes them: `header:eventName`, `key`, `value:orders[*].number`.

What follows the colon is a header's name, in which `*` stands for anything, or steps into a document: names joined by
dots, `[0]`, `[*]`, `*` for everything on a level, `**` for any depth; names with dots in them stand in quotes. A name
also looks into each element of a list. Text that holds JSON is looked into as if it were a part of the document, and so
is what CloudEvents keep in `data_base64`, as `data`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import lru_cache
from typing import Any

import msgspec

from collector.decoding.content import Body, Content
from collector.decoding.walking import Step, reached

MAX_MATCHES = 100
"""So many matches of a path are looked at, in the order of the document."""
_SYNTAX = re.compile(
    r"""(?P<deep>\*\*)|(?P<name>[^.\[\]"]+)|"(?P<quoted>[^"]+)"|\[(?:(?P<index>\d{1,9})|(?P<any>\*))\]"""
)
_EXAMPLE = "such as value:order.number, value:lines[*].id, header:x-order-id, key, topic or text:orders"
_EXACT = 2.0**53
"""Whole numbers beyond this are not exact as floating point: two ids could become one."""


class Place(Enum):
    """Where a path begins. `TOPIC` is the topic's name, `TEXT` is what the path itself says."""

    HEADER = "header"
    KEY = "key"
    VALUE = "value"
    TOPIC = "topic"
    TEXT = "text"


class Path(msgspec.Struct, frozen=True):
    """`written` is how the configuration says it; `name` the header, or the text of a TEXT path."""

    written: str
    place: Place
    name: str = ""
    steps: tuple[Step, ...] = ()

    @property
    def short(self) -> str:
        """What people call it: without the place, where it goes into one."""
        return self.written.partition(":")[2] or self.written

    def __str__(self) -> str:
        return self.written


def parse(written: str, *, any_case: bool = False) -> Path:
    """The path; with `any_case`, its names match whatever their case. ValueError says what would be right."""
    place_name, colon, rest = written.strip().partition(":")
    try:
        place = Place(place_name.strip())
    except ValueError:
        close = difflib.get_close_matches(place_name, [place.value for place in Place], n=1)
        meant = f"did you mean {close[0]}:{rest or '…'}? " if close else ""
        raise ValueError(f"{written!r} begins with no known place; {meant}write a path {_EXAMPLE}") from None
    rest = rest.strip()
    if place in (Place.HEADER, Place.TEXT):
        if not rest:
            raise ValueError(f"{written!r} names no {place.value}; write a path {_EXAMPLE}")
        return Path(written.strip(), place, rest.lower() if place is Place.HEADER else rest)
    if place is Place.TOPIC and colon:
        raise ValueError(f"{written!r}: topic stands alone; it is the topic's name")
    if colon and not rest:
        raise ValueError(f"{written!r} says nothing after the colon; write {place.value} for all of it")
    return Path(written.strip(), place, steps=_steps(rest, written, any_case=any_case))


def _steps(text: str, written: str, *, any_case: bool) -> tuple[Step, ...]:
    steps: list[Step] = []
    at = 0
    while at < len(text):
        if text[at] == "." and steps and at + 1 < len(text) and text[at + 1] not in ".[":
            at += 1
        elif steps and text[at] != "[":
            raise ValueError(f"{written!r}: a dot is missing, or one too many, before {text[at:]!r}")
        found = _SYNTAX.match(text, at)
        if found is None:
            raise ValueError(f"{written!r} cannot be read from {text[at:]!r} on; write a path {_EXAMPLE}")
        step = _step(found, any_case=any_case)
        if not (step.deep and steps and steps[-1].deep):
            steps.append(step)
        at = found.end()
    if steps and steps[-1].deep:
        steps.append(Step())  # everything below, and not what it is below of
    return tuple(steps)


def _step(found: re.Match[str], *, any_case: bool) -> Step:
    if found["deep"]:
        return Step(deep=True)
    if found["index"]:
        return Step(index=int(found["index"]))
    if found["any"] or found["name"] == "*":
        return Step()
    pattern = re.escape(found["quoted"]) if found["quoted"] else re.escape(found["name"]).replace(r"\*", ".*")
    flags = re.DOTALL | (re.IGNORECASE if any_case else 0)
    name = found["quoted"] or found["name"]
    return Step(
        re.compile(pattern, flags), written=name, plain=not any_case and (bool(found["quoted"]) or "*" not in name)
    )


@lru_cache(maxsize=1024)
def header_pattern(name: str) -> re.Pattern[str] | None:
    """The pattern of header names with `*` in them; None for a plain name."""
    return re.compile(re.escape(name).replace(r"\*", ".*"), re.DOTALL) if "*" in name else None


def found(path: Path, content: Content) -> Iterator[Any]:
    """The values that the path leads to, lists opened, in the order of the document; MAX_MATCHES at most.

    Header values are text; null headers and what cannot be read are left out.
    """
    if path.place is Place.HEADER:
        yield from _in_headers(path.name, content)
    elif path.place is Place.TOPIC:
        yield content.record.topic.name
    elif path.place is Place.TEXT:
        yield path.name
    else:
        body = content.key if path.place is Place.KEY else content.value
        yield from _in_body(body, path.steps)


def texts(path: Path, content: Content) -> Iterator[str]:
    """The same as texts; what is neither text, number nor the like (objects, true, null) is left out."""
    for value in found(path, content):
        if (text := text_of(value)) is not None:
            yield text


def text_of(value: Any) -> str | None:
    """How a single value reads as a name: `4711` and "4711" are the same. None for what names nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value)) if abs(value) < _EXACT else None
    return str(value) if isinstance(value, int | float) else None


def _in_headers(name: str, content: Content) -> Iterator[str]:
    pattern = header_pattern(name)
    values = (
        [content.headers.get(name)]
        if pattern is None
        else [value for known, value in content.headers.items() if pattern.fullmatch(known)]
    )
    for value in values:
        if value is not None:
            yield value.decode(errors="replace")


def _in_body(body: Body, steps: tuple[Step, ...]) -> Iterator[Any]:
    matches: Iterable[Any] = [body.document] if not steps else reached(body.document, steps)
    count = 0
    for match in matches:
        for value in match if isinstance(match, list) else (match,):
            if count == MAX_MATCHES:
                return
            count += 1
            yield value
