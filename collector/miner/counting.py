"""What changed transactions contribute now, in place of what they contributed before: counted, kept, told.

Whatever can be worked out while the database is busy is worked out then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, closing
from itertools import accumulate, islice

import msgspec
from django.db import IntegrityError, transaction
from django.db.backends.utils import CursorWrapper

from collector.correlation.causality import links_of
from collector.correlation.choreography import Choreography, RuleBook
from collector.correlation.shape import Course, Shape
from collector.miner.courses import Found, Went, courses
from collector.miner.rows import Way, append, lines_of, number_variants, types_of
from collector.mining.contribution import Contribution, causal_form, contribution
from collector.mining.differences import Differences
from collector.storage import unmined
from collector.storage.sql import array, binary_cursor, copying, pipelined

MANY = 1_000
"""New transactions that are copied in, which is twice as fast but all or nothing."""
SMALL = 2_000
"""Of no more than so many contributions, what comes to the counts of all times is not told by itself."""
PIECE = 1_000
"""Transactions that are counted at once."""

# All bodies are sent as one, which is several times faster than an array of them.
_BODIES = """(
    SELECT transaction, substring(%s::bytea FROM start FOR size) AS body
    FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS w(transaction, start, size)
) AS v"""
_KEEP = f"UPDATE collector_mined m SET body = v.body FROM {_BODIES} WHERE m.transaction = v.transaction"
_KEEP_NEW = f"""
INSERT INTO collector_mined (transaction, body) SELECT transaction, body FROM {_BODIES} ORDER BY transaction
ON CONFLICT DO NOTHING RETURNING transaction
"""

_MINED = (("transaction", "int8"), ("body", "bytea"))

_body = msgspec.msgpack.Decoder(Contribution)
_encoded = msgspec.msgpack.Encoder().encode


class Counting:
    """What transactions contribute now, and by what the counts differ from before. What led to what is worked out once
    for each shape that a choreography's transactions have."""

    def __init__(self, rulebook: RuleBook, hourly: int) -> None:
        self._rulebook, self._hourly = rulebook, hourly
        self._before: Set[int] = set()
        self._after: dict[int, Contribution] = {}
        self._differences = Differences()
        self._choreographies: dict[str, Choreography] = {}
        self._ways: list[Way] = []
        self._places: dict[tuple[str, Shape], int] = {}

    def subtract(self, cursor: CursorWrapper, before: Mapping[int, bytes]) -> None:
        """What is kept of these transactions, as it is stored. To be called once, before the others."""
        kept = [_body.decode(body) for body in before.values()]
        types = types_of(cursor, {found.variant for found in kept if found.variant})
        for found in kept:
            if found.variant:
                found.types = types[found.variant]
        self._differences.subtract(kept)
        self._before = before.keys()

    def add(self, cursor: CursorWrapper, rows: Sequence[Found]) -> None:
        """What these contribute now; counted while the database reads more of them."""
        with closing(courses(cursor, rows)) as read:
            while went := list(islice(read, PIECE)):
                found = {one.found.id: self._contribution(one) for one in went}
                self._differences.add(found.values())
                self._after |= found

    def _contribution(self, one: Went) -> Contribution:
        found, shape = one.found, one.shape
        place = self._places.get((found.choreography, shape))
        if place is None:
            place = self._places[found.choreography, shape] = len(self._ways)
            self._ways.append(self._way(found.choreography, shape))
        return contribution(
            found.choreography, found.status, shape.types, one.began, one.gaps, self._hourly, (-1 - place, -1 - place)
        )

    def _way(self, name: str, shape: Shape) -> Way:
        choreography = self._choreographies.get(name)
        if choreography is None:
            choreography = self._choreographies[name] = self._rulebook.named(name)
        return Way(name, shape.types, causal_form(shape.types, links_of(Course((), shape), choreography)))

    def exchange(self, cursor: CursorWrapper) -> Set[int]:
        """Writes by what the counts differ, and keeps what these contribute; returns who does."""
        lines: list[str] = []
        after, but_ways = self._after, self._told()
        numbers = number_variants(cursor, self._ways, lambda: lines.extend(but_ways))
        for one in after.values():
            one.variant, one.causal = numbers[-1 - one.variant]
        ways = self._told(numbers)
        others = _keep(cursor, after, self._before, lambda: lines.extend(ways))
        if others:  # somebody else was faster, and may have seen less
            unmined.note(cursor, others)
            self._differences.subtract([after.pop(row) for row in others])
            lines = [*self._told(), *self._told(numbers)]
        append(cursor, lines)
        return after.keys()

    def _told(self, numbers: Sequence[tuple[int, int]] | None = None) -> Iterator[str]:
        """All but ways, or these."""
        apart = len(self._after) + len(self._before) > SMALL
        if numbers is None:
            return lines_of(self._differences.told(apart=apart))
        return lines_of(self._differences.ways(numbers, apart=apart))


def _keep(
    cursor: CursorWrapper, after: Mapping[int, Contribution], before: Set[int], meanwhile: Callable[[], None]
) -> Set[int]:
    """Keeps what these transactions contribute; of some, something was kept `before`. Returns those of which somebody
    else has kept something by now. `meanwhile` is called while the database works, once or twice."""
    again, new = sorted(after.keys() & before), sorted(after.keys() - before)
    others: Set[int] = set()
    if len(new) >= MANY and _copied(cursor, {row: after[row] for row in new}, meanwhile):
        new = []
    with ExitStack() as until, pipelined():
        if again:
            other = until.enter_context(binary_cursor())  # the other's answer is yet to be fetched
            other.execute(_KEEP, _bodies({row: after[row] for row in again}))
        if new:
            cursor.execute(_KEEP_NEW, _bodies({row: after[row] for row in new}))
        meanwhile()
        if new:
            others = set(new) - {row for (row,) in cursor.fetchall()}
    return others


def _copied(cursor: CursorWrapper, new: Mapping[int, Contribution], meanwhile: Callable[[], None]) -> bool:
    """Keeps what these contribute, if nobody else has kept anything of any of them."""
    rows = ((row, _stored(found)) for row, found in new.items())
    try:
        with transaction.atomic(), copying(cursor, "collector_mined", _MINED, rows):
            meanwhile()
    except IntegrityError:
        return False
    return True


def _bodies(found: Mapping[int, Contribution]) -> list[bytes | str]:
    """What is kept of these, as `_BODIES` reads it."""
    stored = list(map(_stored, found.values()))
    sizes = list(map(len, stored))
    return [b"".join(stored), array(found), array(accumulate(sizes[:-1], initial=1)), array(sizes)]


def _stored(found: Contribution) -> bytes:
    return _encoded(msgspec.structs.replace(found, types=()) if found.variant else found)
