"""The parts of the configuration that say how records are read and what is kept of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from collector.config.yaml_reader import Node
from collector.decoding import paths
from collector.decoding.paths import Path, Place
from collector.decoding.policy import Override
from collector.decoding.rules import CorrelationRule, Link

_ATTRIBUTES = ("transaction_id", "id", "type", "service", "source", "time", "causes")
_EVERY = re.compile("")


def correlation(node: Node) -> tuple[CorrelationRule, ...]:
    return tuple(_rule(number, entry) for number, entry in enumerate(node.items(), start=1))


def _rule(number: int, node: Node) -> CorrelationRule:
    entries = node.mapping(("topics", *_ATTRIBUTES))
    found = {name: keys(entries[name]) for name in _ATTRIBUTES if name in entries}
    if not found:
        node.fail(f"says nothing: give a path to at least one of {', '.join(_ATTRIBUTES)}")
    return CorrelationRule(number, _topics(entries), **found)


def _topics(entries: Mapping[str, Node]) -> re.Pattern[str]:
    return entries["topics"].pattern() if "topics" in entries else _EVERY


def links(node: Node) -> tuple[Link, ...]:
    return tuple(_link(number, entry) for number, entry in enumerate(node.items(), start=1))


def _link(number: int, node: Node) -> Link:
    entries = node.mapping(("topics", "ids"))
    if "ids" not in entries:
        node.fail("ids is missing: the paths of ids that name the same transaction")
    ids = keys(entries["ids"])
    if len(ids) < 2:
        entries["ids"].fail("expected at least two paths: of ids that name the same transaction")
    for path, item in zip(ids, entries["ids"].items(), strict=True):
        if path.place in (Place.TEXT, Place.TOPIC):
            item.fail("would make one transaction of all that have it; expected a path to an id")
    return Link(number, _topics(entries), ids)


def overrides(node: Node) -> tuple[Override, ...]:
    return tuple(map(_override, node.items()))


def _override(node: Node) -> Override:
    entries = node.mapping(("topics", "keys", "impact", "redact", "payloads", "undecodable"))
    if "topics" not in entries:
        node.fail("topics is missing: a pattern of the topics on which things are different")
    if len(entries) == 1:
        node.fail("says nothing: give keys, impact, redact, payloads or undecodable")
    return Override(
        topics=_topics(entries),
        keys=keys(entries["keys"]) if "keys" in entries else (),
        impact=impact(entries["impact"]) if "impact" in entries else None,
        redact=redact(entries["redact"]) if "redact" in entries else (),
        payloads=payloads(entries["payloads"]) if "payloads" in entries else None,
        encrypt=undecodable(entries["undecodable"]) if "undecodable" in entries else None,
    )


def keys(node: Node) -> tuple[Path, ...]:
    return tuple(_path(item) for item in node.one_or_more())


def _path(node: Node) -> Path:
    return node.read_as(paths.parse, "a path into the record")


def impact(node: Node) -> Path:
    path = _path(node)
    if path.place in (Place.TEXT, Place.TOPIC):
        node.fail("expected a path to a number, such as value:order.total")
    return path


def redact(node: Node) -> tuple[Path, ...]:
    return tuple(_mask(item) for item in node.one_or_more())


def _mask(node: Node) -> Path:
    path = node.read_as(lambda text: paths.parse(text, any_case=True), "a path into the record")
    if path.place in (Place.TEXT, Place.TOPIC):
        node.fail("only headers, keys and values can be masked, such as header:authorization or value:**.card_number")
    return path


def payloads(node: Node) -> bool:
    return node.choice({"masked": True, "none": False})


def undecodable(node: Node) -> bool:
    return node.choice({"reference": False, "encrypt": True})
