"""The rules that were learned, as they are stored: those in force now, and by what others they were replaced."""

from __future__ import annotations

from collections import defaultdict

from collector.correlation.choreography import Rule
from collector.correlation.learned import Learned, learned_rule
from collector.models import LearnedRule

Version = tuple[int, int]
"""Of the rules in force: the latest of them, and how many there are. Each change alters it, for rows are only added and
ended."""

Kind = LearnedRule.Kind


def version() -> Version:
    """One query, of an index that holds only what is in force."""
    ids = list(LearnedRule.objects.filter(until=None).order_by("id").values_list("id", flat=True))
    return (ids[-1], len(ids)) if ids else (0, 0)


def in_force() -> list[Learned]:
    """What was learned of each choreography. One query."""
    responses: defaultdict[str, list[Rule]] = defaultdict(list)
    types: defaultdict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for row in LearnedRule.objects.filter(until=None).order_by("choreography", "after", "expect"):
        if row.kind == Kind.RESPONSE and row.within is not None:
            service = row.services[0] if len(row.services) == 1 else ""
            responses[row.choreography].append(learned_rule(row.after, row.expect, service, row.within))
        else:
            types[row.choreography][row.kind] = frozenset(row.expect)
    return [
        Learned(
            name,
            tuple(responses[name]),
            types[name].get(Kind.ENDS, frozenset()),
            types[name].get(Kind.TYPES, frozenset()),
        )
        for name in sorted({*responses, *types})
    ]
