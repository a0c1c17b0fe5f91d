"""The demo's systems of other people: what they make of what they read, in forms of their own."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import fastavro
import pytest

from collector.config import parse
from collector.decoding import Event, configured
from collector.decoding.content import Schemas
from collector.records import Header
from collector.registry import connect
from demo_services.bus import SettingsError
from demo_services.erp import MOST_IN_A_RUN, RUN_EVERY, Erp
from demo_services.loyalty import SCHEMA, Loyalty
from demo_services.outsiders import Seen, Written, look
from tests.builders import ORDERS, cloud_event, record
from tests.stack import registry as stack
from tests.stack.place import ROOT

DATA = {"order": {"number": "1", "total": 58.9}, "customer": {"id": "cus-1001"}}


class Message:
    """What the client hands over."""

    def __init__(self, headers: tuple[Header, ...], key: bytes | None, value: bytes | None) -> None:
        self._headers, self._key, self._value = headers, key, value

    def headers(self) -> list[Header]:
        return list(self._headers)

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value


def seen(number: int, data: dict[str, Any] | None = None) -> Seen:
    return Seen(f"order-{number}", DATA if data is None else data, ("shipments", 0, number))


@pytest.fixture
def registry() -> Iterator[stack.Registry]:
    with stack.running() as running:
        yield running


def events_of(written: Written, topic: str, schemas: Schemas | None = None) -> Event:
    """As the collector reads it by the demo's configuration."""
    source = ROOT / "choreoscope.yaml"
    handling = parse(str(source), source.read_text()).policy.of(topic)
    named = type(ORDERS)(1, "c", "uid", topic)
    _, found = configured.read(
        record(*written.headers, key=written.key, value=written.value, topic=named), handling, schemas
    )
    assert isinstance(found, Event), found
    return found


def test_an_outsider_looks_at_records_of_one_kind_only() -> None:
    at = ("shipments", 0, 7)
    dispatched, wanted = cloud_event("ShipmentDispatched"), b"ShipmentDispatched"
    value = json.dumps(DATA).encode()
    assert look(Message(dispatched, b"order-1", value), wanted, at) == Seen("order-1", DATA, at)
    for headers, key, content in (
        (cloud_event("OrderPlaced"), b"order-1", value),
        (dispatched, None, value),
        (dispatched, b"order-1", None),
        (dispatched, b"order-1", b"{"),
        (dispatched, b"order-1", b"[]"),
        (dispatched, b"\xff", value),
    ):
        assert look(Message(headers, key, content), wanted, at) is None


def test_the_erp_makes_out_invoices_in_runs() -> None:
    erp = Erp()
    erp.take(seen(1))
    assert list(erp.due(100)) == []
    erp.take(seen(2, {}))
    assert list(erp.due(100 + RUN_EVERY - 0.1)) == []
    (written,) = erp.due(100 + RUN_EVERY)
    assert list(erp.due(200)) == []
    assert [found.order_id for found in written.of] == ["order-1", "order-2"]
    assert json.loads(written.value)["orders"] == [
        {"number": "order-1", "amount": 58.9},
        {"number": "order-2", "amount": None},
    ]
    found = events_of(written, Erp.publishes)
    assert (found.type, found.service, found.transaction_ids) == ("InvoicesIssued", "erp", ("order-1", "order-2"))


def test_a_document_of_the_erp_is_bounded() -> None:
    erp = Erp()
    for number in range(MOST_IN_A_RUN + 1):
        erp.take(seen(number))
    assert list(erp.due(100)) == []
    assert [len(written.of) for written in erp.due(100 + RUN_EVERY)] == [MOST_IN_A_RUN, 1]


def test_loyalty_writes_avro_with_a_schema_that_it_registers(registry: stack.Registry) -> None:
    loyalty = Loyalty(registry.url)
    assert loyalty.ready()
    loyalty.take(seen(1))
    loyalty.take(seen(2, {"customer": None}))
    first, second = loyalty.due(1_795_176_000.5)
    assert list(loyalty.due(1_795_176_002)) == []
    read = fastavro.schemaless_reader(io.BytesIO(second.value[5:]), SCHEMA, None)
    assert isinstance(read, dict)
    assert (read["member"], read["purchase"], read["points"]) == ("unknown", {"ref": "order-2"}, 0)
    found = events_of(first, Loyalty.publishes, connect({"url": registry.url}))
    assert (found.type, found.service, found.transaction_ids) == ("PointsCredited", "loyalty", ("order-1",))
    assert found.time.isoformat() == "2026-11-20T12:00:00.500000+00:00"


def test_loyalty_waits_for_its_registry(registry: stack.Registry) -> None:
    loyalty = Loyalty(registry.url)
    registry.status = stack.HTTPStatus.INTERNAL_SERVER_ERROR
    assert not loyalty.ready()
    registry.status = None
    assert loyalty.ready()
    assert not Loyalty("http://127.0.0.1:1").ready()


def test_loyalty_says_what_it_needs() -> None:
    with pytest.raises(SettingsError, match="SCHEMA_REGISTRY_URL"):
        Loyalty("")
