"""Where a transaction stands, in plain words: what is said first on its page. PURE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from collector.correlation.choreography import Choreography
from collector.correlation.events import EventKey, Skeleton
from collector.correlation.state import Pending
from dashboard.graphs.text import about
from dashboard.pages.statement import Count, Flowing, Since, Standing, Statement, Text, Until, Wait
from dashboard.pages.wording import between, clock, counted, listed, span

OPEN = ("running", "compensating")
LEARNED = "learned"
"""The basis of deadlines that nobody declared."""
_LAST = datetime.max.replace(tzinfo=UTC)
_Parts = tuple[Text, list[Text]]


def state(
    transaction: Standing,
    pending: Sequence[Pending],
    events: Sequence[Skeleton],
    choreography: Choreography,
    now: datetime,
    unjudged: Wait | None = None,
) -> Statement:
    """The whole statement. `events` in event order; `pending` as stored with the transaction.

    `unjudged`: since when deadlines wait, because reading or judging does.
    """
    still = transaction.phase in OPEN and unjudged is not None and unjudged.wholly
    known = {event.key: event for event in events}
    if transaction.oversized:
        head, details = _oversized(transaction)
    elif transaction.status == "stuck":
        head, details = _stuck(pending, known, choreography)
    elif transaction.phase in OPEN:
        head, details = _open(transaction, pending, known, choreography, now, still)
    else:
        head, details = _ended(transaction, pending, events, choreography)
    if still and unjudged:
        details = [*details, _stood(unjudged)]
    return Statement(transaction.status, head, (*details, *_reservations(transaction)))


def awaited(entry: Pending) -> str:
    """ "PaymentAuthorized or PaymentDeclined from payment"."""
    expected = listed(entry.expect, "or")
    return f"{expected} from {entry.service}" if entry.service else expected


def short(pending: Sequence[Pending], transaction: Standing) -> str:
    """One line for a list: what it waits for, worst first; empty where nothing is awaited."""
    if not pending or transaction.phase not in OPEN:
        return ""
    entry = _worst_first(pending)[0]
    if entry.kind == "timeout":
        return f"has not ended in {transaction.choreography}'s time"
    # The service comes first: whom to call must not be what a narrow column cuts off.
    expected = listed(entry.expect, "or")
    return f"waits for {entry.service}: {expected}" if entry.service else f"waits for {expected}"


def learned(pending: Sequence[Pending], transaction: Standing) -> bool:
    """Whether the deadline of what `short` tells was learned."""
    return bool(pending) and transaction.phase in OPEN and _worst_first(pending)[0].basis == LEARNED


def hints(overdue: Pending, flowing: Flowing, likewise: Count) -> list[Text]:
    """What is known around an overdue step: its usual time, when the service was last heard, who else waits there."""
    found: list[Text] = []
    usual = flowing.between(overdue.after, overdue.expect)
    if usual and usual.p50 is not None and usual.p95 is not None:
        who = f"{overdue.service} usually answers" if overdue.service else "Usually it is answered"
        found.append((f"{who} within {about(usual.p50)}, 95% of the time within {about(usual.p95)}.",))
    if overdue.service:
        heard = flowing.last_heard(overdue.service)
        if heard:
            found.append((f"{overdue.service} was last heard from about ", Since(heard), " ago."))
        else:
            found.append((f"{overdue.service} has not been heard from for an hour or more.",))
    if likewise:
        verb = "transaction waits" if likewise.count == 1 else "transactions wait"
        found.append((f"{likewise} other {verb} at the same step.",))
    return found


def _stuck(pending: Sequence[Pending], known: Mapping[EventKey, Skeleton], choreography: Choreography) -> _Parts:
    overdue = _worst_first([entry for entry in pending if entry.overdue and entry.deadline])
    if not overdue:
        return ("Overdue.",), []
    worst, others = overdue[0], overdue[1:]
    head = (*_waiting(worst, choreography), " — ", Since(_deadline(worst)), " overdue.")
    details = [_expectation(worst, known, choreography)]
    if others:
        details.append(("Also overdue: ", "; ".join(awaited(entry) for entry in others), "."))
    details += _half_met(pending, known, choreography)
    return head, details


def _open(
    transaction: Standing,
    pending: Sequence[Pending],
    known: Mapping[EventKey, Skeleton],
    choreography: Choreography,
    now: datetime,
    still: bool,
) -> _Parts:
    undoing = "Undoing what was done. " if transaction.phase == "compensating" else ""
    timed = _worst_first([entry for entry in pending if entry.deadline])
    half_met = _half_met(pending, known, choreography)
    if timed:
        first, others = timed[0], timed[1:]
        head = (undoing, *_waiting(first, choreography), *_due(_deadline(first), now, still))
        details = [_expectation(first, known, choreography)]
        if others:
            details.append(("Also awaited: ", "; ".join(awaited(entry) for entry in others), "."))
        return head, details + half_met
    if half_met:
        return (undoing, *half_met[0]), half_met[1:]
    untimed = [entry for entry in pending if not entry.deadline]
    if untimed:
        return (undoing, f"Waiting for {listed([awaited(entry) for entry in untimed])}."), [("No deadline is set.",)]
    head = (undoing, "Under way; the last event came ", Since(transaction.last_event_at), " ago.")
    if not choreography.declared and not choreography.learned:
        return head, [("Nothing is declared for it, so nothing can be overdue.",)]
    return head, [(f"No {'declared' if choreography.declared else 'learned'} response is awaited at this moment.",)]


def _due(deadline: datetime, now: datetime, still: bool) -> Text:
    if deadline > now:
        return (", due in ", Until(deadline), ".")
    if still:
        return (f", which was due at {clock(deadline)}; whether it came is not known.",)
    # Overdue only once everything up to the deadline has certainly been read: until then this is our own lateness.
    return (", which is due now; the topics are still being read up to that moment.",)


def _stood(unjudged: Wait) -> Text:
    if unjudged.since is None:
        return ("Nothing has been judged yet.",)
    return (f"Nothing is judged since about {clock(unjudged.since)}: so it stood then.",)


def _waiting(entry: Pending, choreography: Choreography) -> Text:
    if entry.kind == "timeout":
        return ("Not ended in time: waiting for ", listed(entry.expect, "or"))
    return ("Waiting for ", awaited(entry), *_undoes(entry, choreography))


def _undoes(entry: Pending, choreography: Choreography) -> Text:
    undone = next((rule.compensates for rule in choreography.rules if rule.key == entry.rule), None)
    return (f" to undo {undone}",) if entry.kind == "compensation" and undone else ()


def _expectation(entry: Pending, known: Mapping[EventKey, Skeleton], choreography: Choreography) -> Text:
    """ "Expected within 5 s of OrderPlaced (12:01:46)." """
    triggers = [known[key] for key in entry.triggers if key in known]
    latest = max(triggers, key=lambda event: event.order, default=None)
    within = _within(entry, latest, choreography)
    after = listed([event.type for event in triggers] or list(entry.after))
    at = f" ({clock(latest.time)})" if latest else ""
    if entry.kind == "timeout":
        return (f"{choreography.name} is to end within {within} of its start{at}.",)
    basis = "" if entry.basis == "declared" else ", a time that was learned from earlier transactions"
    doubt = " Its clock is not believed; the time of arrival at Kafka counts." if "skewed clock" in entry.marks else ""
    return (f"Expected within {within} of {after}{at}{basis}.{doubt}",)


def _within(entry: Pending, trigger: Skeleton | None, choreography: Choreography) -> str:
    """As declared; where the declaration has changed since, what the stored deadline amounts to."""
    length: timedelta | None = None
    if entry.kind == "timeout":
        length = choreography.timeout
    else:
        length = next((rule.within for rule in choreography.rules if rule.key == entry.rule), None)
    if length is None and trigger and entry.deadline:
        length = entry.deadline - trigger.time
    return span(length) if length is not None else "some time"


def _half_met(pending: Sequence[Pending], known: Mapping[EventKey, Skeleton], choreography: Choreography) -> list[Text]:
    """Joins that lack a trigger: "ShipmentScheduled needs StockReserved too, which inventory has not sent yet." """
    found: list[Text] = []
    for entry in pending:
        if entry.kind != "join" or entry.deadline:
            continue
        rule = next((rule for rule in choreography.rules if rule.key == entry.rule), None)
        here = listed([known[key].type for key in entry.triggers if key in known])
        goal = rule.awaited if rule else "The next step"
        found.append((f"{goal} needs more than {here}: still missing {awaited(entry)}.",))
    return found


def _ended(
    transaction: Standing,
    pending: Sequence[Pending],
    events: Sequence[Skeleton],
    choreography: Choreography,
) -> _Parts:
    ended_at = transaction.ended_at or transaction.last_event_at
    took = between(transaction.started_at, ended_at)
    ending = next((event.type for event in events if event.type in choreography.ends), "")
    by = f" with {ending}" if ending else ""
    at = f" at {clock(ended_at)}"
    details: list[Text] = []
    match transaction.phase:
        case "completed" if transaction.ended_by == "silence":
            head = f"Taken as completed: nothing came after {clock(ended_at)}, and nothing was awaited."
        case "completed":
            head = f"Completed in {took}{by}{at}."
        case "compensated":
            undone = listed(sorted(_undone(events, choreography)))
            head = f"Compensated in {took}{by}{at}."
            details.append(
                (f"What had been done was undone: {undone}." if undone else "What had been done was undone.",)
            )
        case "failed":
            head = f"Failed after {took}{by}{at}."
            details.append(("Nothing had to be undone.",))
        case _:
            who = transaction.abandoned_by or "a person"
            head = f"Closed by {who} at {clock(transaction.abandoned_at or ended_at)}: it will not progress."
            if transaction.abandoned_reason:
                details.append((f"Reason: {transaction.abandoned_reason}",))
    left = [entry for entry in pending if transaction.phase != "abandoned"]
    if left:
        details.append(("Still awaited after its end: ", "; ".join(awaited(entry) for entry in left), "."))
    return (head,), details


def _undone(events: Sequence[Skeleton], choreography: Choreography) -> set[str]:
    """Types of events here that undo something."""
    answers = {name for rule in choreography.rules if rule.compensates for name in rule.expect}
    return {event.type for event in events if event.type in answers}


def _oversized(transaction: Standing) -> _Parts:
    count = counted(transaction.event_count, "event")
    head = f"Too large to judge: {count}."
    return (head,), [("They are stored and counted; what it waits for is no longer worked out.",)]


def _reservations(transaction: Standing) -> list[Text]:
    """What is not known, said as such."""
    found: list[Text] = []
    if transaction.partial:
        found.append(("Its beginning was not read: it started before reading did. It raises no alert.",))
    if transaction.historic:
        found.append(("History: its events were already old when they arrived. It raises no alert.",))
    return found


def _deadline(entry: Pending) -> datetime:
    assert entry.deadline is not None
    return entry.deadline


def _worst_first(pending: Sequence[Pending]) -> list[Pending]:
    """By deadline, those without one last; the whole transaction's after those of single steps."""
    return sorted(pending, key=lambda entry: (entry.deadline is None, entry.kind == "timeout", entry.deadline or _LAST))
