"""The shapes of boxes and wires at their places, whatever map they are of and however they are coloured."""

from __future__ import annotations

from math import cos, pi, sin

from dashboard.graphs.routing import curve
from dashboard.graphs.scene import Line, Mark, Rect, Stretch
from dashboard.graphs.spacing import MARGIN
from dashboard.graphs.wiring import APRON, BADGE, LIFT, TEXT_LINE, TURN, Item, Run, Wiring

ARROW = 10.0
STRETCH, WIDEST = 2.5, 84.0
"""How much wider the room between columns may become, and how wide at least."""


def box_rect(item: Item, wiring: Wiring) -> Rect:
    left, right = wiring.zones[item.column]
    return (left + APRON, item.y - item.above, right - APRON, item.y + item.below)


def line(run: Run, ink: str, thick: float, dash: str) -> Line:
    """The whole of a wire; one that turns bends around behind its label."""
    if not run.turns:
        return Line(*curve(run.stations[0]), ink, thick, dash)
    start, end = run.stations
    xs, ys = curve(start)
    back_xs, back_ys = curve(end)
    x, y = xs[-1], (ys[-1] + back_ys[-1]) / 2
    side = 1 if ys[-1] < y else -1
    bend = [(-0.5 + n / 14) * pi for n in range(15)]
    xs += [x + TURN * cos(angle) for angle in bend]
    ys += [y + side * TURN * sin(angle) for angle in bend]
    return Line(xs + back_xs[::-1], ys + back_ys[::-1], ink, thick, dash)


def arrow(run: Run, ink: str) -> Mark:
    if run.turns or run.backward:
        x, _, y = run.stations[-1][0]
        return Mark(x - 1, y, "triangle-left", ARROW, ink, ink)
    _, x, y = run.stations[0][-1]
    return Mark(x + 1, y, "triangle-right", ARROW, ink, ink)


def middle(run: Run, wiring: Wiring) -> tuple[float, float]:
    """Where a wire has its badge."""
    item = wiring.items[run.label]
    left, right = wiring.zones[item.column]
    return (right - BADGE if run.turns else (left + right) / 2, item.y)


def words(run: Run, wiring: Wiring) -> tuple[float, float, float]:
    """The middle of a wire's texts, and how far around it they answer to the pointer."""
    item = wiring.items[run.label]
    left, right = wiring.zones[item.column]
    if run.turns:
        return ((left + right - BADGE - TURN) / 2, item.y, 2 * TURN)
    return ((left + right) / 2, item.y - LIFT - (TEXT_LINE / 2 if run.wire.named else 0), 2 * TEXT_LINE)


def stretches(wiring: Wiring, wide: float) -> list[Stretch]:
    """What of a map grows with the page: the room between its columns, not what lies beside them."""
    return [
        Stretch(0, MARGIN, 0),
        *(Stretch(one.start, one.end, max(STRETCH, WIDEST / (one.end - one.start) - 1)) for one in wiring.channels),
        Stretch(wide - MARGIN, wide, 0),
    ]
