"""Choreographies as they are written: what is read, and what is refused with which words."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from collector.config import choreographies
from collector.config.loader import parse
from collector.config.yaml_reader import ConfigError
from collector.correlation.choreography import Choreography

ORDER = "choreographies:\n  order:\n    starts: A\n"


def read(written: str) -> tuple[Choreography, ...]:
    return parse("choreoscope.yaml", written).rulebook.choreographies


def test_everything_that_can_be_declared_is_read() -> None:
    (order, delivery) = read(
        """
choreographies:
  order:
    starts: [Placed, Imported]
    completes: {all: [Shipped, Invoiced]}
    parts: [delivery]
    never_after: {Cancelled: [Shipped, Invoiced], Shipped: Cancelled}
    only_after: {Shipped: [Paid, Reserved]}
    rules:
      - {after: Placed, expect: GiftWrapped, optional: true, within: P1D}
  delivery:
    starts: Dispatched
    completes: {any: [Delivered, Collected]}
    rules:
      - {after: Dispatched, expect: TourPlanned, within: 2h}
"""
    )
    assert (order.completes, order.completes_all) == ({"Shipped", "Invoiced"}, True)
    assert (delivery.completes, delivery.completes_all) == ({"Delivered", "Collected"}, False)
    assert order.never_after == {"Cancelled": ("Shipped", "Invoiced"), "Shipped": ("Cancelled",)}
    assert order.only_after == {"Shipped": ("Paid", "Reserved")}
    assert order.parts == (delivery,)
    own, of_the_part = order.rules
    assert (own.key, own.optional, own.part, own.within) == ("0", True, "", timedelta(days=1))
    assert (of_the_part.key, of_the_part.part, of_the_part.expect) == ("delivery.0", "delivery", ("TourPlanned",))
    assert {"Reserved", "Cancelled", "Delivered", "TourPlanned"} <= order.mentioned


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        (
            ORDER + "    completes: {both: [B, C]}",
            "line 4, choreographies.order.completes.both: this key is not known; Known here: any, all",
        ),
        (
            ORDER + "    completes: {all: [B], any: [C]}",
            "line 4, choreographies.order.completes: expected a list of event types, or either any or all",
        ),
        (ORDER + "    never_after:\n      B: [C, B]", "line 5, choreographies.order.never_after.B: B can't be bound"),
        (ORDER + "    only_after:\n      B: []", "line 5, choreographies.order.only_after.B: expected at least one"),
        (ORDER + "    never_after: [B]", "line 4, choreographies.order.never_after: expected keys with values"),
        (
            ORDER + "    never_after: {A: B}\n    rules:\n      - {after: A, expect: B}",
            "line 4, choreographies.order.never_after: a rule expects B after A; it cannot be forbidden there",
        ),
        (
            ORDER + "    never_after: {A: B}\n    only_after: {B: A}",
            "line 4, choreographies.order.never_after: only_after says that B comes only after A",
        ),
        (
            ORDER + "    rules:\n      - {after: A, expect: B, compensates: C, optional: true}",
            "line 5, choreographies.order.rules[0].optional: what has to be undone is not optional",
        ),
        (
            ORDER + "    rules:\n      - {after: A, expcet: B}",
            "line 5, choreographies.order.rules[0].expcet: this key is not known; did you mean 'expect'?",
        ),
        (ORDER + "    parts: [order]", "line 4, choreographies.order.parts[0]: a choreography is no part of itself"),
        (
            ORDER + "    parts: [delivry]\n  delivery:\n    starts: B",
            "line 4, choreographies.order.parts[0]: no choreography has this name; did you mean 'delivery'?",
        ),
        (
            ORDER + "    parts:\n      - delivery\n      - delivery\n  delivery:\n    starts: B",
            "line 6, choreographies.order.parts[1]: delivery is here twice",
        ),
        (
            ORDER + "    parts: [b]\n  b:\n    starts: B\n    parts: [c]\n  c:\n    starts: C",
            "line 4, choreographies.order.parts[0]: b has parts itself",
        ),
    ],
)
def test_a_mistake_is_told_with_line_and_key_and_what_was_meant(written: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse("choreoscope.yaml", written)
    assert complaint in str(caught.value)


RULES = Path(__file__).parent.parent.parent / "docs" / "rules.md"


def test_everything_that_can_be_declared_is_explained() -> None:
    text = RULES.read_text()
    keys = [*choreographies.KEYS, *choreographies.RULE_KEYS]
    assert [key for key in keys if f"{key}:" not in text and f"`{key}`" not in text] == []


def test_what_the_reference_shows_can_be_read() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", RULES.read_text(), re.DOTALL)
    whole = [block for block in blocks if block.startswith("choreographies:")]
    assert [c.name for block in whole for c in read(block)] == ["order-fulfilment", "order-fulfilment", "delivery"]
    rules = re.findall(r"^`- (\{after: .*\})`$", RULES.read_text(), re.MULTILINE)
    (found,) = read(ORDER + "    rules:\n" + "".join(f"      - {rule}\n" for rule in rules))
    assert len(found.rules) == len(rules) == 6
