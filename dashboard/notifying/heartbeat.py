"""The dead man's switch: an address that is called while all is well, and calls for help once it no longer is.

It is what can still tell somebody when all of Choreoscope is down.
"""

from __future__ import annotations

import http.client
import logging
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from collector import config, queries
from collector.health import heartbeats

logger = logging.getLogger(__name__)

NAME = "dead-man"
_TIMEOUT = 10.0


def ping() -> bool:
    """Calls it where it is time to and all is well; returns whether it was called. The address is the operator's own,
    from the configuration, and may lie in the own network."""
    alerting = config.current(settings.CHOREOSCOPE_CONFIG).alerts
    if not alerting.heartbeat:
        return False
    age = heartbeats.age(NAME)
    if age is not None and age < alerting.heartbeat_every:
        return False
    found = queries.readiness(timezone.now())
    if not all(part.ok for part in found.parts):
        logger.warning("the heartbeat's address is not called: not all is well")
        return False
    return _call(alerting.heartbeat)


def _call(address: str) -> bool:
    parts = urlsplit(address)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=_TIMEOUT)
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        logger.warning("the heartbeat's address does not answer: %s", type(error).__name__)
        return False
    finally:
        connection.close()
    if status >= 300:
        logger.warning("the heartbeat's address answered with status %d", status)
        return False
    heartbeats.beat(NAME)
    return True
