"""The `choreographies:` part of the configuration. docs/lifecycle.md says what the rules mean."""

from __future__ import annotations

from collector.config.yaml_reader import Node
from collector.correlation.choreography import Choreography, Rule


def read(node: Node) -> tuple[Choreography, ...]:
    return tuple(_choreography(name, entry) for name, entry in node.mapping().items())


def _choreography(name: str, node: Node) -> Choreography:
    entries = node.mapping(("starts", "completes", "fails", "timeout", "idle_timeout", "rules"))
    if "starts" not in entries:
        node.fail("starts is missing: name the event types that begin such a transaction")
    completes, fails = (
        frozenset(entries[key].texts(or_one=True)) if key in entries else frozenset() for key in ("completes", "fails")
    )
    if both := completes & fails:
        entries["fails"].fail(f"{min(both)} is named under completes as well; it can only be one of them")
    rules = entries["rules"].items() if "rules" in entries else []
    return Choreography(
        name=name,
        starts=frozenset(entries["starts"].texts(or_one=True)),
        completes=completes,
        fails=fails,
        timeout=entries["timeout"].duration() if "timeout" in entries else None,
        idle_timeout=entries["idle_timeout"].duration() if "idle_timeout" in entries else None,
        rules=tuple(_rule(str(i), rule) for i, rule in enumerate(rules)),
    )


def _rule(key: str, node: Node) -> Rule:
    entries = node.mapping(("after", "expect", "from", "within", "compensates", "even_after_end"))
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
    return Rule(
        key=key,
        after=after,
        expect=expect,
        service=entries["from"].text() if "from" in entries else "",
        within=entries["within"].duration() if "within" in entries else None,
        compensates=entries["compensates"].text() if "compensates" in entries else None,
        even_after_end=entries["even_after_end"].flag() if "even_after_end" in entries else False,
    )
