"""Logs a viewer in, on the database that it was given: `python -m benchmarks.session` prints the cookie's value."""

from __future__ import annotations

import django
from django.conf import settings

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.test import Client  # noqa: E402

from dashboard.accounts.roles import Role, add_user  # noqa: E402

VIEWER = "viewer"


def logged_in() -> Client:
    user = User.objects.filter(username=VIEWER).first() or add_user(VIEWER, "looks at what there is", Role.VIEWER)
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    return client


def cookie(client: Client) -> str:
    return client.cookies[settings.SESSION_COOKIE_NAME].value


if __name__ == "__main__":
    print(cookie(logged_in()))
