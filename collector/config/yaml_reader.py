"""Reads YAML with the place of everything in it, so that every complaint names line and key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import NoReturn, TypeVar

import yaml

from collector.config import durations

T = TypeVar("T")
_DURATION_SHAPE = "a duration such as 30s, 5m, 2h or P1D"


class ConfigError(Exception):
    """A mistake in the configuration; the message names file, line and key, and what would be right."""


class Node:
    """A value in a YAML file with its place. `path` is its dotted key from the top."""

    def __init__(self, file: str, path: str, node: yaml.Node) -> None:
        self.file, self.path, self.node = file, path, node

    @property
    def place(self) -> str:
        return f"{self.file}, line {self.node.start_mark.line + 1}, {self.path or 'top level'}"

    def fail(self, complaint: str) -> NoReturn:
        raise ConfigError(f"{self.place}: {complaint}".rstrip("; "))

    def mapping(self, known: tuple[str, ...] = ()) -> dict[str, Node]:
        """Its entries; with `known`, any other key is a mistake. A key that comes twice is one as well."""
        if not isinstance(self.node, yaml.MappingNode):
            self.fail("expected keys with values here (a mapping)")
        entries: dict[str, Node] = {}
        for key_node, value in self.node.value:
            key = str(key_node.value)
            at = Node(self.file, f"{self.path}.{key}".lstrip("."), key_node)
            if known and key not in known:
                at.fail(f"this key is not known; {meant(key, known)}Known here: {', '.join(known)}")
            if key in entries:
                at.fail("this key is here twice")
            entries[key] = Node(self.file, at.path, value)
        return entries

    def items(self) -> list[Node]:
        if not isinstance(self.node, yaml.SequenceNode):
            self.fail("expected a list here")
        return [Node(self.file, f"{self.path}[{i}]", item) for i, item in enumerate(self.node.value)]

    def one_or_more(self) -> list[Node]:
        """The items of a list; a single text stands for a list of one."""
        return [self] if isinstance(self.node, yaml.ScalarNode) else self.items()

    def text(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag == "tag:yaml.org,2002:null":
            self.fail("expected text here")
        return str(self.node.value)

    def texts(self, *, or_one: bool = False) -> tuple[str, ...]:
        """A list of texts; with `or_one`, a single text stands for a list of one."""
        return tuple(item.text() for item in (self.one_or_more() if or_one else self.items()))

    def duration(self) -> timedelta:
        return self.read_as(durations.parse, _DURATION_SHAPE)

    def count(self) -> int:
        value = self.read_as(int, "a whole number")
        if value < 1:
            self.fail("expected a whole number from 1 up")
        return value

    def flag(self) -> bool:
        found = {"true": True, "false": False}.get(self.text().lower())
        if found is None:
            self.fail("expected true or false")
        return found

    def choice(self, allowed: Mapping[str, T]) -> T:
        text = self.text()
        if text not in allowed:
            self.fail(f"expected {' or '.join(allowed)}, not {text!r}; {meant(text, allowed)}")
        return allowed[text]

    def pattern(self) -> re.Pattern[str]:
        return self.read_as(re.compile, "a regular expression")

    def patterns(self) -> tuple[re.Pattern[str], ...]:
        return tuple(item.pattern() for item in self.items())

    def read_as(self, parse: Callable[[str], T], shape: str) -> T:
        text = self.text()
        try:
            return parse(text)
        except (ValueError, re.error) as error:
            self.fail(f"expected {shape}: {error}")


def meant(text: str, known: Iterable[str], alike: float = 0.6) -> str:
    """ "did you mean …? " where one of the known is at least so much `alike` (from 0 to 1), else nothing."""
    close = difflib.get_close_matches(text, list(known), n=1, cutoff=alike)
    return f"did you mean {close[0]!r}? " if close else ""


def read(file: str, content: str) -> Node | None:
    """The top of the document, or None for an empty one. Raises ConfigError where it is not YAML."""
    try:
        top = yaml.compose(content, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{file}, line {line}: this is not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: this is not YAML: {error}") from error
    return Node(file, "", top) if top is not None else None
