"""Many services drawn as few: those of one owner, or with the same beginning of their names, as one box."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec
from django.conf import settings

from collector import config
from dashboard.graphs import Flow, Waiting

FOLDS = {"owner": "By owner", "name": "By name"}
_FIRST = re.compile(r"^([^\W_]+)[-_./:]")

Grouping = Callable[[str], str]
"""The group that a service belongs to; empty where to none."""


def groups(fold: str) -> Grouping:
    if fold == "name":
        return first_part
    declared = config.current(settings.CHOREOSCOPE_CONFIG).services
    owners = {name: service.owner for name, service in declared.items()}
    return lambda service: owners.get(service, "")


def first_part(service: str) -> str:
    """ "shop" of "shop-cart"; nothing of a name in one piece."""
    found = _FIRST.match(service)
    return found[1] if found else ""


def folded(
    flows: Sequence[Flow], waiting: Sequence[Waiting], group: Grouping, unfolded: Collection[str]
) -> tuple[list[Flow], list[Waiting]]:
    """Groups of two services and more in their services' place. What flows within a group is not drawn."""
    named = {flow.source_service for flow in flows} | {flow.target_service for flow in flows}
    name = _names(named | {wait.service for wait in waiting}, group, unfolded)
    drawn = [
        msgspec.structs.replace(
            flow, source_service=name[flow.source_service], target_service=name[flow.target_service]
        )
        for flow in flows
        if not flow.source_type
        or flow.source_service == flow.target_service
        or name[flow.source_service] != name[flow.target_service]
    ]
    return drawn, [msgspec.structs.replace(wait, service=name[wait.service]) for wait in waiting]


def _names(services: Iterable[str], group: Grouping, unfolded: Collection[str]) -> dict[str, str]:
    members: dict[str, list[str]] = defaultdict(list)
    names = {}
    for service in services:
        names[service] = service
        members[group(service)].append(service)
    for found, within in members.items():
        if found and found not in unfolded and len(within) > 1:
            names.update(dict.fromkeys(within, label(found, len(within))))
    return names


def label(group: str, count: int) -> str:
    return f"{group} ({count} services)"
