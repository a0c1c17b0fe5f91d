"""Finds out, from samples of topics, which field is the transaction id: the same values on several topics.

What speaks for a field: most records have it, its values come again on other topics, there are many of them, and each
comes within a short time. So a customer's number, which comes again all day long, and a status, of which there are few,
stand behind the order's number. Fields are looked for wherever paths lead: headers, keys and values.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median

import msgspec

from collector.decoding import paths, values, walking
from collector.decoding.content import Content

MOST_FIELDS = 300
"""So many fields of one topic are looked at."""
_MOST_DEPTH = 8
_MOST_ELEMENTS = 50
_LEAST_LENGTH = 3
_LEAST_SHARED = 3
"""Fewer values in common may be chance."""
_SHARED = 0.2
"""The share of values that two fields must have in common to be one thing."""
_FEW = 0.05
"""Fewer values than this share of the records name kinds, states or tenants, not transactions."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_PLAIN = re.compile(r'[^.\[\]"*]+')


class Sample(msgspec.Struct, frozen=True):
    """A record that was read to be looked at. `correlated`: a transaction id is found already."""

    topic: str
    time: datetime
    content: Content
    correlated: bool


class Found(msgspec.Struct, frozen=True):
    """Where the id lies on a topic, and in which share of its records. `known`: most of them have an id already."""

    topic: str
    path: str
    coverage: float
    known: bool


class Candidate(msgspec.Struct, frozen=True):
    """A field that may be the transaction id, with what speaks for it.

    values: how many different ones. shared: the share of them that came on several topics. records: of a value, on
    average. lasting: from the first to the last record of a value, usually. example: one value.
    """

    found: tuple[Found, ...]
    score: float
    values: int
    shared: float
    records: float
    lasting: timedelta
    example: str


_Field = tuple[str, str]
"""Topic and path."""


class _Values(msgspec.Struct):
    """What a field has held: when each value came, and in how many records there was one."""

    times: dict[str, list[datetime]] = {}
    records: int = 0


def candidates(samples: Sequence[Sample], most: int = 3) -> list[Candidate]:
    """The best first; empty where no field has values that come on several topics."""
    counts = Counter(sample.topic for sample in samples)
    known = Counter(sample.topic for sample in samples if sample.correlated)
    moments = [sample.time for sample in samples]
    length = max(moments) - min(moments) if moments else timedelta()
    fields = _fields(samples, counts)
    ranked = sorted(
        (_candidate(group, fields, counts, known, length) for group in _groups(fields)),
        key=lambda found: (-found.score, -found.values, found.found[0].path),
    )
    return [found for found in ranked if len(found.found) > 1][:most]


def rules(candidate: Candidate) -> str:
    """The YAML that makes it so, for the topics on which no id is found yet; empty where nothing is left to say."""
    by_path: dict[str, list[str]] = defaultdict(list)
    for found in candidate.found:
        if not found.known:
            by_path[found.path].append(found.topic)
    lines = [
        f"  - {{topics: {_quoted(_pattern(topics))}, transaction_id: {_quoted(path)}}}"
        for path, topics in sorted(by_path.items())
    ]
    return "\n".join(["correlation:", *lines]) if lines else ""


def _pattern(topics: Sequence[str]) -> str:
    names = [re.escape(topic).replace("\\-", "-") for topic in sorted(topics)]
    return f"^{names[0]}$" if len(names) == 1 else f"^({'|'.join(names)})$"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _fields(samples: Iterable[Sample], counts: Mapping[str, int]) -> dict[_Field, _Values]:
    """Fields that could name transactions: with many different values, none of them a moment or a mere number."""
    fields: dict[_Field, _Values] = {}
    per_topic: Counter[str] = Counter()
    for sample in samples:
        held = defaultdict(set)
        for path, text in _leaves(sample.content):
            held[path].add(text)
        for path, texts in held.items():
            field = (sample.topic, path)
            if field not in fields:
                if per_topic[sample.topic] >= MOST_FIELDS:
                    continue
                per_topic[sample.topic] += 1
                fields[field] = _Values()
            fields[field].records += 1
            for text in texts:
                fields[field].times.setdefault(text, []).append(sample.time)
    return {
        field: found
        for field, found in fields.items()
        if len(found.times) >= max(_LEAST_SHARED, _FEW * counts[field[0]])
    }


def _leaves(content: Content) -> Iterator[tuple[str, str]]:
    """Every field of a record that holds a name, by its path."""
    for header, value in content.headers.items():
        if value is not None and "*" not in header and (text := _name(value.decode(errors="replace"))):
            yield f"header:{header}", text
    for place, body in (("key", content.key), ("value", content.value)):
        if isinstance(body.document, dict | list):
            yield from _inside(body.document, place)
        elif (text := _name(body.document)) is not None:
            yield place, text


def _inside(document: object, place: str) -> Iterator[tuple[str, str]]:
    waiting: list[tuple[object, str, int]] = [(document, f"{place}:", 0)]
    while waiting:
        value, path, depth = waiting.pop()
        if isinstance(value, str) and walking.looks_like_json(value):
            value = walking.opened(value)
        if isinstance(value, dict) and depth < _MOST_DEPTH:
            for key, member in walking.members(value):
                name = key if _PLAIN.fullmatch(key) else f'"{key}"' if '"' not in key and key else None
                if name is not None:
                    waiting.append((member, path + name if path.endswith(":") else f"{path}.{name}", depth + 1))
        elif isinstance(value, list) and depth < _MOST_DEPTH:
            waiting += [(element, f"{path}[*]", depth + 1) for element in value[:_MOST_ELEMENTS]]
        elif (text := _name(value)) is not None:
            yield path, text


def _name(value: object) -> str | None:
    """The text, if it could be an id: no fraction, no moment, not too short and not too long."""
    if isinstance(value, float):
        return None
    text = paths.text_of(value)
    if text is None or not _LEAST_LENGTH <= len(text) <= values.ID_BYTES or values.is_none(text):
        return None
    return None if _MOMENT.match(text) or "\n" in text else text


def _groups(fields: Mapping[_Field, _Values]) -> Iterator[list[_Field]]:
    """Fields of several topics that hold the same things: connected by the values that they have in common."""
    by_value: dict[str, list[_Field]] = defaultdict(list)
    for field, found in fields.items():
        for text in found.times:
            by_value[text].append(field)
    common: Counter[tuple[_Field, _Field]] = Counter()
    for sharing in by_value.values():
        for at, one in enumerate(sharing):
            common.update((one, other) for other in sharing[at + 1 :] if other[0] != one[0])
    root = {field: field for field in fields}

    def find(field: _Field) -> _Field:
        while root[field] != field:
            field = root[field]
        return field

    for (one, other), count in common.items():
        if count >= max(_LEAST_SHARED, _SHARED * min(len(fields[one].times), len(fields[other].times))):
            root[find(one)] = find(other)
    groups: dict[_Field, list[_Field]] = defaultdict(list)
    for field in fields:
        groups[find(field)].append(field)
    yield from (group for group in groups.values() if len({topic for topic, _ in group}) > 1)


def _candidate(
    group: Sequence[_Field],
    fields: Mapping[_Field, _Values],
    counts: Mapping[str, int],
    known: Mapping[str, int],
    length: timedelta,
) -> Candidate:
    """Of each topic the field that has most in common with those of the other topics."""
    chosen = _chosen(group, fields, counts)
    times: dict[str, list[datetime]] = defaultdict(list)
    topics: dict[str, set[str]] = defaultdict(set)
    for topic, path in chosen:
        for text, moments in fields[topic, path].times.items():
            times[text] += moments
            topics[text].add(topic)
    coverage = {field: fields[field].records / counts[field[0]] for field in chosen}
    lasting = timedelta(seconds=median((max(all_) - min(all_)).total_seconds() for all_ in times.values()))
    shared = sum(len(where) > 1 for where in topics.values()) / len(times)
    reach = sum(len(where) for where in topics.values()) / len(times) / len(chosen)
    brief = 1 - lasting / length if length else 1.0
    covered = sum(coverage.values()) / len(counts)
    return Candidate(
        found=tuple(
            Found(topic, path, coverage[topic, path], known[topic] >= 0.9 * counts[topic])
            for topic, path in sorted(chosen)
        ),
        score=covered * reach * (0.5 + 0.5 * brief) * (0.5 + 0.5 * shared),
        values=len(times),
        shared=shared,
        records=sum(map(len, times.values())) / len(times),
        lasting=lasting,
        example=min(times, key=lambda text: (-len(topics[text]), len(text), text)),
    )


def _chosen(group: Sequence[_Field], fields: Mapping[_Field, _Values], counts: Mapping[str, int]) -> list[_Field]:
    occurs: dict[str, set[str]] = defaultdict(set)
    for topic, path in group:
        for text in fields[topic, path].times:
            occurs[text].add(topic)
    best: dict[str, tuple[float, str]] = {}
    for topic, path in group:
        found = fields[topic, path]
        common = sum(len(occurs[text]) - 1 for text in found.times) / len(found.times)
        rank = (-common * found.records / counts[topic], path)
        best[topic] = min(best.get(topic, rank), rank)
    return [(topic, path) for topic, (_, path) in best.items()]
