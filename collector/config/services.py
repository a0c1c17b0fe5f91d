"""The `services:` part of the configuration: whom to call about a service, and where to look."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

import msgspec

from collector.config.yaml_reader import Node, meant

_PLACES = ("transaction", "service")
_BRACES = re.compile(r"\{([^{}]*)\}")


class Service(msgspec.Struct, frozen=True):
    """`groups` are patterns of its consumer groups; `links` lead to what else is known, by what they are called."""

    owner: str = ""
    contact: str = ""
    runbook: str = ""
    groups: tuple[str, ...] = ()
    links: dict[str, str] = {}

    def about(self, transaction: str, service: str) -> Service:
        """With links that lead to this transaction."""
        known = {"{transaction}": quote(transaction, safe=""), "{service}": quote(service, safe="")}
        return msgspec.structs.replace(
            self,
            links={
                label: _BRACES.sub(lambda found: known.get(found[0], found[0]), link)
                for label, link in self.links.items()
                if transaction or "{transaction}" not in link
            },
        )


def read(node: Node) -> dict[str, Service]:
    return {name: _service(entry) for name, entry in node.mapping().items()}


def _service(node: Node) -> Service:
    entries = node.mapping(("owner", "contact", "runbook", "groups", "links"))
    links = entries["links"].mapping() if "links" in entries else {}
    if "groups" in entries:
        for item in entries["groups"].one_or_more():
            item.pattern()
    return Service(
        owner=entries["owner"].text() if "owner" in entries else "",
        contact=entries["contact"].text() if "contact" in entries else "",
        runbook=_address(entries["runbook"]) if "runbook" in entries else "",
        groups=entries["groups"].texts(or_one=True) if "groups" in entries else (),
        links={label: _link(link) for label, link in links.items()},
    )


def _address(node: Node) -> str:
    text = node.text()
    if urlsplit(text).scheme not in ("http", "https"):
        node.fail(f"expected an address that begins with https:// or http://, not {text!r}")
    return text


def _link(node: Node) -> str:
    text = _address(node)
    for name in _BRACES.findall(text):
        if name not in _PLACES:
            node.fail(f"{{{name}}} stands for nothing; {meant(name, _PLACES)}There are {{transaction}} and {{service}}")
    return text
