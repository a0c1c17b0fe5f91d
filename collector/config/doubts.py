"""What is written rightly and can still never apply: a rule behind one that always wins, a topic that is not read …"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from collector.config.yaml_reader import Node, meant
from collector.decoding import redaction
from collector.decoding.paths import Path, Place
from collector.decoding.rules import CorrelationRule

if TYPE_CHECKING:
    from collector.config.loader import Config, Topics

_TYPO = 0.8
"""How alike two names are of which one is probably a slip of the other."""
_LITERAL = re.compile(r"\^((?:[\w-]|\\[.-])+)")


def about(entries: Mapping[str, Node], config: Config) -> Iterator[str]:
    """Sentences, each with its line and key."""
    policy, masks = config.policy, config.policy.redact
    rules = list(zip(policy.correlation, _items(entries, "correlation"), strict=True))
    for at, (rule, node) in enumerate(rules):
        yield from _unread(rule.topics, node, config.topics)
        yield from _behind(rule, node, [earlier for earlier, _ in rules[:at]])
        hidden = _masked(rule.transaction_id, masks)
        if hidden and len(hidden) == len(rule.transaction_id):
            yield f"{node.place}: finds no transaction: {hidden[0]} is masked by redact, and a masked value is no id"
    for link, node in zip(policy.links, _items(entries, "links"), strict=True):
        yield from _unread(link.topics, node, config.topics)
        for path in _masked(link.ids, masks):
            yield f"{node.place}: {path} is masked by redact, so that it names no transaction"
    for name, found in (("keys", policy.keys), ("impact", (policy.impact,) if policy.impact else ())):
        for path in _masked(found, masks):
            yield f"{entries[name].place}: {path} is masked by redact, so that it is never found"
    for override, node in zip(policy.overrides, _items(entries, "overrides"), strict=True):
        yield from _unread(override.topics, node, config.topics)
    if "choreographies" in entries:
        yield from _unanswered(entries["choreographies"], config)


def _items(entries: Mapping[str, Node], name: str) -> list[Node]:
    return entries[name].items() if name in entries else []


def _behind(rule: CorrelationRule, node: Node, earlier: Iterable[CorrelationRule]) -> Iterator[str]:
    before = next((one for one in earlier if _always_wins(one, rule)), None)
    if before is not None:
        yield f"{node.place}: never applies: rule {before.number} goes before it, on all of its topics"


def _unread(topics: re.Pattern[str], node: Node, read: Topics) -> Iterator[str]:
    """Only of patterns that begin with plain text can it be said from here."""
    literal = _LITERAL.match(topics.pattern)
    if literal is None:
        return
    beginning = literal[1].replace("\\", "")
    for excluded in read.exclude:
        if excluded.pattern.startswith("^") and not excluded.pattern.endswith("$") and excluded.match(beginning):
            yield (
                f"{node.place}: never applies: no topic that begins with {beginning!r} is read,"
                f" since topics.exclude has {excluded.pattern!r}"
            )
            return


def _always_wins(earlier: CorrelationRule, later: CorrelationRule) -> bool:
    """Whether the earlier rule applies wherever the later one would."""
    if earlier.topics.pattern not in ("", "^", ".*", "^.*", later.topics.pattern):
        return False
    certain = any(path.place in (Place.TEXT, Place.TOPIC) for path in earlier.transaction_id or earlier.paths)
    wanted = {path.written for path in later.transaction_id}
    return certain or (bool(wanted) and wanted <= {path.written for path in earlier.transaction_id})


def _masked(paths: Iterable[Path], masks: tuple[Path, ...]) -> list[Path]:
    """Those of these paths that lead only to what is masked."""
    masking = redaction.Redaction.of(masks)
    return [path for path in paths if masking is not None and redaction.covers(masking, path)]


def _unanswered(node: Node, config: Config) -> Iterator[str]:
    """Triggers that nothing else in their choreography mentions, though something similar is mentioned."""
    nodes = node.mapping()
    for choreography in config.rulebook.choreographies:
        entries = nodes[choreography.name].mapping()
        answers = {name for rule in choreography.rules for name in rule.expect}
        mentioned = choreography.starts | choreography.completes | choreography.fails | answers
        own = [rule for rule in choreography.rules if not rule.part]
        for rule, at in zip(own, entries["rules"].items() if "rules" in entries else [], strict=True):
            for trigger in rule.after:
                if trigger not in mentioned and (close := meant(trigger, mentioned, _TYPO)):
                    yield f"{at.place}: nothing here brings {trigger}; {close}".rstrip()
