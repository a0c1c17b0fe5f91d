"""Celery beat's sign of life: whenever it tells the workers what to do, once a second at most."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery.signals import beat_init, before_task_publish
from django.db import Error, connection

from collector.health import heartbeats

logger = logging.getLogger(__name__)

EVERY = 1.0
_next = 0.0


@beat_init.connect
def begin(**_: Any) -> None:
    """Workers send tasks as well; only beat's are signs of beat."""
    before_task_publish.connect(beat)


def beat(**_: Any) -> None:
    """A database that is away must not keep beat from its work."""
    global _next  # noqa: PLW0603 - beat is one thread of one process
    now = time.monotonic()
    if now < _next:
        return
    _next = now + EVERY
    try:
        heartbeats.beat(heartbeats.BEAT)
    except Error:
        logger.warning("the database does not take beat's sign of life", exc_info=True)
    finally:
        connection.close()  # the next one may be another
