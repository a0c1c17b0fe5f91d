"""`manage.py decode_again`: what could not be read or correlated, decoded by what is configured now."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from collector import actions, config, registry
from collector.again import Kind
from collector.config.rules import registered
from collector.kafka import KafkaFailure, explain

_MOST = 10_000_000


class Command(BaseCommand):
    help = "Decodes undecodable records and uncorrelated events again; what can be read now enters its transactions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--kind", choices=[kind.value for kind in Kind], help="only these (default: both)")
        parser.add_argument("--topic", default="", help="only of this topic (default: all)")
        parser.add_argument("--most", type=int, default=_MOST, help="the newest of each kind only (default: all)")

    def handle(self, *, kind: str | None, topic: str, most: int, **_: Any) -> None:
        for one in [Kind(kind)] if kind else Kind:
            try:
                rulebook = registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)
                found = actions.decode_again(one, rulebook, topic, most)
            except (config.ConfigError, registry.RegistryError) as error:
                raise CommandError(str(error)) from error
            except KafkaFailure as failure:
                raise CommandError(explain(failure)) from failure
            self.stdout.write(
                f"{one.value}: {found.examined} looked at, {found.understood} understood now,"
                f" {found.gone} no longer in Kafka, {len(set(found.changed))} transactions changed"
            )
