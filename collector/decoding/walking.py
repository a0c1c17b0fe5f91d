"""Following steps into documents: what several paths lead to at once, and what is looked into on the way."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec

MOST_KNOWN = 10_000
"""So many names are remembered, with where they lead."""
DATA, DATA_BASE64 = "data", "data_base64"
_JSON = re.compile(r"\s*[{\[]")
_json = msgspec.json.Decoder()


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


def reached(document: Any, steps: tuple[Step, ...]) -> Iterable[Any]:
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
