"""`manage.py check_config FILE`: what a configuration says, or what is wrong with it. Needs nothing that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from collector import config
from collector.config import summary


class Command(BaseCommand):
    help = (
        "Says what a configuration file means, or every mistake in it with its line; exits with 1 where there is one."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", nargs="?", type=Path, default=settings.CHOREOSCOPE_CONFIG, help="(default: %(default)s)"
        )

    def handle(self, *, file: Path, **_: Any) -> None:
        try:
            found, mistakes = config.check(file.name, config.text_of(file))
        except config.ConfigError as error:
            raise CommandError(str(error)) from error
        if found is None:
            raise CommandError("\n".join(mistakes))
        for line in summary.lines(found):
            self.stdout.write(line)
        for doubt in found.doubts:
            self.stdout.write(f"Warning: {doubt}")
        self.stdout.write(
            f"{file.name} is right." if not found.doubts else f"{file.name} can be used; see the warnings."
        )
