"""Log lines: text with key=value for people, JSON for machines (LOG_FORMAT).

Fields are given by the call, `logger.warning("…", extra=fields(topic=…, partition=…))`, or bound to the process.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

_bound: dict[str, object] = {}


def bind(**values: object) -> None:
    """Puts these fields on every line that this process logs from now on."""
    _bound.update(values)


def fields(**values: object) -> dict[str, Any]:
    """For a logging call's `extra`; in a place of their own, where no name means something else to logging."""
    return {"fields": values}


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {**_bound, **getattr(record, "fields", {})}


class Text(logging.Formatter):
    """ "12:01:46.920 WARNING collector.intake.progress: records are missing collector=a topic=orders partition=2"."""

    def __init__(self) -> None:
        super().__init__("{asctime}.{msecs:03.0f} {levelname:<7} {name}: {message}", "%H:%M:%S", "{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        said = [super().formatMessage(record)]
        return " ".join(said + [f"{name}={_value(value)}" for name, value in _fields(record).items()])


class Json(logging.Formatter):
    """One object a line: time, level, logger, message, the fields, and the traceback as `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            **_fields(record),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def _value(value: object) -> str:
    """As it is where it can be told from what follows, else quoted."""
    text = str(value)
    plain = text and not any(char in "\"'=" or char.isspace() or not char.isprintable() for char in text)
    return text if plain else json.dumps(text, ensure_ascii=False)
