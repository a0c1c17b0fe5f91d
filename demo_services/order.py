"""Order: takes orders, and closes them when everything that had to happen has happened.

When payment has died without a word, nobody in a choreography says so. If it is switched on, order listens to who
watches from outside: an order that is called stuck for want of payment is withdrawn.
"""

from __future__ import annotations

from demo_services.events import Event
from demo_services.loop import main
from demo_services.service import Outcome, Service, about

order = Service(
    "order",
    listens=["_demo.requests", "orders", "stock", "shipments", "notifications", "choreoscope.alerts"],
    publishes="orders",
)


@order.on("PlaceOrder", takes=(0.02, 0.08))
def place(request: Event) -> Outcome:
    wanted = request.data
    total = round(sum(item["price"] * item["quantity"] for item in wanted["items"]), 2)
    return Outcome(
        "OrderPlaced",
        {
            "order": {"number": number(request.order_id), "total": total, "currency": wanted["currency"]},
            "customer": wanted["customer"],
            "items": wanted["items"],
            "address": wanted["address"],
            "card": {"brand": wanted["card"]["brand"], "number": "**** **** **** " + wanted["card"]["last_four"]},
        },
    )


@order.on("ShipmentDispatched", "CustomerNotified", takes=(0.05, 0.15))
def complete(dispatched: Event, notified: Event) -> Outcome:
    return Outcome(
        "OrderCompleted",
        about(dispatched) | {"tracking": dispatched.data["tracking"], "notified_by": notified.data["channel"]},
    )


@order.on("StockReleased", takes=(0.05, 0.15))
def cancel(released: Event) -> Outcome:
    return Outcome("OrderCancelled", about(released) | {"reason": released.data["reason"]}, notable=True)


@order.on(
    "OrderPlaced",
    "choreoscope.transaction.stuck",
    takes=(0.05, 0.15),
    until=("OrderCompleted", "OrderCancelled"),
)
def withdraw(placed: Event, stuck: Event) -> Outcome | None:
    awaited = [entry["from"] for entry in stuck.data["waiting_for"]]
    if not order.behaviour.withdraws or "payment" not in awaited:
        return None
    return Outcome("OrderWithdrawn", about(placed) | {"reason": "payment did not answer"}, notable=True)


def number(order_id: str) -> str:
    """The number that customers know an order by."""
    return f"{int(order_id.rpartition('-')[2], 16):010d}"


if __name__ == "__main__":
    main(order)
