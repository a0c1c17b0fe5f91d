"""Whole tables as files, CSV or JSON: read page by page while they are written, so that none has to fit into memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from collector import queries
from collector.queries.bounds import decode_cursor
from dashboard.alerts.models import Alert
from dashboard.pages import sentences
from dashboard.pages.overview import flow_map, waiting
from dashboard.spreadsheet import Cell, lines

MOST = 50_000
"""Rows of a file; it says where there are more."""
_AT_ONCE = 200
_FORMS = {"csv": "text/csv", "json": "application/json"}

Row = tuple[Cell, ...]
Pages = Iterator[list[Row]]


@dataclass(frozen=True)
class Table:
    """`pages` reads its rows, narrowed by the parameters of an address; BadParameter where these are wrong."""

    columns: tuple[str, ...]
    pages: Callable[[Mapping[str, str]], Pages]


@require_safe
def take(request: HttpRequest, table: str, form: str) -> HttpResponseBase:
    if table not in TABLES or form not in _FORMS:
        raise Http404("There is no such file.")
    asked = {name: value for name, value in request.GET.items() if isinstance(value, str)}
    pages = TABLES[table].pages(asked)
    try:
        first = _next(pages)
    except queries.BadParameter as error:
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    written = _csv if form == "csv" else _json
    answer = StreamingHttpResponse(
        written(TABLES[table].columns, first, pages), content_type=f"{_FORMS[form]}; charset=utf-8"
    )
    stamp = f"{timezone.now():%Y%m%dT%H%M%SZ}"
    answer["Content-Disposition"] = f'attachment; filename="choreoscope-{table}-{stamp}.{form}"'
    answer["Cache-Control"] = "no-store"
    return answer


def _next(pages: Pages) -> list[Row]:
    return next(pages, [])


async def _bounded(first: list[Row], pages: Pages) -> AsyncIterator[tuple[list[Row], bool]]:
    """Pages, up to MOST rows, and whether there are rows beyond them."""
    left, rows = MOST, first
    while rows:
        yield rows[:left], len(rows) > left
        left -= len(rows)
        if left < 0:
            return
        rows = await sync_to_async(_next)(pages)


async def _csv(columns: tuple[str, ...], first: list[Row], pages: Pages) -> AsyncIterator[str]:
    yield lines([columns])
    async for rows, more in _bounded(first, pages):
        yield lines(rows)
        if more:
            yield lines([[f"There are more than {MOST} rows: narrow the list."]])


async def _json(columns: tuple[str, ...], first: list[Row], pages: Pages) -> AsyncIterator[bytes]:
    yield b'{"items": ['
    between, cut = b"\n", False
    async for rows, more in _bounded(first, pages):
        for row in rows:
            yield between + msgspec.json.encode(dict(zip(columns, row, strict=True)))
            between = b",\n"
        cut = more
    yield b'\n], "more": ' + (b"true}\n" if cut else b"false}\n")


def _transactions(asked: Mapping[str, str]) -> Pages:
    wanted = queries.TransactionFilter.parse(
        {**asked, "limit": str(_AT_ONCE)}, timezone.now(), timezone.get_current_timezone()
    )
    while True:
        found = queries.page(wanted)
        yield [_transaction(row) for row in found.items]
        if not found.next:
            return
        at, (key,) = decode_cursor(found.next, keys=1)
        wanted = replace(wanted, cursor=(at, key))


def _transaction(row: queries.Row) -> Row:
    one = row.transaction
    took = (one.ended_at - one.started_at).total_seconds() if one.ended_at else None
    waits = "; ".join(sentences.awaited(entry) for entry in row.pending)
    return (one.transaction_id, one.status, one.phase, one.choreography, one.started_at, one.last_event_at,
            one.ended_at, took, one.overdue_since, waits, one.event_count, one.redelivery_count,
            one.failed_delivery_count, one.impact, one.partial)  # fmt: skip


def _services(_asked: Mapping[str, str]) -> Pages:
    known = {one.name: one for one in queries.services(timezone.now())}
    rows: list[Row] = []
    for one in queries.service_figures(flow_map(), waiting(), known):
        declared = known[one.name].service if one.name in known else None
        about = (declared.owner, declared.contact) if declared else ("", "")
        emits = ", ".join(entry.type for entry in one.emits)
        rows.append((one.name, *about, one.first_seen, one.last_heard, one.into, one.out, one.p95, one.awaited,
                     one.overdue, emits))  # fmt: skip
    yield rows


def _partitions(_asked: Mapping[str, str]) -> Pages:
    yield [
        (one.topic.name, one.number, one.next_offset, one.end, one.lag, one.last_record_at, one.topic.watermark)
        for one in queries.ingestion(timezone.now()).partitions
    ]


def _gaps(_asked: Mapping[str, str]) -> Pages:
    yield [
        (one.topic.name, one.partition, one.get_kind_display(), one.from_offset, one.to_offset, one.noticed_at)
        for one in queries.ingestion(timezone.now()).gaps
    ]


def _keyset(read: Callable[[str, int], queries.Keyset[Any]], row: Callable[[Any], Row]) -> Pages:
    cursor = ""
    while True:
        found = read(cursor, _AT_ONCE)
        yield [row(one) for one in found.items]
        if not found.next:
            return
        cursor = found.next


def _undecodable(_asked: Mapping[str, str]) -> Pages:
    return _keyset(
        queries.undecodable,
        lambda one: (
            one.received_at,
            one.topic.name,
            one.partition,
            one.offset,
            one.reason,
            one.detail,
            one.size,
        ),
    )


def _uncorrelated(_asked: Mapping[str, str]) -> Pages:
    return _keyset(
        queries.uncorrelated,
        lambda one: (one.received_at, one.topic.name, one.partition, one.offset, one.type, one.service, one.source,
                     one.event_id, one.time, one.dialect),
    )  # fmt: skip


def _alerts(asked: Mapping[str, str]) -> Pages:
    found = Alert.objects.order_by("-id")
    if asked.get("state") in Alert.State.values:
        found = found.filter(state=asked["state"])
    last = None
    while rows := list((found if last is None else found.filter(id__lt=last))[:_AT_ONCE]):
        yield [
            (one.id, one.kind, one.state, one.severity, one.sentence, one.choreography, one.awaited, one.service,
             one.count, one.peak, one.impact, one.since, one.opened_at, one.resolved_at)
            for one in rows
        ]  # fmt: skip
        last = rows[-1].id


def _events(asked: Mapping[str, str]) -> Pages:
    found = queries.find(asked.get("transaction", ""))
    if found is None:
        raise queries.BadParameter("'transaction' names no transaction that is known here.")
    yield [
        (one.time, one.type, one.service, one.event_id, one.source, one.topic.name, one.partition, one.offset,
         one.received_at, one.redeliveries, one.dialect, one.basis)
        for one in found.events
    ]  # fmt: skip


TABLES = {
    "transactions": Table(("transaction", "status", "phase", "choreography", "started_at", "last_event_at", "ended_at",
                           "duration_seconds", "overdue_since", "waiting_for", "events", "redeliveries",
                           "failed_deliveries", "impact", "partial"), _transactions),
    "events": Table(("time", "type", "service", "event_id", "source", "topic", "partition", "offset", "received_at",
                     "redeliveries", "dialect", "transaction_id_from"), _events),
    "services": Table(("service", "owner", "contact", "first_seen", "last_heard", "in", "out", "p95_seconds", "awaited",
                       "overdue", "emits"), _services),
    "alerts": Table(("id", "kind", "state", "severity", "what", "choreography", "awaited", "service", "count", "peak",
                     "impact", "since", "opened_at", "resolved_at"), _alerts),
    "partitions": Table(("topic", "partition", "next_offset", "end", "lag", "last_record_at", "watermark"),
                        _partitions),
    "gaps": Table(("topic", "partition", "what", "from_offset", "to_offset", "noticed_at"), _gaps),
    "undecodable": Table(("received_at", "topic", "partition", "offset", "reason", "detail", "size"), _undecodable),
    "uncorrelated": Table(("received_at", "topic", "partition", "offset", "type", "service", "source", "event_id",
                           "time", "dialect"), _uncorrelated),
}  # fmt: skip
