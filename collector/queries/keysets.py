"""Pages of a list that is ordered by a moment and numbers that make it unique, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from collector.queries.bounds import decode_cursor, encode_cursor
from collector.queries.filters import BadParameter

Row = TypeVar("Row", bound=Model)


def keyset(found: QuerySet[Row], order: tuple[str, ...], cursor: str, limit: int) -> tuple[list[Row], str | None]:
    """One query: the page after `cursor` (empty: the first), and the cursor of the next page. The first name of `order`
    is a moment, the others are whole numbers. Raises BadParameter for a cursor that is none."""
    if cursor:
        try:
            moment, numbers = decode_cursor(cursor, keys=len(order) - 1)
        except (ValueError, OverflowError):
            raise BadParameter("'cursor' was not given out by this list; leave it away to begin anew.") from None
        found = found.filter(_after(order, (moment, *numbers)), **{f"{order[0]}__lte": moment})
    items = list(found.order_by(*(f"-{name}" for name in order))[: limit + 1])
    if len(items) <= limit:
        return items, None
    last = [getattr(items[limit - 1], name) for name in order]
    return items[:limit], encode_cursor(*last)


def _after(order: tuple[str, ...], values: tuple[datetime | int, ...]) -> Q:
    """(a, b, …) < (x, y, …), column by column."""
    name, value = order[0], values[0]
    before = Q(**{f"{name}__lt": value})
    if len(order) == 1:
        return before
    return before | (Q(**{name: value}) & _after(order[1:], values[1:]))
