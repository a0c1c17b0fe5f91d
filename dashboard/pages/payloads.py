"""A record's value and headers as a person can read them. PURE."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

LONGEST_TEXT = 64 * 1024
"""Characters shown; more freezes browsers and helps nobody."""
HEX_BYTES = 512


@dataclass(frozen=True)
class Shown:
    """kind: json, text, bytes, empty or none. `cut`: there is more of it than is shown."""

    kind: str
    text: str
    cut: bool = False


def value(content: bytes | None, size: int) -> Shown:
    """`size`: of the whole value, more than `content` where it was cut when stored."""
    if content is None:
        return Shown("none", "")
    if not content:
        return Shown("empty", "")
    cut = size > len(content)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return Shown("bytes", hex_lines(content[:HEX_BYTES]), cut or len(content) > HEX_BYTES)
    try:
        # Reformatted, not parsed: numbers and repeated keys stay as they were sent.
        text, kind = msgspec.json.format(text, indent=2), "json"
    except (msgspec.DecodeError, RecursionError):
        kind = "text"
    return Shown(kind, _visible(text[:LONGEST_TEXT]), cut or len(text) > LONGEST_TEXT)


def headers(pairs: Iterable[tuple[str, bytes | None]]) -> list[tuple[str, str]]:
    """Name and readable value, in their order."""
    return [(_visible(name), _header(content)) for name, content in pairs]


def _header(content: bytes | None) -> str:
    if content is None:
        return "(null)"
    try:
        return _visible(content.decode())
    except UnicodeDecodeError:
        return "bytes: " + content[:64].hex(" ")


def hex_lines(content: bytes) -> str:
    """As hexdump -C shows it."""
    lines = []
    for start in range(0, len(content), 16):
        part = content[start : start + 16]
        readable = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:06x}  {part.hex(' '):<47}  {readable}")
    return "\n".join(lines)


def _visible(text: str) -> str:
    """Control characters, and those that turn the direction of text, as symbols: nothing may hide or pose here."""
    return "".join(_symbol(character) for character in text)


_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _symbol(character: str) -> str:
    code = ord(character)
    if code < 0x20 and character not in "\n\t":
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF or character in _TURNING:
        return "\ufffd"
    return character
