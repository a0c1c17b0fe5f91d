"""What was learned, under /api/choreographies/{name}: tried on what went before, and to be adopted."""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Router, Schema
from ninja.errors import HttpError

from collector import config, queries
from collector.config import durations
from collector.config.rules import registered
from collector.correlation.choreography import Rule
from collector.queries import BadParameter, TransactionFilter
from dashboard.api.schemas import Problem
from dashboard.pages import lessons

router = Router(tags=["choreographies"])

DAYS = timedelta(days=7)


class SinceParameters(Schema):
    since: str = Field("", description="began then or later; 7 days back where not given")


class BacktestParameters(SinceParameters):
    after: list[str] = Field([], description="event types that trigger a proposed rule; several: a join")
    expect: list[str] = Field([], description="event types one of which it expects")
    within: str = Field("", description="its deadline, such as 5s")
    compensates: str = Field("", description="the event type that its answer undoes")


class RaisedOut(Schema):
    id: str = Field(description="The transaction's.")
    kind: str = Field(description="`late`, or `missed` where no answer came.")
    since: datetime = Field(description="When it would have become overdue.")
    until: datetime | None


class TriedOut(Schema):
    rule: str = Field(description="Its key; `proposed` for the one that was given.")
    after: list[str]
    expect: list[str]
    within_ms: float | None
    learned: bool
    triggered: int
    kept: int
    late: int
    missed: int
    open: int
    transactions: int = Field(description="How many would have become stuck.")
    alerts: int = Field(description="How many alerts that would have been: those that overlap are one.")
    first: datetime | None
    last: datetime | None
    examples: list[RaisedOut] = Field(description="The latest ten.")


class TrialOut(Schema):
    at: datetime = Field(description="When they were tried: of rules in force, some minutes ago at most.")
    transactions: int = Field(description="How many were looked at: the latest, 2,000 at most.")
    since: datetime | None = Field(description="When the first of these began.")
    more: bool = Field(description="There are others in the time asked for.")
    rules: list[TriedOut]


class DeviatingOut(Schema):
    kind: str
    sentence: str
    count: int
    first: datetime
    last: datetime
    examples: list[str]


class UnusualOut(Schema):
    variant: int = Field(description="Of the causal variants.")
    how: str = Field(description="`missing`, `unexpected`, `both`, or `order`: the same events, led to otherwise")
    missing: list[str] = Field(description="What the usual way that is most like it has, and this one has not.")
    unexpected: list[str]
    count: int
    first: datetime
    last: datetime


class ConformanceOut(Schema):
    ended: int = Field(description="Ended or stuck transactions that were looked at: the latest, 2,000 at most.")
    deviating: int = Field(description="Those of them that do not conform: that deviate, or are stuck.")
    stuck: int
    since: datetime | None = Field(description="When the first of these began.")
    deviations: list[DeviatingOut] = Field(description="From what is declared.")
    ways: int = Field(description="Transactions counted by the ways they went.")
    usual: list[int] = Field(description="The causal variants that at least 5% go, and the most frequent.")
    unusual: list[UnusualOut]


@router.get("/{id:name}/backtest", response={200: TrialOut, 400: Problem, 404: Problem}, summary="Rules, tried out")
def try_rules(request: HttpRequest, name: str, parameters: Query[BacktestParameters]) -> dict[str, Any]:
    """What a proposed rule would have raised; without one, what each rule in force would have, declared or learned."""
    rulebook = registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)
    _known(name)
    proposal, now = _proposal(parameters), timezone.now()
    if proposal or parameters.since:
        found = queries.trial(name, _since(parameters.since), rulebook, proposal)
    else:
        looked = lessons.looked_at(name, rulebook)
        found, now = looked.tried, looked.at
    return {
        "at": now,
        "transactions": found.transactions,
        "since": found.since,
        "more": found.more,
        "rules": [_tried(rule, result) for rule, result in found.rules],
    }


@router.get("/{id:name}/conformance", response={200: ConformanceOut, 400: Problem, 404: Problem}, summary="Deviations")
def conformance(request: HttpRequest, name: str, parameters: Query[SinceParameters]) -> Any:
    """Which share deviates, how and since when: from what is declared, and from the usual ways."""
    _known(name)
    found = queries.conformance(name, _since(parameters.since), timezone.now())
    return {
        "ended": found.ended,
        "deviating": found.deviating,
        "stuck": found.stuck,
        "since": found.since,
        "deviations": [vars(one) for one in found.deviations],
        "ways": found.ways,
        "usual": found.usual,
        "unusual": [vars(one) for one in found.unusual],
    }


@router.get("/{id:name}/adopt", response={404: Problem}, summary="As it was discovered, as configuration")
def adopt(request: HttpRequest, name: str) -> HttpResponse:
    """YAML for choreoscope.yaml, with the evidence in comments."""
    learning = config.current(settings.CHOREOSCOPE_CONFIG).learning
    written = queries.adoption(name, learning)
    if written is None:
        raise HttpError(HTTPStatus.NOT_FOUND, queries.unlearned(name, learning))
    return HttpResponse(written, content_type="application/yaml; charset=utf-8")


def _known(name: str) -> None:
    rulebook = config.current(settings.CHOREOSCOPE_CONFIG).rulebook
    if name not in rulebook.by_name and not queries.is_mined(name):
        raise HttpError(
            HTTPStatus.NOT_FOUND, f"Nothing is known of a choreography {name[:200]!r}; /api/choreographies lists them."
        )


def _since(text: str) -> datetime:
    now = timezone.now()
    return TransactionFilter.parse({"since": text}, now).since or now - DAYS


def _proposal(given: BacktestParameters) -> Rule | None:
    if not (given.after or given.expect):
        return None
    if not (given.after and given.expect):
        raise BadParameter("A rule takes both 'after' and 'expect'.")
    try:
        within = durations.parse(given.within) if given.within else None
    except ValueError as error:
        raise BadParameter(f"'within' is no duration such as 5s: {error}") from error
    return queries.proposed(given.after, given.expect, within, given.compensates)


def _tried(rule: Rule, found: queries.Backtest) -> dict[str, Any]:
    return {
        "rule": rule.key,
        "after": rule.after,
        "expect": rule.expect,
        "within_ms": None if rule.within is None else rule.within.total_seconds() * 1000,
        "learned": rule.learned,
        "triggered": found.triggered,
        "kept": found.kept,
        "late": found.late,
        "missed": found.missed,
        "open": found.open,
        "transactions": found.transactions,
        "alerts": found.alerts,
        "first": found.first,
        "last": found.last,
        "examples": [
            {"id": one.name, "kind": one.kind, "since": one.since, "until": one.until} for one in found.examples
        ],
    }
