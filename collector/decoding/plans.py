"""A dialect made ready to be read by: where to look for each attribute, without anything left to work out."""

from __future__ import annotations

import msgspec

from collector.decoding.dialect import Dialect, Place, Places
from collector.decoding.dialects import DIALECTS
from collector.decoding.readings import Reading, text
from collector.decoding.values import steps

HEADER, VALUE = Place.HEADER, Place.VALUE

Look = tuple[tuple[Place, str, tuple[str, ...], Reading | None], ...]
"""Place, header name, path into the value, reading; None reads a header as text."""


class Plan(msgspec.Struct, frozen=True, gc=False):
    """As in `Dialect`; transaction ids each with the basis that an event has by it."""

    name: str
    transaction: tuple[tuple[Look, str], ...]
    id: Look
    causes: Look
    type: Look
    source: Look
    time: Look
    subject: Look
    trace: tuple[tuple[Look, str], ...]


def _look(places: Places) -> Look:
    return tuple(
        (
            at.place,
            at.name,
            steps(at.name),
            None if at.place is Place.HEADER and at.reading is text else at.reading,
        )
        for at in places
    )


def _each(places: Places, remark: str = "") -> tuple[tuple[Look, str], ...]:
    return tuple((_look((at,)), f"{at}{remark}") for at in places)


def _plan(dialect: Dialect) -> Plan:
    return Plan(
        name=dialect.name,
        transaction=_each(dialect.transaction) + _each(dialect.weak, f" ({dialect.weak_note})"),
        id=_look(dialect.id),
        causes=_look(dialect.causes),
        type=_look(dialect.type),
        source=_look(dialect.source),
        time=_look(dialect.time),
        subject=_look(dialect.subject),
        trace=_each(dialect.trace),
    )


PLANS = {dialect.name: _plan(dialect) for dialect in DIALECTS}
