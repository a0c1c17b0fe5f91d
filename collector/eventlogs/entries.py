"""What every event log says of an event, whatever its format: case, activity and time, by the names they have there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from collector.decoding import values

FORMULA = ("'=", "'+", "'-", "'@", "'\t", "'\r")
"""How text begins that was kept from being run by spreadsheets."""

_CASE = ("case:concept:name", "case_id", "case", "caseid", "case id")
_ACTIVITY = ("concept:name", "activity", "event")
_TIME = ("time:timestamp", "timestamp", "time")
_EVENT_ID, _SOURCE, _IDENTITY = "event_id", "source", "identity:id"


class LogError(Exception):
    """A log that cannot be imported: where that shows, why, and what would help."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(f"Line {line}: {sentence}")


class Names(msgspec.Struct, frozen=True):
    """What the log calls them; empty: as usual. `time_format` is one of `strptime`; empty: ISO 8601."""

    case: str = ""
    activity: str = ""
    time: str = ""
    time_format: str = ""
    id: str = ""
    service: str = ""


class Raw(msgspec.Struct, frozen=True):
    """What a log says of an event, as text; what it says of the case has "case:" before its name."""

    line: int
    values: Mapping[str, str]


class Entry(msgspec.Struct, frozen=True):
    """An event of a log. Empty `id`, `source`, `service`: it does not say."""

    line: int
    case: str
    activity: str
    time: datetime
    id: str
    source: str
    service: str
    values: Mapping[str, str]


def entries(raws: Iterable[Raw], names: Names) -> Iterator[Entry]:
    """In the log's order. Raises `LogError` at the first event that lacks what all must have."""
    found: dict[tuple[str, ...], str] = {}

    def text(raw: Raw, wanted: tuple[str, ...], option: str) -> str:
        name = found.get(wanted)
        if name is None or name not in raw.values:
            name = found[wanted] = _present(raw, wanted, option)
        if value := raw.values[name].strip():
            return _plain(value)
        raise LogError(raw.line, f"{name} is empty. Every event needs its case, its activity and its time.")

    case, activity, time = (
        (given,) if given else usual
        for given, usual in ((names.case, _CASE), (names.activity, _ACTIVITY), (names.time, _TIME))
    )
    for raw in raws:
        identifier, source = _identity(raw, names)
        yield Entry(
            raw.line,
            text(raw, case, "case"),
            text(raw, activity, "activity"),
            _moment(text(raw, time, "time"), raw.line, names.time_format),
            identifier,
            source,
            _plain(raw.values.get(names.service, "")) if names.service else "",
            raw.values,
        )


def _present(raw: Raw, wanted: tuple[str, ...], option: str) -> str:
    by_lower = {name.strip().lower(): name for name in reversed(list(raw.values))}
    for name in wanted:
        if (present := by_lower.get(name.lower())) is not None:
            return present
    has = ", ".join(sorted(raw.values)[:20]) or "nothing"
    raise LogError(
        raw.line, f"There is no {' or '.join(wanted)}, only {has}. Say what names the {option}: --{option} NAME."
    )


def _identity(raw: Raw, names: Names) -> tuple[str, str]:
    """The event's id, and its source where the log was exported from here."""
    if names.id:
        if value := raw.values.get(names.id):
            return _plain(value), ""
        raise LogError(raw.line, f"There is no {names.id}, which --id names. Leave --id away, or name another.")
    identifier, source = raw.values.get(_EVENT_ID), raw.values.get(_SOURCE)
    if identifier and source:
        return _plain(identifier), _plain(source)
    return raw.values.get(_IDENTITY, ""), ""


def _plain(text: str) -> str:
    return text[1:] if text.startswith(FORMULA) else text


def _moment(text: str, line: int, time_format: str) -> datetime:
    if time_format:
        try:
            at = datetime.strptime(text, time_format)  # noqa: DTZ007 - what has no zone is in UTC
        except ValueError:
            raise LogError(
                line, f"{text!r} is no time by --time-format {time_format!r}. Mend the format, or this time."
            ) from None
        moment = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    else:
        found = values.moment(text)
        if found is None:
            raise LogError(
                line,
                f"{text!r} is no time in ISO 8601. Say how times are written, as in --time-format '%d.%m.%Y %H:%M'.",
            )
        moment = found
    if not values.within_bounds(moment):
        raise LogError(line, f"{text!r} lies before 1970 or after 2199, where no event can be. Mend or remove it.")
    return moment
