"""Masks what configuration names, before anything else looks at a record: what is masked reaches nobody.

Dialects, rules and business keys read the masked record, and it is what is stored. A masked value is one fixed text,
whatever it was. Where a path into a key or value could apply, but what it says cannot be read, all of it is masked.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import msgspec

from collector.decoding import paths, walking
from collector.decoding.content import Body, Content
from collector.decoding.paths import Path, Place
from collector.decoding.values import MASK
from collector.decoding.walking import Step, Walk
from collector.records import pack_headers

_MASKED = Body(MASK, "text")
_MASK_BYTES = MASK.encode()

_Paths = tuple[tuple[Step, ...], ...]


class Redaction(msgspec.Struct, frozen=True):
    """What is to be masked: header names (with `*` in them), and the steps of paths; no steps: all of it."""

    headers: tuple[str, ...] = ()
    key: tuple[tuple[Step, ...], ...] = ()
    value: tuple[tuple[Step, ...], ...] = ()

    @classmethod
    def of(cls, written: Iterable[Path]) -> Redaction | None:
        """None where nothing is to be masked."""
        masked = list(written)
        return (
            cls(
                headers=tuple(path.name for path in masked if path.place is Place.HEADER),
                key=tuple(path.steps for path in masked if path.place is Place.KEY),
                value=tuple(path.steps for path in masked if path.place is Place.VALUE),
            )
            if masked
            else None
        )

    def covers_header(self, name: str) -> bool:
        """Whether it masks the header of this name (in lower case)."""
        return any(
            pattern.fullmatch(name) is not None if (pattern := paths.header_pattern(masked)) else masked == name
            for masked in self.headers
        )


def masked(content: Content, redaction: Redaction) -> Content:
    """The same record without what is to be masked."""
    record = content.record
    packed = record.packed_headers
    if redaction.headers:
        packed = pack_headers(
            [(name, _MASK_BYTES if redaction.covers_header(name.lower()) else value) for name, value in record.headers]
        )
    key, key_bytes = _body(content.key, record.key, redaction.key) if redaction.key else (None, record.key)
    value, value_bytes = (
        _body(content.value, record.value, redaction.value) if redaction.value else (None, record.value)
    )
    hidden = msgspec.structs.replace(record, packed_headers=packed, key=key_bytes, value=value_bytes)
    return content.replaced(hidden, key, value)


def covers(redaction: Redaction, path: Path) -> bool:
    """Whether all that the path leads to is masked: tried on the least document that has such a place."""
    if path.place is Place.HEADER:
        return redaction.covers_header(path.name)
    rules = {Place.KEY: redaction.key, Place.VALUE: redaction.value}.get(path.place, ())
    if not rules:
        return False
    document: Any = 0
    for step in reversed(path.steps):
        if step.index is not None:
            document = [document] * (step.index + 1)
        elif not step.deep:
            document = {step.written or "*": document}
    hidden = _mask(document, walking.walk(rules), Walk.START)
    return any(not steps for steps in rules) or hidden == MASK or 0 not in walking.below(hidden, path.steps)


def _body(body: Body, data: bytes | None, rules: _Paths) -> tuple[Body, bytes | None]:
    """A key or value without what is to be masked. It is written anew even where nothing was found: of a name that
    comes twice in an object, only the last is looked at."""
    if not data:
        return body, data
    if body.problem is not None:
        return body, _MASK_BYTES
    if not all(rules) or not isinstance(body.document, dict | list):
        return _MASKED, _MASK_BYTES
    try:
        document = _mask(body.document, walking.walk(rules), Walk.START)
        return Body(document, body.form), msgspec.json.encode(document)
    except (RecursionError, msgspec.EncodeError, ValueError):
        return _MASKED, _MASK_BYTES


def _mask(value: Any, walk: Walk, state: int) -> Any:
    if walk.ends(state):
        return MASK
    if not walk.goes_on(state):
        return value
    if isinstance(value, dict):
        return {
            key: (
                _mask(member, walk, walk.member(state, key))
                if key != walking.DATA_BASE64
                else _mask_base64(member, walk, state)
            )
            for key, member in value.items()
        }
    if isinstance(value, list):
        return [_mask(element, walk, walk.element(state, i)) for i, element in enumerate(value)]
    return _mask_text(value, walk, state) if isinstance(value, str) else value


def _mask_base64(member: Any, walk: Walk, state: int) -> Any:
    """What CloudEvents keep in `data_base64` is masked as their `data`, and by its own name."""
    as_named = _mask(member, walk, walk.member(state, walking.DATA_BASE64))
    as_data = walk.member(state, walking.DATA)
    if not isinstance(as_named, str) or as_named == MASK or as_data == Walk.NOWHERE:
        return as_named
    document = walking.opened_base64(as_named)
    hidden = MASK if document is None else _mask(document, walk, as_data)
    return MASK if hidden == MASK else base64.b64encode(msgspec.json.encode(hidden)).decode()


def _mask_text(text: str, walk: Walk, state: int) -> str:
    """Text within a document: as JSON, if it looks like that; masked where it then is none."""
    if not walking.looks_like_json(text):
        return text
    document = walking.opened(text)
    return MASK if document is None else msgspec.json.encode(_mask(document, walk, state)).decode()
