"""Whatever dies while alerts come and go, everybody is told of everything; and of 50,000 that are stuck at once, once.

With SOAK set (`make soak`) there are 1,000 changes and some 40 crashes; else some tens of changes and one crash of each
kind, and 10,000 are stuck.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker, Settings

from dashboard.notifying import channels
from dashboard.parts.demo import HOST
from tests.feeding import Feed
from tests.soak.office import Office
from tests.soak.stage import Api
from tests.stack.receiving import Request, Web, web_server
from tests.stack.waiting import poll_until

pytestmark = pytest.mark.slow

IS_LONG = bool(os.environ.get("SOAK"))
CAUSES = 334 if IS_LONG else 20
AT_ONCE = 60 if IS_LONG else 20
CRASHES = Counter({"worker, sending": 10, "worker": 12, "beat": 8, "redis": 8} if IS_LONG else
                  {"worker, sending": 1, "worker": 1, "beat": 1, "redis": 1})  # fmt: skip
STEPS = ["raised", "escalated", "recovered"]
CONFIG = """
alerts:
  allow: [127.0.0.0/8]
  rules: [{kind: stuck, critical_from: 2}, {kind: sweep_late, enabled: false}]
  group_by: [kind, choreography, service]
  group_wait: 200ms
  most_per_minute: 100000
  update_every: 1h
  resolve_after: 500ms
"""
_OVERDUE = """
INSERT INTO collector_overdue (transaction, choreography, awaited, service, compensation, since)
VALUES (%s, 'order', 'Answer', %s, false, clock_timestamp())
"""
_ANSWERED = "DELETE FROM collector_overdue WHERE service = %s"
_UNTOLD = """
SELECT (SELECT count(*) FROM notifying_delivery WHERE state <> 'sent')
     + (SELECT count(*) FROM notifying_notice WHERE delivery_id IS NULL AND NOT passed_over)
"""


class Causes:
    """Each waits for an answer, then two do, then none: the next as soon as we were told of the one before."""

    def __init__(self, office: Office, web: Web) -> None:
        self._office, self._web, self._seen = office, web, 0
        self.told: dict[str, list[str]] = {}
        """Of each, by service, what was told, without what was told once more."""
        self.deliveries: Counter[str] = Counter()

    @property
    def changes(self) -> int:
        return sum(map(len, self.told.values()))

    def go_on(self, more: int) -> None:
        """Hears what was told, and begins so many more."""
        for request in self._web.got[self._seen :]:
            self._seen += 1
            self._hear(request)
        open_ones = sum(steps[-1:] != ["recovered"] for steps in self.told.values())
        for _ in range(min(more, AT_ONCE - open_ones)):
            service = f"service-{len(self.told)}"
            self.told[service] = []
            self._office.do(_OVERDUE, [(1, service)])

    def _hear(self, request: Request) -> None:
        data, delivery = request.event["data"], request.headers["Choreoscope-Delivery"]
        self.deliveries[delivery] += 1
        if self.deliveries[delivery] > 1:
            return
        service, happened = data["service"], data["happened"]
        self.told[service].append(happened)
        if happened == "raised":
            self._office.do(_OVERDUE, [(2, service)])
        elif happened == "escalated":
            self._office.do(_ANSWERED, [(service,)])

    @property
    def are_over(self) -> bool:
        return all(steps[-1:] == ["recovered"] for steps in self.told.values())


class Reaper:
    """Kills at moments of chance, and while a message is being taken; what was killed comes back a moment later."""

    def __init__(self, office: Office, web: Web, chance: random.Random) -> None:
        self._office, self._chance, self._aims = office, chance, False
        self._todo = list(CRASHES.elements())
        chance.shuffle(self._todo)
        self._next, self._dead = time.monotonic() + 2, dict[str, float]()
        self.killed: Counter[str] = Counter()
        web.before_answering = self._taken

    def go_on(self) -> None:
        now = time.monotonic()
        for name in [name for name, back in self._dead.items() if back < now]:
            del self._dead[name]
            self._office.revive(name)
        if self._todo and now > self._next and not self._dead and not self._aims:
            how = self._todo.pop()
            self._next = now + self._chance.uniform(1, 6)
            if how == "worker, sending":
                self._aims = True
            else:
                self._kill(how, how)

    def _taken(self, _: Request) -> None:
        """The request has come, and is not answered yet."""
        if self._aims:
            self._aims = False
            self._kill("worker", "worker, sending")

    def _kill(self, name: str, how: str) -> None:
        self._office.kill(name)
        self.killed[how] += 1
        self._dead[name] = time.monotonic() + self._chance.uniform(0, 1)

    @property
    def is_done(self) -> bool:
        return not (self._todo or self._dead or self._aims)


def test_whoever_dies_everybody_is_told_of_everything(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random()
    with web_server() as web, Office("told", tmp_path, CONFIG) as office:
        with office.database.read(django_db_blocker):
            channels.create("hook", "webhook", web.url)
        office.start("worker", "beat")
        office.await_work()
        causes, reaper, began = Causes(office, web), Reaper(office, web, chance), time.monotonic()

        def over() -> bool:
            reaper.go_on()
            goes_on = len(causes.told) < CAUSES or not reaper.is_done
            causes.go_on(chance.randint(0, 5) if goes_on else 0)
            return not goes_on and causes.are_over

        poll_until(over, 900 if IS_LONG else 240, "all to be told", every=0.05)
        took = time.monotonic() - began
        poll_until(lambda: office.ask(_UNTOLD) == [(0,)], 30, "all to be noted as sent", every=0.2)
        causes.go_on(0)
    assert all(steps == STEPS for steps in causes.told.values()), "each once, by its delivery's id, and in order"
    again = causes.deliveries.total() - len(causes.deliveries)
    with capsys.disabled():
        killed = ", ".join(f"{how} {count}" for how, count in sorted(reaper.killed.items()))
        print(
            f"\n{causes.changes} changes of {len(causes.told)} alerts in {took:.0f} s, killed: {killed};"
            f" {len(causes.deliveries)} deliveries, none lost, {again} came twice, with the same id"
        )
    assert reaper.killed == CRASHES
    assert reaper.killed["worker, sending"] <= again <= reaper.killed["worker, sending"] + reaper.killed["worker"]


STUCK = 50_000 if IS_LONG else 10_000
UP_WITHIN = 3.0 if IS_LONG else 6.0
"""Seconds; others may work beside the short form."""
PAGES = ("/", "/alerts", "/transactions?status=stuck")
STALLED = """
alerts: {allow: [127.0.0.0/8], rules: [{kind: sweep_late, enabled: false}]}
choreographies:
  order:
    starts: [OrderPlaced]
    completes: [OrderCompleted]
    rules:
      - {after: OrderPlaced, expect: [PaymentAuthorized, PaymentDeclined], from: payment, within: 5m}
"""


def placed(office: Office, count: int) -> None:
    """So many orders whose payment is awaited, all due at once when the watermark moves on."""
    feed = Feed()
    for start in range(0, count, 5_000):
        for number in range(start, start + 5_000):
            feed.event(f"order-{number}", "OrderPlaced", "order", 1)
        feed.read()
    office.do("DELETE FROM collector_heartbeat WHERE name <> 'collector:office'")
    office.do("ANALYZE")


def test_many_that_are_stuck_at_once_are_one_alert_at_once(
    tmp_path: Path, settings: Settings, django_db_blocker: DjangoDbBlocker, capsys: pytest.CaptureFixture[str]
) -> None:
    with web_server() as web, Office("stalled", tmp_path, STALLED) as office:
        settings.CHOREOSCOPE_CONFIG = tmp_path / "choreoscope.yaml"
        with office.database.read(django_db_blocker):
            channels.create("hook", "webhook", web.url)
            placed(office, STUCK)
        office.start("web", "worker", "beat")
        office.await_work()
        poll_until(lambda: office.ask("SELECT count(*) FROM collector_unmined") == [(0,)], 120, "quiet", every=0.5)
        pages, told = dict.fromkeys(PAGES, 0.0), list[float]()
        web.before_answering = lambda _: told.append(time.monotonic())
        with closing(Api(office.port)) as api:
            poll_until(lambda: api.page("/") is not None, 30, "the pages", every=0.2)
            office.do("UPDATE collector_topic SET watermark = clock_timestamp() + interval '10 min'")
            began = time.monotonic()
            poll_until(api.alarms, 30, "the alert")
            up = time.monotonic() - began

            def all_counted() -> bool:
                for page in PAGES:
                    pages[page] = max(pages[page], api.page(page))
                assert [(found["kind"], found["count"]) for found in api.get("alerts")["items"]] == [("stuck", STUCK)]
                return True

            poll_until(all_counted, 120, "all to be counted")
            all_up = time.monotonic() - began
            poll_until(lambda: told and office.ask(_UNTOLD) == [(0,)], 30, "somebody to be told", every=0.2)
    with capsys.disabled():
        print(
            f"\n{STUCK} stuck at once: the alert is up after {up:.1f} s, all are counted after {all_up:.1f} s,"
            f" told of once after {told[0] - began:.1f} s; meanwhile pages took at most "
            + ", ".join(f"{took:.2f} s ({page})" for page, took in pages.items())
        )
    assert up < UP_WITHIN
    assert max(pages.values()) < 2
    assert [request.event["data"]["happened"] for request in web.got] == ["raised"]


@pytest.mark.skipif(not IS_LONG, reason="waits for half a minute, three times: SOAK=1 does")
def test_readiness_says_who_died(tmp_path: Path) -> None:
    def ready() -> dict[str, Any]:
        with closing(http.client.HTTPConnection(HOST, office.port, timeout=5)) as connection:
            connection.request("GET", "/readyz")
            found: dict[str, Any] = json.loads(connection.getresponse().read())
        return found

    def ill() -> set[str]:
        return {part["name"] for part in ready()["parts"] if not part["ok"]}

    with Office("died", tmp_path, CONFIG) as office:
        office.start("web", "worker", "beat")
        office.await_work()
        poll_until(lambda: ready()["ready"], 60, "all to be well", every=0.5)
        office.kill("beat")
        poll_until(lambda: ill() == {"beat", "worker", "sweep"}, 60, "readiness to turn red", every=0.5)
        assert [sentence for sentence in ready()["troubles"] if "Celery beat last gave" in sentence]
        office.revive("beat")
        poll_until(lambda: ready()["ready"], 60, "all to be well", every=0.5)
        office.kill("worker")
        poll_until(lambda: ill() == {"worker", "sweep"}, 60, "readiness to turn red", every=0.5)
        office.revive("worker")
        poll_until(lambda: ready()["ready"], 60, "all to be well", every=0.5)
