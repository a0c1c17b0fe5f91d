"""Channels: made, changed, opened for sending. Their addresses and secrets leave here only to be sent to."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

import apprise
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from collector.storage.sealing import fernet
from dashboard.notifying.models import Channel, Delivery

_PURPOSE = b"choreoscope channels"
LONGEST = 2_000
MOST = 100


class Unusable(Exception):
    """An address or a name that cannot be used; says why in a sentence, without the address."""


def create(name: str, kind: str, address: str) -> tuple[Channel, str]:
    """A channel, and for a webhook the secret that its deliveries are signed with: shown this once, never again."""
    name, address = name.strip(), address.strip()
    if not name or len(name) > 100:
        raise Unusable("A channel needs a name of at most 100 characters.")
    shown = _shown(kind, address)
    secret = secrets.token_urlsafe(32) if kind == Channel.Kind.WEBHOOK else ""
    try:
        with transaction.atomic():
            channel = Channel.objects.create(
                name=name,
                kind=kind,
                address=_seal(address),
                secret=_seal(secret) if secret else b"",
                shown=shown,
                created_at=timezone.now(),
            )
    except IntegrityError as error:
        raise Unusable(f"There is a channel named {name} already.") from error
    return channel, secret


def enable(channel: Channel) -> None:
    """What waited while it was disabled goes out as well."""
    channel.enabled, channel.trouble = True, ""
    channel.save(update_fields=["enabled", "trouble"])


def disable(channel: Channel, why: str) -> None:
    channel.enabled, channel.trouble = False, why
    channel.save(update_fields=["enabled", "trouble"])


def test(channel: Channel, who: str) -> Delivery:
    """Sends something through it, whatever else waits to be told."""
    now, said = timezone.now(), f"{who} tries out this channel."
    return Delivery.objects.create(
        channel=channel, kind="test", title="A test by Choreoscope", text=f"{said}\n", content={"sentence": said},
        severity="info", created_at=now, next_at=now,
    )  # fmt: skip


def listed() -> list[tuple[Channel, Delivery | None]]:
    """The channels by name, each with what was sent through it last, or is to be. Two queries."""
    found = list(Channel.objects.order_by("name")[:MOST])
    latest = Delivery.objects.filter(channel__in=found).order_by("channel", "-id").distinct("channel")
    last = {delivery.channel_id: delivery for delivery in latest}
    return [(channel, last.get(channel.pk)) for channel in found]


def address_of(channel: Channel) -> str:
    return _open(channel.address)


def secret_of(channel: Channel) -> str:
    return _open(channel.secret)


def _seal(text: str) -> bytes:
    return fernet(settings.ENCRYPTION_KEY, _PURPOSE).encrypt(text.encode())


def _open(sealed: bytes | memoryview) -> str:
    try:
        return fernet(settings.ENCRYPTION_KEY, _PURPOSE).decrypt(bytes(sealed)).decode()
    except InvalidToken as error:
        raise Unusable("Its address was encrypted with another key: make the channel anew.") from error


def _shown(kind: str, address: str) -> str:
    """What of an address may be seen: where it leads, as far as that is no secret itself."""
    if len(address) > LONGEST:
        raise Unusable(f"The address is longer than {LONGEST} characters.")
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError as error:
        raise Unusable("That is no address.") from error
    if kind == Channel.Kind.WEBHOOK:
        if parts.scheme not in ("http", "https") or not host or parts.username:
            raise Unusable("A webhook's address begins with https:// or http:// and a host, without a password.")
        return f"{parts.scheme}://{host}/…"
    if kind != Channel.Kind.APPRISE:
        raise Unusable("A channel is a webhook, or an address for Apprise.")
    if parts.scheme in ("file", "syslog", "dbus", "gnome", "windows", "macosx") or not _instance(address):
        raise Unusable("Apprise knows no such address; its documentation lists them: mailtos://…, slack://…, tgram://…")
    return f"{parts.scheme}://…"


def _instance(address: str) -> bool:
    return apprise.Apprise.instantiate(address, suppress_exceptions=True) is not None
