#!/usr/bin/env python3
"""Choreoscope's command line: `manage.py demo`, `manage.py collect`, and Django's own commands."""

import os
import sys


def main() -> None:
    if sys.version_info < (3, 11):
        sys.exit(
            f"Choreoscope needs Python 3.11 or newer; this is {sys.version.split()[0]}. Run it with a newer python3."
        )
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed in this Python. `make demo` sets everything up in .venv.")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
