"""Adds a user who may log in: `manage.py add_user ada --role operator`."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard.accounts.roles import Role, Taken, add_user


class Command(BaseCommand):
    help = "Adds a user. The password is asked for, or read from standard input where that is no terminal."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--role", choices=[role.value for role in Role], default=Role.VIEWER.value)

    def handle(self, *_: Any, **options: Any) -> None:
        asked = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        try:
            validate_password(asked)
            user = add_user(options["name"], asked, Role(options["role"]))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except Taken as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{user.get_username()} may log in as {options['role']}.")
