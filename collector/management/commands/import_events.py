"""`manage.py import_events`: an event log of a file, in CSV or XES, as if it had been read of a topic."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path
from typing import Any

import click
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from collector import config, publish
from collector.config.rules import registered
from collector.correlation.choreography import RuleBook
from collector.eventlogs import importing
from collector.eventlogs.entries import LogError, Names

_DELIMITERS = {"tab": "\t", "\\t": "\t"}


class Command(BaseCommand):
    help = (
        "Imports an event log (CSV or XES, also compressed as .gz). Events that were imported before are not counted"
        " again; what was interrupted goes on where it was. Nothing of it raises an alert that is older than"
        " limits.history_age."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", type=Path, help="ends in .csv, .xes, .csv.gz or .xes.gz, unless --format says what it is"
        )
        parser.add_argument("--format", choices=["csv", "xes"], default="", help="default: as the file's name tells")
        parser.add_argument(
            "--case", default="", help="column (XES: attribute) of the case (default: case:concept:name, case_id, case)"
        )
        parser.add_argument(
            "--activity", default="", help="column of the event type (default: concept:name, activity, event)"
        )
        parser.add_argument("--time", default="", help="column of the time (default: time:timestamp, timestamp, time)")
        parser.add_argument(
            "--time-format", default="", help="as in '%%d.%%m.%%Y %%H:%%M' (default: ISO 8601); without a zone: UTC"
        )
        parser.add_argument(
            "--id",
            default="",
            help="column of the event's id, unique within a case (default: its place and what it says)",
        )
        parser.add_argument("--service", default="", help="column of the service (default: the log's name for all)")
        parser.add_argument(
            "--name", default="", help="what the log is called: source of its events (default: as the file)"
        )
        parser.add_argument(
            "--prefix", default="", help="goes before each case's name, so that cases of several logs stay apart"
        )
        parser.add_argument(
            "--delimiter", default="", help="between CSV's cells, one character or 'tab' (default: what line 1 has)"
        )
        parser.add_argument("--encoding", default="utf-8-sig", help="of CSV (default: UTF-8)")

    def handle(self, *, file: Path, **options: Any) -> None:
        log = self._log(file, options)
        try:
            rulebook = registered(config.load(settings.CHOREOSCOPE_CONFIG).rulebook)
            self._import(log, rulebook)
        except LogError as error:
            raise CommandError(f"{file}: {error}") from error
        except (config.ConfigError, OSError) as error:
            raise CommandError(str(error)) from error
        except Error as error:
            raise CommandError(f"The database: {str(error).strip()}. Run it again: it goes on where it was.") from error

    def _log(self, file: Path, options: dict[str, Any]) -> importing.Log:
        kind = options["format"] or importing.format_of(file)
        if not kind:
            raise CommandError(f"{file}: its name does not tell what it is. Say --format csv or --format xes.")
        delimiter = _DELIMITERS.get(options["delimiter"], options["delimiter"])
        if len(delimiter) > 1:
            raise CommandError(f"--delimiter is one character, or 'tab', and not {delimiter!r}.")
        try:
            codecs.lookup(options["encoding"])
        except LookupError as error:
            raise CommandError(f"--encoding: {error}. Usual ones are utf-8, latin-1, cp1252 and utf-16.") from error
        names = Names(*(options[name] for name in ("case", "activity", "time", "time_format", "id", "service")))
        name = options["name"] or importing.name_of(file)
        return importing.Log(file, kind, name, names, options["prefix"], delimiter, options["encoding"])

    def _import(self, log: importing.Log, rulebook: RuleBook) -> None:
        total = importing.check(log)
        events = copies = 0
        changed: set[str] = set()
        with click.progressbar(length=total, label="Importing", file=sys.stderr, show_pos=True) as bar:
            for batch in importing.run(log, rulebook):
                bar.update(batch.place - bar.pos)
                events, copies = events + batch.events, copies + batch.copies
                if len(changed) <= publish.MOST_IDS:
                    changed.update(batch.changed)
        if changed:
            publish.send(changed, alerts=False)
        self.stdout.write(
            f"{log.path}: {events:,} of {total:,} events are new, {copies:,} are copies of events that are stored,"
            f" {total - events - copies:,} were imported before."
        )
