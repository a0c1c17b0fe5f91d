"""How records of each topic are read and what is kept of them: the part of the configuration that decoding needs."""

from __future__ import annotations

import re
from functools import cached_property

import msgspec

from collector.decoding.paths import Path
from collector.decoding.redaction import Redaction
from collector.decoding.rules import CorrelationRule, Link

MOST_TOPICS = 10_000


class Handling(msgspec.Struct, frozen=True):
    """What holds for the records of one topic.

    `payloads`: whether keys, headers and values are stored; `encrypt`: whether undecodable records are, encrypted;
    `failures`: whether it is a retry or dead-letter topic.
    """

    rules: tuple[CorrelationRule, ...] = ()
    links: tuple[Link, ...] = ()
    keys: tuple[Path, ...] = ()
    impact: Path | None = None
    redaction: Redaction | None = None
    payloads: bool = True
    encrypt: bool = False
    failures: bool = False


PLAIN = Handling()
"""Of a topic that nothing was said about: the dialects alone read its records, and they are kept."""


class Override(msgspec.Struct, frozen=True):
    """What is different on some topics. Keys and masks are added; the others count instead of the general ones."""

    topics: re.Pattern[str]
    keys: tuple[Path, ...] = ()
    impact: Path | None = None
    redact: tuple[Path, ...] = ()
    payloads: bool | None = None
    encrypt: bool | None = None


class Policy(msgspec.Struct, frozen=True, dict=True):
    """How topics are handled; `override`s apply in their order, so that the last counts."""

    correlation: tuple[CorrelationRule, ...] = ()
    links: tuple[Link, ...] = ()
    keys: tuple[Path, ...] = ()
    impact: Path | None = None
    redact: tuple[Path, ...] = ()
    payloads: bool = True
    encrypt: bool = False
    failures: tuple[re.Pattern[str], ...] = ()
    overrides: tuple[Override, ...] = ()

    @cached_property
    def _known(self) -> dict[str, Handling]:
        return {}

    @property
    def weighs(self) -> bool:
        """Whether any topic's records say what is at stake."""
        return self.impact is not None or any(override.impact is not None for override in self.overrides)

    def of(self, topic: str) -> Handling:
        """What holds for the topic of this name."""
        known = self._known.get(topic)
        if known is None:
            if len(self._known) >= MOST_TOPICS:
                self._known.clear()
            known = self._known[topic] = self._handling(topic)
        return known

    def _handling(self, topic: str) -> Handling:
        found = Handling(
            rules=tuple(rule for rule in self.correlation if rule.topics.search(topic)),
            links=tuple(link for link in self.links if link.topics.search(topic)),
            keys=self.keys,
            impact=self.impact,
            payloads=self.payloads,
            encrypt=self.encrypt,
            failures=any(pattern.search(topic) for pattern in self.failures),
        )
        redact = self.redact
        for override in self.overrides:
            if override.topics.search(topic):
                redact += override.redact
                found = msgspec.structs.replace(
                    found,
                    keys=(*found.keys, *override.keys),
                    impact=override.impact or found.impact,
                    payloads=found.payloads if override.payloads is None else override.payloads,
                    encrypt=found.encrypt if override.encrypt is None else override.encrypt,
                )
        handling = msgspec.structs.replace(found, redaction=Redaction.of(redact))
        return PLAIN if handling == PLAIN else handling
