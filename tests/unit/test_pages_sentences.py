"""The product's voice: what is said of a transaction in each state it can be in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import pytest

from collector.correlation.choreography import Choreography, undeclared
from collector.correlation.events import Skeleton
from collector.correlation.lifecycle import evaluate
from collector.correlation.state import State
from collector.queries import Unjudged
from dashboard.pages import sentences
from dashboard.pages.statement import Since, Until, plain
from tests.builders import at, choreography, happened, read_until, rule, rulebook

SHOP = choreography(
    rule("OrderPlaced", "PaymentAuthorized | PaymentDeclined", 30, service="payment"),
    rule("OrderPlaced", "StockReserved", 30, service="inventory"),
    rule("PaymentAuthorized + StockReserved", "ShipmentScheduled", 60, service="shipping"),
    rule("PaymentDeclined", "StockReleased", 30, service="inventory", compensates="StockReserved"),
    name="order-fulfilment",
    starts=["OrderPlaced"],
    completes=["OrderCompleted"],
    fails=["OrderCancelled"],
    timeout=600,
)


@dataclass
class Stored:
    """What is stored of a judged transaction, without the database."""

    judged: State
    events: Sequence[Skeleton] = ()
    abandoned_by: str = ""
    abandoned_reason: str = ""
    abandoned_at: datetime | None = None
    oversized: bool = False
    event_count: int = field(default=0)

    def __getattr__(self, name: str) -> object:
        return getattr(self.judged, name)

    @property
    def status(self) -> str:
        stuck = self.judged.overdue_since and self.judged.phase in ("running", "compensating")
        return "stuck" if stuck else self.judged.phase


def said(
    events: Sequence[Skeleton],
    now: float,
    *,
    read: float | None = None,
    rules: Choreography = SHOP,
    abandoned: float | None = None,
    unjudged: Unjudged | None = None,
    **known: object,
) -> tuple[str, str]:
    """Head and details after everything up to `read` (else `now`) has been read."""
    until = read_until(now if read is None else read)
    judged = evaluate(
        events, rulebook(*([rules] if rules.declared else [])), until, at(abandoned) if abandoned else None
    )
    stored = Stored(judged, abandoned_at=at(abandoned) if abandoned else None, **known)  # type: ignore[arg-type]
    ordered = sorted(events, key=lambda event: event.order)
    statement = sentences.state(stored, judged.pending, ordered, rules, at(now), unjudged)  # type: ignore[arg-type]
    assert statement.status == stored.status
    return plain(statement.head, at(now)), " ".join(plain(text, at(now)) for text in statement.details)


PLACED = happened("OrderPlaced", 0, source="/services/order")
RESERVED = happened("StockReserved", 1, source="/services/inventory")
AUTHORIZED = happened("PaymentAuthorized", 2, source="/services/payment")


def test_stuck_says_what_for_whom_for_how_long_and_since_when() -> None:
    head, details = said([PLACED, RESERVED], 78)
    assert head == "Waiting for PaymentAuthorized or PaymentDeclined from payment — 48 s overdue."
    assert details == "Expected within 30 s of OrderPlaced (12:00:00)."


def test_stuck_for_several_names_the_worst_and_then_the_others() -> None:
    head, details = said([PLACED], 31)
    assert head.startswith("Waiting for PaymentAuthorized or PaymentDeclined from payment — 1 s overdue.")
    assert "Also overdue: StockReserved from inventory." in details


def test_stuck_at_a_join_names_all_that_set_it_off() -> None:
    head, details = said([PLACED, RESERVED, AUTHORIZED], 70)
    assert head == "Waiting for ShipmentScheduled from shipping — 8 s overdue."
    assert details == "Expected within 1 min of PaymentAuthorized and StockReserved (12:00:02)."


def test_stuck_while_compensating_says_what_is_to_be_undone() -> None:
    declined = happened("PaymentDeclined", 2)
    head, _ = said([PLACED, RESERVED, declined], 40)
    assert head == "Waiting for StockReleased from inventory to undo StockReserved — 8 s overdue."


def test_stuck_as_a_whole() -> None:
    quiet = choreography(name="order-fulfilment", starts=["OrderPlaced"], completes=["OrderCompleted"], timeout=600)
    head, details = said([PLACED], 660, rules=quiet)
    assert head == "Not ended in time: waiting for Cancelled or OrderCompleted — 1 min overdue."
    assert details == "order-fulfilment is to end within 10 min of its start (12:00:00)."


def test_running_counts_down_to_the_next_deadline() -> None:
    head, details = said([PLACED], 10)
    assert head == "Waiting for PaymentAuthorized or PaymentDeclined from payment, due in 20 s."
    assert "Also awaited: StockReserved from inventory." in details


def test_due_but_not_read_so_far_is_our_own_lateness_and_not_called_overdue() -> None:
    head, _ = said([PLACED], 40, read=5)
    assert head == (
        "Waiting for PaymentAuthorized or PaymentDeclined from payment, which is due now; "
        "the topics are still being read up to that moment."
    )


def test_due_while_nothing_is_judged_says_up_to_when_it_is_known() -> None:
    waits = Unjudged(at(5), wholly=True)
    head, details = said([PLACED], 40, read=5, unjudged=waits)
    assert head == (
        "Waiting for PaymentAuthorized or PaymentDeclined from payment, which was due at 12:00:30; "
        "whether it came is not known."
    )
    assert details.endswith("Nothing is judged since about 12:00:05: so it stood then.")
    head, _ = said([PLACED], 40, read=5, unjudged=Unjudged(waits.since, wholly=False))
    assert "still being read" in head


def test_half_met_join_names_who_owes_the_missing_half() -> None:
    alone = choreography(
        rule("PaymentAuthorized + StockReserved", "ShipmentScheduled", 60, service="shipping"),
        rule("Elsewhere", "StockReserved", 30, service="inventory"),
        name="order-fulfilment",
        starts=["PaymentAuthorized"],
    )
    head, _ = said([AUTHORIZED], 10, rules=alone)
    assert head == "ShipmentScheduled needs more than PaymentAuthorized: still missing StockReserved from inventory."


def test_running_with_nothing_awaited() -> None:
    alone = choreography(name="order-fulfilment", starts=["OrderPlaced"])
    assert said([PLACED], 12, rules=alone) == (
        "Under way; the last event came 12 s ago.",
        "No declared response is awaited at this moment.",
    )


def test_undeclared_says_that_nothing_can_be_overdue() -> None:
    head, details = said([PLACED], 12, rules=undeclared("OrderPlaced"))
    assert head == "Under way; the last event came 12 s ago."
    assert details == "Nothing is declared for it, so nothing can be overdue."


def test_compensating() -> None:
    declined = happened("PaymentDeclined", 2)
    head, _ = said([PLACED, RESERVED, declined], 12)
    assert head == (
        "Undoing what was done. Waiting for StockReleased from inventory to undo StockReserved, due in 20 s."
    )


def test_completed() -> None:
    head, details = said([PLACED, RESERVED, AUTHORIZED, happened("OrderCompleted", 7.1)], 60)
    assert head == "Completed in 7.1 s with OrderCompleted at 12:00:07."
    assert details == ""


def test_completed_by_silence() -> None:
    idle = choreography(name="order-fulfilment", starts=["OrderPlaced"], idle_timeout=60)
    head, _ = said([PLACED], 120, rules=idle)
    assert head == "Taken as completed: nothing came after 12:00:00, and nothing was awaited."


def test_compensated_says_with_what() -> None:
    events = [PLACED, RESERVED, happened("PaymentDeclined", 2), happened("StockReleased", 2.4)]
    head, details = said([*events, happened("OrderCancelled", 2.7)], 60)
    assert head == "Compensated in 2.7 s with OrderCancelled at 12:00:02."
    assert details == "What had been done was undone: StockReleased."


def test_failed() -> None:
    events = [PLACED, happened("PaymentDeclined", 2), happened("OrderCancelled", 2.7)]
    assert said(events, 60) == ("Failed after 2.7 s with OrderCancelled at 12:00:02.", "Nothing had to be undone.")


def test_abandoned_says_who_and_why() -> None:
    head, details = said([PLACED], 900, abandoned=800, abandoned_by="olga", abandoned_reason="a test order")
    assert head == "Closed by olga at 12:13:20: it will not progress."
    assert details == "Reason: a test order"


def test_oversized() -> None:
    head, details = said([PLACED], 3, oversized=True, event_count=12_345)
    assert head == "Too large to judge: 12\u202f345 events."
    assert "no longer worked out" in details


def test_partial_and_history_are_said_as_such() -> None:
    judged = evaluate([RESERVED], rulebook(SHOP), read_until(10, from_start=False))
    assert judged.partial
    partial = sentences.state(Stored(judged), judged.pending, [RESERVED], SHOP, at(10))  # type: ignore[arg-type]
    assert "Its beginning was not read" in plain(partial.details[-1], at(10))
    old = happened("OrderCompleted", 0.5, arrived=7200)
    _, details = said([PLACED, old], 7210)
    assert "History" in details


def test_a_clock_that_is_not_believed_is_mentioned() -> None:
    off = happened("OrderPlaced", 0, stamped=100)
    _, details = said([off], 140)
    assert "Its clock is not believed" in details


def test_counting_moments_stay_moments() -> None:
    judged = evaluate([PLACED], rulebook(SHOP), read_until(40))
    stuck = sentences.state(Stored(judged), judged.pending, [PLACED], SHOP, at(40))  # type: ignore[arg-type]
    assert Since(at(30)) in stuck.head
    judged = evaluate([PLACED], rulebook(SHOP), read_until(4))
    running = sentences.state(Stored(judged), judged.pending, [PLACED], SHOP, at(4))  # type: ignore[arg-type]
    assert Until(at(30)) in running.head


@dataclass(frozen=True)
class Known:
    p50: float | None = 5.2
    p95: float | None = 9.1
    heard: datetime | None = None

    def last_heard(self, service: str) -> datetime | None:  # noqa: ARG002 - as the real one
        return self.heard

    def between(self, after: tuple[str, ...], expect: tuple[str, ...]) -> Known:  # noqa: ARG002
        return self


@dataclass(frozen=True)
class Others:
    count: int

    def __bool__(self) -> bool:
        return self.count > 0

    def __str__(self) -> str:
        return str(self.count)


@pytest.mark.parametrize(
    ("count", "sentence"),
    [(14, "14 other transactions wait at the same step."), (1, "1 other transaction waits at the same step."), (0, "")],
)
def test_hints(count: int, sentence: str) -> None:
    judged = evaluate([PLACED], rulebook(SHOP), read_until(40))
    texts = sentences.hints(judged.pending[0], Known(heard=at(-142)), Others(count))
    words = [plain(text, at(40)) for text in texts]
    assert words[:2] == [
        "payment usually answers within 5.2 s, 95% of the time within 9.1 s.",
        "payment was last heard from about 3 min 2 s ago.",
    ]
    assert words[2:] == ([sentence] if sentence else [])
    (anybody, *_) = sentences.hints(msgspec.structs.replace(judged.pending[0], service=""), Known(), Others(0))
    assert plain(anybody, at(40)) == "Usually it is answered within 5.2 s, 95% of the time within 9.1 s."
    unheard = sentences.hints(judged.pending[0], Known(None, None), Others(0))
    assert [plain(text, at(40)) for text in unheard] == ["payment has not been heard from for an hour or more."]


def test_short_line_for_lists() -> None:
    judged = evaluate([PLACED], rulebook(SHOP), read_until(4))
    assert sentences.short(judged.pending, Stored(judged)) == (  # type: ignore[arg-type]
        "waits for payment: PaymentAuthorized or PaymentDeclined"
    )
