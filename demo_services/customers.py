"""The customers: who they are, what they buy, and how they ask for it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from demo_services.events import WEBSITE, Event, chance

REQUEST_TOPIC = "_demo.requests"

CUSTOMERS = (
    ("Amara Okafor", "14 Mill Lane", "Leeds", "GB", "GBP"),
    ("Jonas Lindqvist", "Storgatan 8", "Malmö", "SE", "EUR"),
    ("Inès Carpentier", "3 rue des Lilas", "Lyon", "FR", "EUR"),
    ("Tomasz Wójcik", "ul. Długa 21", "Poznań", "PL", "EUR"),
    ("Sofia Marchetti", "Via Verdi 5", "Torino", "IT", "EUR"),
    ("Daan de Vries", "Havenkade 112", "Rotterdam", "NL", "EUR"),
    ("Maeve O’Brien", "7 Quay Street", "Galway", "IE", "EUR"),
    ("Samir Haddad", "Kastanienallee 40", "Berlin", "DE", "EUR"),
)
CATALOGUE = (
    ("TEA-ASSAM-250", "Assam tea, 250 g", 8.90),
    ("MUG-BLUE", "Stoneware mug, blue", 14.50),
    ("POT-IRON-08", "Cast-iron pot, 0.8 l", 59.00),
    ("KET-STEEL-17", "Kettle, 1.7 l", 44.95),
    ("TIN-SMALL", "Tea tin", 6.40),
    ("FILTER-100", "Paper filters, 100", 3.75),
    ("COSY-WOOL", "Tea cosy, wool", 27.00),
)
CARDS = ("Visa", "Mastercard")


def new_order_id(now: float) -> str:
    return f"ord-{datetime.fromtimestamp(now, UTC):%Y%m%d}-{secrets.token_hex(4)}"


def request(order_id: str, now: float) -> Event:
    """Somebody asks for something: always the same for the same order id."""
    dice = chance("customer", order_id)
    who = dice.randrange(len(CUSTOMERS))
    name, street, town, country, currency = CUSTOMERS[who]
    basket = dice.sample(CATALOGUE, k=dice.choice((1, 1, 2, 2, 3)))
    wanted: dict[str, Any] = {
        "customer": {"id": f"cus-{1001 + who}", "name": name},
        "items": [
            {"sku": sku, "name": title, "quantity": dice.choice((1, 1, 1, 2, 3)), "price": price}
            for sku, title, price in basket
        ],
        "currency": currency,
        "address": {"street": street, "town": town, "country": country},
        "card": {"brand": dice.choice(CARDS), "last_four": f"{dice.randrange(10_000):04d}"},
    }
    return Event(id=f"request-{order_id}", source=WEBSITE, type="PlaceOrder", order_id=order_id, time=now, data=wanted)
