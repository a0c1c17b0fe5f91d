"""A registry that lacks a schema, fails, is down, does not answer, or is not told who we are."""

from __future__ import annotations

import base64
import socket
import time
from http import HTTPStatus
from typing import Any

import pytest
from django.core.management.base import CommandError
from pytest_django import Settings

from collector.config import parse
from collector.decoding import Event, Undecodable, configured, decode
from collector.management.commands.collect import Command
from collector.registry import RegistryError, client, connect
from tests.builders import cloud_event, record
from tests.stack import registry as stack
from tests.unit.registry.written import (
    ORDER,
    READ,
    WRITTEN,
    Clock,
    avro,
    document,
    problem,
    serialised,
    shop_proto,
)


def test_without_a_registry_the_record_says_what_is_missing() -> None:
    found = decode(record(value=avro(ORDER, WRITTEN, 7)))
    assert isinstance(found, Undecodable)
    assert found.reason == "no schema registry"
    assert found.detail == "The value: It needs schema 7: set SCHEMA_REGISTRY_URL."
    assert connect({}) is None
    assert connect({"url": ""}) is None


def test_an_unknown_schema_is_asked_for_again_only_after_a_while(
    registry: stack.Registry, schemas: client.Registry, clock: Clock
) -> None:
    written = avro(ORDER, WRITTEN, 1)
    assert problem(written, schemas) == (client.UNKNOWN, True)
    assert problem(written, schemas) == (client.UNKNOWN, True)
    assert len(registry.asked) == 1
    assert registry.register(ORDER)["id"] == 1
    clock.now += client.FORGET
    assert document(written, schemas) == READ


def test_unknown_schemas_without_end_take_a_bounded_time(
    registry: stack.Registry, schemas: client.Registry, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = client.Registry._described

    def slowly(self: client.Registry, schema: Any) -> Any:
        clock.now += 0.5
        return described(self, schema)

    monkeypatch.setattr(client.Registry, "_described", slowly)
    began = clock.now
    for number in range(1_000):
        assert problem(avro(ORDER, WRITTEN, number), schemas) == (client.UNKNOWN, True)
    assert clock.now - began <= client.ALLOWANCE + 1
    assert len(registry.asked) < 10
    clock.now += 60
    assert document(avro(ORDER, WRITTEN, registry.register(ORDER)["id"]), schemas) == READ


@pytest.mark.parametrize(
    "status", [HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS]
)
def test_a_registry_that_fails_is_left_alone_for_a_while_and_then_asked_again(
    registry: stack.Registry, schemas: client.Registry, clock: Clock, status: HTTPStatus
) -> None:
    written = avro(ORDER, WRITTEN, registry.register(ORDER)["id"])
    registry.status = status
    for _ in range(5):
        assert problem(written, schemas) == (client.AWAY, True)
    assert len(registry.asked) == 1
    registry.status = None
    assert problem(written, schemas) == (client.AWAY, True)
    clock.now += client.RETRY
    assert document(written, schemas) == READ


def test_a_registry_that_is_down_takes_no_time(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    schemas = client.Registry({"url": url}, clock)
    began = time.monotonic()
    for number in range(500):
        assert problem(avro(ORDER, WRITTEN, number), schemas) == (client.AWAY, True)
    assert time.monotonic() - began < client.PATIENCE


def test_a_registry_that_does_not_answer_takes_a_bounded_time_once(
    registry: stack.Registry, schemas: client.Registry, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.2)
    written = avro(ORDER, WRITTEN, registry.register(ORDER)["id"])
    registry.silent = True
    began = time.monotonic()
    for _ in range(100):
        assert problem(written, schemas) == (client.AWAY, True)
        clock.now += 1
    assert time.monotonic() - began < 1
    assert len(registry.asked) == 1, "as long as that question is open, no other is asked"
    registry.silent = False
    underway = schemas._underway
    assert underway is not None
    underway.result(timeout=5)
    clock.now += client.RETRY
    assert document(written, schemas) == READ


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        ("AVRO", {"type": "array", "items": "null"}),
        ("AVRO", {"type": "array", "items": {"type": "record", "name": "Nothing", "fields": []}}),
        ("AVRO", {"type": "array", "items": {"type": "fixed", "name": "Nothing", "size": 0}}),
        ("AVRO", {"type": "no such thing"}),
        ("AVRO", "{"),
        ("AVRO", "[" * 50_000),
        ("PROTOBUF", "no descriptor"),
        ("PROTOBUF", serialised(shop_proto())),
        ("THRIFT", "{}"),
    ],
)
def test_a_schema_that_cannot_be_used_is_no_trouble_for_others(
    registry: stack.Registry, schemas: client.Registry, kind: str, schema: Any
) -> None:
    bad = registry.register(schema, kind)["id"]
    start = b"\x00" + bad.to_bytes(4, "big")
    assert problem(start + b"\x80\x80\x80\x80\x80\x40\x00", schemas) == ("unusable schema", False)
    assert problem(start + b"\x00", schemas) == ("unusable schema", False)
    assert document(avro(ORDER, WRITTEN, registry.register(ORDER)["id"]), schemas) == READ


def test_schemas_that_refer_to_each_other_are_no_trouble(registry: stack.Registry, schemas: client.Registry) -> None:
    references = [{"name": "shop.Line", "subject": "line", "version": 1}]
    registry.register(["null", "string"], subject="line", references=references)
    number = registry.register("shop.Line", references=references)["id"]
    assert problem(b"\x00" + number.to_bytes(4, "big") + b"\x00", schemas) == ("unusable schema", False)


def test_the_registry_may_ask_who_we_are(registry: stack.Registry) -> None:
    number = registry.register(ORDER)["id"]
    schemas = connect({"url": registry.url, "basic.auth.user.info": "collector:secret"})
    assert schemas is not None
    assert document(avro(ORDER, WRITTEN, number), schemas) == READ
    assert registry.authorization == f"Basic {base64.b64encode(b'collector:secret').decode()}"


def test_properties_that_its_client_does_not_know_are_refused() -> None:
    with pytest.raises(RegistryError, match=r"Unrecognized properties: no\.such\.thing"):
        connect({"url": "http://127.0.0.1:1", "no.such.thing": "1"})


def test_an_event_whose_transaction_the_value_may_name_waits_for_the_schema(
    registry: stack.Registry, schemas: client.Registry
) -> None:
    registry.status = HTTPStatus.SERVICE_UNAVAILABLE
    written = avro(ORDER, WRITTEN, 1)
    named = decode(record(("correlation-id", b"order-1"), value=written), schemas)
    assert isinstance(named, Event), "its headers say enough"
    unnamed = decode(record(("event-type", b"OrderPlaced"), value=written), schemas)
    assert isinstance(unnamed, Undecodable)
    assert unnamed.reason == client.AWAY
    assert isinstance(decode(record(*cloud_event(transaction=None), value=written), schemas), Event), "nobody asks"


@pytest.mark.parametrize("redact", ["", 'redact: ["value:token"]\n'])
def test_a_rule_that_looks_into_the_value_waits_for_the_schema(
    registry: stack.Registry, schemas: client.Registry, clock: Clock, redact: str
) -> None:
    content = redact + 'correlation: [{transaction_id: "value:number", type: "text:OrderPlaced"}]'
    handling = parse("choreoscope.yaml", content).policy.of("orders")
    written = record(*cloud_event(transaction=None), value=avro(ORDER, WRITTEN, registry.register(ORDER)["id"]))
    registry.status = HTTPStatus.SERVICE_UNAVAILABLE
    _, waiting = configured.read(written, handling, schemas)
    assert isinstance(waiting, Undecodable)
    assert waiting.reason == client.AWAY
    registry.status = None
    clock.now += client.RETRY
    _, found = configured.read(written, handling, schemas)
    assert isinstance(found, Event)
    assert found.transaction_ids == ("o-1",)


def test_the_collector_refuses_what_the_registrys_client_does_not_know(settings: Settings) -> None:
    settings.SCHEMA_REGISTRY = {"url": "http://127.0.0.1:1", "no.such.thing": "1"}
    with pytest.raises(CommandError, match=r"SCHEMA_REGISTRY_…: Unrecognized properties: no\.such\.thing"):
        Command()._schemas()
    settings.SCHEMA_REGISTRY = {}
    assert Command()._schemas() is None
