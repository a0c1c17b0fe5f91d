"""Keeps notifications from reaching into the own network: what addresses people type in is not ours to trust.

Checked where a name becomes an address, so that redirects, and names that lead elsewhere a moment later, are caught
too: what is connected to is what was checked.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """The address is one that notifications may not go to; says so in a sentence."""


class Guard:
    """What is allowed besides public addresses, and whether anything else was refused: who sends may swallow errors."""

    def __init__(self, networks: Iterable[str]) -> None:
        self.allowed: tuple[Network, ...] = tuple(ipaddress.ip_network(network) for network in networks)
        self.refused: Refused | None = None

    def check(self, text: str) -> None:
        address: Address = ipaddress.ip_address(text.split("%", maxsplit=1)[0])
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address.sixtofour or address
        if any(address in network for network in self.allowed):
            return
        if not address.is_global or address.is_multicast:
            self.refused = Refused(
                "It leads into a private network or to this machine; where that is meant, name the network under"
                " `alerts: allow:` in the configuration."
            )
            raise self.refused


_guard: ContextVar[Guard | None] = ContextVar("guard", default=None)
_resolve = socket.getaddrinfo


def _guarded(host: Any, *arguments: Any, **named: Any) -> Any:
    found = _resolve(host, *arguments, **named)
    guard = _guard.get()
    if guard is not None:
        for *_, place in found:
            guard.check(str(place[0]))
    return found


socket.getaddrinfo = _guarded  # outside of `guarding` it is what it was


@contextmanager
def guarding(networks: Iterable[str]) -> Iterator[Guard]:
    """Within, this thread connects to public addresses only, and to those of these networks."""
    guard = Guard(networks)
    token = _guard.set(guard)
    try:
        yield guard
    finally:
        _guard.reset(token)
