"""Decodes as the configuration says: what is to be masked goes first, then dialects and rules, then keys and impact."""

from __future__ import annotations

import msgspec

from collector.decoding import failures, redaction, rules
from collector.decoding.content import Content, Schemas
from collector.decoding.decoder import postponed, understand
from collector.decoding.event import Bundle, Event, Found, Undecodable
from collector.decoding.policy import Handling
from collector.records import Record


def content_of(record: Record, handling: Handling, schemas: Schemas | None = None) -> Content:
    """What may be known of a record."""
    content = Content(record, schemas)
    if handling.redaction is None or record.headers_error:
        return content
    return redaction.masked(content, handling.redaction)


def read(record: Record, handling: Handling, schemas: Schemas | None = None) -> tuple[Record, Found]:
    """What may be stored of a record, and what it says."""
    content = content_of(record, handling, schemas)
    found = understand(content)
    kept = content.record if handling.payloads else msgspec.structs.replace(content.record, withheld=True)
    if isinstance(found, Bundle):
        return kept, msgspec.structs.replace(found, found=_parts(found, content, handling))
    return kept, _settled(found, content, handling)


def _parts(bundle: Bundle, content: Content, handling: Handling) -> tuple[Event | Undecodable, ...]:
    document = content.value.document
    parts = {
        (part.get("source"), part.get("id")): content.part(part)
        for part in (document if isinstance(document, list) else [])
        if isinstance(part, dict) and isinstance(part.get("source"), str) and isinstance(part.get("id"), str)
    }
    settled = [
        _settled(found, parts[found.source, found.id], handling)
        if isinstance(found, Event) and (found.source, found.id) in parts
        else found
        for found in bundle.found
    ]
    # one says it of them all: it is the record that is kept among the undecodable
    unread = next((found for found in settled if isinstance(found, Undecodable)), None)
    return tuple(found for found in settled if isinstance(found, Event) or found is unread)


def _settled(found: Event | Undecodable, content: Content, handling: Handling) -> Event | Undecodable:
    found = postponed(content, rules.correlated(handling.rules, content, found))
    if isinstance(found, Undecodable):
        return found
    if handling.links:
        found = rules.linked(handling.links, content, found)
    if handling.failures and found.failure is None:
        found = msgspec.structs.replace(found, failure=failures.said_by(failures.UNMARKED, content.headers))
    if handling.keys:
        found = rules.with_keys(handling.keys, content, found)
    return found if handling.impact is None else rules.with_impact(handling.impact, content, found)
