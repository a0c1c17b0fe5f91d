"""Ids and names as they are kept: of bounded length, with a note where that changed them."""

from __future__ import annotations

from collector.decoding import values
from collector.decoding.values import SURELY_SHORT

MAX_CAUSES = 100


def bounded(text: str, what: str, notes: list[str]) -> str:
    """The name; a long one with its end in a digest, which is noted."""
    if len(text) <= SURELY_SHORT:
        return text
    name = values.bounded(text)
    if name is not text:
        notes.append(f"{what} was shortened")
    return name


def causes(text: str, notes: list[str]) -> tuple[str, ...]:
    """The ids of the causes; several are separated by commas."""
    if "," not in text:
        return (values.bounded(text),)
    names = [values.bounded(part.strip()) for part in text.split(",", MAX_CAUSES)]
    if len(names) > MAX_CAUSES:
        notes.append(f"more than {MAX_CAUSES} causes: the rest was left out")
    return tuple(dict.fromkeys([name for name in names[:MAX_CAUSES] if not values.is_none(name)]))
