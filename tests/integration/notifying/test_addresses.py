"""Where messages go is kept secret, and nobody is led to where they must not."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from dashboard.notifying import channels, sending
from tests.feeding import Feed
from tests.integration.notifying.steps import hook, place
from tests.stack.receiving import Mailbox, Web

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", ["webhook", "apprise"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_own_networks_are_out_of_reach_unless_allowed(
    feed: Feed, web: Web, mail: Mailbox, kind: str, host: str, configure: Callable[..., None]
) -> None:
    configure(allow="10.0.0.0/8")
    address = web.url if kind == "webhook" else mail.url.replace("mailto://127.0.0.1", "mailto://localhost")
    if kind == "apprise" and host.startswith("["):
        pytest.skip("Apprise takes no such address")
    channel, _ = channels.create("inside", kind, address.replace("127.0.0.1", host))
    place(feed, "a")
    sending.deliver()
    channel.refresh_from_db()
    assert "It leads into a private network or to this machine" in channel.trouble
    assert (channel.enabled, web.got, mail.got) == (False, [], [])


def test_a_redirect_is_not_followed(feed: Feed, web: Web) -> None:
    channel, _ = hook(web)
    web.answers, web.location = [302], "http://169.254.169.254/latest/meta-data"
    place(feed, "a")
    sending.deliver()
    channel.refresh_from_db()
    assert (channel.enabled, len(web.got)) == (False, 1)


def test_addresses_are_stored_encrypted_and_never_logged(
    feed: Feed, web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    web.answers = [500]
    channel, secret = hook(web)
    place(feed, "a")
    sending.deliver()
    stored = bytes(channel.address) + bytes(channel.secret)
    assert b"do-not-show" not in stored
    assert secret.encode() not in stored
    assert channels.address_of(channel) == web.url
    assert "do-not-show" not in caplog.text + channel.shown
    assert secret not in caplog.text


@pytest.mark.parametrize(
    ("kind", "address", "complaint"),
    [
        ("webhook", "ftp://example.com", "begins with https://"),
        ("webhook", "https://user:word@example.com", "without a password"),
        ("apprise", "nothing://x", "Apprise knows no such address"),
        ("apprise", "syslog://", "Apprise knows no such address"),
        ("pigeon", "https://example.com", "a webhook, or an address for Apprise"),
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(kind: str, address: str, complaint: str) -> None:
    with pytest.raises(channels.Unusable, match=complaint) as raised:
        channels.create("x", kind, address)
    assert address not in str(raised.value)
