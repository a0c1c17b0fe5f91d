"""The demo as people start it, and who is told of what: by a real web server and a real mail server.

With SOAK set (`make soak`) it is well for half an hour, and payment is silent for three minutes at 20 orders a second;
else for some seconds at a few.
"""

from __future__ import annotations

import hashlib
import hmac
import http.cookiejar
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.message import Message
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from tests.stack.demo import Demo, demo
from tests.stack.place import ROOT
from tests.stack.receiving import Mailbox, Request, Web, mail_server, web_server
from tests.stack.waiting import poll_until

__all__ = ["demo"]
pytestmark = pytest.mark.slow

IS_LONG = bool(os.environ.get("SOAK"))
RATE = 20 if IS_LONG else 4
"""Orders a second."""
SILENT = 180 if IS_LONG else 15
WELL_BEFORE = 30 if IS_LONG else 8
WELL = 1800
UPDATE_EVERY = 60 if IS_LONG else 5
RESOLVE_AFTER = 10 if IS_LONG else 3
CATCHES_UP_WITHIN = 120
ALERTING = f"""
alerts:
  allow: [127.0.0.0/8]
  link: https://choreoscope.example.com
  update_every: {UPDATE_EVERY}s
  resolve_after: {RESOLVE_AFTER}s
"""
WAITING = "wait for PaymentAuthorized or PaymentDeclined from payment"
READ = re.compile(
    r"(Of \d+ that are overdue, )?payment \(group payment-service\) has read (it|all) and published nothing"
)
PASSWORD = "a long enough word"


class Operator:
    """Somebody at a browser, who may change what can be changed."""

    def __init__(self, demo: Demo) -> None:
        self._address = f"http://127.0.0.1:{demo.port}"
        self._cookies = http.cookiejar.CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self._cookies))
        demo.manage("add_user", "ada", "--role", "operator", given=f"{PASSWORD}\n")
        self._opener.open(f"{self._address}/login").close()
        self.post("/login", username="ada", password=PASSWORD)

    def post(self, path: str, **fields: str) -> str:
        token = next(cookie.value for cookie in self._cookies if cookie.name == "csrftoken")
        body = urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
        with self._opener.open(self._address + path, body) as answer:
            said: str = answer.read().decode()
        return said

    def make_channel(self, name: str, kind: str, address: str) -> str:
        """The secret that its deliveries are signed with, if any."""
        said = re.search(r"<code>([\w-]+)</code>", self.post("/channels/add", name=name, kind=kind, address=address))
        return said[1] if said else ""


class Told:
    """The demo runs; `web` and `mail` are told of everything."""

    def __init__(self, demo: Demo, web: Web, mail: Mailbox) -> None:
        self.demo, self.web, self.mail = demo, web, mail
        operator = Operator(demo)
        self.secret = operator.make_channel("hook", "webhook", web.url)
        operator.make_channel("mail", "apprise", mail.url)

    @property
    def kinds(self) -> list[str]:
        return [request.event["type"].removeprefix("choreoscope.alert.") for request in self.web.got]

    def silence_payment(self, on: bool) -> None:
        self.demo.tell("PUT", f"/faults/{quote('payment silent')}", {"on": on})

    def alerts(self) -> list[dict[str, Any]]:
        """All that there ever were."""
        found: list[dict[str, Any]] = self.demo.asked("/api/alerts")["items"]
        return found

    def knows_that_payment_is_back(self) -> bool:
        events = [request.event for request in self.web.got]
        return any(found["type"].endswith("recovered") and found["data"]["service"] == "payment" for found in events)

    def unexplained(self) -> list[dict[str, Any]]:
        """Those that are not over, but for what they explain: the bus may hold back what it was to say."""
        return [alert for alert in self.alerts() if alert["state"] != "resolved" and alert["explained_by"] is None]

    def stay_well(self, seconds: float) -> None:
        """Fails when the time is over if there was any alert, with what was known when it came."""
        until = time.monotonic() + seconds
        found: dict[int, str] = {}

        def over() -> bool:
            for alert in self.alerts():
                if alert["id"] not in found:
                    found[alert["id"]] = json.dumps(self.evidence(alert["id"]), indent=1)
            return time.monotonic() > until

        poll_until(over, seconds + 30, "the time to pass", every=1)
        assert not found, "Nothing was wrong, and there were alerts:\n" + "\n".join(found.values())

    def evidence(self, alert: int) -> dict[str, Any]:
        """An alert, the events of transactions that it is about, and how busy this machine is."""
        detail = self.demo.asked(f"/api/alerts/{alert}")
        transactions = [self.demo.asked(f"/api/transactions/{quote(name)}") for name in detail["examples"][:3]]
        events = [[(event["type"], event["time"]) for event in found["events"]] for found in transactions]
        return detail | {"events": events, "load": os.getloadavg()}


@contextmanager
def telling(demo: Demo, folder: Path) -> Iterator[Told]:
    config = folder / "choreoscope.yaml"
    config.write_text((ROOT / "choreoscope.yaml").read_text() + ALERTING)
    with (
        web_server() as web,
        mail_server() as mail,
        demo.started(CHOREOSCOPE_CONFIG=str(config), DEMO_RATE=str(RATE)) as process,
    ):
        demo.await_ready(process)
        yield Told(demo, web, mail)


def test_a_silent_payment_wakes_people_once(demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with telling(demo, tmp_path) as told:
        told.stay_well(WELL_BEFORE)
        try:
            after = silent_for_a_while(told)
        finally:
            with capsys.disabled():
                print(f"\nPayment silent for {SILENT} s at {RATE} orders/s, load {os.getloadavg()[0]:.1f}:")
                print(*map(line, told.web.got), *map(head, told.mail.got), *map(body, told.mail.got[:1]), sep="\n")
        with capsys.disabled():
            print(f"The first was told after {after:.1f} s.")
        check_what_was_said(told)


def silent_for_a_while(told: Told) -> float:
    """Until all is well again; returns how many seconds it took until somebody was told."""
    told.silence_payment(True)
    fell_silent = time.monotonic()
    poll_until(lambda: told.kinds, 30, "somebody to be told")
    after = time.monotonic() - fell_silent
    poll_until(lambda: time.monotonic() - fell_silent > SILENT, SILENT + 5, "the time to pass")
    told.silence_payment(False)
    caught_up = CATCHES_UP_WITHIN + RESOLVE_AFTER
    poll_until(told.knows_that_payment_is_back, caught_up, "somebody to be told that it is over")
    told.demo.tell("PUT", "/rate", {"rate": 0})
    poll_until(lambda: not told.unexplained(), caught_up, "all to be well")
    poll_until(lambda: len(told.mail.got) == len(told.web.got), 20, "the same by mail")
    return after


def check_what_was_said(told: Told) -> None:
    assert told.kinds.count("raised") == 1
    assert told.kinds.count("recovered") == 1
    assert (told.kinds[0], told.kinds[-1]) == ("raised", "recovered")
    assert set(told.kinds) <= {"raised", "escalated", "updated", "recovered"}
    raised = told.web.got[0].event["data"]
    assert re.fullmatch(rf"[\d\u202f]+ transactions? waits? {WAITING.removeprefix('wait ')}", raised["sentence"])
    assert READ.match(raised["verdict"])
    assert raised["count"] > 0
    assert (raised["service"], raised["owner"]) == ("payment", "team-payments")
    moments = [datetime.fromisoformat(request.event["time"]) for request in told.web.got if is_update(request)]
    gaps = [(later - before).total_seconds() for before, later in pairwise(moments)]
    assert all(gap >= UPDATE_EVERY - 1 for gap in gaps), gaps
    assert len({request.headers["Choreoscope-Delivery"] for request in told.web.got}) == len(told.web.got)
    for request in told.web.got:
        signed = request.headers["Choreoscope-Timestamp"].encode() + b"." + request.body
        expected = hmac.new(told.secret.encode(), signed, hashlib.sha256).hexdigest()
        assert request.headers["Choreoscope-Signature"] == f"sha256={expected}"
    subjects = [str(message["Subject"]) for message in told.mail.got]
    assert WAITING in subjects[0].replace("waits", "wait")
    assert READ.search(body(told.mail.got[0]))
    assert [subject.startswith("Recovered after ") for subject in subjects] == [False] * (len(subjects) - 1) + [True]


def is_update(request: Request) -> bool:
    return bool(request.event["type"].endswith(".updated"))


def line(request: Request) -> str:
    event = request.event
    data = event["data"]
    return f"HTTP {event['time'][11:19]} {event['type']}: {data.get('sentence', data)}. {data.get('verdict', '')}"


def head(message: Message) -> str:
    return f"SMTP {message['Subject']}"


def body(message: Message) -> str:
    return str(message.get_body(("plain",)).get_content())  # type: ignore[attr-defined]


@pytest.mark.skipif(not IS_LONG, reason="takes half an hour; SOAK is not set")
def test_nobody_is_told_anything_while_all_is_well(demo: Demo, tmp_path: Path) -> None:
    with telling(demo, tmp_path) as told:
        told.stay_well(WELL)
        assert told.web.got == []
        assert told.mail.got == []
