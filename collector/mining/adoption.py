"""A choreography as it was discovered, written as configuration: to be read by a person, changed, and adopted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta

import yaml

from collector.mining.lessons import Taught, rounded
from collector.mining.responses import Response, Seen

_SURE = 0.99
_LONG = 1_000_000


def adopted(name: str, found: Taught, transactions: Sequence[Seen]) -> str:
    """As YAML with the evidence in comments. What nearly always comes is expected, what often comes is optional; what
    is tied to nothing is named as what may come, so that it is not unexpected."""
    starts = Counter(one.types[0] for one in transactions)
    lines = [
        f"# Discovered in {len(transactions):,} transactions. Read it, change what is not meant, and put it into the",
        "# configuration; there is nothing in it that python manage.py check_config would not take.",
        "choreographies:",
        f"  {_text(name)}:",
        f"    starts: {_texts(sorted(starts))}    # {_shares(starts, len(transactions))}",
    ]
    if found.ends:
        lines.append(
            f"    completes: {_texts(found.ends)}    # after these, hardly anything comes; move to fails what is one"
        )
    answers = [rule for rule in found.responses if not set(rule.after) & set(rule.expect)]
    told = {kind for rule in answers for kind in (*rule.after, *rule.expect)} | starts.keys() | set(found.ends)
    loose = [kind for kind in found.types if kind not in told]
    if answers or loose:
        lines.append("    rules:")
    lines += [line for rule in answers for line in _rule(rule)]
    lines += [line for kind in loose for line in _loose(kind, transactions, starts)]
    return "\n".join(lines) + "\n"


def _rule(rule: Response) -> Iterable[str]:
    basis = "" if rule.basis == "causes" else "; by order, causes are not named"
    yield (
        f"      # {rule.confidence:.1%} of {rule.support:,} were answered; half within {_span(rule.p50)},"
        f" 99% within {_span(rule.p99)}{basis}"
    )
    said = [f"after: {_one_or_more(rule.after)}", f"expect: {_one_or_more(rule.expect)}"]
    if len(rule.services) == 1:
        said.append(f"from: {_text(rule.services[0])}")
    if rule.confidence >= _SURE:
        said.append(f"within: {written(rounded(rule.deadline))}")
    else:
        said.append("optional: true")
    yield f"      - {{{', '.join(said)}}}"


def _loose(kind: str, transactions: Iterable[Seen], starts: Counter[str]) -> Iterable[str]:
    """An optional answer to what most often led to it, or else to the start."""
    led: Counter[str] = Counter()
    count = 0
    for one in transactions:
        count += kind in one.types
        for name, parents in zip(one.types, one.parents, strict=True):
            if name == kind:
                led.update(one.types[parent] for parent in parents if one.types[parent] != kind)
    likely = led or starts
    after = next((name for name, _ in likely.most_common() if name != kind), None)
    if after is not None:
        yield f"      # in {count:,} transactions; " + (
            "what led to it differs" if led else "nothing is known to lead to it"
        )
        yield f"      - {{after: {_text(after)}, expect: {_text(kind)}, optional: true, even_after_end: true}}"


def written(span: timedelta) -> str:
    """As the configuration writes durations."""
    millis = max(1, round(span / timedelta(milliseconds=1)))
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if millis % size == 0:
            return f"{millis // size}{unit}"
    return f"{millis}ms"


def _span(seconds: float) -> str:
    return written(rounded(seconds)) if seconds > 0 else "no time"


def _shares(counts: Counter[str], of: int) -> str:
    return ", ".join(f"{count / of:.1%}" for _, count in sorted(counts.items()))


def _one_or_more(names: Sequence[str]) -> str:
    return _text(names[0]) if len(names) == 1 else _texts(names)


def _texts(names: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, names))}]"


def _text(name: str) -> str:
    """In quotes where YAML would read something else; escaped where what it would read cannot be seen."""
    seen = name.isprintable()
    plain = yaml.safe_dump(
        [name], default_flow_style=True, default_style=None if seen else '"', width=_LONG, allow_unicode=seen
    )
    return str(plain).strip()[1:-1]
