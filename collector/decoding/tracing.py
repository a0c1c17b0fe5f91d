"""Trace context in its usual forms: which trace a record belongs to, which span sent it, and that span's parent.

A trace is not a transaction: a transaction outlives one trace, and one trace may hold several. Its id serves only where
nothing better is there, and the event's basis says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote

import msgspec

Headers = Mapping[str, bytes | None]

_HEX = re.compile(r"[0-9a-f]{16}(?:[0-9a-f]{16})?")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_JAEGER_ID = re.compile(r"[0-9a-f]{1,32}")
_HIGH_HALF = re.compile(r"_dd\.p\.tid=([0-9a-f]{16})(?:,|$)")
_LONGEST = 500


class Trace(msgspec.Struct, frozen=True):
    """Ids in hexadecimal; the trace's has 16 or 32 digits. `span` and `parent` are empty where they are not known."""

    id: str
    span: str = ""
    parent: str = ""

    def __str__(self) -> str:
        return f"{self.id}/{self.span}/{self.parent}".rstrip("/")


def traceparent(value: str) -> Trace | None:
    """W3C Trace Context, section 3.2: no version ff, no id of zeros, no upper case; versions after 00 may say more."""
    found = _TRACEPARENT.fullmatch(value.strip())
    if not found or found[1] == "ff" or (found[5] and found[1] == "00"):
        return None
    trace = _trace(found[2], found[3])
    return trace if trace is not None and trace.span else None


def b3(value: str) -> Trace | None:
    """trace-span[-sampled[-parent]]; a sampling decision alone, such as `0`, is legal and names no trace."""
    parts = value.strip().lower().split("-")
    if len(parts) < 2:
        return None
    return _trace(parts[0], parts[1], parts[3] if len(parts) == 4 else "")


def jaeger(value: str) -> Trace | None:
    """trace:span:parent:flags, leading zeros left out, perhaps percent-encoded."""
    parts = unquote(value).strip().lower().split(":")
    if len(parts) != 4 or not all(_JAEGER_ID.fullmatch(part) for part in parts[:3]):
        return None
    width = 32 if len(parts[0]) > 16 else 16
    return _trace(parts[0].zfill(width), parts[1].zfill(16), parts[2].zfill(16))


def _trace(trace: str, span: str, parent: str = "") -> Trace | None:
    if not _HEX.fullmatch(trace) or not trace.strip("0"):
        return None
    return Trace(trace, *(part if _HEX.fullmatch(part) and part.strip("0") else "" for part in (span, parent)))


def _w3c(headers: Headers) -> Trace | None:
    return traceparent(_text(headers, "traceparent"))


def _starting(headers: Headers) -> Trace | None:
    found = traceparent(_text(headers, "ce_traceparent"))
    return Trace(found.id) if found else None


def _masstransit(headers: Headers) -> Trace | None:
    return traceparent(_text(headers, "mt-activity-id"))


def _b3_single(headers: Headers) -> Trace | None:
    return b3(_text(headers, "b3"))


def _b3_multi(headers: Headers) -> Trace | None:
    ids = (_text(headers, f"x-b3-{name}").strip().lower() for name in ("traceid", "spanid", "parentspanid"))
    return _trace(*ids)


def _datadog(headers: Headers) -> Trace | None:
    """Decimal ids of 64 bits; the trace id's upper half, where it has one, is a tag of its own."""
    trace, span = (_hexadecimal(_text(headers, f"x-datadog-{name}-id")) for name in ("trace", "parent"))
    high = _HIGH_HALF.search(_text(headers, "x-datadog-tags"))
    return _trace((high[1] if high else "") + trace, span)


def _jaeger(headers: Headers) -> Trace | None:
    return jaeger(_text(headers, "uber-trace-id"))


def _text(headers: Headers, name: str) -> str:
    value = headers.get(name)
    return value.decode(errors="replace") if value is not None and len(value) <= _LONGEST else ""


def _hexadecimal(decimal: str) -> str:
    digits = decimal.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20) or int(digits) >= 1 << 64:
        return ""
    return f"{int(digits):016x}"


class Convention(msgspec.Struct, frozen=True):
    """A way to hand a trace on in headers; `marker` is the header that it is known by."""

    name: str
    marker: str
    read: Callable[[Headers], Trace | None]
    others: tuple[str, ...] = ()
    note: str = ""


CONVENTIONS = (
    Convention(
        "W3C trace context",
        "traceparent",
        _w3c,
        note="version ff, ids of zeros only and upper case are invalid; later versions may carry more fields",
    ),
    Convention("MassTransit", "mt-activity-id", _masstransit, note="a traceparent"),
    Convention("B3, single header", "b3", _b3_single, note="64 or 128 bits; `b3: 0` is a sampling decision alone"),
    Convention("B3", "x-b3-traceid", _b3_multi, ("x-b3-spanid", "x-b3-parentspanid"), "64 or 128 bits"),
    Convention(
        "Datadog",
        "x-datadog-trace-id",
        _datadog,
        ("x-datadog-parent-id", "x-datadog-tags"),
        "decimal; the upper half of 128 bits is the tag `_dd.p.tid`. `dd-pathway-ctx-base64` belongs to a route, not to"
        " a transaction, and is not read",
    ),
    Convention("Jaeger", "uber-trace-id", _jaeger, note="leading zeros may be missing"),
    Convention(
        "CloudEvents distributed tracing",
        "ce_traceparent",
        _starting,
        note="where the trace started, not the hop: the span is not taken from it",
    ),
)

MARKERS = frozenset(convention.marker for convention in CONVENTIONS)


def found_in(headers: Headers) -> tuple[Trace, str] | None:
    """The first valid trace context among the headers, and the header that names it."""
    for convention in CONVENTIONS:
        if convention.marker in headers and (trace := convention.read(headers)) is not None:
            return trace, convention.marker
    return None
