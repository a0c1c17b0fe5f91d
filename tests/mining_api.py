"""What the API says was mined, beside a plain count of the same log."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.test import Client

from dashboard.pages.shared import shared
from tests.mining_logs import Plain, nearest_rank


def get(client: Client, path: str, **parameters: object) -> Any:
    shared.clear()  # what was answered just now would be answered again
    answer = client.get(f"/api/choreographies/{path}", parameters)
    assert answer.status_code == 200, answer.content
    return answer.json()


def compare(answer: Any, plain: Plain) -> None:
    assert answer["transactions"] == len(plain.cases)
    assert answer["events"] == plain.nodes.total()
    assert {node["type"]: node["count"] for node in answer["nodes"]} == plain.nodes
    assert answer["starts"] == plain.starts
    assert answer["ends"] == plain.ends
    assert {(edge["source"], edge["target"]) for edge in answer["edges"]} == plain.edges.keys()
    for edge in answer["edges"]:
        gaps = plain.edges[edge["source"], edge["target"]]
        assert edge["count"] == len(gaps)
        assert edge["mean"] == pytest.approx(sum(gaps) / len(gaps) / 1000, abs=1e-5)
        for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            assert edge[name] == pytest.approx(nearest_rank(gaps, q) * 1000, rel=0.01, abs=0)


def ways(client: Client, path: str = "_all") -> Counter[tuple[str, ...]]:
    """All variants, by pages."""
    found: Counter[tuple[str, ...]] = Counter()
    cursor: str | None = ""
    while cursor is not None:
        page = get(client, f"{path}/variants", cursor=cursor, limit=200)
        assert page["items"] == sorted(page["items"], key=lambda item: (-item["count"], item["id"]))
        assert sum(item["count"] for item in page["items"]) <= page["transactions"]
        for item in page["items"]:
            found[tuple(item["types"])] += item["count"]
        cursor = page["next"]
    return found
