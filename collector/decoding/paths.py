"""Paths into a record, as configuration writes them: `header:eventName`, `key`, `value:orders[*].number`.

What follows the colon is a header's name, in which `*` stands for anything, or steps into a document: names joined by
dots, `[0]`, `[*]`, `*` for everything on a level, `**` for any depth; names with dots in them stand in quotes. A name
also looks into each element of a list. Text that holds JSON is looked into as if it were a part of the document, and so
is what CloudEvents keep in `data_base64`, as `data`.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any

import msgspec

from collector.decoding.content import Body, Content

MOST_KNOWN = 10_000
"""So many names are remembered, with where they lead."""
MAX_MATCHES = 100
"""So many matches of a path are looked at, in the order of the document."""
_SYNTAX = re.compile(
    r"""(?P<deep>\*\*)|(?P<name>[^.\[\]"]+)|"(?P<quoted>[^"]+)"|\[(?:(?P<index>\d{1,9})|(?P<any>\*))\]"""
)
_EXAMPLE = "such as value:order.number, value:lines[*].id, header:x-order-id, key, topic or text:orders"
DATA, DATA_BASE64 = "data", "data_base64"
_EXACT = 2.0**53
"""Whole numbers beyond this are not exact as floating point: two ids could become one."""
_JSON = re.compile(r"\s*[{\[]")
_json = msgspec.json.Decoder()


class Place(Enum):
    """Where a path begins. `TOPIC` is the topic's name, `TEXT` is what the path itself says."""

    HEADER = "header"
    KEY = "key"
    VALUE = "value"
    TOPIC = "topic"
    TEXT = "text"


class Step(msgspec.Struct, frozen=True):
    """One step into a document: by `index`, by what `name` matches (None: anything), or `deep`: any number of steps.
    `written` is the name as it stands there, and `plain` says that it stands for nothing else."""

    name: re.Pattern[str] | None = None
    index: int | None = None
    deep: bool = False
    written: str = ""
    plain: bool = False

    def enters(self, key: str) -> bool:
        return self.index is None and (self.name is None or self.name.fullmatch(key) is not None)


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
    matches: Iterable[Any] = [body.document] if not steps else _reached(body.document, steps)
    count = 0
    for match in matches:
        for value in match if isinstance(match, list) else (match,):
            if count == MAX_MATCHES:
                return
            count += 1
            yield value


def _reached(document: Any, steps: tuple[Step, ...]) -> Iterable[Any]:
    """The same as `below`: at once, as long as names lead from object to object."""
    value = document
    for step in steps:
        if not step.plain or not isinstance(value, dict):
            return below(document, steps)
        if step.written not in value:
            return below(document, steps) if DATA_BASE64 in value else ()
        value = value[step.written]
    return (value,)


class Walk:
    """Several paths followed at once through a document: a state is how far each of them has come.

    States are numbers. Where a member or an element leads from a state is worked out once, since names come again and
    again; what is known is bounded, since names are the sender's.
    """

    NOWHERE = 0
    START = 1

    def __init__(self, paths: Sequence[tuple[Step, ...]]) -> None:
        self._paths = paths
        self._by_index = any(step.index is not None for steps in paths for step in steps)
        self._states: list[tuple[frozenset[int], ...]] = []
        self._numbers: dict[tuple[frozenset[int], ...], int] = {}
        self._ends: list[bool] = []
        self._goes_on: list[bool] = []
        self._members: dict[tuple[int, str], int] = {}
        self._elements: dict[tuple[int, int], int] = {}
        self._number(tuple(frozenset[int]() for _ in self._paths))
        self._number(tuple(_settled({0}, steps) for steps in self._paths))

    def _number(self, state: tuple[frozenset[int], ...]) -> int:
        number = self._numbers.get(state)
        if number is None:
            number = self._numbers[state] = len(self._states)
            self._states.append(state)
            taken = list(zip(state, self._paths, strict=True))
            self._ends.append(any(len(steps) in places for places, steps in taken))
            self._goes_on.append(any(place < len(steps) for places, steps in taken for place in places))
        return number

    def ends(self, state: int) -> bool:
        """Whether one of the paths leads just here."""
        return self._ends[state]

    def goes_on(self, state: int) -> bool:
        """Whether one of the paths leads further."""
        return self._goes_on[state]

    def member(self, state: int, key: str) -> int:
        found = self._members.get((state, key))
        if found is None:
            places = self._states[state]
            entered = (_into_member(at, steps, key) for at, steps in zip(places, self._paths, strict=True))
            found = self._number(tuple(entered))
            if len(self._members) < MOST_KNOWN:
                self._members[state, key] = found
        return found

    def element(self, state: int, index: int) -> int:
        if not self._by_index:
            index = 0
        found = self._elements.get((state, index))
        if found is None:
            places = self._states[state]
            entered = (_into_element(at, steps, index) for at, steps in zip(places, self._paths, strict=True))
            found = self._number(tuple(entered))
            if len(self._elements) < MOST_KNOWN:
                self._elements[state, index] = found
        return found


@lru_cache(maxsize=1024)
def walk(paths: tuple[tuple[Step, ...], ...]) -> Walk:
    return Walk(paths)


def _settled(places: set[int], steps: Sequence[Step]) -> frozenset[int]:
    """With what follows where `**` stands for nothing."""
    return frozenset(places | {place + 1 for place in places if place < len(steps) and steps[place].deep})


def _into_member(places: Iterable[int], steps: Sequence[Step], key: str) -> frozenset[int]:
    """Where these places in a path lead by the member of an object."""
    taken = set()
    for place in places:
        if place < len(steps):
            step = steps[place]
            if step.deep:
                taken.add(place)
            elif step.enters(key):
                taken.add(place + 1)
    return _settled(taken, steps)


def _into_element(places: Iterable[int], steps: Sequence[Step], index: int) -> frozenset[int]:
    """The same by the element of a list: where a name is looked for, it is looked for in there."""
    taken = set()
    for place in places:
        if place < len(steps):
            step = steps[place]
            if step.deep or step.name is not None:
                taken.add(place)
            elif step.index is None or step.index == index:
                taken.add(place + 1)
    return _settled(taken, steps)


def looks_like_json(text: str) -> bool:
    return _JSON.match(text[:64]) is not None


def opened(text: str) -> Any:
    """The document that a text holds as JSON, or None."""
    if looks_like_json(text):
        try:
            return _json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
    return None


def opened_base64(text: str) -> Any:
    """The document that a text holds as JSON in base64, as CloudEvents' `data_base64` may; or None."""
    try:
        return _json.decode(base64.b64decode(text, validate=True))
    except (binascii.Error, msgspec.DecodeError, UnicodeError, ValueError, RecursionError):
        return None


def members(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The members of an object, by the names that paths know them by."""
    for key, member in value.items():
        if key == DATA_BASE64 and isinstance(member, str) and (document := opened_base64(member)) is not None:
            yield DATA, document
        else:
            yield key, member


def below(document: Any, steps: tuple[Step, ...]) -> Iterator[Any]:
    """All values that the steps lead to, parents before what is in them. Without recursion: depth is the sender's."""
    walker = walk((steps,))
    waiting: list[tuple[Any, int]] = [(document, Walk.START)]
    while waiting:
        value, state = waiting.pop()
        if walker.ends(state):
            yield value
        if not walker.goes_on(state):
            continue
        if isinstance(value, str):
            value = opened(value)
        inside: list[tuple[Any, int]] = []
        if isinstance(value, dict):
            inside = [(member, to) for key, member in members(value) if (to := walker.member(state, key))]
        elif isinstance(value, list):
            inside = [(element, to) for i, element in enumerate(value) if (to := walker.element(state, i))]
        inside.reverse()
        waiting += inside
