"""Lessons: a few settled transactions of about the same time each, and what a number of lessons teaches together.

Lessons in which a transaction was stuck are left out, so that what goes wrong for hours does not become what is usual;
unless it lasts for longer than `adopt`. Older ones are thinned out, so that few stand for days.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from collector.mining.responses import Learning, Response, Seen, discover, ends

NEWEST, HOURS = 40, 48
"""Of the newest lessons all are kept, before that one of each hour; so many of each."""
MOST_TYPES = 2_000
_DRIFT = 0.25
"""A deadline is left as it is until what was seen differs from it by more than this share."""
_LENIENT = 3
"""A rule in force may be missed so many times as often as one that is to become it."""
_HOUR = timedelta(hours=1)

_seen = msgspec.msgpack.Decoder(list[Seen])

Said = tuple[tuple[str, ...], tuple[str, ...]]
"""The triggers and the answers of a rule."""


class Settings(msgspec.Struct, frozen=True):
    """The `learning:` part of the configuration. `acts`: deadlines and ends that were learned are used. `except_for`:
    not in these choreographies."""

    acts: bool = True
    support: int = 20
    confidence: float = 0.99
    floor: timedelta = timedelta(seconds=5)
    factor: float = 3.0
    adopt: timedelta = timedelta(hours=24)
    except_for: tuple[str, ...] = ()


class Taken(msgspec.Struct, frozen=True):
    """A lesson's time, and whether something was stuck in it."""

    id: int
    since: datetime
    until: datetime
    disturbed: bool


class Taught(msgspec.Struct, frozen=True):
    """What a choreography's lessons teach: rules with their deadlines, event types that end transactions, all types."""

    responses: tuple[Response, ...] = ()
    ends: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


def packed(found: Sequence[Seen]) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(found), 1)


def unpacked(body: bytes) -> list[Seen]:
    return _seen.decode(zlib.decompress(body))


def superfluous(lessons: Iterable[Taken]) -> list[int]:
    """Which of these to forget; those with and without disturbance are counted apart."""
    gone: list[int] = []
    for disturbed in (False, True):
        ordered = sorted(
            (one for one in lessons if one.disturbed is disturbed), key=lambda one: one.until, reverse=True
        )
        hours: set[int] = set()
        for one in ordered[NEWEST:]:
            hour = int(one.until.timestamp() // _HOUR.total_seconds())
            if hour in hours or len(hours) == HOURS:
                gone.append(one.id)
            else:
                hours.add(hour)
    return gone


def counting(lessons: Sequence[Taken], adopt: timedelta) -> list[Taken]:
    """Those that count: the calm ones; or those of the last time `adopt`, where all of it was disturbed."""
    calm = [one for one in lessons if not one.disturbed]
    if not calm:
        return list(lessons)
    newest = max(one.until for one in lessons)
    if newest - max(one.until for one in calm) < adopt:
        return calm
    return [one for one in lessons if one.until > newest - adopt]


def taught(lessons: Sequence[Sequence[Seen]], settings: Settings, in_force: Iterable[Said] = ()) -> Taught:
    """What these lessons, in order, teach; a rule in force stays until it is missed far more often than allowed."""
    found = [msgspec.structs.replace(one, hour=number) for number, lesson in enumerate(lessons) for one in lesson]
    lenient = 1 - _LENIENT * (1 - settings.confidence)
    learning = Learning(settings.support, lenient, settings.floor, settings.factor)
    kept = set(in_force)
    responses = [
        rule
        for rule in discover(found, learning)
        if rule.confidence >= settings.confidence or (rule.after, rule.expect) in kept
    ]
    types = sorted({name for one in found for name in one.types})
    return Taught(tuple(responses), tuple(ends(found, learning)), tuple(types[:MOST_TYPES]))


def rounded(seconds: float) -> timedelta:
    """Up to two digits: a deadline that people can read."""
    unit = 10.0 ** (math.floor(math.log10(seconds)) - 1)
    return timedelta(seconds=round(math.ceil(seconds / unit - 1e-9) * unit, 6))


def drifted(within: timedelta, seen: timedelta) -> bool:
    """Whether a deadline is no longer what it would be by what is seen."""
    return abs(seen / within - 1) > _DRIFT
