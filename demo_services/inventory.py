"""Inventory: reserves stock for every order, and puts it back when the order comes to nothing.

Payment and inventory work side by side, so a decline may be known before the stock is reserved. Inventory then still
reserves and releases right after: whoever waits for StockReleased can rely on it. The same goes for an order that is
withdrawn because payment does not answer.
"""

from __future__ import annotations

from demo_services.events import Event, chance
from demo_services.loop import main
from demo_services.service import Outcome, Service, about

WAREHOUSES = ("Leeds", "Rotterdam", "Lyon", "Poznań")

inventory = Service("inventory", listens=["orders", "payments", "stock"], publishes="stock")


@inventory.on("OrderPlaced", takes=(0.2, 0.6))
def reserve(placed: Event) -> Outcome:
    return Outcome(
        "StockReserved",
        about(placed)
        | {
            "items": [{"sku": item["sku"], "quantity": item["quantity"]} for item in placed.data["items"]],
            "warehouse": chance("warehouse", placed.order_id).choice(WAREHOUSES),
            "address": placed.data["address"],
        },
    )


@inventory.on("PaymentDeclined | OrderWithdrawn", "StockReserved", takes=(0.15, 0.4), unless="PaymentAuthorized")
def release(given_up: Event, reserved: Event) -> Outcome:
    return Outcome(
        "StockReleased",
        about(reserved)
        | {
            "items": reserved.data["items"],
            "warehouse": reserved.data["warehouse"],
            "reason": given_up.data["reason"],
        },
    )


if __name__ == "__main__":
    main(inventory)
