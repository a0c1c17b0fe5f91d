"""Shipping: books a carrier once an order is both paid and reserved, and hands the parcel over some time later."""

from __future__ import annotations

from demo_services.events import Event, chance
from demo_services.loop import main
from demo_services.service import Outcome, Service, about

CARRIERS = ("Northbound", "Parcelwing", "Blue Van")

shipping = Service("shipping", listens=["payments", "stock", "shipments"], publishes="shipments")


@shipping.on("PaymentAuthorized", "StockReserved", takes=(0.2, 0.4), unless="PaymentDeclined", until=("StockReleased",))
def schedule(authorized: Event, reserved: Event) -> Outcome:
    return Outcome(
        "ShipmentScheduled",
        about(authorized)
        | {
            "carrier": chance("carrier", authorized.order_id).choice(CARRIERS),
            "warehouse": reserved.data["warehouse"],
            "address": reserved.data["address"],
            "parcels": 1 + sum(item["quantity"] for item in reserved.data["items"]) // 4,
        },
    )


@shipping.on("ShipmentScheduled", takes=(0.5, 2.0))
def dispatch(scheduled: Event) -> Outcome:
    tracking = f"NB{chance('tracking', scheduled.order_id).randrange(10**10):010d}"
    return Outcome(
        "ShipmentDispatched", about(scheduled) | {"carrier": scheduled.data["carrier"], "tracking": tracking}
    )


if __name__ == "__main__":
    main(shipping)
