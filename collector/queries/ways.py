"""Which transactions went a way that was mined: a variant, or one event type directly after another.

What no index on transactions knows is looked up in what miners keep of each (`Mined`): so a list has exactly those that
the map counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from django.db.models import Q
from django.utils import timezone

from collector.miner.rows import types_of
from collector.mining.contribution import Contribution, moment_of
from collector.mining.ranges import first_day_of_hours
from collector.queries.bounds import rows
from collector.storage.sql import array, binary_cursor

_MOST_SPANS = 200
"""Buckets of time that a rare way is looked for in by themselves; a way that more have is met soon enough anyway."""
_KEPT = "SELECT transaction, body FROM collector_mined WHERE transaction = ANY(%s::bigint[]) AND body <> ''"
_SPANS = f"""
SELECT DISTINCT bucket, hours FROM collector_minedcount
WHERE count > 0 AND (hours = 1 OR (hours = 24 AND bucket < %(kept)s)) AND (%(name)s = '' OR choreography = %(name)s)
AND ((kind IN ('variant', 'causal') AND source = %(variant)s)
    OR (kind = 'edge' AND source = %(source)s AND target = %(target)s))
ORDER BY bucket DESC LIMIT {_MOST_SPANS + 1}
"""
_body = msgspec.msgpack.Decoder(Contribution)


def began(choreography: str, variant: int | None, step: tuple[str, str] | None) -> Q:
    """When transactions that went so can have begun: hours and days in which some did. One query."""
    source, target = step or ("", "")
    parameters: Mapping[str, Any] = {
        "name": choreography,
        "kept": first_day_of_hours(timezone.now()),
        "variant": "" if variant is None else str(variant),
        "source": source,
        "target": target,
    }
    found = rows(_SPANS, parameters)
    if len(found) > _MOST_SPANS:
        return Q()
    within = Q(pk__in=[])
    for start, end in _joined([(bucket, bucket + hours) for bucket, hours in found]):
        within |= Q(started_at__gte=moment_of(start), started_at__lt=moment_of(end))
    return within


def gone(ids: Sequence[int], variant: int | None, step: tuple[str, str] | None) -> list[int]:
    """Those of the transactions that went so, in their order. One or two queries."""
    with binary_cursor() as cursor:
        cursor.execute(_KEPT, [array(ids)])
        kept = {number: _body.decode(body) for number, body in cursor.fetchall()}
        if variant is not None:
            kept = {number: one for number, one in kept.items() if variant in (one.variant, one.causal)}
        if step is not None:
            types = types_of(cursor, {one.variant for one in kept.values() if one.variant})
            kept = {number: one for number, one in kept.items() if _took(one, types, step)}
    return [number for number in ids if number in kept]


def _took(found: Contribution, types: Mapping[int, tuple[str, ...]], step: tuple[str, str]) -> bool:
    """With what miners leave out: the types that its variant says."""
    return step in pairwise(found.types or types.get(found.variant, ()))


def _joined(spans: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without gaps between those that touch."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
