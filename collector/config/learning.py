"""The `learning:` part of the configuration: whether what is learned is used, and how sure it has to be."""

from __future__ import annotations

from typing import Any

import yaml

from collector.config.yaml_reader import Node
from collector.mining.lessons import Settings

_SWITCH = {"on": True, "true": True, "off": False, "false": False}


def read(node: Node) -> Settings:
    """on, off, or how."""
    if isinstance(node.node, yaml.ScalarNode):
        return Settings(acts=node.choice(_SWITCH))
    entries = node.mapping(("on", "support", "confidence", "floor", "factor", "adopt", "except"))
    given: dict[str, Any] = {name: entries[name].duration() for name in ("floor", "adopt") if name in entries}
    if "on" in entries:
        given["acts"] = entries["on"].flag()
    if "support" in entries:
        given["support"] = entries["support"].count()
    if "confidence" in entries:
        given["confidence"] = _number(entries["confidence"], 0.5, 1, "a share from 0.5 to 1, such as 0.99")
    if "factor" in entries:
        given["factor"] = _number(entries["factor"], 1, 1_000, "a number from 1 up, such as 3")
    if "except" in entries:
        given["except_for"] = entries["except"].texts(or_one=True)
    return Settings(**given)


def _number(node: Node, least: float, most: float, shape: str) -> float:
    value = node.read_as(float, shape)
    if not least <= value <= most:
        node.fail(f"expected {shape}")
    return value
