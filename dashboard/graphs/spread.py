"""How long answers usually take, and how long those that are owed are waited for: two rows over one scale of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import floor, log

import msgspec

from collector.correlation.buckets import BASE, quantile
from collector.correlation.buckets import seconds as of_bucket
from dashboard.graphs import text
from dashboard.graphs.graph import Table
from dashboard.graphs.scene import Box, Hit, Line, Scene, Stop, Stretch, Text

MARGIN, PLOT = 14.0, 180.0
TOP, ROW, BAR, AXIS = 24.0, 72.0, 52.0, 28.0
NAME, SMALL = 12.5, 11.5
COARSE = 11
"""Buckets of a duration that make one bar: a quarter longer than the bar before."""
FEWEST_BARS = 14
_TICKS = (
    (0.001, "1 ms"), (0.01, "10 ms"), (0.1, "100 ms"), (1.0, "1 s"), (10.0, "10 s"), (60.0, "1 min"), (600.0, "10 min"),
    (3_600.0, "1 h"), (21_600.0, "6 h"), (86_400.0, "1 d"), (604_800.0, "7 d"), (2_592_000.0, "30 d"),
)  # fmt: skip


class Spread(msgspec.Struct, frozen=True):
    """A row: `counts` by bucket of `collector.correlation.buckets`; `lines` say below its name what they come to."""

    name: str
    counts: Mapping[int, int]
    lines: tuple[str, ...]
    fill: str
    unit: str
    """What is counted, in the plural: "answers"."""


def usually(counts: Mapping[int, int]) -> Spread:
    half, most = quantile(counts, 0.5), quantile(counts, 0.95)
    if half is None or most is None:
        return Spread("Usually", {}, ("not known: nothing was", "answered just before"), "ok", "answers")
    lines = (f"half within {text.about(half)}", f"95% within {text.about(most)}")
    return Spread("Usually", counts, lines, "ok", "answers")


def meanwhile(counts: Mapping[int, int]) -> Spread:
    """What was answered while it lasted."""
    half, most = quantile(counts, 0.5), quantile(counts, 1.0)
    if half is None or most is None:
        return Spread("Meanwhile", {}, ("nothing was answered",), "overdue", "answers")
    lines = (f"half within {text.about(half)}", f"longest {text.duration(most)}")
    return Spread("Meanwhile", counts, lines, "overdue", "answers")


def waiting(counts: Mapping[int, int], *, whole: bool) -> Spread:
    """Those who wait now, by how long they have; not `whole`: only by how long they have been overdue."""
    name, longest = "Now" if whole else "Overdue by", quantile(counts, 1.0)
    if longest is None:
        return Spread(name, {}, ("nobody waits any more",), "overdue", "waiting")
    lines = (f"{text.number(sum(counts.values()))} waiting", f"longest {text.duration(longest)}")
    return Spread(name, counts, lines, "overdue", "waiting")


def scene(spreads: Sequence[Spread], due: float | None) -> Scene:
    """`due`: after how many seconds an answer is overdue, where that is one and the same for all."""
    left = MARGIN + max(text.width(said, NAME, True) for spread in spreads for said in _labels(spread)) + 12
    right = left + PLOT
    scale = _scale(spreads, due, left, right)
    base = TOP + ROW * len(spreads)
    ticks = list(_ticks(scale, base))
    return Scene(
        width=right + MARGIN,
        top=0.0,
        bottom=base + AXIS,
        bands=[Box((left, TOP + ROW * n + 8, right, TOP + ROW * (n + 1)), "lane") for n in range(len(spreads))],
        lines=[line for line, _ in ticks] + list(_due_line(scale, due, base)),
        boxes=[box for n, spread in enumerate(spreads) for box, *_ in _bars(spread, scale, TOP + ROW * (n + 1))],
        texts=[*_names(spreads), *(said for _, said in ticks), *_due_text(scale, due)],
        hits=[hit for n, spread in enumerate(spreads) for *_, hit in _bars(spread, scale, TOP + ROW * (n + 1))],
        stops=[_stop(spread, scale, TOP + ROW * (n + 1)) for n, spread in enumerate(spreads)],
        stretch=[Stretch(left, right, 0)],
    )


def table(spreads: Sequence[Spread]) -> Table:
    bars = [_coarse(spread.counts) for spread in spreads]
    rows = tuple(
        (_range(index), *(str(found.get(index, 0)) for found in bars)) for index in sorted({*bars[0], *bars[-1]})
    )
    summary = ("In short", *(", ".join(spread.lines) for spread in spreads))
    return Table(("How long", *(spread.name for spread in spreads)), (summary, *rows))


class Scale(msgspec.Struct, frozen=True):
    """Bars from `first` on, and as many as lie between the pixels `left` and `right`."""

    first: int
    count: int
    left: float
    right: float

    def x(self, bar: float) -> float:
        return self.left + (bar - self.first) / self.count * (self.right - self.left)

    def of(self, seconds: float) -> float:
        return self.x(log(seconds * 1e6) / log(BASE) / COARSE)


def _scale(spreads: Sequence[Spread], due: float | None, left: float, right: float) -> Scale:
    bars = [index for spread in spreads for index in _coarse(spread.counts)]
    bars += [floor(log(due * 1e6) / log(BASE) / COARSE)] if due else []
    first, last = (min(bars) - 1, max(bars) + 1) if bars else (60, 80)
    more = max(0, FEWEST_BARS - (last - first + 1))
    return Scale(first - more // 2, last - first + 1 + more, left, right)


def _coarse(counts: Mapping[int, int]) -> Counter[int]:
    found: Counter[int] = Counter()
    for index, count in counts.items():
        found[index // COARSE] += count
    return found


def _bars(spread: Spread, scale: Scale, base: float) -> Iterator[tuple[Box, Hit]]:
    bars = _coarse(spread.counts)
    top = max(bars.values(), default=1)
    for index, count in sorted(bars.items()):
        x0, x1, high = scale.x(index) + 0.75, scale.x(index + 1) - 0.75, max(2.0, BAR * count / top)
        hover = f"{_range(index)}: {count} {spread.unit}"
        yield (
            Box((x0, base - high, x1, base), spread.fill),
            Hit((x0 + x1) / 2, base - high / 2, 18, hover, {"kind": "bar"}, f"{spread.name}-{index}"),
        )


def _range(bar: int) -> str:
    low, high = (of_bucket(index * COARSE) for index in (bar, bar + 1))
    return f"{text.about(low)} to {text.about(high)}"


def _labels(spread: Spread) -> tuple[str, ...]:
    return (spread.name, *spread.lines)


def _names(spreads: Sequence[Spread]) -> Iterator[Text]:
    for number, spread in enumerate(spreads):
        y = TOP + ROW * number + 22
        yield Text(MARGIN, y, spread.name, NAME, "ink", bold=True, anchor="start")
        for line, said in enumerate(spread.lines, 1):
            yield Text(MARGIN, y + 17 * line, said, SMALL, "muted", anchor="start")


def _ticks(scale: Scale, base: float) -> Iterator[tuple[Line, Text]]:
    shown = [(scale.of(at), said) for at, said in _TICKS if scale.left + 14 < scale.of(at) < scale.right - 14]
    for x, said in (place for place, after in pairwise([*shown, (float("inf"), "")]) if after[0] - place[0] > 44):
        yield Line((x, x), (base, base + 6), "line", 1.2), Text(x, base + 16, said, SMALL, "muted")


def _due_line(scale: Scale, due: float | None, base: float) -> Iterator[Line]:
    if due:
        yield Line((scale.of(due), scale.of(due)), (TOP, base), "overdue", 1.6, "5px,4px")


def _due_text(scale: Scale, due: float | None) -> Iterator[Text]:
    if due:
        x = scale.of(due)
        anchor = "start" if x < scale.left + 60 else "end" if x > scale.right - 60 else "middle"
        yield Text(x, TOP - 9, f"due after {_span(due)}", SMALL, "overdue-text", bold=True, anchor=anchor)  # type: ignore[arg-type]


def _span(seconds: float) -> str:
    """A length that somebody chose, without decimals that it does not have."""
    return text.whole_seconds(round(seconds)) if seconds >= 1 and seconds.is_integer() else text.duration(seconds)


def _stop(spread: Spread, scale: Scale, base: float) -> Stop:
    middle = quantile(spread.counts, 0.5)
    x = scale.of(middle) if middle else (scale.left + scale.right) / 2
    return Stop(spread.name, x, base - BAR / 2, f"{spread.name}: {', '.join(spread.lines)}", {"kind": "spread"})
