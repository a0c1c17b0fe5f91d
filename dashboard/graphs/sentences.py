"""What graphs say in words: on hovering (escaped for Plotly), to a screen reader, and in the table twin (plain)."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

from dashboard.graphs import text
from dashboard.graphs.flows import Box, Map, Wire
from dashboard.graphs.graph import Table
from dashboard.graphs.looks import STEPS
from dashboard.graphs.steps import Link, Step, Steps

NAME = 160
"""Characters of a name in full on hovering."""
WRAP = 80


@lru_cache(text.REMEMBERED)
def lines_of(name: str, bound: int = NAME) -> tuple[str, ...]:
    """A name, bounded, in pieces that a small window can show; escaped."""
    whole = text.clean(name, bound)
    if len(whole) <= WRAP:
        return (text.escape(whole),)
    return tuple(text.escape(whole[start : start + WRAP]) for start in range(0, len(whole), WRAP))


def hover(title: str, *facts: str) -> str:
    """A line for each, as Plotly's HTML subset (without bold type, which Plotly can't do under a strict CSP)."""
    return "<br>".join(line for said in (title, *facts) for line in lines_of(said[: NAME + 2]))


def name_of(step: Step) -> str:
    name = " ".join(text.clean(part, NAME) for part in step.title)
    return f"{name} × {step.count}" if step.count > 1 else name


def step_hover(step: Step) -> str:
    facts = [f"{text.clean(step.lane, 80)} · {STEPS[step.role].legend}", *step.facts]
    return hover(name_of(step), *facts)


def step_sentence(step: Step, word: str) -> str:
    return f"{name_of(step)}, {text.clean(step.lane, 80)}: {_state(step, word)}"


def _state(step: Step, word: str) -> str:
    """What it is, then what is written at it."""
    return ", ".join(dict.fromkeys(filter(None, (STEPS[step.role].legend, *word.split(" · ")))))


def link_hover(link: Link, names: dict[str, str]) -> str:
    how = {
        "explicit": "cause named by the event",
        "declared": "inferred from a rule",
        "missing": "named as its cause, not arrived",
    }.get(link.basis, "expected by a rule")
    after = f"{link.label}, {how}" if link.label else how
    return hover(f"{text.clean(names[link.source], 70)} → {text.clean(names[link.target], 70)}", after)


def steps_table(graph: Steps, words: dict[str, str]) -> Table:
    """A row per step; `words`: what is written at each step, by key."""
    names = {step.key: name_of(step) for step in graph.steps}
    causes: dict[str, list[str]] = defaultdict(list)
    for link in graph.links:
        causes[link.target].append(names[link.source] + (f" ({link.label})" if link.label else ""))
    rows = tuple(
        (
            names[step.key],
            text.clean(step.lane, 80),
            _state(step, words[step.key]),
            text.moment(step.at) if step.at else "; ".join(step.facts),
            ", ".join(causes[step.key][:10]) or "—",
        )
        for step in graph.steps
    )
    return Table(("Step", "Service", "State", "When", "After"), rows)


def sentence(title: str, *facts: str) -> str:
    return ": ".join([text.clean(title, NAME), ", ".join(facts)]) if facts else text.clean(title, NAME)


def box_facts(box: Box) -> list[str]:
    facts = [text.clean(box.under, 80)] if box.under else []
    if box.waiting:
        facts.append(f"{box.waiting} transactions wait for it" + _of_them(box.overdue))
    return facts


def _of_them(overdue: int) -> str:
    return f", {overdue} of them overdue" if overdue else ""


def pace_of(graph: Map, seconds: float) -> text.Pace:
    return text.pace(max((wire.count for wire in graph.wires), default=0), seconds)


def wire_title(graph: Map, wire: Wire) -> str:
    names = {box.key: text.clean(box.name, 60) for box in graph.boxes}
    ends = f"{names[wire.source]} → {names[wire.target]}"
    return f"{text.clean(wire.name, 60)}: {ends}" if wire.named else ends


def wire_facts(wire: Wire, seconds: float, pace: text.Pace) -> list[str]:
    facts = [f"{wire.count} in {text.duration(seconds)}, {text.rate(wire.count, seconds, pace)}"]
    if wire.p95 is not None:
        facts.append(f"95% react within {text.about(wire.p95)}")
    if wire.failure:
        facts.append("failure path")
    if wire.waiting:
        awaited = ", ".join(dict.fromkeys(text.clean(name, 80) for name in wire.awaited[:5]))
        facts.append(f"{wire.waiting} wait for {awaited}" + _of_them(wire.overdue))
        if wire.learned:
            facts.append(f"{'' if wire.learned == wire.waiting else f'{wire.learned} of them '}by a learned deadline")
    return facts


def map_table(graph: Map, seconds: float) -> Table:
    """A row per wire."""
    names = {box.key: text.clean(box.name, NAME) for box in graph.boxes}
    pace = pace_of(graph, seconds)
    rows = tuple(
        (
            names[wire.source],
            text.clean(wire.name, NAME),
            names[wire.target],
            text.rate(wire.count, seconds, pace),
            text.about(wire.p95) if wire.p95 is not None else "—",
            str(wire.waiting),
            str(wire.overdue),
            _deadline(wire),
            "failure path" if wire.failure else "",
        )
        for wire in graph.wires
    )
    return Table(("From", "Event", "To", "Rate", "p95", "Waiting", "Overdue", "Deadline", "Path"), rows)


def _deadline(wire: Wire) -> str:
    if not wire.waiting:
        return ""
    return "learned" if wire.learned == wire.waiting else "declared and learned" if wire.learned else "declared"
