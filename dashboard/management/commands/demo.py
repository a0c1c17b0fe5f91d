from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from dashboard.parts import demo
from dashboard.parts.output import Output


class Command(BaseCommand):
    help = "Runs everything on this machine: parts that the environment does not name, Choreoscope, and demo services."
    requires_system_checks = ()  # each process makes its own

    def handle(self, *_args: Any, **_options: Any) -> None:
        status = demo.run(settings.VAR, settings.PORT, Output())
        if status:
            sys.exit(status)
