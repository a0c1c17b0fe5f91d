"""What holds of whatever decoding makes: it fits any database and any page, and nothing of it is without bound."""

from __future__ import annotations

from datetime import UTC

from collector.decoding import Event, Undecodable
from collector.decoding.dialects import DIALECTS
from collector.decoding.failures import MAX_MESSAGE
from collector.decoding.naming import MAX_CAUSES
from collector.decoding.values import EARLIEST, ID_BYTES, LATEST

NAMES_OF_DIALECTS = {dialect.name for dialect in DIALECTS}
LONGEST_DETAIL = 500
MOST_NOTES = 40


def assert_is_bounded(found: Event | Undecodable) -> None:
    assert EARLIEST <= found.record_time < LATEST
    if not isinstance(found, Event):
        assert _is_storable(found.reason)
        assert _is_storable(found.detail)
        assert len(found.detail) <= LONGEST_DETAIL
        return
    assert EARLIEST <= found.time < LATEST
    assert found.time.tzinfo is UTC
    assert found.dialect in NAMES_OF_DIALECTS
    assert found.id
    assert found.source
    assert found.type
    for name in (found.id, found.source, found.type, found.service, found.subject, found.trace):
        assert _is_bounded(name)
    for name in (*found.transaction_ids, *found.causes):
        assert name.strip()
        assert _is_bounded(name)
    assert len(found.causes) <= MAX_CAUSES
    assert len(found.notes) <= MOST_NOTES
    assert all(_is_bounded(text) for text in (found.basis, *found.notes))
    if (failure := found.failure) is not None:
        assert _is_bounded(failure.topic)
        assert _is_bounded(failure.exception)
        assert _is_storable(failure.message)
        assert len(failure.message) <= MAX_MESSAGE
        for number in (failure.partition, failure.offset, failure.attempts):
            assert number is None or -(2**63) <= number < 2**63


def _is_storable(text: str) -> bool:
    """Neither NUL, which PostgreSQL's text cannot hold, nor a lone surrogate, which UTF-8 cannot."""
    text.encode()
    return "\x00" not in text


def _is_bounded(name: str) -> bool:
    return _is_storable(name) and len(name.encode()) <= ID_BYTES
