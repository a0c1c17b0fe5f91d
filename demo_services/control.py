"""Control: plays the customers, at a steady rate and on request, and tells the services which faults are switched on.

It conducts nobody: without it no new orders come in, and those that are on their way go on.
"""

from __future__ import annotations

import json
import logging
import os
import time
import uuid
from collections.abc import Mapping
from random import Random
from typing import Any

from confluent_kafka import KafkaException

from demo_services.bus import Line, Publisher, Settings, SettingsError, Tail, from_environment
from demo_services.control_api import serve
from demo_services.customers import REQUEST_TOPIC
from demo_services.faults import CONTROL_TOPIC, STATUS_TOPIC, behaviour
from demo_services.loop import IDLE, Stop, run_process
from demo_services.noise import NOISE_TOPIC, noise
from demo_services.shop import MOST_PER_SECOND, Shop

log = logging.getLogger("demo")

SERVICES = frozenset({"order", "payment", "inventory", "shipping", "notification"})
ANNOUNCE_EVERY = 5.0
ROLL_CALL_EVERY = 0.5
ROLL_CALL_LASTS = 30.0
NOISE_EVERY = 0.5


class Trickle:
    """When the next order is due: evenly, but for a little chance."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._rate = 0.0
        self._due = 0.0

    def take(self, rate: float, now: float) -> int:
        """How many orders are due by now."""
        if rate != self._rate:
            self._rate = rate
            self._due = now + self._pause()
        if rate == 0:
            return 0
        count = 0
        while self._due <= now:
            self._due += self._pause()
            count += 1
        return count

    def wait(self, now: float) -> float:
        """Seconds until an order is due, at most IDLE."""
        return min(IDLE, max(0.0, self._due - now)) if self._rate else IDLE

    def _pause(self) -> float:
        return self._dice.uniform(0.7, 1.3) / self._rate if self._rate else 0.0


class RollCall:
    """Waits for all services before the first order: one that comes before a service does would seem to be stuck."""

    def __init__(self, now: float) -> None:
        self.word = uuid.uuid4().hex
        self.missing = set(SERVICES)
        self._until = now + ROLL_CALL_LASTS

    def answered(self, words: list[dict[str, Any]]) -> None:
        self.missing -= {str(word.get("service")) for word in words if word.get("roll_call") == self.word}

    def over(self, now: float) -> bool:
        if self.missing and now >= self._until:
            log.warning("starts without %s: no answer within %.0f s", ", ".join(sorted(self.missing)), ROLL_CALL_LASTS)
            return True
        return not self.missing


class Control:
    """The process's one loop."""

    def __init__(self, shop: Shop, publisher: Publisher) -> None:
        self._shop = shop
        self._publisher = publisher
        self._trickle = Trickle(Random())
        self._announce_at = 0.0
        self._noise_at = 0.0
        self._noises = 0

    def call_roll(self, stop: Stop, status: Tail) -> None:
        roll = RollCall(time.time())
        while not stop.asked.is_set() and not roll.over(time.time()):
            self._announce(ROLL_CALL_EVERY, roll_call=roll.word)
            self._publisher.serve(IDLE / 2)
            roll.answered(list(status.read()))
        self._shop.ready = True
        log.info("ready: %.1f orders a second", self._shop.rate)

    def turn(self) -> None:
        if self._shop.changed.wait(self._trickle.wait(time.time())):
            self._shop.changed.clear()
            self._announce_at = 0.0
        self._announce(ANNOUNCE_EVERY)
        due = self._trickle.take(self._shop.rate, time.time())
        if due and not self._publisher.full:
            self._shop.place(due)
        self._make_noise()
        self._publisher.serve()

    def _announce(self, every: float, **more: str) -> None:
        now = time.time()
        if now >= self._announce_at and not self._publisher.full:
            word = {"on": sorted(self._shop.on), **more}
            # One key: one partition, so that the newest word is the last.
            self._publisher.send(CONTROL_TOPIC, json.dumps(word).encode(), b"state")
            self._announce_at = now + every

    def _make_noise(self) -> None:
        now = time.time()
        if behaviour("control", self._shop.on).garbage and now >= self._noise_at and not self._publisher.full:
            value, headers = noise(self._noises)
            self._publisher.send(NOISE_TOPIC, value, str(self._noises).encode(), headers)
            self._noises += 1
            self._noise_at = now + NOISE_EVERY


def number(environment: Mapping[str, str], name: str, default: float, most: float) -> float:
    """A number from the environment. Raises SettingsError, which names the variable."""
    given = environment.get(name, "").strip()
    try:
        value = float(given) if given else default
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise SettingsError(f"{name} is {given!r}: a number from 0 to {most:g} is wanted")
    return value


def run(stop: Stop) -> None:
    configuration = from_environment()
    rate = number(os.environ, "DEMO_RATE", 1.0, MOST_PER_SECOND)
    port = int(number(os.environ, "DEMO_CONTROL_PORT", 0, 65_535))
    line = Line()
    publisher = Publisher(configuration, line)
    shop = Shop(publisher, rate)
    with serve(shop, port):
        status = _connect(stop, configuration, publisher, line)
        if status is not None:
            control = Control(shop, publisher)
            control.call_roll(stop, status)
            status.close()
            while not stop.asked.is_set():
                control.turn()
        publisher.close(timeout=0.5)


def _connect(stop: Stop, configuration: Settings, publisher: Publisher, line: Line) -> Tail | None:
    while not stop.asked.is_set():
        if publisher.ready([REQUEST_TOPIC, CONTROL_TOPIC, STATUS_TOPIC]):
            try:
                return Tail(configuration, STATUS_TOPIC, line)
            except KafkaException as error:
                line.error(error.args[0])
    return None


if __name__ == "__main__":
    run_process(run)
