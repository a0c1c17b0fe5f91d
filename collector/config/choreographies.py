"""The `choreographies:` part of the configuration. docs/rules.md says what each rule means."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
import yaml

from collector.config.yaml_reader import Node, meant
from collector.correlation.choreography import Choreography, Rule

KEYS = (
    "starts",
    "completes",
    "fails",
    "timeout",
    "idle_timeout",
    "rules",
    "never_after",
    "only_after",
    "parts",
)
RULE_KEYS = ("after", "expect", "from", "within", "compensates", "even_after_end", "optional")


def read(node: Node) -> tuple[Choreography, ...]:
    nodes = {name: (entry, entry.mapping(KEYS)) for name, entry in node.mapping().items()}
    found = {name: _choreography(name, *both) for name, both in nodes.items()}
    nested = [name for name, (_, entries) in nodes.items() if "parts" in entries]
    for name in nested:
        found[name] = _with_parts(name, nodes[name][1]["parts"], found, nested)
    for name, (_, entries) in nodes.items():
        _no_contradiction(found[name], entries)
    return tuple(found.values())


def _choreography(name: str, node: Node, entries: Mapping[str, Node]) -> Choreography:
    if "starts" not in entries:
        node.fail("starts is missing: name the event types that begin such a transaction")
    completes, completes_all = _completes(entries["completes"]) if "completes" in entries else (frozenset[str](), False)
    fails = frozenset(entries["fails"].texts(or_one=True)) if "fails" in entries else frozenset()
    if both := completes & fails:
        entries["fails"].fail(f"{min(both)} is named under completes as well; it can only be one of them")
    rules = entries["rules"].items() if "rules" in entries else []
    return Choreography(
        name=name,
        starts=frozenset(entries["starts"].texts(or_one=True)),
        completes=completes,
        completes_all=completes_all,
        fails=fails,
        timeout=entries["timeout"].duration() if "timeout" in entries else None,
        idle_timeout=entries["idle_timeout"].duration() if "idle_timeout" in entries else None,
        rules=tuple(_rule(str(i), rule) for i, rule in enumerate(rules)),
        never_after=_bounds(entries["never_after"]) if "never_after" in entries else {},
        only_after=_bounds(entries["only_after"]) if "only_after" in entries else {},
    )


def _completes(node: Node) -> tuple[frozenset[str], bool]:
    """A list, of which any one event will do; or {all: […]}, or {any: […]}."""
    if not isinstance(node.node, yaml.MappingNode):
        return frozenset(node.texts(or_one=True)), False
    entries = node.mapping(("any", "all"))
    if len(entries) != 1:
        node.fail("expected a list of event types, or either any or all with such a list")
    ((how, names),) = entries.items()
    return frozenset(names.texts()), how == "all"


def _bounds(node: Node) -> dict[str, tuple[str, ...]]:
    found = {}
    for name, entry in node.mapping().items():
        found[name] = entry.texts(or_one=True)
        if name in found[name]:
            entry.fail(f"{name} can't be bound to itself")
        if not found[name]:
            entry.fail("expected at least one event type")
    return found


def _with_parts(name: str, node: Node, found: Mapping[str, Choreography], nested: Collection[str]) -> Choreography:
    """The choreography with what it passes through: the parts' rules after its own, under keys of their own."""
    parts: dict[str, Choreography] = {}
    for item in node.items():
        part = item.text()
        if part == name:
            item.fail("a choreography is no part of itself")
        if part not in found:
            item.fail(f"no choreography has this name; {meant(part, found)}")
        if part in nested:
            item.fail(f"{part} has parts itself; name those here as well, beside it")
        if part in parts:
            item.fail(f"{part} is here twice")
        parts[part] = found[part]
    rules = [
        msgspec.structs.replace(rule, key=f"{part.name}.{rule.key}", part=part.name)
        for part in parts.values()
        for rule in part.rules
    ]
    whole = found[name]
    return msgspec.structs.replace(whole, parts=tuple(parts.values()), rules=(*whole.rules, *rules))


def _no_contradiction(choreography: Choreography, entries: Mapping[str, Node]) -> None:
    """What must come cannot be what must not come."""
    for trigger, never in choreography.never_after.items():
        for rule in choreography.rules:
            if rule.after == (trigger,) and set(rule.expect) <= set(never):
                entries["never_after"].fail(
                    f"a rule expects {rule.awaited} after {trigger}; it cannot be forbidden there"
                )
        for name in never:
            if trigger in choreography.only_after.get(name, ()):
                entries["never_after"].fail(f"only_after says that {name} comes only after {trigger}")


def _rule(key: str, node: Node) -> Rule:
    entries = node.mapping(RULE_KEYS)
    for needed in ("after", "expect"):
        if needed not in entries:
            node.fail(f"{needed} is missing: a rule says after which event which one is expected")
    after, expect = entries["after"].texts(or_one=True), entries["expect"].texts(or_one=True)
    if len(set(after)) != len(after):
        entries["after"].fail("a join names each of its triggers once")
    if shared := set(after) & set(expect):
        entries["expect"].fail(f"{min(shared)} cannot answer itself; it stands under after")
    if not after or not expect:
        node.fail("after and expect each name at least one event type")
    optional = entries["optional"].flag() if "optional" in entries else False
    if optional and "compensates" in entries:
        entries["optional"].fail("what has to be undone is not optional")
    return Rule(
        key=key,
        after=after,
        expect=expect,
        service=entries["from"].text() if "from" in entries else "",
        within=entries["within"].duration() if "within" in entries else None,
        compensates=entries["compensates"].text() if "compensates" in entries else None,
        even_after_end=entries["even_after_end"].flag() if "even_after_end" in entries else False,
        optional=optional,
    )
