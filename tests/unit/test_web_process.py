"""What a web process does once, so that pages are quick."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from django.db import connection
from psycopg import adapters
from psycopg.pq import Format

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.django_db
def test_times_are_read_by_code_in_c_and_in_utc() -> None:
    quick = adapters.get_loader(adapters.types["timestamptz"].oid, Format.TEXT)
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s, '2026-03-01 13:00:00.123456+01'::timestamptz", [NOON])
        assert cursor.fetchone() == (NOON, NOON)
        assert cursor.cursor.adapters.get_loader(adapters.types["timestamptz"].oid, Format.TEXT) is quick
        cursor.execute("SELECT %s", [NOON])
        assert cursor.fetchone()[0].tzinfo is UTC


def test_what_was_loaded_at_the_beginning_is_not_looked_through_for_garbage() -> None:
    usual = "import gc; usual = gc.get_threshold()[0]"
    said = "print(gc.get_freeze_count(), gc.get_threshold()[0], usual)"
    loaded = subprocess.run(
        [sys.executable, "-c", f"{usual}; import dashboard.asgi; {said}"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        check=True,
        text=True,
    )
    frozen, threshold, usual_threshold = map(int, loaded.stdout.split())
    assert frozen > 100_000
    assert threshold > usual_threshold
