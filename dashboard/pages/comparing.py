"""Two ranges of time of a discovered map: which steps are new or gone, and what changed by more than chance. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from collector.queries.mined import MinedEdge, MinedMap

NEW, GONE, MORE, LESS, SLOWER, FASTER = "new", "gone", "more often", "less often", "slower", "faster"
SURE = 3.0
"""Standard errors that shares have to be apart."""
NOTABLE = 0.02
"""And this share at least: with millions of events everything is beyond chance."""
TIMES = 1.25
TIMED = 50
"""A median changed where it is so many times what it was, or a part of it, with TIMED steps in both ranges."""

Pair = tuple[str, str]


@dataclass(frozen=True)
class Change:
    """Of a step, or of an event type (then there is no `target`). Shares: of what came after the source; of an event
    type, events for each transaction. Durations in seconds."""

    word: str
    source: str
    target: str
    count: int
    before: int
    share: float
    share_before: float
    p50: float | None = None
    p50_before: float | None = None

    @property
    def size(self) -> float:
        """What comes first in a list: what is new or gone, then by how much it changed."""
        if self.word in (NEW, GONE):
            return 10 + abs(self.share - self.share_before)
        if self.word in (SLOWER, FASTER) and self.p50 and self.p50_before:
            return min(max(self.p50, self.p50_before) / min(self.p50, self.p50_before) / 10, 9)
        return abs(self.share - self.share_before)


def changes(now: MinedMap, before: MinedMap) -> list[Change]:
    """What is different, the most notable first."""
    found = [*_types(now, before), *_steps(now, before)]
    return sorted(found, key=lambda one: (-one.size, one.source, one.target))


def shares(found: MinedMap) -> dict[Pair, float]:
    """Of each step, its share of what came after its source."""
    out: dict[str, int] = {}
    for edge in found.edges:
        out[edge.source] = out.get(edge.source, 0) + edge.count
    return {(edge.source, edge.target): edge.count / out[edge.source] for edge in found.edges}


def _types(now: MinedMap, before: MinedMap) -> list[Change]:
    if not now.transactions or not before.transactions:
        return []
    counts, counts_before = ({node.type: node.count for node in one.nodes} for one in (now, before))
    found = []
    for name in counts.keys() | counts_before.keys():
        count, was = counts.get(name, 0), counts_before.get(name, 0)
        share, share_before = count / now.transactions, was / before.transactions
        word = NEW if not was else GONE if not count else ""
        if word:
            found.append(Change(word, name, "", count, was, share, share_before))
    return found


def _steps(now: MinedMap, before: MinedMap) -> list[Change]:
    if not now.transactions or not before.transactions:
        return []
    edges, edges_before = ({(edge.source, edge.target): edge for edge in one.edges} for one in (now, before))
    share, share_before = shares(now), shares(before)
    found = []
    for pair in edges.keys() | edges_before.keys():
        one, other = edges.get(pair), edges_before.get(pair)
        now_share, then_share = share.get(pair, 0.0), share_before.get(pair, 0.0)
        word = _word(one, other, now_share, then_share)
        if word:
            found.append(
                Change(
                    word,
                    *pair,
                    one.count if one else 0,
                    other.count if other else 0,
                    now_share,
                    then_share,
                    one.took.p50 if one else None,
                    other.took.p50 if other else None,
                )
            )
    return found


def _word(one: MinedEdge | None, other: MinedEdge | None, share: float, before: float) -> str:
    if one is None or other is None:
        return GONE if one is None else NEW
    if apart(share, one.count / share, before, other.count / before):
        return MORE if share > before else LESS
    now, then = one.took.p50, other.took.p50
    if min(one.count, other.count) >= TIMED and now and then and max(now / then, then / now) >= TIMES:
        return SLOWER if now > then else FASTER
    return ""


def apart(share: float, of: float, before: float, of_before: float) -> bool:
    """Whether two shares, of so many each, differ notably and by more than chance (two proportions, pooled)."""
    if not of or not of_before or abs(share - before) < NOTABLE:
        return False
    pooled = (share * of + before * of_before) / (of + of_before)
    error = sqrt(pooled * (1 - pooled) * (1 / of + 1 / of_before))
    return error > 0 and abs(share - before) >= SURE * error
