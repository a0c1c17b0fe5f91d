"""Whether the service that owes an answer has read the event that asks for it, by its groups' offsets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

Place = tuple[str, int]
"""Topic and partition."""

Kind = Literal["read", "behind", "no member", "not known"]
Basis = Literal["declared", "named", "learned", "likely", ""]
"""How the groups are known: the configuration names them; they are called after the service; they were learned; each of
them may be the service's, and it is not known which; none is."""
Standing = Literal["read", "at work", "behind", "not known"]
MOST_NAMED = 3
NEXT_FEW = 5
"""What is so near to what was committed may be at work on: services commit when they are done."""


class Trigger(msgspec.Struct, frozen=True):
    """The record of an event that asks for an answer."""

    topic: str
    partition: int
    offset: int

    @property
    def place(self) -> Place:
        return (self.topic, self.partition)


class Group(msgspec.Struct, frozen=True):
    """What Kafka knows of a consumer group. `members`: how many are alive; None where it does not say. `committed`: the
    next offset by partition, for those that it has committed; `assigned`: the partitions that its members read."""

    name: str
    members: int | None
    committed: Mapping[Place, int]
    assigned: frozenset[Place] = frozenset()

    def reads(self, triggers: Iterable[Trigger]) -> bool:
        """Whether it has to do with any of these at all."""
        return any(trigger.place in self.committed or trigger.place in self.assigned for trigger in triggers)


class Verdict(msgspec.Struct, frozen=True):
    """`behind`: how many records of the trigger's partition are not committed up to the trigger, which included; None
    where that is not known, or it is committed. That one of the next few may be at work on, only the sentence says."""

    kind: Kind
    sentence: str
    groups: tuple[str, ...] = ()
    behind: int | None = None
    basis: Basis = ""


def not_known(service: str) -> Verdict:
    of = f" of {service}" if service else ""
    return Verdict("not known", f"Whether it was read is not known: no consumer group{of} is known.")


def unanswered() -> Verdict:
    return Verdict("not known", "Whether it was read is not known: Kafka does not say it just now.")


def judge(service: str, triggers: Sequence[Trigger], groups: Sequence[Group], how: str = "") -> Verdict:
    """The verdict on a service by its groups. It has read what one of them has read; of several triggers, all. `how`
    these are known comes after them in the sentence."""
    if not triggers or not groups:
        return not_known(service)
    concerned = [group for group in groups if group.reads(triggers)] or list(groups)
    names = tuple(group.name for group in concerned)
    said = f"{service} (group {_some(names)}{how})"
    dead, standing = _is_dead(concerned), _standing(concerned, triggers)
    if standing == "read":
        since = ", and has no member alive now" if dead else ""
        return Verdict("read", f"{said} has read it and published nothing{since}.", names)
    behind = _behind(concerned, triggers)
    far = "" if behind is None else f", {_records(behind)} behind on its partition"
    if dead:
        return Verdict("no member", f"{said} has no member alive{far}.", names, behind)
    if standing == "not known":
        return Verdict("not known", f"Whether it was read is not known: {said} has committed nothing there.", names)
    if standing == "at work":
        return Verdict("behind", f"{said} has not committed it{far}: it may be at work on it.", names, behind)
    return Verdict("behind", f"{said} has not come to it yet{far}.", names, behind)


def judge_likely(service: str, triggers: Sequence[Trigger], groups: Sequence[Group]) -> Verdict:
    """One of these groups is the service's, and it is not known which: a verdict where it is the same for all."""
    each = {group.name: judge(service, triggers, [group]) for group in groups}
    read = tuple(name for name, one in each.items() if one.kind == "read")
    behind = tuple(name for name, one in each.items() if one.kind in ("behind", "no member"))
    names = (*behind, *read)
    if len(read) == len(each):
        sentence = (
            f"{service} has read it and published nothing: its group is one of {_some(read)}, and all have read it."
        )
        return Verdict("read", sentence, names, None, "likely")
    if len(behind) == len(each):
        least = min((one.behind for one in each.values() if one.behind is not None), default=None)
        at_work = any(_standing([group], triggers) == "at work" for group in groups)
        what = "has not committed it, and may be at work on it" if at_work else "has not come to it yet"
        sentence = f"{service} {what}: its group is one of {_some(behind)}, and none has."
        return Verdict("behind", sentence, names, least, "likely")
    sentence = f"Whether it was read is not certain: the group of {service} is one of {_some(tuple(each))}"
    if read and behind:
        sentence = f"{sentence}; {_some(read)} {_have(read)} read it, {_some(behind)} {_have(behind)} not"
    return Verdict("not known", f"{sentence}.", names or tuple(each), None, "likely")


def judge_all(
    service: str, waits: Sequence[Sequence[Trigger]], groups: Sequence[Group], how: str = "", *, newest: bool = False
) -> str:
    """The same of all that is overdue, each with its triggers, in one sentence. `newest`: there is more, and these are
    the newest."""
    triggers = [trigger for wait in waits for trigger in wait]
    if len(waits) == 1 or not triggers or not groups:
        return judge(service, triggers, groups, how).sentence
    concerned = [group for group in groups if group.reads(triggers)] or list(groups)
    standings = [_standing(concerned, wait) for wait in waits]
    said = f"{service} (group {_some([group.name for group in concerned])}{how})"
    if set(standings) == {"not known"}:
        return f"Whether they were read is not known: {said} has committed nothing there."
    dead = "; it has no member alive" if _is_dead(concerned) else ""
    return f"{_of(waits, newest=newest)}, {said} {_told(standings, _left(concerned, waits))}{dead}."


def judge_all_likely(
    service: str, waits: Sequence[Sequence[Trigger]], groups: Sequence[Group], *, newest: bool = False
) -> str:
    """Where one of these groups is the service's, and it is not known which: what is the same for all of them."""
    if len(waits) == 1:
        return judge_likely(service, waits[0], groups).sentence
    names = _some([group.name for group in groups])
    standings = [_common_standing(groups, wait) for wait in waits]
    if set(standings) == {"not known"}:
        return f"Whether they were read is not certain: the group of {service} is one of {names}."
    return f"{_of(waits, newest=newest)}, {service} {_told(standings, None)}: its group is one of {names}."


def _common_standing(groups: Iterable[Group], triggers: Sequence[Trigger]) -> Standing:
    each = {_standing([group], triggers) for group in groups}
    if len(each) == 1:
        return each.pop()
    return "at work" if each == {"at work", "behind"} else "not known"


def _of(waits: Sequence[Sequence[Trigger]], *, newest: bool) -> str:
    return f"Of {'the newest ' if newest else ''}{len(waits):,} that are overdue"


def _told(standings: Sequence[Standing], left: int | None) -> str:
    """How many stand where. `left`: how many records there are up to the last of those that are not read."""
    counts, parts = Counter(standings), []
    unread = counts["at work"] + counts["behind"]
    any_ = "any" if unread == len(standings) else f"{unread:,}"
    if counts["read"]:
        many = "all" if counts["read"] == len(standings) else f"{counts['read']:,}"
        parts.append(f"has read {many} and published nothing")
    if counts["behind"]:
        notes = [] if left is None else [f"{_records(left)} behind the last of them"]
        notes += ["it may be at work on the next few"] if counts["at work"] else []
        parts.append(f"has not come to {any_}" + (f" ({'; '.join(notes)})" if notes else ""))
    elif unread:
        parts.append(f"has not committed {any_} (it may be at work on {'it' if unread == 1 else 'them'})")
    if counts["not known"]:
        parts.append(f"of {counts['not known']:,} it is not known")
    return ", and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _left(groups: Sequence[Group], waits: Iterable[Sequence[Trigger]]) -> int | None:
    """How many records are not committed up to the last trigger of each partition; None where that is not known."""
    furthest: dict[Place, int] = {}
    for trigger in (trigger for wait in waits for trigger in wait):
        distance = _behind(groups, [trigger])
        if distance is not None:
            furthest[trigger.place] = max(distance, furthest.get(trigger.place, 0))
    return sum(furthest.values()) or None


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")


def _records(count: int) -> str:
    return f"{count:,} {'record' if count == 1 else 'records'}"


def _have(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _is_dead(groups: Collection[Group]) -> bool:
    """Whether it is known of all that nobody is alive."""
    return all(group.members == 0 for group in groups)


def _standing(groups: Sequence[Group], triggers: Sequence[Trigger]) -> Standing:
    """How far these groups are together."""
    if all(any(_has_read(group, trigger) for group in groups) for trigger in triggers):
        return "read"
    if _is_dead(groups):
        return "behind"
    if not any(group.reads(triggers) for group in groups):
        return "not known"
    behind = _behind(groups, triggers)
    return "at work" if behind is not None and behind <= NEXT_FEW else "behind"


def _has_read(group: Group, trigger: Trigger) -> bool:
    return group.committed.get(trigger.place, -1) > trigger.offset


def _behind(groups: Sequence[Group], triggers: Sequence[Trigger]) -> int | None:
    """By the group that has come furthest, to the trigger that is furthest away."""
    distances = [
        min(
            (
                trigger.offset + 1 - group.committed[trigger.place]
                for group in groups
                if trigger.place in group.committed
            ),
            default=None,
        )
        for trigger in triggers
    ]
    return max((distance for distance in distances if distance is not None and distance > 0), default=None)
