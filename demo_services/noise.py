"""What an old system may write: records that nobody can read, for the fault "garbage"."""

from __future__ import annotations

import json

from demo_services.events import Headers

NOISE_TOPIC = "legacy-noise"

Noise = tuple[bytes | None, Headers]


def _cloud_event(**attributes: bytes) -> Headers:
    wanted = {"specversion": b"1.0", "source": b"/legacy/mainframe", "type": b"LegacyNoise", **attributes}
    return [(f"ce_{name}", value) for name, value in wanted.items()]


NOISE: tuple[Noise, ...] = (
    (b'{"order": {"number": "00', [("content-type", b"application/json")]),  # broken off
    (None, []),  # no value at all
    (b"", [("eventName", b"Empty")]),
    (b"{}", _cloud_event(id=b"noise-1", correlationid=b"caf\xe9 \xff\xfe")),  # not UTF-8
    (b'"\\u0000\\ud800"', _cloud_event(id=b"noise-2\x00", correlationid=b"legacy\x00\x00id")),  # NUL, a lone surrogate
    (b"{}", _cloud_event(id=b"n" * 5_000, correlationid=b"x" * 10_000)),  # huge ids
    (b"[" * 20_000, [("content-type", b"application/json")]),  # deeper than any reader likes
    (b"\x00\x01\x02\xff" * 64, [("content-type", b"application/octet-stream")]),
    (json.dumps({"note": "<img src=x onerror=alert(1)>"}).encode(), _cloud_event(id=b"<b>noise</b>", type=b"<script>")),
)


def noise(number: int) -> Noise:
    """The records in turn."""
    return NOISE[number % len(NOISE)]
