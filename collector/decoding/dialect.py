"""What a dialect is: by what it is known, where each attribute sits, and how it is written there."""

from __future__ import annotations

from enum import Enum

import msgspec

from collector.decoding.readings import Reading, text


class Place(Enum):
    HEADER = "header"
    VALUE = "value"
    KEY = "key"


class At(msgspec.Struct, frozen=True):
    """Where something is said: a header by its name, a member of the value by its path, or the key."""

    place: Place
    name: str
    reading: Reading = text

    def __str__(self) -> str:
        return f"{self.place.value} {self.name}".rstrip()


Places = tuple[At, ...]


def header(*names: str, reading: Reading = text) -> Places:
    return tuple(At(Place.HEADER, name, reading) for name in names)


def value(*paths: str, reading: Reading = text) -> Places:
    return tuple(At(Place.VALUE, path, reading) for path in paths)


def read_as(reading: Reading, places: Places) -> Places:
    """The same places, where it is written in another way."""
    return tuple(At(at.place, at.name, reading) for at in places)


KEY: Places = (At(Place.KEY, ""),)


class Marker(msgspec.Struct, frozen=True):
    """By what a dialect is known; all that is named must hold.

    `headers`: names that are all there; `any_of`: names of which one is; `prefix`: how the name of one begins;
    `without`: how none begins. `topic`: how the topic's name begins. `members`: paths in the value, and of what kind
    each is. `content_type`: how it begins.
    """

    headers: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    prefix: str = ""
    without: str = ""
    topic: str = ""
    members: tuple[tuple[str, type], ...] = ()
    content_type: str = ""


class Dialect(msgspec.Struct, frozen=True):
    """`weak`: places of an id that serves as the transaction's where there is no better one; `weak_note`: what it is.

    `note` is what people have to know about it; `source` is where the sender is named, `documents` who says all this.
    """

    name: str
    marker: Marker
    transaction: Places = ()
    id: Places = ()
    causes: Places = ()
    type: Places = ()
    source: Places = ()
    time: Places = ()
    subject: Places = ()
    trace: Places = ()
    weak: Places = ()
    weak_note: str = ""
    note: str = ""
    documents: str = ""
