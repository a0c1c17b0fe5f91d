"""Notification: tells the customer as soon as a shipment is scheduled."""

from __future__ import annotations

from demo_services.events import Event, chance
from demo_services.loop import main
from demo_services.service import Outcome, Service, about

notification = Service("notification", listens=["shipments"], publishes="notifications")


@notification.on("ShipmentScheduled", takes=(0.1, 0.3))
def notify(scheduled: Event) -> Outcome:
    channel = chance("channel", scheduled.data["customer"]["id"]).choice(("email", "email", "sms"))
    return Outcome(
        "CustomerNotified",
        about(scheduled) | {"channel": channel, "template": "on-its-way", "carrier": scheduled.data["carrier"]},
    )


if __name__ == "__main__":
    main(notification)
