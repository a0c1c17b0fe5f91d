"""Event logs in XES (IEEE 1849), read as a stream. Nothing that XML could make a reader do is done.

Attributes of events and of their traces are read, nested ones are not. Document types, and with them entities, are
refused: XES has no use for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol
from xml.parsers import expat

from collector.eventlogs.entries import LogError, Raw

_PIECE = 1 << 16
_LONGEST = 1 << 24
"""Bytes that a tag may have; what is longer is no tag that anybody meant."""
_TRACE, _EVENT = "trace", "event"


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read(file: Readable) -> Iterator[Raw]:
    """The events, one after the other."""
    reader = _Reader()
    fed = 0
    while piece := file.read(_PIECE):
        fed += len(piece)
        reader.feed(piece, last=False)
        if fed - reader.place > _LONGEST:
            raise LogError(reader.line, f"A tag begins that has more than {_LONGEST >> 20} MB. Is this XES?")
        yield from reader.taken()
    reader.feed(b"", last=True)
    yield from reader.taken()


class _Reader:
    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._open: list[str] = []
        self._trace: dict[str, str] = {}
        self._event: dict[str, str] = {}
        self._begun = 0
        self._found: list[Raw] = []

    @property
    def line(self) -> int:
        return self._parser.CurrentLineNumber

    @property
    def place(self) -> int:
        return self._parser.CurrentByteIndex

    def feed(self, piece: bytes, *, last: bool) -> None:
        try:
            self._parser.Parse(piece, last)
        except expat.ExpatError as error:
            sentence = f"It is not XML: {expat.ErrorString(error.code)}. Was the file cut, or is it in another format?"
            raise LogError(error.lineno, sentence) from None

    def taken(self) -> list[Raw]:
        found, self._found = self._found, []
        return found

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        within = self._open[-1] if self._open else ""
        self._open.append(name)
        if not within and name != "log":
            raise LogError(self.line, f"An XES file begins with <log>, and this one with <{name}>.")
        if name == _TRACE:
            self._trace = {}
        elif name == _EVENT:
            if within != _TRACE:
                raise LogError(self.line, "An event lies outside of any <trace>, and so belongs to no case.")
            self._event, self._begun = dict(self._trace), self.line
        elif within == _EVENT:
            self._attribute(self._event, "", attributes)
        elif within == _TRACE:
            self._attribute(self._trace, "case:", attributes)

    def _attribute(self, into: dict[str, str], prefix: str, attributes: dict[str, str]) -> None:
        if "key" in attributes and "value" in attributes:
            into[prefix + attributes["key"]] = attributes["value"]

    def _end(self, _: str) -> None:
        if self._open.pop() == _EVENT:
            self._found.append(Raw(self._begun, self._event))

    def _refuse(self, *_: object) -> None:
        raise LogError(self.line, "It declares a document type, which XES files do not have. Remove <!DOCTYPE …>.")
