"""Notification: tells the customer as soon as a shipment is scheduled, and when an order is withdrawn."""

from __future__ import annotations

from demo_services.events import Event, chance
from demo_services.loop import main
from demo_services.service import Outcome, Service, about

notification = Service("notification", listens=["orders", "shipments"], publishes="notifications")


@notification.on("ShipmentScheduled", takes=(0.1, 0.3))
def notify(scheduled: Event) -> Outcome:
    channel = chance("channel", scheduled.data["customer"]["id"]).choice(("email", "email", "sms"))
    return Outcome(
        "CustomerNotified",
        about(scheduled) | {"channel": channel, "template": "on-its-way", "carrier": scheduled.data["carrier"]},
    )


@notification.on("OrderWithdrawn", takes=(0.1, 0.3))
def inform(withdrawn: Event) -> Outcome:
    return Outcome("CustomerInformed", about(withdrawn) | {"channel": "email", "template": "sorry"}, notable=True)


if __name__ == "__main__":
    main(notification)
