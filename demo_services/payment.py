"""Payment: charges the card when an order is placed."""

from __future__ import annotations

from demo_services.events import Event, chance
from demo_services.loop import main
from demo_services.service import Outcome, Service, about

DECLINED_SHARE = 0.04

payment = Service("payment", listens=["orders"], publishes="payments")


@payment.on("OrderPlaced", takes=(0.3, 1.2))
def charge(placed: Event) -> Outcome:
    card = placed.data["card"]
    if payment.behaviour.declines or declined(placed.order_id):
        return Outcome("PaymentDeclined", about(placed) | {"card": card, "reason": "insufficient funds"}, notable=True)
    authorization = f"AUTH-{chance('authorization', placed.order_id).randrange(10**8):08d}"
    return Outcome("PaymentAuthorized", about(placed) | {"card": card, "authorization": authorization})


def declined(order_id: str) -> bool:
    """Whether the bank says no to this order; it says the same each time it is asked."""
    return chance("bank", order_id).random() < DECLINED_SHARE


if __name__ == "__main__":
    main(payment)
