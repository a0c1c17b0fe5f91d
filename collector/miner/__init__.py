"""Keeps the counts of what transactions did up to date; what is counted is in `collector.mining`, which is pure.

`chunks` takes changed transactions, `counting` says what they change in the counts; `courses` reads what they did,
`rows` writes, `retention` forgets.
"""

from collector.miner.chunks import mine, mine_now

__all__ = ["mine", "mine_now"]
