"""Transactions by the business keys that configuration picks out of their events."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q, QuerySet

from collector.models import Key

MOST = 5_000
"""So many transactions of one key are looked at."""


def of_key(wanted: str) -> QuerySet[Key]:
    """Rows whose value this is; or whose name and value, as in "order.number=4711"."""
    name, equals, value = wanted.partition("=")
    return Key.objects.filter(Q(value=wanted) | Q(name=name, value=value) if equals else Q(value=wanted))


def transactions_with(value: str) -> Sequence[int]:
    """The rows of transactions that have this value as any of their keys. One query."""
    return list(of_key(value).values_list("transaction", flat=True).distinct()[:MOST])
