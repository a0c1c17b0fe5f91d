"""Keeps the counts of what transactions did up to date; what is counted is in `collector.mining`, which is pure.

`chunks` says what a chunk of changed transactions changes in the counts; `courses` reads what they did, `rows` writes,
`retention` forgets.
"""

from collector.miner.chunks import mine, mine_now

__all__ = ["mine", "mine_now"]
