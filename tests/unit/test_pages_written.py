"""A value that was written with a schema is shown as what it says."""

from __future__ import annotations

import io
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote

import fastavro
import pytest
from django.test import Client
from pytest_django import Settings

from dashboard.pages.shared import shared
from tests.builders import Header, cloud_event
from tests.feeding import Feed
from tests.pages import text
from tests.stack import registry as stack

pytestmark = pytest.mark.django_db
SCHEMA = {"type": "record", "name": "Credit", "fields": [{"name": "note", "type": "string"}]}


@pytest.fixture(autouse=True)
def unmasked(settings: Settings, tmp_path: Path) -> None:
    """Where values are masked, what is stored is JSON already."""
    settings.CHOREOSCOPE_CONFIG = tmp_path / "choreoscope.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text("topics: {start: earliest}\n")


@pytest.fixture
def registry(settings: Settings) -> Iterator[stack.Registry]:
    shared.clear()
    with stack.running() as running:
        settings.SCHEMA_REGISTRY = {"url": running.url}
        yield running


def data(note: str) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(SCHEMA), {"note": note})
    return out.getvalue()


def inspected(client: Client, value: bytes, *headers: Header) -> str:
    feed = Feed()
    now = feed.ago(1)
    feed.raw(*cloud_event("Credited", "order-1", "e1", "/services/loyalty", now), *headers, value=value, at=now)
    feed.read()
    address = f"/live/event/order-1?source={quote('/services/loyalty')}&event=e1"
    return unescape(text(client.get(address)))


@pytest.mark.parametrize("in_header", [False, True])
def test_avro_is_shown_as_json(client: Client, registry: stack.Registry, in_header: bool) -> None:
    schema = b"\x00" + registry.register(SCHEMA)["id"].to_bytes(4, "big")
    note = "\x01 <b>12 points</b>"
    headers = (("__value_schema_id", schema),) if in_header else ()
    page = inspected(client, data(note) if in_header else schema + data(note), *headers)
    assert "of Avro, shown as JSON" in page
    assert '"note": "\\u0001 <b>12 points</b>"' in page


def test_what_cannot_be_read_is_shown_as_bytes(client: Client, registry: stack.Registry) -> None:
    page = inspected(client, b"\x00\x00\x00\x00\x07\xff" + data("unknown"))
    assert "not text: shown as bytes" in page
    assert "00 00 00 00 07 ff" in page


def test_without_a_registry_it_is_shown_as_it_is(client: Client, settings: Settings) -> None:
    shared.clear()
    settings.SCHEMA_REGISTRY = {}
    assert "not text: shown as bytes" in inspected(client, b"\x00\x00\x00\x00\x07\xff")
