"""Encrypts what may be kept, but not be read by whoever sees the database: undecodable records, until they can be read.

The key follows from CHOREOSCOPE_ENCRYPTION_KEY, or from SECRET_KEY where that is not set. Under another one, what was
sealed before can no longer be opened.
"""

from __future__ import annotations

import base64
from functools import lru_cache

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from collector.records import Record

_RECORDS = b"choreoscope undecodable records"


class _Sealed(msgspec.Struct, array_like=True):
    key: bytes | None
    packed_headers: bytes
    value: bytes | None


_decoder = msgspec.msgpack.Decoder(_Sealed)


def seal(record: Record) -> bytes:
    """Key, headers and value, encrypted."""
    plain = msgspec.msgpack.encode(_Sealed(record.key, record.packed_headers, record.value))
    return fernet(settings.ENCRYPTION_KEY, _RECORDS).encrypt(plain)


def unseal(sealed: bytes, record: Record) -> Record | None:
    """This record with what was sealed of it; None where it was sealed under another key."""
    try:
        plain = _decoder.decode(fernet(settings.ENCRYPTION_KEY, _RECORDS).decrypt(sealed))
    except InvalidToken:
        return None
    return msgspec.structs.replace(record, key=plain.key, packed_headers=plain.packed_headers, value=plain.value)


@lru_cache(maxsize=4)
def fernet(secret: str, purpose: bytes) -> Fernet:
    """What is sealed for one purpose cannot be opened for another."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
