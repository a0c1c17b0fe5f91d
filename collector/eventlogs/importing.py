"""Event log → records and events → `store.write`: what lies in a file is stored as if it had been read of a topic.

A file stands for a topic with one partition, of no cluster: it is known by a digest of what is in it, an event's offset
is its place in the file, and how far the import has come is stored with the events. So an import that was interrupted
goes on where it was, and one that is repeated finds nothing to do. The topic counts as vanished: nothing waits for it.

An event has its id of the file, or is named by its place and what it says. A log that has grown at its end so adds only
what is new.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import UTC
from io import BufferedReader, TextIOWrapper
from itertools import islice
from pathlib import Path

import msgspec
from django.utils import timezone

from collector.correlation.choreography import RuleBook
from collector.decoding import Event
from collector.decoding.values import bounded, clean, service_of
from collector.eventlogs import csv_log, xes
from collector.eventlogs.entries import Entry, LogError, Names, Raw, entries
from collector.kafka import Span
from collector.models import Progress, Topic
from collector.records import Record, TopicRef
from collector.storage import partitions, store
from collector.storage.memory import Memory

BATCH = 2_000
CLUSTER = "files"
DIALECT = "event log"
WRITER = "import"
_FORMATS = {".csv": "csv", ".txt": "csv", ".tsv": "csv", ".xes": "xes", ".xml": "xes"}


class Log(msgspec.Struct, frozen=True):
    """A file, and how it is to be read. `name` is its service, and its events' source; `prefix` comes before the names
    of cases."""

    path: Path
    format: str
    name: str
    names: Names = Names()
    prefix: str = ""
    delimiter: str = ""
    encoding: str = "utf-8-sig"


class Imported(msgspec.Struct, frozen=True):
    """A batch. `place`: how many events of the file are done; `copies` of events that are stored already."""

    place: int
    events: int
    copies: int
    changed: tuple[str, ...]


def format_of(path: Path) -> str:
    """By the file's name; empty where that does not tell."""
    return _FORMATS.get(_plain(path).suffix.lower(), "")


def name_of(path: Path) -> str:
    return _plain(path).stem


def _plain(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() == ".gz" else path


def check(log: Log) -> int:
    """Reads all of it, so that nothing is imported of a log that cannot be imported whole; how many events it has."""
    return sum(1 for _ in _entries(log))


def run(log: Log, rulebook: RuleBook) -> Iterator[Imported]:
    """Imports what is not imported yet, in batches that commit each."""
    partitions.ensure_ahead(timezone.now().date())
    topic, place = _begun(log)
    memory = Memory()
    with closing(_entries(log)) as found:
        remaining = islice(enumerate(found), place, None)
        while batch := list(islice(remaining, BATCH)):
            decoded = [_decoded(log, topic, offset, entry) for offset, entry in batch]
            span = Span(topic, 0, place, place + len(batch), [record for record, _ in decoded])
            written = store.write([span], decoded, rulebook, WRITER, memory)
            place = span.next_offset
            yield Imported(place, written.events, written.redeliveries, written.changed)


def _begun(log: Log) -> tuple[TopicRef, int]:
    """The topic that the file stands for, and how much of it is imported already."""
    with log.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    told = msgspec.json.encode((digest, log.name, log.names, log.prefix, log.delimiter, log.encoding, log.format))
    uid = hashlib.sha256(told).hexdigest()
    name = clean(log.path.name)
    row, _ = Topic.objects.get_or_create(
        cluster=CLUSTER, uid=uid, defaults={"name": name, "vanished_at": timezone.now()}
    )
    progress, _ = Progress.objects.get_or_create(
        topic=row, partition=0, defaults={"next_offset": 0, "first_offset": 0, "from_start": True}
    )
    return TopicRef(row.pk, row.cluster, row.uid, row.name), progress.next_offset


def _entries(log: Log) -> Generator[Entry]:
    with _opened(log.path) as file:
        raws: Iterator[Raw]
        if log.format == "xes":
            raws = xes.read(file)
        else:
            raws = csv_log.read(TextIOWrapper(file, log.encoding, newline=""), log.delimiter)
        line = 0
        try:
            for entry in entries(raws, log.names):
                line = entry.line
                yield entry
        except UnicodeDecodeError:
            sentence = f"What follows is not in {log.encoding}. Name how it is written, as in --encoding latin-1."
            raise LogError(line + 1, sentence) from None
        except EOFError:
            raise LogError(line + 1, "The compressed file ends here. Was it cut?") from None


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")


def _decoded(log: Log, topic: TopicRef, offset: int, entry: Entry) -> tuple[Record, Event]:
    value = msgspec.json.encode({clean(name): clean(text) for name, text in entry.values.items() if text})
    source = bounded(clean(entry.source)) or bounded(f"/{clean(log.name)}")
    service = bounded(clean(entry.service)) or service_of(source)
    event = Event(
        id=bounded(clean(entry.id)) or _named(offset, entry),
        source=source,
        type=bounded(clean(entry.activity)),
        service=service,
        time=entry.time,
        record_time=entry.time,
        dialect=DIALECT,
        transaction_ids=(bounded(clean(log.prefix + entry.case)),),
        basis="the case",
    )
    return Record(topic, 0, offset, entry.time, None, value), event


def _named(offset: int, entry: Entry) -> str:
    told = msgspec.json.encode((entry.case, entry.activity, entry.time.astimezone(UTC)))
    return f"{offset}-{hashlib.sha256(told).hexdigest()[:12]}"
