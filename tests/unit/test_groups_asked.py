"""What a client of Kafka is asked of consumer groups, and what not, since it would not survive that."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition

from collector.kafka import groups as groups_module
from collector.kafka.groups import Groups


def answered(answer: Any) -> Future[Any]:
    future: Future[Any] = Future()
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
    return future


class Admin:
    """Every group is at offset 7. `codes`: how describing a group fails."""

    codes: dict[str, int] = {}  # noqa: RUF012 - each test has a class of its own

    def __init__(self, *_: Any, **__: Any) -> None:
        self.asked: list[str] = []

    def describe_consumer_groups(self, names: Iterable[str], **_: Any) -> dict[str, Future[Any]]:
        failures = {name: KafkaException(KafkaError(code)) for name, code in self.codes.items()}
        return {name: answered(failures.get(name)) for name in names}

    def list_consumer_group_offsets(self, groups: list[Any], **_: Any) -> dict[str, Future[Any]]:
        self.asked += [group.group_id for group in groups]
        offsets = [TopicPartition("orders", 0, 7)]
        return {group.group_id: answered(ConsumerGroupTopicPartitions(group.group_id, offsets)) for group in groups}


def test_offsets_are_asked_only_of_groups_whose_coordinator_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    class Moving(Admin):
        codes = {  # noqa: RUF012
            "moved": KafkaError.NOT_COORDINATOR,
            "loading": KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
            "silent": KafkaError._TIMED_OUT,
        }

    monkeypatch.setattr(groups_module, "AdminClient", Moving)
    groups = Groups({})
    found = groups.committed(["moved", "loading", "silent", "steady"], [("orders", 0)])
    assert found == {"steady": {("orders", 0): 7}}
    assert groups._admin.asked == ["steady"]  # type: ignore[attr-defined]


def test_a_broker_that_describes_no_group_is_asked_for_offsets(monkeypatch: pytest.MonkeyPatch) -> None:
    class Embedded(Admin):
        codes = {"group": KafkaError._UNSUPPORTED_FEATURE}  # noqa: RUF012

    monkeypatch.setattr(groups_module, "AdminClient", Embedded)
    assert Groups({}).committed(["group"], [("orders", 0)]) == {"group": {("orders", 0): 7}}


def test_where_nobody_answers_a_new_client_asks_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lost(Admin):
        codes = {"one": KafkaError._TRANSPORT, "other": KafkaError._TIMED_OUT}  # noqa: RUF012

    monkeypatch.setattr(groups_module, "AdminClient", Lost)
    groups = Groups({})
    first = groups._admin
    assert groups.committed(["one", "other", "third"], [("orders", 0)]) == {"third": {("orders", 0): 7}}
    assert groups._admin is first
    assert groups.committed(["one", "other"], [("orders", 0)]) == {}
    assert groups._admin is not first
