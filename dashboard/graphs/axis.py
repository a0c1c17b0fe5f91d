"""Where axes end."""

from __future__ import annotations


def nice_ceiling(value: int) -> int:
    """The least of 2, 4, 10, 20, 40, 100 … that is not below: its half is whole too."""
    power = 1
    while True:
        for step in (2, 4, 10):
            if step * power >= value:
                return step * power
        power *= 10
