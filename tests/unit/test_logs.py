"""Log lines: readable as text, whole as JSON, and always with the fields that say whose and of what."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from collector.health import logs
from collector.health.logs import Json, Text, fields


@pytest.fixture(autouse=True)
def collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_bound", {})
    logs.bind(collector="c-1")


def line(formatter: logging.Formatter, message: str, *args: object, **extra: object) -> str:
    logger = logging.getLogger("collector.intake.progress")
    entry = logger.makeRecord(logger.name, logging.WARNING, "x.py", 1, message, args, None, extra=fields(**extra))
    entry.created, entry.msecs = 1_795_176_106.5, 500
    return formatter.format(entry)


def test_text() -> None:
    said = line(Text(), "gone: %d", 3, topic="orders", partition=2)
    assert said.endswith(".500 WARNING collector.intake.progress: gone: 3 collector=c-1 topic=orders partition=2")


@pytest.mark.parametrize(
    ("value", "written"),
    [("a b", '"a b"'), ("", '""'), ("a\nforged=1", r'"a\nforged=1"'), ('"', r'"\""'), ("é", "é"), (1.5, "1.5")],
)
def test_a_value_can_be_told_from_what_follows(value: object, written: str) -> None:
    assert line(Text(), "so", topic=value).endswith(f"so collector=c-1 topic={written}")


def test_json() -> None:
    entry = json.loads(line(Json(), "gone: %d\nreally", 3, topic="orders", partition=2, name="args"))
    assert entry == {
        "time": "2026-11-20T12:01:46.500+00:00",
        "level": "warning",
        "logger": "collector.intake.progress",
        "message": "gone: 3\nreally",
        "collector": "c-1",
        "topic": "orders",
        "partition": 2,
        "name": "args",
    }


def test_a_traceback_is_kept() -> None:
    logger = logging.getLogger("collector")
    try:
        int("odd")
    except ValueError:
        entry = logger.makeRecord("collector", logging.ERROR, "x.py", 1, "failed", (), sys.exc_info())
    said = Json().format(entry)
    assert "\n" not in said
    assert "ValueError: invalid literal" in json.loads(said)["exception"]
    assert "ValueError: invalid literal" in Text().format(entry).splitlines()[-1]
    assert "failed collector=c-1" in Text().format(entry).splitlines()[0]
