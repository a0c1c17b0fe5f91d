"""Pure: what transactions did, as counts that can be added and subtracted, and what follows from the counts.

A transaction's contribution is a function of its events; the counts of many are the sum of their contributions, so it
does not matter in which order and how often they are taken in, as long as what was taken in before is subtracted.
"""
