"""The table of cases that documents and tests share: `python -m tests.lifecycle_cases` writes docs/cases.md from it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from collector.config.loader import parse
from collector.correlation.choreography import RuleBook
from collector.correlation.events import Skeleton
from collector.correlation.lifecycle import evaluate
from collector.correlation.state import Pending, State
from tests.builders import at, happened, read_until

ROOT = Path(__file__).parent.parent
CASES = ROOT / "tests" / "data" / "lifecycle_cases.yaml"
PAGE = ROOT / "docs" / "cases.md"
NAME = "order"
"""What the choreography of a section is called."""

_EVENT = re.compile(r"(?P<kind>\w+)@(?P<when>-?[\d.]+)(~(?P<stamp>[\d.]+))?(\((?P<cause>[^)]+)\))?")


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Events in; phase, what is awaited, and deviations out, in words. `read`: up to when all has been read."""

    told: str
    says: str
    phase: str
    read: float | None = None
    waits: tuple[str, ...] = ()
    deviates: tuple[str, ...] = ()

    @property
    def events(self) -> list[Skeleton]:
        return [_event(word) for word in self.told.split()]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    rules: str
    cases: tuple[Case, ...]
    also: str = ""

    @property
    def written(self) -> str:
        """The choreography as it stands in the configuration."""
        return f"{NAME}:\n{textwrap.indent(self.rules, '  ')}{self.also}"

    @property
    def rulebook(self) -> RuleBook:
        return parse("cases.yaml", "choreographies:\n" + textwrap.indent(self.written, "  ")).rulebook


def sections() -> list[Section]:
    return msgspec.convert(yaml.safe_load(CASES.read_text()), list[Section])


def cases() -> Iterator[tuple[Section, Case]]:
    for section in sections():
        for case in section.cases:
            yield section, case


def _event(word: str) -> Skeleton:
    found = _EVENT.fullmatch(word)
    if found is None:
        raise ValueError(f"{word!r} is no event: type@second")
    when, stamp, cause = float(found["when"]), found["stamp"], found["cause"]
    return happened(
        found["kind"],
        when,
        f"{found['kind']}@{found['when']}",
        stamped=float(stamp) if stamp else None,
        causes=(cause,) if cause else (),
    )


def outcome(section: Section, case: Case) -> dict[str, Any]:
    """What the lifecycle makes of a case, in the words of the table."""
    state = evaluate(case.events, section.rulebook, read_until(case.read))
    return {
        "phase": _phase(state),
        "waits": tuple(_awaited(entry) for entry in state.pending),
        "deviates": tuple(f"{found.kind}: {found.sentence}" for found in state.deviations),
    }


def _phase(state: State) -> str:
    stuck = f", stuck since {_second(state.overdue_since)}" if state.overdue_since else ""
    by = f" by {state.ended_by}" if state.ended_by not in ("", "event") else ""
    of = "" if state.choreography == NAME else f" ({state.choreography})"
    parts = "".join(f"; {part.name} {part.phase}" for part in state.parts)
    return f"{state.phase}{by}{of}{stuck}{parts}"


def _awaited(entry: Pending) -> str:
    owed = f" from {entry.service}" if entry.service else ""
    if entry.kind == "timeout":
        due = f" (took too long, {entry.rule})"
    elif entry.deadline is None:
        due = ""
    else:
        due = f", overdue since {_second(entry.deadline)}" if entry.overdue else f" by {_second(entry.deadline)}"
    return f"{entry.awaited or 'an end'}{owed}{due}{''.join(f', {mark}' for mark in entry.marks)}"


def _second(moment: Any) -> str:
    return f"{(moment - at(0)).total_seconds():g}"


def page() -> str:
    """docs/cases.md."""
    text = [_HEAD]
    for section in sections():
        text.append(f"\n## {section.title}\n\n```yaml\n{section.written.rstrip()}\n```\n")
        text.append(
            "\n| events | read up to | | phase | awaited | deviations |\n| --- | --- | --- | --- | --- | --- |\n"
        )
        text += [_row(case) for case in section.cases]
    return "".join(text)


def _row(case: Case) -> str:
    events = " ".join(f"`{word}`" for word in case.told.split())
    read = "" if case.read is None else f"{case.read:g}"
    cells = (events, read, case.says, case.phase, "<br>".join(case.waits), "<br>".join(case.deviates))
    return f"| {' | '.join(cells)} |\n"


_HEAD = """# Cases

What happens, and what follows from it: every row is a test. Events are written as type@second after noon;
`Placed@6~0` has a record timestamp of its own, and `Paid@12(Placed@10)` names its cause. *Read up to*: everything that
was appended until then has certainly been read; where it is empty, that is not known, and nothing is overdue. What the
rules mean: [rules](rules.md). Written from `tests/data/lifecycle_cases.yaml` by `python -m tests.lifecycle_cases`.
"""

if __name__ == "__main__":
    PAGE.write_text(page())
