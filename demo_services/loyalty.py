"""Loyalty: a partner's service that credits points for completed orders. It writes Avro, with a schema from a registry.

SCHEMA_REGISTRY_URL names the registry. Records are in Confluent's wire format: a zero, the schema's number, the data.
"""

from __future__ import annotations

import http.client
import io
import json
import logging
import os
from collections.abc import Iterable
from urllib.parse import urlsplit

import fastavro

from demo_services.bus import SettingsError
from demo_services.outsiders import Seen, Written, main

log = logging.getLogger("demo")

SCHEMA = {
    "type": "record",
    "name": "PointsCredited",
    "namespace": "partner.loyalty",
    "fields": [
        {"name": "member", "type": "string"},
        {
            "name": "purchase",
            "type": {"type": "record", "name": "Purchase", "fields": [{"name": "ref", "type": "string"}]},
        },
        {"name": "points", "type": "int"},
        {"name": "credited_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}
_PARSED = fastavro.parse_schema(SCHEMA)


class Loyalty:
    name = "loyalty"
    listens = "orders"
    wants = b"OrderCompleted"
    publishes = "partner.loyalty"

    def __init__(self, registry: str) -> None:
        if not registry:
            raise SettingsError("SCHEMA_REGISTRY_URL is not set: http://host:port of a schema registry")
        self._registry = registry
        self._number: int | None = None
        self._seen: list[Seen] = []

    def ready(self) -> bool:
        """Whether the registry knows the schema; which it is told."""
        if self._number is None:
            try:
                self._number = _register(self._registry, f"{self.publishes}-value")
            except (OSError, http.client.HTTPException, ValueError, LookupError) as error:
                log.debug("the registry cannot be used yet: %r", error)
        return self._number is not None

    def take(self, seen: Seen) -> None:
        self._seen.append(seen)

    def due(self, now: float) -> Iterable[Written]:
        seen, self._seen = self._seen, []
        return [self._credit(one, now) for one in seen]

    def _credit(self, seen: Seen, at: float) -> Written:
        try:
            member, total = str(seen.data["customer"]["id"]), float(seen.data["order"]["total"])
        except (LookupError, TypeError, ValueError):
            member, total = "unknown", 0.0
        credit = {
            "member": member,
            "purchase": {"ref": seen.order_id},
            "points": int(total),
            "credited_at": int(at * 1000),
        }
        out = io.BytesIO(b"\x00" + (self._number or 0).to_bytes(4, "big"))
        out.seek(0, io.SEEK_END)
        fastavro.schemaless_writer(out, _PARSED, credit)
        return Written(out.getvalue(), member.encode(), [], [seen])


def _register(registry: str, subject: str) -> int:
    """The number that the registry gives the schema. Raises what comes."""
    where = urlsplit(registry.split(",", maxsplit=1)[0].strip())
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.hostname or "", where.port, timeout=2)
    try:
        body = json.dumps({"schema": json.dumps(SCHEMA), "schemaType": "AVRO"})
        path = f"{where.path.rstrip('/')}/subjects/{subject}/versions"
        connection.request("POST", path, body, {"Content-Type": "application/vnd.schemaregistry.v1+json"})
        return int(json.loads(connection.getresponse().read())["id"])
    finally:
        connection.close()


if __name__ == "__main__":
    main(lambda: Loyalty(os.environ.get("SCHEMA_REGISTRY_URL", "").strip()))
