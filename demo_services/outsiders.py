"""Systems of other people that read along: no CloudEvents, no ids of their own, no place in the roll call.

What they have read is committed once what they wrote of it has been acknowledged; after a crash they write it again.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from confluent_kafka import Message

from demo_services.bus import Line, Member, Publisher, Settings, from_environment
from demo_services.events import Headers
from demo_services.loop import COMMIT_EVERY, IDLE, Stop, run_process
from demo_services.work import Position, Progress

log = logging.getLogger("demo")


@dataclass(frozen=True, slots=True)
class Seen:
    """What an outsider makes of an order's record that it came across."""

    order_id: str
    data: dict[str, Any]
    at: Position


@dataclass(frozen=True, slots=True)
class Written:
    """A record to write, in whatever form; `of` is what it was made from."""

    value: bytes
    key: bytes
    headers: Headers
    of: Sequence[Seen]


class Outsider(Protocol):
    name: str
    listens: str
    wants: bytes
    publishes: str

    def ready(self) -> bool:
        """Whether it can begin."""

    def take(self, seen: Seen) -> None:
        """Remembers what it came across."""

    def due(self, now: float) -> Iterable[Written]:
        """What it writes by now of what it remembers, which it then forgets."""


class Loop:
    """An outsider on its bus."""

    def __init__(self, outsider: Outsider, configuration: Settings) -> None:
        self._outsider = outsider
        line = Line()
        self._publisher = Publisher(configuration, line)
        self._progress = Progress()
        self._member = Member(configuration, outsider.name, line, self._progress.take)
        self._commit_at = 0.0

    def turn(self) -> None:
        """One round: waits a moment at most."""
        outsider = self._outsider
        if not self._member.joined:
            if not (self._publisher.ready([outsider.listens, outsider.publishes]) and outsider.ready()):
                self._publisher.serve(IDLE)
                return
            self._member.join([outsider.listens], self._progress.forget)
            log.info("%s reads %s", outsider.name, outsider.listens)
        if self._publisher.full:
            self._publisher.serve(IDLE)
            return
        for message in self._member.poll(IDLE):
            self._take(message)
        for record in outsider.due(time.time()):
            acknowledged = self._acknowledged(record.of)
            self._publisher.send(outsider.publishes, record.value, record.key, record.headers, acknowledged)
        self._publisher.serve()
        if time.time() >= self._commit_at:
            self._member.commit()
            self._commit_at = time.time() + COMMIT_EVERY

    def close(self) -> None:
        self._publisher.close(timeout=0.5)
        self._member.commit(wait=True)
        self._member.close()

    def _take(self, message: Message) -> None:
        at = (str(message.topic()), int(message.partition() or 0), int(message.offset() or 0))
        self._progress.received(at)
        seen = look(message, self._outsider.wants, at)
        if seen is None:
            self._progress.finished(at)
        else:
            self._outsider.take(seen)

    def _acknowledged(self, of: Sequence[Seen]) -> Callable[[], None]:
        def acknowledged() -> None:
            for seen in of:
                self._progress.finished(seen.at)

        return acknowledged


def look(message: Message, wanted: bytes, at: Position) -> Seen | None:
    """A record of the wanted kind that says what an outsider needs; None for all others."""
    headers = dict(message.headers() or [])
    key, value = message.key(), message.value()
    if headers.get("ce_type") != wanted or not key or not value:
        return None
    try:
        data = json.loads(value)
        order_id = key.decode() if isinstance(key, bytes) else key
    except ValueError:
        return None
    return Seen(order_id, data, at) if isinstance(data, dict) else None


def main(make: Callable[[], Outsider]) -> None:
    """Runs an outsider until it is told to stop."""

    def run(stop: Stop) -> None:
        loop = Loop(make(), from_environment())
        while not stop.asked.is_set():
            loop.turn()
        loop.close()

    run_process(run)
