"""Undecodable records that are kept: readable by whoever has the key, and by nobody else."""

from __future__ import annotations

from django.test import override_settings

from collector.records import NO_HEADERS
from collector.storage import sealing
from tests.builders import record

SECRET = b"canary-4711"
FOUND = record(("x", SECRET), ("y", None), value=SECRET, key=SECRET)
BARE = record(value=None)


def test_what_is_sealed_says_nothing_and_opens_again() -> None:
    sealed = sealing.seal(FOUND)
    assert SECRET not in sealed
    assert sealing.seal(FOUND) != sealed, "the same record twice looks different"
    opened = sealing.unseal(sealed, BARE)
    assert opened is not None
    assert (opened.key, opened.headers, opened.value) == (SECRET, [("x", SECRET), ("y", None)], SECRET)
    assert (opened.offset, opened.topic) == (BARE.offset, BARE.topic)


def test_nothing_is_sealed_as_nothing() -> None:
    opened = sealing.unseal(sealing.seal(BARE), FOUND)
    assert opened is not None
    assert (opened.key, opened.packed_headers, opened.value) == (None, NO_HEADERS, None)


def test_under_another_key_it_stays_closed() -> None:
    sealed = sealing.seal(FOUND)
    with override_settings(ENCRYPTION_KEY="another key, as long as it has to be"):
        assert sealing.unseal(sealed, BARE) is None
    assert sealing.unseal(sealed[:-2], BARE) is None
