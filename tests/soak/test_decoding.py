"""Decoding is total, and what a record may cost is bounded: a million records that nobody would send by mistake.

With SOAK set (`make soak`) it is a million, half of them by atheris, where it can be installed; else some thousand.
"""

from __future__ import annotations

import importlib.util
import os
import re
import resource
import subprocess
import sys
import time

import pytest

from collector.decoding import decode, opened
from collector.decoding.content import MAX_BODY_BYTES, MAX_WRITTEN_BYTES
from tests.builders import record
from tests.property.bounds import assert_is_bounded
from tests.soak.records import Mutator, Registry
from tests.stack.place import ROOT

LONG, SHORT = 500_000, 10_000
RECORDS = LONG if os.environ.get("SOAK") else SHORT
SEED = 20
SECONDS = 0.5
"""Of processor time that no record of these takes; a usual one takes a fifty-thousandth of it."""
LARGE_SECONDS = 5.0
GROWTH_KB = 100_000
"""By how much the process may grow while it decodes them."""


def test_mutated_records_are_events_or_undecodable_at_a_bounded_cost() -> None:
    mutator, registry = Mutator(SEED), Registry()
    slowest, kinds = 0.0, set[str]()
    for number in range(RECORDS):
        hostile = mutator.record()
        began = time.thread_time()
        found = decode(hostile, registry)
        slowest = max(slowest, time.thread_time() - began)
        for _, one in opened([(hostile, found)]):
            assert_is_bounded(one)
            kinds.add(getattr(one, "dialect", "") or getattr(one, "reason", ""))
        if number == SHORT // 2:
            usual = _peak_kb()
    print(f"{RECORDS} mutated records: the slowest took {slowest * 1e3:.1f} ms, {_peak_kb() - usual} kB more memory")
    assert slowest < SECONDS
    assert _peak_kb() - usual < GROWTH_KB
    assert kinds >= {"CloudEvents binary", "NServiceBus", "Eventuate Tram", "no dialect", "incomplete batch"}
    assert kinds >= {"invalid data", "invalid JSON", "schema registry away", "headers"}


def test_records_that_atheris_thinks_of() -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed; `make soak` does it, where there is a wheel for this Python")
    command = [sys.executable, "-m", "tests.soak.fuzz", str(RECORDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3_000, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    assert re.search(rf"Done {RECORDS} (runs )?in", done.stderr), done.stderr[-500:]


@pytest.mark.parametrize(
    "value",
    [
        b"[" * MAX_BODY_BYTES,
        b"{" * MAX_BODY_BYTES,
        b'{"a":' * (MAX_BODY_BYTES // 5),
        b'{"a":"' + b"\\u0000" * (MAX_BODY_BYTES // 6 - 2) + b'"}',
        b"[" + b"{}," * (MAX_BODY_BYTES // 3 - 2) + b"{}]",
        b"[" + b'{"specversion":"1.0","id":"1","source":"s","type":"T"},' * 150_000 + b"{}]",
        b'{"id":' + b"9" * (MAX_BODY_BYTES - 10) + b"}",
        b"\x00\x00\x00\x00\x01" + b"\x02" * (MAX_BODY_BYTES - 10),
        b"\x00\x00\x00\x00\x02\x00" + b"\x4a\x80" * (MAX_BODY_BYTES // 2 - 10),
        b"\x00\x00\x00\x00\x02\x00" + b"\x4a\x00" * (MAX_WRITTEN_BYTES // 2 - 10),
        b"\x00\x00\x00\x00\x01\x00\x00\x00\xfe\xff\xff\xff\x0f"
        + b"\x02\x00\x00\x00\x00" * (MAX_WRITTEN_BYTES // 5 - 10),
        b"\x04\x02a\x00" + b"\x02a\x00" * (MAX_WRITTEN_BYTES // 3 - 10),
        b"\x80" * MAX_BODY_BYTES,
        b"\x01" * (MAX_BODY_BYTES * 4),
    ],
    ids=lambda value: repr(value[:12]),
)
@pytest.mark.parametrize("content_type", ["json", "batch", "avro"])
def test_large_records_take_a_bounded_time(value: bytes, content_type: str) -> None:
    kind = {"json": b"+json", "batch": b"-batch+json", "avro": b"+avro"}[content_type]
    began = time.thread_time()
    hostile = record(("content-type", b"application/cloudevents" + kind), value=value)
    for _, found in opened([(hostile, decode(hostile, Registry()))]):
        assert_is_bounded(found)
    assert time.thread_time() - began < LARGE_SECONDS


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
