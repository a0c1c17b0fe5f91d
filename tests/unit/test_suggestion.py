"""Which field is the transaction id: found in samples of a made-up company's topics, with what speaks for it."""

from __future__ import annotations

import json
import random
from datetime import timedelta

import pytest
import yaml

from collector import config
from collector.decoding.content import Content
from collector.decoding.suggestion import Candidate, Sample, candidates, rules
from collector.records import TopicRef
from tests.builders import NOON, Header, at, record

CHANCE = random.Random(7)


def sample(topic: str, when: float, value: object, *headers: Header, key: str = "", correlated: bool = False) -> Sample:
    ref = TopicRef(1, "c", topic, topic)
    source = record(*headers, value=json.dumps(value).encode(), topic=ref, timestamp=at(when), key=key.encode() or None)
    return Sample(topic, at(when), Content(source), correlated)


def company(orders: int = 60) -> list[Sample]:
    """Orders over ten minutes, on four topics that each keep the order's number somewhere else."""
    found = []
    for n in range(orders):
        number, start = f"o-{1000 + n}", n * 10.0
        customer, shipment, total = f"customer-{n % 12}", f"s-{7000 + n}", CHANCE.randint(100, 150)
        placed, paid = f"e-{n}-1", f"e-{n}-2"
        meta = {
            "tenant": "acme",
            "status": CHANCE.choice(["new", "vip!"]),
            "at": NOON.isoformat(),
            "customer": customer,
        }
        found += [
            sample("shop", start, {"orders": [{"number": number, "total": total}], **meta}, ("id", placed.encode())),
            sample(
                "payments",
                start + 2,
                {"order": {"ref": number}, **meta},
                ("id", paid.encode()),
                ("cause", placed.encode()),
            ),
            sample(
                "shipping",
                start + 4,
                {"shipment": shipment, **meta},
                ("x-order", number.encode()),
                ("cause", paid.encode()),
            ),
            sample("tracking", start + 6, {"shipment": shipment, "payload": json.dumps({"o": number})}, key=shipment),
        ]
    return found


def places(candidate: Candidate) -> dict[str, str]:
    return {found.topic: found.path for found in candidate.found}


def test_the_field_whose_values_come_on_all_topics_is_found_wherever_it_is() -> None:
    best = candidates(company())[0]
    assert places(best) == {
        "shop": "value:orders[*].number",
        "payments": "value:order.ref",
        "shipping": "header:x-order",
        "tracking": "value:payload.o",
    }
    assert (best.values, best.shared, best.records) == (60, 1.0, 4.0)
    assert best.lasting == timedelta(seconds=6)
    assert best.example == "o-1000"
    assert all(found.coverage == 1 for found in best.found)


def test_customers_shipments_and_causes_stand_behind_it() -> None:
    ranked = candidates(company(), most=10)
    paths = [set(places(found).values()) for found in ranked]
    assert len(ranked) == 5
    assert {"value:customer"} in paths[1:]
    assert any("value:shipment" in found for found in paths[1:])
    assert any("header:cause" in found for found in paths[1:])
    assert ranked[0].score > 1.2 * ranked[1].score


def test_kinds_states_amounts_and_times_are_no_ids() -> None:
    seen = {path for found in candidates(company(), most=10) for path in places(found).values()}
    assert not seen & {"value:tenant", "value:status", "value:at", "value:orders[*].total"}


@pytest.mark.parametrize("samples", [[], company()[:1], [one for one in company() if one.topic == "shop"]])
def test_without_several_topics_nothing_is_suggested(samples: list[Sample]) -> None:
    assert candidates(samples) == []


def test_what_is_suggested_can_be_pasted_and_does_it() -> None:
    best = candidates(company())[0]
    found, mistakes = config.check("c.yaml", rules(best))
    assert found is not None, mistakes
    for one in company():
        [rule] = [rule for rule in found.policy.correlation if rule.topics.search(one.topic)]
        assert [str(path) for path in rule.transaction_id] == [places(best)[one.topic]]


def test_topics_that_share_a_path_share_a_rule_and_known_ones_need_none() -> None:
    samples = [
        sample(topic, n, {"id": f"o-{n}"}, ("ce_correlationid", f"o-{n}".encode()), correlated=topic == "c")
        for n in range(20)
        for topic in ("a.b", "b'x", "c")
    ]
    [best] = [found for found in candidates(samples) if set(places(found).values()) == {"header:ce_correlationid"}]
    assert [found.known for found in best.found] == [False, False, True]
    [rule] = yaml.safe_load(rules(best))["correlation"]
    assert rule == {"topics": r"^(a\.b|b'x)$", "transaction_id": "header:ce_correlationid"}
    assert rules(best) == "" if all(found.known for found in best.found) else True
