"""Which dialect a record is of: one look at the names of its headers rules most of them out at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from collector.decoding import values
from collector.decoding.dialect import Dialect, Marker

Headers = Mapping[str, bytes | None]


class ByHeaders:
    """Dialects that are known by headers, or by the topic's name; the first whose marker holds counts."""

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        self._dialects = tuple(dialects)
        markers = [dialect.marker for dialect in self._dialects]
        self._names = frozenset(name for marker in markers for name in (*marker.headers, *marker.any_of))
        self._prefixes = tuple(marker.prefix for marker in markers if marker.prefix)

    def find(self, headers: Headers, topic: str) -> Dialect | None:
        if self._names.isdisjoint(headers) and not any(name.startswith(self._prefixes) for name in headers):
            return None
        return next((dialect for dialect in self._dialects if _holds(dialect.marker, headers, topic)), None)


def _holds(marker: Marker, headers: Headers, topic: str) -> bool:
    return (
        all(name in headers for name in marker.headers)
        and (not marker.any_of or any(name in headers for name in marker.any_of))
        and (not marker.prefix or any(name.startswith(marker.prefix) for name in headers))
        and (not marker.without or not any(name.startswith(marker.without) for name in headers))
        and topic.startswith(marker.topic)
    )


class ByValue:
    """Dialects that are known by members of the value; the first that has all of them counts."""

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        self._dialects = [
            (dialect, [(values.steps(path), kind) for path, kind in dialect.marker.members]) for dialect in dialects
        ]

    def find(self, document: Mapping[str, Any]) -> Dialect | None:
        for dialect, members in self._dialects:
            if all(isinstance(values.member(document, path), kind) for path, kind in members):
                return dialect
        return None
