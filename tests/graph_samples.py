"""Sample transactions and flows for the graphs' tests, their benchmark and their gallery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random

from collector.correlation.causality import causality
from collector.correlation.choreography import Choreography, Rule, undeclared
from collector.correlation.events import Skeleton
from collector.correlation.state import Deviation, Pending, StoredState
from dashboard.graphs import (
    Drawing,
    Flow,
    View,
    Waiting,
    events_figure,
    services_figure,
    topics_figure,
    transaction_figure,
)
from dashboard.pages.folding import first_part, folded

START = datetime(2026, 11, 20, 12, 1, 43, 120_000, tzinfo=UTC)
WINDOW = 300.0
HOSTILE = (
    "<b>Überweisung</b> & <script>alert(1)</script>",
    "🛒🧾✨ Bestellung",
    "دفعة\u202eمرفوضة\u202c مرة أخرى",
    "Z\u0301\u0302\u0303\u0304\u0305\u0306algo",
    "x" * 10_000,
    "$E = mc^2$ %{x} <br> &lt;",
    "--cs-ok",
    "\u200b\u200d",
)

DEMO = Choreography(
    name="order-fulfilment",
    starts=frozenset({"OrderPlaced"}),
    completes=frozenset({"OrderCompleted"}),
    fails=frozenset({"OrderCancelled"}),
    rules=(
        Rule("pay", ("OrderPlaced",), ("PaymentAuthorized", "PaymentDeclined"), "payment", timedelta(seconds=5)),
        Rule("reserve", ("OrderPlaced",), ("StockReserved",), "inventory", timedelta(seconds=5)),
        Rule("schedule", ("PaymentAuthorized", "StockReserved"), ("ShipmentScheduled",), "shipping"),
        Rule("dispatch", ("ShipmentScheduled",), ("ShipmentDispatched",), "shipping", timedelta(minutes=2)),
        Rule("notify", ("ShipmentScheduled",), ("CustomerNotified",), "notification", timedelta(seconds=5)),
        Rule("complete", ("ShipmentDispatched", "CustomerNotified"), ("OrderCompleted",), "order"),
        Rule("release", ("PaymentDeclined",), ("StockReleased",), "inventory", compensates="StockReserved"),
        Rule("cancel", ("StockReleased",), ("OrderCancelled",), "order"),
    ),
)
SERVICE = {
    "OrderPlaced": "order",
    "PaymentAuthorized": "payment",
    "PaymentDeclined": "payment",
    "StockReserved": "inventory",
    "StockReleased": "inventory",
    "ShipmentScheduled": "shipping",
    "ShipmentDispatched": "shipping",
    "CustomerNotified": "notification",
    "OrderCompleted": "order",
    "OrderCancelled": "order",
}


def event(name: str, seconds: float, *causes: str, service: str | None = None, number: int = 0) -> Skeleton:
    """An event whose id is its name (and number), as its causes' are."""
    at = START + timedelta(seconds=seconds)
    return Skeleton(
        source=f"/services/{service or SERVICE.get(name, 'order')}",
        id=f"{name}{number or ''}",
        type=name,
        service=SERVICE.get(name, "order") if service is None else service,
        time=at,
        record_time=at,
        received_at=at,
        topic="orders",
        partition=0,
        offset=round(seconds * 1000) + number,
        causes=causes,
    )


def transaction(
    events: Sequence[Skeleton],
    pending: Sequence[Pending] = (),
    choreography: Choreography = DEMO,
    *,
    ended: bool = False,
    after: float = 172.0,
    view: View = "causal",
    known: float | None = None,
    late: Sequence[Skeleton] = (),
) -> Drawing:
    deviations = tuple(Deviation("late", f"{one.type} came 2.5 s after its deadline.", one.key) for one in late)
    return transaction_figure(
        events,
        causality(events, choreography),
        StoredState(tuple(pending), deviations),
        choreography,
        ended=ended,
        now=START + timedelta(seconds=after),
        view=view,
        known_at=None if known is None else START + timedelta(seconds=known),
    )


HAPPY = (
    event("OrderPlaced", 0),
    event("PaymentAuthorized", 1.4, "OrderPlaced"),
    event("StockReserved", 2.1, "OrderPlaced"),
    event("ShipmentScheduled", 3.9, "PaymentAuthorized", "StockReserved"),
    event("CustomerNotified", 4.7, "ShipmentScheduled"),
)


def _pending(rule: str, *triggers: Skeleton, seconds: float | None, overdue: bool = False) -> Pending:
    declared = next(one for one in DEMO.rules if one.key == rule)
    return Pending(
        rule=rule,
        kind="join" if len(declared.after) > 1 else "compensation" if declared.compensates else "response",
        after=declared.after,
        expect=declared.expect,
        service=declared.service,
        triggers=tuple(one.key for one in triggers),
        deadline=None if seconds is None else START + timedelta(seconds=seconds),
        overdue=overdue,
    )


def overdue(view: View = "causal", known: float | None = None) -> Drawing:
    pending = (
        _pending("dispatch", HAPPY[3], seconds=124, overdue=True),
        _pending("complete", HAPPY[4], seconds=None),
    )
    return transaction(HAPPY, pending, view=view, known=known)


def early() -> Drawing:
    pending = (
        _pending("pay", HAPPY[0], seconds=5),
        _pending("reserve", HAPPY[0], seconds=5),
    )
    return transaction(HAPPY[:1], pending, after=2)


def completed(view: View = "causal") -> Drawing:
    events = (
        *HAPPY,
        event("ShipmentDispatched", 9.1, "ShipmentScheduled"),
        event("OrderCompleted", 9.5, "ShipmentDispatched", "CustomerNotified"),
    )
    return transaction(events, ended=True, view=view)


DECLINED = (
    event("OrderPlaced", 0),
    event("StockReserved", 0.6, "OrderPlaced"),
    event("PaymentDeclined", 0.9, "OrderPlaced"),
    event("StockReleased", 1.3, "PaymentDeclined", "StockReserved"),
    event("OrderCancelled", 1.6, "StockReleased"),
)


def unanswered(view: View = "causal") -> Drawing:
    """One of two answers is awaited: two names in one place."""
    return transaction(DECLINED[:2], (_pending("pay", HAPPY[0], seconds=5, overdue=True),), view=view, after=22)


def declined(view: View = "causal") -> Drawing:
    return transaction((*DECLINED, event("CustomerNotified", 2.4, service="notification")), ended=True, view=view)


def belated(view: View = "causal", known: float | None = None) -> Drawing:
    """It ends although what was awaited missed its deadline; two others react to its end, as they always do."""
    events = (
        event("OrderPlaced", 0),
        event("StockReserved", 0.6, "OrderPlaced"),
        event("PaymentAuthorized", 204.6, "OrderPlaced"),
        event("ShipmentScheduled", 205.0, "PaymentAuthorized", "StockReserved"),
        event("CustomerNotified", 205.4, "ShipmentScheduled"),
        event("ShipmentDispatched", 205.86, "ShipmentScheduled"),
        event("OrderCompleted", 206.0, "ShipmentDispatched", "CustomerNotified"),
        event("PointsCredited", 206.09, "OrderCompleted", service="loyalty"),
        event("InvoicesIssued", 207.3, "ShipmentDispatched", service="erp"),
    )
    return transaction(events, ended=True, after=500, view=view, known=known, late=(events[2], events[6]))


def missing(view: View = "causal") -> Drawing:
    events = (HAPPY[0], HAPPY[1], *HAPPY[3:])
    return transaction(events, (_pending("dispatch", HAPPY[3], seconds=180),), view=view)


def looped(rounds: int = 6, view: View = "causal") -> Drawing:
    """Two services that go on asking each other, with causes named."""
    events = [event("Asked", 0, service="a")]
    for number in range(1, rounds):
        events.append(event("Answered", number - 0.5, events[-1].id, service="b", number=number))
        events.append(event("Asked", number, events[-1].id, service="a", number=number))
    return transaction(events, choreography=undeclared("Asked"), view=view)


def dense_events(count: int = 100) -> list[Skeleton]:
    """`count` events of ten services, each caused by one or two that are not long before it."""
    names = ("Priced", "Checked", "Reserved", "Confirmed", "Booked", "ParcelLabelPrinted", "Sent")
    events: list[Skeleton] = []
    for i in range(count):
        causes = {events[j].id for j in (i - 1 - i * 7 % 13, i - 1 - i * 5 % 9) if 0 <= j < i}
        events.append(event(names[i * i % 7], i * 0.31, *sorted(causes), service=f"service-{i * 3 % 10}", number=i + 1))
    return events


def dense(count: int = 100, view: View = "causal") -> Drawing:
    return transaction(dense_events(count), choreography=undeclared("Priced"), view=view)


def repeated(count: int = 1000, view: View = "causal") -> Drawing:
    """One order with very many lines, each reserved and confirmed."""
    events = [event("OrderPlaced", 0)]
    for i in range(1, count // 2):
        events.append(event("StockReserved", i * 0.01, "OrderPlaced", number=i))
        events.append(event("LineConfirmed", i * 0.01 + 0.4, events[-1].id, service="lines", number=i))
    return transaction(events, view=view)


def chained(count: int = 1000, view: View = "causal") -> Drawing:
    events = [event("Step", 0, service="s0")]
    for i in range(1, count):
        events.append(event(f"Step{i % 150}", i, events[-1].id, service=f"s{i % 70}", number=i))
    return transaction(events, choreography=undeclared("Step"), view=view)


def hostile(view: View = "causal") -> Drawing:
    events = [event("OrderPlaced", 0)]
    for number, name in enumerate(HOSTILE, 1):
        events.append(
            event(name, number, events[number // 2].id, service=HOSTILE[number % len(HOSTILE)], number=number)
        )
    return transaction(events, view=view)


FLOWS = (
    Flow("", "", "order", "OrderPlaced", 3720),
    Flow("order", "OrderPlaced", "payment", "PaymentAuthorized", 3540, 1.1),
    Flow("order", "OrderPlaced", "payment", "PaymentDeclined", 153, 0.9, failure=True),
    Flow("order", "OrderPlaced", "inventory", "StockReserved", 3690, 1.9),
    Flow("payment", "PaymentAuthorized", "shipping", "ShipmentScheduled", 3540, 2.0),
    Flow("inventory", "StockReserved", "shipping", "ShipmentScheduled", 3540, 1.6),
    Flow("shipping", "ShipmentScheduled", "shipping", "ShipmentDispatched", 930, 9.8),
    Flow("shipping", "ShipmentScheduled", "notification", "CustomerNotified", 3540, 0.7),
    Flow("shipping", "ShipmentDispatched", "order", "OrderCompleted", 930, 0.4),
    Flow("notification", "CustomerNotified", "order", "OrderCompleted", 930, 5.2),
    Flow("payment", "PaymentDeclined", "inventory", "StockReleased", 150, 0.4, failure=True),
    Flow("inventory", "StockReleased", "order", "OrderCancelled", 150, 0.3, failure=True),
)
WAITING = (
    Waiting(("OrderPlaced",), "PaymentAuthorized or PaymentDeclined", "payment", 14),
    Waiting(("OrderPlaced",), "StockReserved", "inventory", 22),
    Waiting(("PaymentAuthorized", "StockReserved"), "ShipmentScheduled", "shipping", 9),
    Waiting(("ShipmentScheduled",), "ShipmentDispatched", "shipping", 317, 17),
    Waiting(("ShipmentScheduled",), "CustomerNotified", "notification", 4),
    Waiting(("PaymentDeclined",), "StockReleased", "inventory", 1),
)


def company(services: int, edges: int) -> tuple[Flow, ...]:
    """A made-up company: mostly forward edges, some back, some to itself, some parallel."""
    flows = [Flow("", "", "service-00", "Started", 900)]
    for i in range(edges):
        source = i * 7 % services
        target = (source + 1 + i * i % 5) % services if i % 11 else source
        name = f"{('Order', 'Invoice', 'Parcel', 'Customer')[i % 4]}{('Opened', 'Priced', 'Closed')[i % 3]}{i % 5}"
        flows.append(
            Flow(
                f"service-{source:02}",
                name,
                f"service-{target:02}",
                f"{name}Answered",
                10 + i * 37 % 2000,
                0.2 + i % 17 / 3,
                failure=i % 13 == 5,
            )
        )
    return tuple(flows)


def parallel() -> tuple[Flow, ...]:
    return tuple(
        Flow(*edge, 100 + 50 * i, 1.0 + i)
        for i, edge in enumerate(
            [("a", f"Thing{n}Happened", "b", "Done") for n in range(5)]
            + [("b", f"Reply{n}Given", "a", "Seen") for n in range(3)]
            + [("a", f"Self{n}", "a", "Again") for n in range(2)]
        )
    )


def large() -> tuple[list[Flow], list[Waiting]]:
    """60 services that emit 300 event types on 6 topics, most of them rarely; one step of a rare way is overdue."""
    random = Random(7)
    groups = ("shop", "depot", "billing", "carrier", "returns", "mail")
    parts = ("cart", "till", "stock", "yard", "van", "desk", "ledger", "audit", "claim", "post")
    names = [f"{group}-{part}" for group in groups for part in parts]
    emitted = [
        (f"{name.title().replace('-', '')}Step{number // 60 + 1}Done", name, f"{name.split('-')[0]}.events")
        for number, name in enumerate(names * 5)
    ]
    flows = [Flow("", "", emitted[0][1], emitted[0][0], 9000, topic=emitted[0][2])]
    for number, (kind, service, topic) in enumerate(emitted[1:], 1):
        for _ in range(random.choice((1, 1, 1, 2))):
            source, by, _ = emitted[max(0, number - random.randint(1, 25))]
            count = max(1, int(9000 * 0.985**number))
            flows.append(Flow(by, source, service, kind, count, random.random() * 5, topic=topic))
    return flows, [Waiting((emitted[290][0],), emitted[295][0], emitted[295][1], 12, 3)]


def hostile_flows() -> tuple[Flow, ...]:
    names = HOSTILE
    return tuple(Flow(names[i], names[-i - 1], names[(i * 3 + 1) % len(names)], names[i], i) for i in range(len(names)))


def services(flows: Sequence[Flow], waiting: Sequence[Waiting] = ()) -> Drawing:
    return services_figure(flows, waiting, window_seconds=WINDOW)


_TRANSACTIONS: tuple[Callable[..., Drawing], ...] = (
    overdue,
    unanswered,
    completed,
    declined,
    belated,
    missing,
    looped,
    hostile,
    dense,
    repeated,
    chained,
)


@cache
def samples() -> dict[str, Drawing]:
    """Every sample by name."""
    return {
        "overdue": overdue(),
        "early": early(),
        "unanswered": unanswered(),
        "completed": completed(),
        "declined": declined(),
        "belated": belated(),
        "belated as it was": belated(known=205.5),
        "missing": missing(),
        "looped": looped(),
        "hostile": hostile(),
        "nothing": transaction(()),
        "services": services(FLOWS, WAITING),
        "events": events_figure(FLOWS, WAITING, window_seconds=WINDOW),
        "silent": services(FLOWS[:1], WAITING[:1]),
        "parallel": services(parallel()),
        "twelve": services(company(12, 26)),
        "hostile services": services(hostile_flows()),
        "no flows": services(()),
        "dense": dense(),
        "repeated": repeated(),
        "chained": chained(),
        "sixty": services_figure(company(60, 150), (), window_seconds=WINDOW, detail=100),
        "as it was": overdue(known=2.5),
        "time as it was": overdue("time", known=2.5),
        "sequence as it was": overdue("sequence", known=2.5),
        **{f"{make.__name__} over time": make(view="time") for make in _TRANSACTIONS},
        **{f"{make.__name__} as sequence": make(view="sequence") for make in _TRANSACTIONS},
        "large": services_figure(*large(), window_seconds=WINDOW),
        "large, as event types": events_figure(*large(), window_seconds=WINDOW),
        "large, as topics": topics_figure(*large(), window_seconds=WINDOW),
        "large, folded": services_figure(*folded(*large(), first_part, ()), window_seconds=WINDOW, detail=100),
        "many types": events_figure(company(60, 300), (), window_seconds=WINDOW, detail=100),
    }
