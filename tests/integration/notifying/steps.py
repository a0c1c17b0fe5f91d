"""What happens in these tests: orders that wait for their payment, and the channel that is told."""

from __future__ import annotations

from dashboard.notifying import channels
from dashboard.notifying.models import Channel
from tests.feeding import Feed, calm
from tests.stack.receiving import Web

READ = "payment (group payment-service) has read it and published nothing."


def place(feed: Feed, *names: str) -> None:
    for name in names:
        feed.event(name, "OrderPlaced", "order", 60)
    feed.read()


def pay(feed: Feed, *names: str) -> None:
    for name in names:
        feed.event(name, "PaymentDeclined", "payment", 1, ["OrderPlaced"])
        feed.event(name, "OrderCompleted", "order", 0.5, ["PaymentDeclined"])
    feed.read()
    calm()


def hook(web: Web, name: str = "hook") -> tuple[Channel, str]:
    return channels.create(name, "webhook", web.url)


def kinds(web: Web) -> list[str]:
    return [request.event["type"].removeprefix("choreoscope.alert.") for request in web.got]
