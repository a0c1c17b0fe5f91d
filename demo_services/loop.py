"""Drives a service: one thread that reads, does what is due, publishes and commits. Nothing in it ever sleeps."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import cast

from confluent_kafka import KafkaException, Message

from demo_services.bus import Line, Member, Publisher, Settings, SettingsError, Tail, from_environment
from demo_services.events import NotAnEventError, Received, read
from demo_services.faults import CONTROL_TOPIC, HEALTHY, STATUS_TOPIC, announced, behaviour
from demo_services.service import Service
from demo_services.work import Work

log = logging.getLogger("demo")

IDLE = 0.2
"""The longest wait for a record, in seconds: so long may a fault or a signal go unnoticed."""
COMMIT_EVERY = 1.0
STOP_WITHIN = 1.7


class Loop:
    """A service on its bus."""

    def __init__(self, service: Service, configuration: Settings) -> None:
        self._service = service
        self._settings = configuration
        self._line = Line()
        self._publisher = Publisher(configuration, self._line)
        self._work = Work(
            service, lambda event, acknowledged: self._publisher.publish(service.publishes, event, acknowledged)
        )
        self._member = Member(configuration, f"{service.name}-service", self._line, self._work.progress.take)
        self._control: Tail | None = None
        self._connected = False
        self._commit_at = 0.0

    def turn(self) -> None:
        """One round: waits a moment at most."""
        if not self._connected:
            self._connect()
            return
        self._listen_to_control()
        self._come_or_go()
        self._read(self._patience())
        self._publisher.serve()
        if not self._service.behaviour.down:
            self._work.run(time.time())
        if time.time() >= self._commit_at:
            self._member.commit()
            self._commit_at = time.time() + COMMIT_EVERY

    def close(self) -> None:
        self._publisher.close(timeout=0.5)
        self._member.commit(wait=True)
        self._member.close()
        if self._control:
            self._control.close()

    def _connect(self) -> None:
        topics = {*self._service.listens, self._service.publishes, CONTROL_TOPIC, STATUS_TOPIC}
        if not self._publisher.ready(topics):
            return
        try:
            self._control = self._control or Tail(self._settings, CONTROL_TOPIC, self._line)
        except KafkaException as error:
            self._line.error(error.args[0])
            return
        self._connected = True
        log.info("%s listens to %s", self._service.name, ", ".join(self._service.listens))

    def _listen_to_control(self) -> None:
        assert self._control is not None
        for word in self._control.read():
            self._switch(announced(word))
            if self._member.assigned and "roll_call" in word:
                answer = {"service": self._service.name, "roll_call": word["roll_call"]}
                self._publisher.send(STATUS_TOPIC, json.dumps(answer).encode(), self._service.name.encode())

    def _switch(self, switched_on: set[str]) -> None:
        wanted = behaviour(self._service.name, switched_on)
        if wanted != self._service.behaviour:
            log.info("faults: %s", ", ".join(sorted(switched_on)) if wanted != HEALTHY else "none")
            self._work.behave(wanted, time.time())

    def _come_or_go(self) -> None:
        if self._service.behaviour.down and self._member.joined:
            self._member.leave()
        elif not self._service.behaviour.down and not self._member.joined:
            self._member.join(self._service.listens, self._work.progress.forget)

    def _patience(self) -> float:
        due = self._work.next_due
        return IDLE if due is None or self._service.behaviour.down else min(IDLE, max(0.0, due - time.time()))

    def _read(self, timeout: float) -> None:
        if self._work.full or self._publisher.full:
            self._publisher.serve(timeout)
            return
        for message in self._member.poll(timeout):
            self._take(message)
        if self._member.lost_topic:  # the broker came back without its topics
            self._member.lost_topic = self._connected = False

    def _take(self, message: Message) -> None:
        at = (str(message.topic()), int(message.partition() or 0), int(message.offset() or 0))
        try:
            event = read(cast(Received, message.headers() or []), message.value())
        except NotAnEventError as error:
            log.warning("%s[%d]@%d is no event of ours, %s", *at, error)
            return
        self._work.receive(event, at, time.time())


class Stop:
    """Set by SIGTERM and SIGINT. A broker that is away may not keep the process from ending in time."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, _: int, __: FrameType | None) -> None:
        if not self.asked.is_set():
            self.asked.set()
            last_resort = threading.Timer(STOP_WITHIN, os._exit, (0,))
            last_resort.daemon = True
            last_resort.start()


def main(service: Service) -> None:
    """Runs a service until it is told to stop."""

    def run(stop: Stop) -> None:
        loop = Loop(service, from_environment())
        while not stop.asked.is_set():
            loop.turn()
        loop.close()

    run_process(run)


def run_process(run: Callable[[Stop], None]) -> None:
    """What all processes share: the log, signals, and one clear line where the environment is wrong."""
    level = logging.DEBUG if "-v" in sys.argv[1:] else logging.INFO
    logging.basicConfig(level=level, stream=sys.stdout, format="%(message)s")
    stop = Stop()
    try:
        run(stop)
    except SettingsError as error:
        sys.exit(str(error))
