"""The part of `benchmarks.pages` that runs within Django: what is to be asked for, and how many queries each takes.

`python -m benchmarks.asking` writes it as JSON: {"cookie": …, "addresses": {…}, "queries": {…}}.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import URLPattern  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks import asked, session  # noqa: E402
from benchmarks.filling import LONG  # noqa: E402
from collector import queries  # noqa: E402
from collector.models import Event, EventType, Key, Phase, Transaction  # noqa: E402
from collector.queries.bounds import encode_cursor  # noqa: E402
from dashboard import urls  # noqa: E402
from dashboard.alerts.models import Alert  # noqa: E402
from dashboard.api.views import api  # noqa: E402
from dashboard.pages.shared import shared  # noqa: E402

SOME = 20


def main() -> None:
    if names := asked.forgotten(served()):
        raise SystemExit(f"benchmarks/asked.py does not ask for {', '.join(names)}.")
    client = session.logged_in()
    found = samples()
    if missing := [name for name, values in found.items() if not values]:
        raise SystemExit(f"The database has no example of {', '.join(missing)}.")
    addresses = asked.addresses(found)
    counted = {name: queries_of(client, listed[0]) for name, listed in addresses.items()}
    json.dump({"cookie": session.cookie(client), "addresses": addresses, "queries": counted}, sys.stdout)


def served() -> Iterator[str]:
    """The name of every page, and the path of every answer of the API."""
    yield from (str(entry.name) for entry in urls.urlpatterns if isinstance(entry, URLPattern))
    yield from (path for path, operations in api.get_openapi_schema()["paths"].items() if "get" in operations)


def queries_of(client: Client, address: str) -> int:
    """While nothing is shared with other viewers."""
    made = 0

    def count(execute: Any, *call: Any) -> Any:
        nonlocal made
        made += 1
        return execute(*call)

    shared.clear()
    with connection.execute_wrapper(count):
        response = client.get(address)
    if response.status_code >= 500 and address not in asked.MAY_SAY_NO:
        raise SystemExit(f"{address}: {response.status_code}")
    return made


def samples() -> asked.Samples:
    now = timezone.now()
    ago = now - timedelta(days=15)
    copies = Transaction.objects.exclude(transaction_id__startswith="model-").exclude(transaction_id__in=LONG)
    newest = copies.order_by("-started_at", "-id")
    done = list(newest.filter(phase=Phase.COMPLETED)[:2_000:100])
    old = list(newest.filter(started_at__lt=ago)[:2_000:100])
    last = [Event.objects.filter(day=one.day, transaction=one.id).order_by("-offset")[0] for one in done]
    undecodable = queries.undecodable(encode_cursor(ago, 2**31, 0, 0)).items[-1]
    past = list(Alert.objects.filter(state=Alert.State.RESOLVED).order_by("-id")[:20_000:1_000])
    stuck = list(newest.exclude(overdue_since=None)[:SOME])
    pending = [entry["expect"] for found in stuck for entry in found.state["pending"] if entry["kind"] == "response"]
    named = {
        "done": [found.transaction_id for found in done],
        "old": [found.transaction_id for found in old],
        "stuck": [found.transaction_id for found in stuck],
        "running": [one.transaction_id for one in newest.filter(ended_at=None, overdue_since=None)[:SOME]],
        "compensated": [one.transaction_id for one in newest.filter(phase=Phase.COMPENSATED)[:SOME]],
        "prefix": [found.transaction_id[:-4] for found in (*done, *old)],
        "shown": [",".join(str(found.id) for found in newest[at : at + 50]) for at in (0, 1_000, 100_000)],
    }
    return named | {
        "long": ["thousand-events"],
        "oversized": ["oversized"],
        "event": [event.event_id for event in last],
        "source": [event.source for event in last],
        "within": [str(round(event.record_time.timestamp() * 1_000)) for event in last],
        "key": [f"no-{found.transaction_id}" for found in done],
        "customer": list(Key.objects.filter(name="customer.id").values_list("value", flat=True)[:SOME]),
        "choreography": sorted({found.choreography for found in done}),
        "service": list(EventType.objects.order_by("service").values_list("service", flat=True).distinct()),
        "type": list(EventType.objects.filter(type__endswith="Authorized").values_list("type", flat=True)),
        "rare": list(EventType.objects.filter(type__contains="Noted").values_list("type", flat=True)),
        "awaited": [" or ".join(expect) for expect in pending],
        "alert": [str(found.id) for found in Alert.unresolved().filter(kind=Alert.Kind.STUCK)[:SOME]],
        "past_alert": [str(found.id) for found in past],
        "alert_cursor": [encode_cursor(found.opened_at, found.id) for found in past],
        "cursor": [encode_cursor(found.started_at, found.id) for found in old],
        "undecodable_cursor": [
            encode_cursor(undecodable.received_at, undecodable.topic_id, undecodable.partition, undecodable.offset)
        ],
        **_moments(ago),
    }


def _moments(ago: datetime) -> dict[str, list[str]]:
    return {
        "ago": [ago.isoformat()],
        "before": [(ago + timedelta(days=3)).isoformat()],
    }


if __name__ == "__main__":
    main()
