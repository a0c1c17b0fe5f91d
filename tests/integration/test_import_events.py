"""Event logs in files: imported as if they had been read of a topic, once, however often that is tried."""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from asgiref.sync import async_to_sync
from django.core.management import CommandError, call_command
from django.test import AsyncClient
from django.utils import timezone

from collector import miner, queries
from collector.correlation.choreography import RuleBook
from collector.eventlogs import importing
from collector.models import Event, Payload, Topic, Transaction
from collector.storage import store
from dashboard.alerts.models import Alert
from dashboard.alerts.process import process
from tests.feeding import Feed
from tests.mining_logs import LogEvent, Plain, agrees, log

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]

HEADER = ("case_id", "activity", "timestamp", "amount")
LINE = ("order-1", "Placed", "2024-05-06T07:08:09.123456+02:00", "12,50")


def written(path: Path, rows: Iterable[Sequence[str]], header: Sequence[str] = HEADER, **how: Any) -> Path:
    with path.open("w", newline="", encoding=how.pop("encoding", "utf-8")) as file:
        csv.writer(file, **how).writerows([header, *rows])
    return path


def as_rows(events: Iterable[LogEvent]) -> list[tuple[str, ...]]:
    return [(event.case, event.type, event.time.isoformat(), "") for event in events]


def as_xes(path: Path, events: Iterable[LogEvent]) -> Path:
    cases: dict[str, list[LogEvent]] = {}
    for event in events:
        cases.setdefault(event.case, []).append(event)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<log xmlns="http://www.xes-standard.org/">']
    lines += ['<global scope="event"><string key="concept:name" value="none"/></global>']
    for name, case in cases.items():
        lines.append(f'<trace><string key="concept:name" value={quoteattr(name)}/>')
        for event in case:
            lines.append(f'<event><string key="concept:name" value={quoteattr(event.type)}>')
            lines.append('<string key="concept:name" value="nested, and no name of the event"/></string>')
            lines.append(f'<date key="time:timestamp" value="{event.time.isoformat()}"/></event>')
        lines.append("</trace>")
    path.write_text("\n".join([*lines, "</log>"]))
    return path


def in_file_order(events: Sequence[LogEvent]) -> Plain:
    """Of events at the same time, those come first that stand first in the file."""
    return Plain.of(events, {event.id: [(event.time, "", 0, place)] for place, event in enumerate(events)})


def mined() -> queries.MinedMap:
    miner.mine(RuleBook(()), most=10**9)
    return queries.mined_map("_all", None, None, "", timezone.now())


@pytest.mark.parametrize("kind", ["csv", "xes", "csv.gz", "xes.gz"])
def test_a_log_is_counted_as_a_plain_count_has_it_and_only_once(kind: str, tmp_path: Path) -> None:
    events = log(1, 250)
    if kind.startswith("csv"):
        random.Random(2).shuffle(events)
        path = written(tmp_path / "log.csv", as_rows(events))
    else:
        path = as_xes(tmp_path / "log.xes", events)
    if kind.endswith("gz"):
        (tmp_path / f"log.{kind}").write_bytes(gzip.compress(path.read_bytes()))
    for _ in range(2):
        call_command("import_events", str(tmp_path / f"log.{kind}"))
        agrees(mined(), in_file_order(events))
    assert Transaction.objects.filter(redelivery_count__gt=0).count() == 0


def test_what_an_event_says_is_kept(tmp_path: Path) -> None:
    call_command("import_events", str(written(tmp_path / "shop.csv", [LINE])))
    event = Event.objects.get()
    assert (event.type, event.service, event.source) == ("Placed", "shop", "/shop")
    assert event.time.isoformat() == "2024-05-06T05:08:09.123456+00:00"
    assert Transaction.objects.get().transaction_id == "order-1"
    assert b'"amount":"12,50"' in bytes(Payload.objects.get().value or b"")


def test_columns_delimiters_encodings_and_times_may_be_others(tmp_path: Path) -> None:
    rows = [("Prüfung", "7", "31.12.2020 23:59", "Müller", "a-1")]
    header = ("Schritt", "Vorgang", "Zeit", "Dienst", "Nummer")
    path = written(tmp_path / "log.csv", rows, header, delimiter=";", encoding="latin-1")
    names = ["--case", "Vorgang", "--activity", "Schritt", "--time", "Zeit", "--service", "Dienst", "--id", "Nummer"]
    call_command(
        "import_events", str(path), *names, "--time-format", "%d.%m.%Y %H:%M", "--encoding", "latin-1", "--prefix", "A/"
    )
    event = Event.objects.get()
    assert (event.type, event.service, event.event_id, event.time.isoformat()) == (
        "Prüfung", "Müller", "a-1", "2020-12-31T23:59:00+00:00",
    )  # fmt: skip
    assert Transaction.objects.get().transaction_id == "A/7"


def test_a_log_that_has_grown_adds_what_is_new(tmp_path: Path) -> None:
    events = sorted(log(3, 40), key=lambda event: event.time)
    path = written(tmp_path / "log.csv", as_rows(events[:100]))
    call_command("import_events", str(path))
    written(path, as_rows(events))
    call_command("import_events", str(path))
    agrees(mined(), in_file_order(events))


def test_an_import_that_was_interrupted_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    events = log(4, 60)
    path = written(tmp_path / "log.csv", as_rows(events))
    monkeypatch.setattr(importing, "BATCH", 50)
    write, calls = store.write, iter([True, True])

    def twice(*arguments: Any) -> Any:
        if not next(calls, False):
            raise KeyboardInterrupt
        return write(*arguments)

    monkeypatch.setattr(store, "write", twice)
    with pytest.raises(KeyboardInterrupt):
        call_command("import_events", str(path))
    monkeypatch.setattr(store, "write", write)
    call_command("import_events", str(path))
    assert "0 are copies of events that are stored, 100 were imported before" in capsys.readouterr().out
    agrees(mined(), in_file_order(events))


@pytest.mark.parametrize("kind", ["csv", "xes"])
def test_what_was_exported_here_is_known(kind: str, tmp_path: Path) -> None:
    """An export names events by their own ids: read again where they came from, none of them counts again."""
    feed = Feed()
    for number in range(5):
        feed.order(f"order-{number}")
    feed.read()

    async def exported() -> bytes:
        answer = await AsyncClient().get(f"/api/choreographies/_all/export?format={kind}")
        return b"".join([piece async for piece in answer.streaming_content])

    path = tmp_path / f"log.{kind}"
    path.write_bytes(async_to_sync(exported)())
    before = Event.objects.count()
    call_command("import_events", str(path))
    assert Event.objects.count() == before
    Transaction.objects.all().delete()
    Event.objects.all().delete()
    Topic.objects.filter(cluster=importing.CLUSTER).delete()
    call_command("import_events", str(path))
    assert Event.objects.count() == before
    assert set(Event.objects.values_list("service", flat=True)) >= {"order", "payment", "shipping"}


def test_history_alarms_nobody_and_holds_nothing_up(tmp_path: Path) -> None:
    """Its orders were never answered, and their deadlines are long over."""
    feed = Feed()
    rows = [(f"order-{n}", "OrderPlaced", (feed.now - timedelta(days=n + 1)).isoformat(), "") for n in range(50)]
    call_command("import_events", str(written(tmp_path / "log.csv", rows)))
    feed.order("live", steps=2, ago=5)
    feed.read()
    process()
    assert Transaction.objects.filter(historic=True).count() == 50
    assert not Alert.objects.exists()
    assert [topic.name for topic in Topic.objects.filter(vanished_at=None)] == ["orders"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "Line 1: It is empty"),
        ("a,b,timestamp\nx,y,2020-01-01\n", "Line 2: There is no case:concept:name or case_id"),
        ("case_id,activity,when\nx,y,2020-01-01\n", "--time NAME"),
        ("case_id,activity,timestamp\n1,A,2020-01-01\n\n2,B,31.12.2020\n", "Line 4: '31.12.2020' is no time"),
        ("case_id,activity,timestamp\n1,A,1969-12-31T23:59:59Z\n", "Line 2: '1969-12-31T23:59:59Z' lies before 1970"),
        ("case_id,activity,timestamp\n1,A,2020-01-01\n1,,2020-01-01\n", "Line 3: activity is empty"),
        ("case_id,activity,timestamp\n1,A,2020-01-01\n1,A,2020-01-01,4\n", "Line 3: It has 4 cells, and there are 3"),
        ("case_id,case_id,timestamp\n", "Line 1: Two columns are called case_id"),
        ("case_id,activity,timestamp\n1,M\xfcller,2020-01-01\n", "Line 1: What follows is not in utf-8-sig"),
        ('case_id,activity,timestamp\n1,"A' + "x" * 200_000, "Is a quote never closed?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(content: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(CommandError) as refused:
        call_command("import_events", str(path))
    assert says in str(refused.value)
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "It is not XML"),
        ("<log><trace>", "Line 1: It is not XML"),
        ("<html></html>", "begins with <log>, and this one with <html>"),
        ('<!DOCTYPE log [<!ENTITY a "aaaa">]>\n<log/>', "Line 1: It declares a document type"),
        ("<log>\n<event/></log>", "Line 2: An event lies outside"),
        ("<log><trace>\n<event/></trace></log>", "Line 2: There is no case:concept:name"),
        (f"<log><trace a='{'x' * (1 << 25)}", "A tag begins that has more than 16 MB"),
    ],
)
def test_what_is_no_xes_is_refused(content: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "log.xes"
    path.write_text(content)
    with pytest.raises(CommandError) as refused:
        call_command("import_events", str(path))
    assert says in str(refused.value)


def test_a_file_of_another_kind_is_asked_about(tmp_path: Path) -> None:
    for path, says in ((tmp_path / "log.pdf", "--format"), (tmp_path / "missing.csv", "No such file")):
        with pytest.raises(CommandError, match=says):
            call_command("import_events", str(path))
