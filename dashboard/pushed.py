"""Content that is sent with the news of a change, as the page would otherwise fetch it: made once for all who look at
the same, instead of answering each of them.

Only of views on which nothing is about who looks: they are asked here without any user.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from django.http import HttpRequest, QueryDict
from django.urls import Resolver404, ResolverMatch, resolve

from dashboard import times

CONCERNS = {"overview-fragment": "overview", "overview-drawings": "overview"}
"""By the name of a view: which news make its content old."""


class Seen(NamedTuple):
    """What somebody looks at: the address that the page would fetch it from, in a timezone."""

    address: str
    zone: str

    @property
    def concern(self) -> str | None:
        """None: this is not for sending."""
        match = _match(self.address)
        return CONCERNS.get(match.url_name or "") if match else None


async def content(seen: Seen) -> str:
    """In a thread of its own: it asks the database."""
    made: str = await database_sync_to_async(_made, thread_sensitive=False)(seen)
    return made


def _made(seen: Seen) -> str:
    match = _match(seen.address)
    if match is None:
        raise ValueError(f"There is nothing at {seen.address!r}.")
    address = urlsplit(seen.address)
    request = HttpRequest()
    request.method = "GET"
    request.path = request.path_info = address.path
    request.GET = QueryDict(address.query)
    with times.shown_in(seen.zone):
        made: bytes = match.func(request, *match.args, **match.kwargs).content
    return made.decode()


def _match(address: str) -> ResolverMatch | None:
    try:
        return resolve(urlsplit(address).path)
    except (Resolver404, ValueError):
        return None
