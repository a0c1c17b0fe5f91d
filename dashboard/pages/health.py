"""Whether this process serves, and whether the whole is ready to be relied on."""

from __future__ import annotations

import logging

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from collector import queries
from collector.queries import Part

log = logging.getLogger(__name__)
_PATIENCE = 2.0


def healthz(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


def readyz(_request: HttpRequest) -> JsonResponse:
    """Being behind is no reason to answer 503: pages are right about what has been read. `troubles` says it."""
    database = _database()
    parts = [database, _redis()]
    sentences: list[str] = []
    if database.ok:
        found = queries.readiness(timezone.now())
        parts += found.parts
        sentences = found.sentences
    ready = all(part.ok for part in parts)
    listed = [
        {"name": part.name, "ok": part.ok, "age_seconds": part.age_seconds, "sentence": part.sentence} for part in parts
    ]
    return JsonResponse({"ready": ready, "parts": listed, "troubles": sentences}, status=200 if ready else 503)


def _database() -> Part:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM collector_heartbeat LIMIT 1")
    except DatabaseError:
        log.warning("The database does not answer", exc_info=True)
        return Part("database", False, None, "The database does not answer, or `manage.py migrate` has not run.")
    return Part("database", True, None, "The database answers.")


def _redis() -> Part:
    try:
        client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE)
        with client:
            client.ping()
    except redis.RedisError:
        log.warning("Redis does not answer", exc_info=True)
        return Part("redis", False, None, "Redis does not answer: pages are not told of changes, tasks wait.")
    return Part("redis", True, None, "Redis answers.")
