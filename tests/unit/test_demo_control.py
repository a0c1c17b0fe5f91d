"""The demo's control process: its interface, the trickle of orders, the roll call, its environment."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from demo_services.bus import Line, Publisher, SettingsError, settings
from demo_services.control import RollCall, Trickle, number
from demo_services.control_api import serve
from demo_services.events import Event
from demo_services.faults import FAULTS
from demo_services.noise import NOISE, noise
from demo_services.shop import Shop


class Requests:
    """Stands in for the publisher: keeps what is published."""

    full = False

    def __init__(self) -> None:
        self.sent: list[tuple[str, Event]] = []

    def publish(self, topic: str, event: Event, _: Callable[[], None]) -> None:
        self.sent.append((topic, event))


@pytest.fixture
def requests() -> Requests:
    return Requests()


@pytest.fixture
def call(requests: Requests) -> Iterator[Callable[..., tuple[int, Any]]]:
    with serve(Shop(requests, rate=1.0), 0) as port:  # type: ignore[arg-type]

        def call(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, raw, headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
            connection.close()
            return response.status, answer

        yield call


Call = Callable[..., tuple[int, Any]]


def test_the_state_tells_rate_faults_and_orders(call: Call) -> None:
    status, state = call("GET", "/state")
    assert status == 200
    assert (state["rate"], state["placed"], state["ready"]) == (1.0, 0, False)
    assert set(state["faults"]) == set(FAULTS)
    assert all(fault["on"] is False and fault["description"] for fault in state["faults"].values())


def test_faults_and_rate_are_switched(call: Call) -> None:
    assert call("PUT", "/faults/payment%20silent", {"on": True})[1]["faults"]["payment silent"]["on"] is True
    assert call("PUT", "/faults/payment%20silent", {"on": False})[1]["faults"]["payment silent"]["on"] is False
    assert call("PUT", "/rate", {"rate": 12.5})[1]["rate"] == 12.5
    assert call("PUT", "/rate", {"rate": 0})[1]["rate"] == 0


def test_orders_are_placed_under_ids_of_their_own(call: Call, requests: Requests) -> None:
    status, answer = call("POST", "/orders", {"count": 3})
    assert status == 200
    assert [event.order_id for _, event in requests.sent] == answer["order_ids"]
    assert len(set(answer["order_ids"])) == 3
    assert {topic for topic, _ in requests.sent} == {"_demo.requests"}
    assert call("GET", "/state")[1]["placed"] == 3


def test_orders_are_refused_while_kafka_takes_none(call: Call, requests: Requests) -> None:
    requests.full = True
    status, answer = call("POST", "/orders", {"count": 1})
    assert status == 429
    assert "Kafka" in answer["error"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/", None),
        ("GET", "/orders", None),
        ("PUT", "/state", {}),
        ("PUT", "/faults/unheard-of", {"on": True}),
        ("PUT", "/faults/payment%20silent", {"on": "yes"}),
        ("PUT", "/faults/payment%20silent", None),
        ("PUT", "/rate", {"rate": 51}),
        ("PUT", "/rate", {"rate": -1}),
        ("PUT", "/rate", {"rate": True}),
        ("PUT", "/rate", b'{"rate": NaN}'),
        ("POST", "/orders", {"count": 0}),
        ("POST", "/orders", {"count": 501}),
        ("POST", "/orders", {"count": 1.5}),
        ("POST", "/orders", [1]),
        ("POST", "/orders", b"\xff"),
        ("POST", "/orders", b" " * 20_000),
    ],
)
def test_a_wrong_request_gets_a_sentence(call: Call, requests: Requests, method: str, path: str, body: Any) -> None:
    status, answer = call(method, path, body)
    assert 400 <= status < 500
    assert answer["error"].endswith(".")
    assert requests.sent == []


def test_browsers_are_sent_away(call: Call) -> None:
    assert call("POST", "/orders", {"count": 1}, Origin="http://elsewhere.example")[0] == 403


def test_the_trickle_keeps_its_rate() -> None:
    trickle = Trickle(Random(1))
    trickle.take(5.0, now=0.0)
    placed = [trickle.take(5.0, now=tenth / 10) for tenth in range(1, 1_001)]
    assert 480 <= sum(placed) <= 520
    assert max(placed) <= 2, "evenly"


def test_the_trickle_stops_and_starts_without_making_up_for_the_pause() -> None:
    trickle = Trickle(Random(1))
    trickle.take(1.0, now=0.0)
    assert trickle.take(0.0, now=10.0) == 0
    assert trickle.wait(now=10.0) > 0
    assert trickle.take(50.0, now=100.0) == 0
    assert trickle.take(50.0, now=100.1) <= 8


def test_the_roll_call_ends_when_all_have_answered_this_one() -> None:
    roll = RollCall(now=0)
    services = sorted(roll.missing)
    roll.answered([{"service": name, "roll_call": "an earlier one"} for name in services])
    assert not roll.over(now=1)
    roll.answered([{"service": name, "roll_call": roll.word} for name in services[1:]])
    assert not roll.over(now=1)
    assert roll.over(now=60), "a service that never comes does not hold up the others for ever"
    roll.answered([{"service": services[0], "roll_call": roll.word}])
    assert roll.over(now=1)


def test_a_wrong_environment_is_named() -> None:
    with pytest.raises(SettingsError, match="KAFKA_BOOTSTRAP_SERVERS"):
        settings({})
    with pytest.raises(SettingsError, match="DEMO_RATE is 'fast'"):
        number({"DEMO_RATE": "fast"}, "DEMO_RATE", 1.0, 50)
    assert number({}, "DEMO_RATE", 1.0, 50) == 1.0


def test_a_property_that_kafkas_client_does_not_know_is_named() -> None:
    wrong = settings({"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "KAFKA_CONFIG_NO_SUCH": "x"})
    with pytest.raises(SettingsError, match=r"no\.such"):
        Publisher(wrong, Line())


def test_kafka_properties_come_from_the_environment() -> None:
    found = settings({"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "KAFKA_CONFIG_SASL_USERNAME": "demo", "OTHER": "x"})
    assert found["bootstrap.servers"] == "kafka:9092"
    assert found["sasl.username"] == "demo"
    assert "other" not in found


def test_the_noise_goes_through_all_its_records() -> None:
    assert [noise(turn) for turn in range(len(NOISE))] == list(NOISE)
    assert noise(len(NOISE)) == NOISE[0]
