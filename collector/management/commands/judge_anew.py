"""`manage.py judge_anew`: open transactions, judged by the rules that hold now."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from collector import config, publish, rejudging
from collector.config.rules import registered

WIDTH = 30


class Command(BaseCommand):
    help = (
        "Judges open transactions anew after the rules have changed. It can be interrupted, and goes on where it was;"
        " collectors may run beside it."
    )

    def handle(self, **_: Any) -> None:
        try:
            rulebook = registered(config.load(settings.CHOREOSCOPE_CONFIG).rulebook)
        except config.ConfigError as error:
            raise CommandError(str(error)) from error
        total = rejudging.outdated(rulebook)
        examined = changed = 0
        for chunk in rejudging.judge_anew(rulebook):
            examined += chunk.examined
            changed += len(chunk.changed)
            publish.send(chunk.changed, chunk.alerts)
            self._show(min(examined, total), total)
        if examined:
            self.stdout.write("")
        self.stdout.write(f"{examined} judged anew, {changed} of them changed.")
        if left := rejudging.outdated(rulebook):
            self.stdout.write(f"{left} were held by somebody else, and are judged with their next event or deadline.")

    def _show(self, examined: int, total: int) -> None:
        done = examined * WIDTH // max(total, 1)
        bar = "#" * done + "-" * (WIDTH - done)
        self.stdout.write(f"\r[{bar}] {examined} of {total}", ending="")
        self.stdout.flush()
