"""`manage.py suggest_correlation`: which field of the records is the transaction id, and what to configure for it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from collector import config
from collector.decoding.suggestion import Candidate
from collector.queries import KafkaFailure, explain, suggestion


class Command(BaseCommand):
    help = "Samples the topics and says which field is the transaction id: the evidence, and the YAML to paste."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--seconds", type=float, default=suggestion.SECONDS, help="how long to read (default: %(default)s)"
        )

    def handle(self, *, seconds: float, **_: Any) -> None:
        try:
            found = suggestion.suggest(seconds)
        except config.ConfigError as error:
            raise CommandError(str(error)) from error
        except KafkaFailure as failure:
            raise CommandError(explain(failure)) from failure
        for topic in found.topics:
            said = f"{topic.correlated} of {topic.records} records have a transaction id" if topic.records else "empty"
            self.stdout.write(f"{topic.name}: {said}")
        if not found.candidates:
            self.stdout.write("No field has values that come on several topics.")
        for place, candidate in enumerate(found.candidates, start=1):
            self._tell(place, candidate)
        if found.yaml:
            self.stdout.write(f"\nFor the first of these, put this into the configuration:\n\n{found.yaml}")
        elif found.candidates:
            self.stdout.write("\nThe first of these is found already: nothing has to be configured.")

    def _tell(self, place: int, candidate: Candidate) -> None:
        self.stdout.write(
            f"\n{place}. {candidate.values} values such as {candidate.example!r},"
            f" {candidate.shared:.0%} of them on several topics; {candidate.records:.1f} records each,"
            f" within {candidate.lasting.total_seconds():.1f} s; score {candidate.score:.2f}"
        )
        for found in candidate.found:
            known = ", found already" if found.known else ""
            self.stdout.write(f"   {found.topic}: {found.path}, in {found.coverage:.0%} of the records{known}")
