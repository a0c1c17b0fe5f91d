"""What the stuck transactions of one cause have in common that healthy ones of the same time have not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import chain

import msgspec

Trait = tuple[str, str]
"""What, and its value: ("partition of orders", "2"), ("header x-tenant", "acme")."""

FEWEST = 3
"""Of fewer transactions on either side nothing is said."""
MOSTLY, APART = 0.8, 0.4
"""The least share of the stuck ones that has a trait, and by how much fewer of the healthy ones have it."""
MOST = 10


class Common(msgspec.Struct, frozen=True):
    what: str
    value: str
    stuck: float
    healthy: float
    sentence: str


def in_common(stuck: Sequence[Collection[Trait]], healthy: Sequence[Collection[Trait]]) -> list[Common]:
    """What tells the stuck ones apart, the most telling first. Each is given by its traits."""
    if len(stuck) < FEWEST or len(healthy) < FEWEST:
        return []
    theirs, others = _counted(stuck), _counted(healthy)
    found = []
    for (what, value), count in theirs.items():
        share, elsewhere = count / len(stuck), others[what, value] / len(healthy)
        if share >= MOSTLY and share - elsewhere >= APART:
            all_of_them = "All" if count == len(stuck) else f"{count}"
            sentence = f"{all_of_them} of {len(stuck)} stuck ones have {what} {value}; of healthy ones {elsewhere:.0%}."
            found.append(Common(what, value, share, elsewhere, sentence))
    return sorted(found, key=lambda common: (common.healthy - common.stuck, common.what, common.value))[:MOST]


def _counted(transactions: Iterable[Collection[Trait]]) -> Counter[Trait]:
    return Counter(chain.from_iterable(map(set, transactions)))
