"""Trace context, valid and not."""

from __future__ import annotations

import pytest

from collector.decoding.tracing import Trace, b3, found_in, jaeger, traceparent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ZEROS, NO_SPAN = "0" * 32, "0" * 16


@pytest.mark.parametrize(
    "valid",
    [
        f"00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-00",
        f"cc-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-what-comes-next",
    ],
)
def test_a_valid_traceparent(valid: str) -> None:
    assert traceparent(valid) == Trace(TRACE, SPAN)
    assert str(traceparent(valid)) == f"{TRACE}/{SPAN}"


@pytest.mark.parametrize(
    "invalid",
    [
        "",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{ZEROS}-{SPAN}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"00-{TRACE}-{SPAN}-0",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        "|e4961366-426f573e06965f93.1.",
    ],
)
def test_an_invalid_traceparent_is_none_at_all(invalid: str) -> None:
    assert traceparent(invalid) is None


def test_a_span_of_zeros_is_none() -> None:
    assert traceparent(f"00-{TRACE}-{NO_SPAN}-01") is None


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (f"{TRACE}-{SPAN}", Trace(TRACE, SPAN)),
        (f"{TRACE[16:]}-{SPAN}-d", Trace(TRACE[16:], SPAN)),
        (f"{TRACE}-{SPAN}-1-{SPAN[::-1]}", Trace(TRACE, SPAN, SPAN[::-1])),
        (f"{TRACE.upper()}-{SPAN}", Trace(TRACE, SPAN)),
        ("0", None),
        ("1", None),
        (f"{ZEROS}-{SPAN}", None),
        (f"{TRACE}0-{SPAN}", None),
    ],
)
def test_b3(written: str, found: Trace | None) -> None:
    assert b3(written) == found


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (f"{TRACE}:{SPAN}:0:1", Trace(TRACE, SPAN)),
        (f"{TRACE}%3A{SPAN}%3A{SPAN}%3A1", Trace(TRACE, SPAN, SPAN)),
        ("1:2:3:1", Trace("1".zfill(16), "2".zfill(16), "3".zfill(16))),
        ("0:2:3:1", None),
        (f"{TRACE}:{SPAN}", None),
        (":::", None),
    ],
)
def test_jaeger(written: str, found: Trace | None) -> None:
    assert jaeger(written) == found


def datadog(trace: str, span: str = "1", tags: str = "") -> dict[str, bytes | None]:
    names = {"x-datadog-trace-id": trace, "x-datadog-parent-id": span, "x-datadog-tags": tags}
    return {name: value.encode() for name, value in names.items()}


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (datadog("10"), Trace("000000000000000a", "1".zfill(16))),
        (datadog("10", "none"), Trace("000000000000000a")),
        (datadog("10", tags=f"_dd.p.tid={SPAN},_dd.p.dm=-1"), Trace(f"{SPAN}000000000000000a", "1".zfill(16))),
        (datadog(str(2**64)), None),
        (datadog("0"), None),
        (datadog("٣"), None),
        ({"dd-pathway-ctx-base64": b"AAAA"}, None),
    ],
)
def test_datadog(headers: dict[str, bytes | None], found: Trace | None) -> None:
    assert found_in(headers) == (None if found is None else (found, "x-datadog-trace-id"))


def test_of_several_the_first_valid_one_counts() -> None:
    headers: dict[str, bytes | None] = {"traceparent": b"nonsense", "b3": f"{TRACE}-{SPAN}".encode(), "b3x": None}
    assert found_in(headers) == (Trace(TRACE, SPAN), "b3")
    assert found_in({"traceparent": None, "b3": b"x" * 1_000}) is None
