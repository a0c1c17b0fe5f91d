"""Sends one delivery: a signed webhook, or through Apprise. Says what came of it, and never where it went."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import logging
import re
import ssl
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

import apprise
import msgspec

from dashboard.notifying import channels, guard
from dashboard.notifying.models import Channel, Delivery

TIMEOUT = 10.0
SOURCE = "/choreoscope"
_TRANSIENT = {408, 409, 425, 429}
_STATUS = re.compile(r"error=(\d{3})")
_NOTIFY_TYPES = {"recovered": apprise.NotifyType.SUCCESS, "critical": apprise.NotifyType.FAILURE}


class Failed(Exception):
    """It was not taken; `permanent`: nor will it be, whenever it is tried again."""

    def __init__(self, why: str, *, permanent: bool = False) -> None:
        super().__init__(why)
        self.permanent = permanent


def send(delivery: Delivery, allowed: Iterable[str]) -> None:
    """Raises Failed where it was not taken."""
    channel = delivery.channel
    try:
        with guard.guarding(allowed) as guarded:
            try:
                if channel.kind == Channel.Kind.WEBHOOK:
                    _post(delivery, channels.address_of(channel), channels.secret_of(channel))
                else:
                    _apprise(delivery, channels.address_of(channel))
            finally:
                if guarded.refused:
                    raise guarded.refused
    except (guard.Refused, channels.Unusable) as error:
        raise Failed(str(error), permanent=True) from error
    except ssl.SSLError as error:
        raise Failed("No secure connection came about.") from error
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"It does not answer ({type(error).__name__}).") from error


def event(delivery: Delivery) -> bytes:
    """The CloudEvent, in structured mode."""
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": str(delivery.uid),
            "source": SOURCE,
            "type": f"choreoscope.alert.{delivery.kind}",
            "time": delivery.created_at,
            "datacontenttype": "application/json",
            "data": delivery.content,
        }
    )


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over the timestamp, a point and the body: neither can be changed, nor sent again much later."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _post(delivery: Delivery, address: str, secret: str) -> None:
    parts = urlsplit(address)
    body, timestamp = event(delivery), str(int(time.time()))
    headers = {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "User-Agent": "choreoscope",
        "Choreoscope-Delivery": str(delivery.uid),
        "Choreoscope-Timestamp": timestamp,
        "Choreoscope-Signature": f"sha256={signature(secret, timestamp, body)}",
    }
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        connection.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, headers)
        _judge(connection.getresponse().status)
    finally:
        connection.close()


def _judge(status: int) -> None:
    """Redirects are not followed: a delivery goes where it was sent, or nowhere."""
    if 200 <= status < 300:
        return
    permanent = 300 <= status < 500 and status not in _TRANSIENT
    raise Failed(f"It answered with status {status}.", permanent=permanent)


def _apprise(delivery: Delivery, address: str) -> None:
    """Apprise says only whether it went well; why not is in its log, of which nothing but a status is kept."""
    plugin = apprise.Apprise.instantiate(address, suppress_exceptions=True)
    if plugin is None:
        raise Failed("Apprise does not know its address any more.", permanent=True)
    plugin.socket_connect_timeout = plugin.socket_read_timeout = TIMEOUT
    kind = _NOTIFY_TYPES.get(delivery.kind) or _NOTIFY_TYPES.get(delivery.severity, apprise.NotifyType.WARNING)
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as said:
        went_well = plugin.notify(
            body=delivery.text, title=delivery.title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT
        )
        log = said.getvalue()
    if went_well:
        return
    status = _STATUS.search(log)
    if status:
        _judge(int(status[1]))
    raise Failed("Apprise could not deliver it.")
