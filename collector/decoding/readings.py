"""How dialects write what they say: each reading makes text of a header's bytes or a document's value, or none ("").

Moments become RFC 3339, names of types lose what only their runtime needs. None of them raises.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from collector.decoding import values

Raw = bytes | str | int | float | list[Any] | dict[str, Any] | bool | None
"""What lies at a place: a header's bytes, or a value of a document."""

Reading = Callable[[Raw], str]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT = 2.0**53
"""Whole numbers beyond this are not exact as floating point: two ids could become one."""
_DIGITS = 40
_NSERVICEBUS_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d):(\d{1,9}) Z")
_INVARIANT_TIME = re.compile(r"(\d\d)/(\d\d)/(\d{4}) (\d\d:\d\d:\d\d) ([+-]\d\d:\d\d)")
_NO_GUID = "00000000-0000-0000-0000-000000000000"
_DOTNET_TYPE = re.compile(r"[^,\[]*(?:\[\[.*\]\])?")  # that of a generic type names others in brackets


def text(raw: Raw) -> str:
    """as text; `null` and blanks are none"""
    if isinstance(raw, bytes):
        found = raw.decode(errors="replace")
    elif isinstance(raw, str):
        found = raw
    elif isinstance(raw, bool) or not isinstance(raw, int | float):
        return ""
    elif isinstance(raw, float):
        found = str(int(raw)) if raw.is_integer() and abs(raw) < _EXACT else ""
    else:
        found = str(raw) if abs(raw) < 10**_DIGITS else ""
    found = values.clean(found)
    return "" if values.is_none(found) else found


def guid(raw: Raw) -> str:
    """as text; a GUID of zeros is none"""
    found = text(raw)
    return "" if found == _NO_GUID else found


def json_text(raw: Raw) -> str:
    """as text; where it stands in quotes, as a JSON string"""
    found = text(raw)
    if found[:1] == '"' == found[-1:]:
        try:
            return text(msgspec.json.decode(found, type=str))
        except (msgspec.DecodeError, UnicodeError):
            return found
    return found


def key_bytes(raw: Raw) -> str:
    """16 bytes as a GUID, other bytes that are no text in hexadecimal"""
    if not isinstance(raw, bytes):
        return text(raw)
    try:
        printable = raw.decode()
    except UnicodeDecodeError:
        printable = ""
    if printable and printable.isprintable():
        return text(raw)
    return str(uuid.UUID(bytes=raw)) if len(raw) == 16 else raw[:100].hex()


def dotnet_type(raw: Raw) -> str:
    """the first of several separated by `;`, without its assembly"""
    found = _DOTNET_TYPE.match(text(raw).split(";")[0])
    return found[0].strip() if found else ""


def urn(raw: Raw) -> str:
    """the first of several (separated by `;`, or in a list), without `urn:message:`"""
    if isinstance(raw, list):
        raw = raw[0] if raw else ""
    return text(raw).split(";")[0].strip().removeprefix("urn:message:")


def big_endian(raw: Raw) -> str:
    """4 or 8 bytes as a big-endian whole number, or digits"""
    if isinstance(raw, bytes) and len(raw) in (4, 8) and not raw.isdigit():
        return str(int.from_bytes(raw, "big", signed=True))
    found = text(raw)
    return found if found.lstrip("-").isdigit() else ""


def milliseconds(raw: Raw) -> str:
    """8 bytes as a big-endian number of milliseconds since 1970; or as text"""
    if isinstance(raw, bytes) and len(raw) == 8:
        return _since_epoch(int.from_bytes(raw, "big", signed=True))
    return text(raw)


def little_endian_milliseconds(raw: Raw) -> str:
    """8 bytes as a little-endian number of milliseconds (once: seconds) since 1970; or as text"""
    if isinstance(raw, bytes) and len(raw) == 8:
        count = int.from_bytes(raw, "little", signed=True)
        return _since_epoch(count if count >= 10**11 else count * 1000)
    return text(raw)


def nservicebus_time(raw: Raw) -> str:
    """`yyyy-MM-dd HH:mm:ss:ffffff Z`, which is not ISO 8601"""
    found = text(raw)
    if match := _NSERVICEBUS_TIME.fullmatch(found.strip()):
        return f"{match[1]}T{match[2]}.{match[3]}Z"
    return found


def invariant_time(raw: Raw) -> str:
    """ISO 8601, or `MM/dd/yyyy HH:mm:ss zzz` of .NET's invariant culture"""
    found = text(raw)
    if match := _INVARIANT_TIME.fullmatch(found.strip()):
        return f"{match[3]}-{match[1]}-{match[2]}T{match[4]}{match[5]}"
    return found


def http_date(raw: Raw) -> str:
    """the date format of HTTP: `Tue, 03 Jun 2008 11:05:30 GMT`"""
    found = text(raw)
    try:
        return parsedate_to_datetime(found).isoformat() if found[:1].isalpha() and len(found) < 40 else found
    except (ValueError, IndexError, OverflowError):
        return found


def exception_type(raw: Raw) -> str:
    """what stands before `-->`"""
    return text(raw).split("-->")[0].strip()


def exception_message(raw: Raw) -> str:
    """what stands behind `-->`"""
    return text(raw).partition("-->")[2].strip()


def _since_epoch(millis: int) -> str:
    try:
        return (_EPOCH + timedelta(milliseconds=millis)).isoformat()
    except OverflowError:
        return "out of bounds"
