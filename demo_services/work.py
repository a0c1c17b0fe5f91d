"""What a service has to do, and when: a heap of due work, half-met joins, and how far its reading may be committed.

It knows neither Kafka nor the clock: `now` is an argument, and publishing is a function that it is given. Its memory is
the process's own and bounded; after a restart the events that were not committed are read again, and their work done
again makes the same events (see `events.lasting_id`), which whoever has seen them drops.
"""

from __future__ import annotations

import heapq
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from demo_services.events import Event, chance
from demo_services.faults import Behaviour
from demo_services.service import Reaction, Service

log = logging.getLogger("demo")

Position = tuple[str, int, int]
"""Topic, partition, offset."""
Partition = tuple[str, int]
Publish = Callable[[Event, Callable[[], None]], None]
"""Publishes an event and calls back once the broker has acknowledged it."""

REMEMBERED = 20_000
"""Ids of handled events that are remembered, so that a second delivery does nothing."""
HELD = 10_000
"""Half-met joins, and pieces of work held back by silence, that are kept; beyond it the oldest is given up."""
CAUGHT_UP = 100.0
"""Pieces of work held back by silence that are done a second afterwards: those who wait for them can keep pace."""
JOIN_HOLD = 30.0
"""Seconds that a half-met join keeps its event from being committed: a restart loses no order that is on its way, and
one that waits for long does not hold up everything behind it. After that the join lives in memory alone."""
AT_ONCE = 2_000
"""Pieces of work under way, above which a service reads no further."""


class Progress:
    """How far each partition may be committed: to the first event whose work is not done yet."""

    def __init__(self) -> None:
        self._read: dict[Partition, int] = {}
        self._open: dict[Partition, set[int]] = {}
        self._committed: dict[Partition, int] = {}

    def received(self, at: Position) -> None:
        topic, partition, offset = at
        self._read[topic, partition] = offset + 1
        self._open.setdefault((topic, partition), set()).add(offset)

    def finished(self, at: Position) -> None:
        """What was finished before, or belongs to a partition that is ours no more, changes nothing."""
        topic, partition, offset = at
        self._open.get((topic, partition), set()).discard(offset)

    def take(self) -> dict[Partition, int]:
        """The next offset of each partition that has got further since it was last asked for."""
        reached = {partition: min(self._open[partition], default=read) for partition, read in self._read.items()}
        news = {partition: offset for partition, offset in reached.items() if offset != self._committed.get(partition)}
        self._committed.update(news)
        return news

    def forget(self) -> None:
        """The partitions may be another member's now."""
        self._read.clear()
        self._open.clear()
        self._committed.clear()


@dataclass(slots=True)
class Join:
    reaction: Reaction
    events: dict[str, Event] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        return len(self.events) == len(self.reaction.after)

    @property
    def void(self) -> bool:
        return self.reaction.unless in self.events


class Work:
    """The work of one service."""

    def __init__(self, service: Service, publish: Publish) -> None:
        self.service = service
        self.progress = Progress()
        self.published = 0
        self._publish = publish
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._ticket = count()
        self._under_way = 0
        self._open: dict[str, list[Position]] = {}
        self._seen: dict[str, None] = {}
        self._joins: dict[tuple[tuple[str, ...], str], Join] = {}
        self._held: deque[tuple[Reaction, tuple[Event, ...]]] = deque()

    @property
    def next_due(self) -> float | None:
        return self._due[0][0] if self._due else None

    @property
    def full(self) -> bool:
        return self._under_way >= AT_ONCE

    @property
    def held(self) -> int:
        """Pieces of work that silence holds back."""
        return len(self._held)

    def receive(self, event: Event, at: Position, now: float) -> None:
        """Takes in an event and plans the work that it leads to. One that was seen before leads to nothing."""
        self.progress.received(at)
        if event.id in self._seen:
            self.progress.finished(at)
            return
        known = event.id in self._open
        self._open.setdefault(event.id, []).append(at)
        if known:
            return
        reaction = self.service.reactions.get(event.type)
        if reaction is None:
            self._finish(event)
        elif len(reaction.after) == 1:
            self._plan(reaction, (event,), now)
        else:
            self._join(reaction, event, now)

    def run(self, now: float) -> None:
        """Does everything that is due."""
        while self._due and self._due[0][0] <= now:
            _, _, action = heapq.heappop(self._due)
            action(now)

    def behave(self, behaviour: Behaviour, now: float) -> None:
        """Changes how the service behaves. When silence ends, what it held back is worked off."""
        self.service.behaviour = behaviour
        due = now
        while self._held and not behaviour.silent:
            self._at(due, partial(self._do, *self._held.popleft()))
            self._under_way += 1
            due += 1 / CAUGHT_UP

    def _join(self, reaction: Reaction, event: Event, now: float) -> None:
        key = (reaction.after, event.order_id)
        if event.type in reaction.until:
            waiting = self._joins.pop(key, None)
            self._finish(event, *(waiting.events.values() if waiting else ()))
            return
        join = self._joins.setdefault(key, Join(reaction))
        place = reaction.place(event.type)
        if place in join.events:
            self._finish(event)
            return
        join.events[place] = event
        if not join.full:
            self._at(now + JOIN_HOLD, lambda _: self._release(event))
            if len(self._joins) > HELD:
                self._give_up()
            return
        del self._joins[key]
        if join.void:
            self._finish(*join.events.values())
        else:
            self._plan(reaction, tuple(join.events[name] for name in reaction.after), now)

    def _give_up(self) -> None:
        key = next(iter(self._joins))
        join = self._joins.pop(key)
        log.warning("%s waited too long for the rest of %s, given up", key[1], " + ".join(join.reaction.after))
        self._finish(*join.events.values())

    def _plan(self, reaction: Reaction, events: tuple[Event, ...], now: float) -> None:
        due = now + self.service.duration(reaction, events) + self.service.behaviour.delay
        self._at(due, partial(self._do, reaction, events))
        self._under_way += 1

    def _do(self, reaction: Reaction, events: tuple[Event, ...], now: float) -> None:
        self._under_way -= 1
        behaviour = self.service.behaviour
        if behaviour.silent:
            self._hold(reaction, events)
            return
        try:
            reacted = self.service.react(reaction, events, now)
        except (LookupError, TypeError, ValueError) as error:
            log.warning("%s %s cannot be handled: %r", events[0].order_id, events[0].type, error)
            self._finish(*events)
            return
        if reacted is None:
            self._finish(*events)
            return
        event, outcome = reacted
        level = logging.INFO if outcome.notable else logging.DEBUG
        log.log(level, "%s %s %.1f s", event.order_id, event.type, now - max(cause.time for cause in events))
        self._publish(event, lambda: self._finish(*events))
        self.published += 1
        if chance("twice", event.id).random() < behaviour.twice:
            self._publish(event, lambda: None)

    def _hold(self, reaction: Reaction, events: tuple[Event, ...]) -> None:
        """Silence: the events count as handled, and the work is only remembered."""
        if len(self._held) == HELD:
            _, lost = self._held.popleft()
            log.warning("%s is lost: too much was held back", lost[0].order_id)
        self._held.append((reaction, events))
        self._finish(*events)

    def _release(self, event: Event) -> None:
        for at in self._open.get(event.id, ()):
            self.progress.finished(at)

    def _finish(self, *events: Event) -> None:
        for event in events:
            self._release(event)
            self._open.pop(event.id, None)
            self._seen[event.id] = None
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def _at(self, due: float, action: Callable[[float], None]) -> None:
        heapq.heappush(self._due, (due, next(self._ticket), action))
