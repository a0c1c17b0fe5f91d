"""`manage.py adopt CHOREOGRAPHY`: what was learned of it, written as configuration."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from collector import config
from collector.intake import faults
from collector.queries import adoption, unlearned


class Command(BaseCommand):
    help = (
        "Writes a choreography as it was discovered, for the configuration: starts, ends, rules with deadlines, and the"
        " evidence as comments. check_config takes it as it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("choreography", help="what it is called on the page Choreographies")

    def handle(self, *, choreography: str, **_: Any) -> None:
        try:
            found = config.load(settings.CHOREOSCOPE_CONFIG)
            written = adoption(choreography, found.learning)
            if written is None:
                raise CommandError(unlearned(choreography, found.learning))
        except config.ConfigError as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            sentence = faults.explain(error) or f"The database does not answer (DATABASE_URL): {str(error).strip()}"
            raise CommandError(sentence) from error
        if choreography in found.rulebook.by_name:
            self.stderr.write(
                f"{choreography} is declared in {settings.CHOREOSCOPE_CONFIG.name} already: this can stand in its"
                " place, not beside it."
            )
        self.stdout.write(written, ending="")
