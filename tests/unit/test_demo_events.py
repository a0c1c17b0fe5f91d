"""The demo's events: CloudEvents in binary mode, read back as they were written."""

from __future__ import annotations

import pytest

from demo_services.events import Event, NotAnEventError, Received, chance, lasting_id, read

DECLINED = Event(
    id="e-3",
    source="/services/payment",
    type="PaymentDeclined",
    order_id="ord-20261120-7f3a91c2",
    time=1_795_000_000.25,
    data={"reason": "insufficient funds", "town": "Poznań"},
    causes=("e-1", "e-2"),
)


def received(event: Event) -> Received:
    return [(name, value) for name, value in event.headers()]


def test_an_event_is_read_as_it_was_written() -> None:
    assert read(received(DECLINED), DECLINED.value()) == DECLINED


def test_the_headers_are_cloudevents_in_binary_mode() -> None:
    assert dict(DECLINED.headers()) == {
        "ce_specversion": b"1.0",
        "ce_id": b"e-3",
        "ce_source": b"/services/payment",
        "ce_type": b"PaymentDeclined",
        "ce_time": b"2026-11-18T11:06:40.250+00:00",
        "ce_subject": b"ord-20261120-7f3a91c2",
        "ce_correlationid": b"ord-20261120-7f3a91c2",
        "ce_causationid": b"e-1,e-2",
        "content-type": b"application/json",
    }


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ([], b"{}"),
        (received(DECLINED), None),
        (received(DECLINED), b"{"),
        (received(DECLINED), b"[1]"),
        (received(DECLINED), b"[" * 100_000),
        ([*received(DECLINED), ("ce_correlationid", b"\xff")], b"{}"),
        ([*received(DECLINED), ("ce_id", b"")], b"{}"),
        ([*received(DECLINED), ("ce_time", b"yesterday")], b"{}"),
    ],
    ids=["no headers", "no value", "broken", "no object", "too deep", "not UTF-8", "no id", "no time"],
)
def test_what_is_no_event_is_told_apart(headers: Received, value: bytes | None) -> None:
    with pytest.raises(NotAnEventError):
        read(headers, value)


def test_work_done_again_yields_the_same_id_and_the_same_chance() -> None:
    assert lasting_id("payment", "e-1") == lasting_id("payment", "e-1") != lasting_id("payment", "e-2")
    assert chance("bank", "ord-1").random() == chance("bank", "ord-1").random() != chance("bank", "ord-2").random()
