"""What is asked of the brokers, and what is not: by a client that stands for them."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition

from collector.kafka import Cluster
from collector.kafka import cluster as cluster_module


class Admin:
    """Two topics; orders[1] has no leader, and the leader of payments[0] does not answer. Every partition ends at 7, or
    at 5 where transactions that are open count."""

    def __init__(self) -> None:
        self.asked: list[list[tuple[str, int]]] = []

    def list_topics(self, **_: float) -> Any:
        def topic(*leaders: int) -> Any:
            return SimpleNamespace(
                error=None, partitions={number: SimpleNamespace(leader=leader) for number, leader in enumerate(leaders)}
            )

        return SimpleNamespace(cluster_id="c", topics={"orders": topic(1, -1), "payments": topic(2)})

    def list_offsets(
        self, request: dict[TopicPartition, Any], *, isolation_level: IsolationLevel, **_: float
    ) -> dict[TopicPartition, Future[Any]]:
        self.asked.append(sorted((place.topic, place.partition) for place in request))
        answers = {}
        for place in request:
            answers[place] = answer = Future[Any]()
            if place.topic == "payments":
                answer.set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
            else:
                answer.set_result(SimpleNamespace(offset=5 if isolation_level == IsolationLevel.READ_COMMITTED else 7))
        return answers


def cluster(admin: Admin) -> Cluster:
    found = Cluster({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    found._admin = admin  # type: ignore[assignment]
    return found


ALL = [("orders", 0), ("orders", 1), ("payments", 0)]


def test_those_without_a_leader_are_not_asked_and_those_without_an_answer_left_out() -> None:
    """Leaders are asked one by one; who did not answer is not asked again at once."""
    admin = Admin()
    found = cluster(admin)
    assert found.describe(lambda _: True) == ("c", {"orders": [0, 1], "payments": [0]})
    assert found.ends(ALL) == {("orders", 0): 7}
    assert admin.asked == [[("orders", 0)], [("payments", 0)]]
    assert found.ends(ALL) == {("orders", 0): 7}
    assert admin.asked[2:] == [[("orders", 0)]]


def test_stable_ends_are_those_before_open_transactions() -> None:
    assert cluster(Admin()).stable_ends([("orders", 0)]) == {("orders", 0): 5}


def test_nothing_is_asked_of_nothing() -> None:
    admin = Admin()
    assert cluster(admin).ends([]) == {}
    assert admin.asked == []


def test_where_nobody_answers_a_new_client_asks_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lost(Admin):
        def list_topics(self, **_: float) -> Any:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

        def poll(self, timeout: float) -> None:
            pass

    clients = iter([Lost(), Admin()])
    monkeypatch.setattr(cluster_module, "AdminClient", lambda *_, **__: next(clients))
    found = Cluster({})
    with pytest.raises(KafkaException):
        found.describe(lambda _: True)
    assert found.describe(lambda _: True)[0] == "c"
