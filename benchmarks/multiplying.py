"""Stored transactions, multiplied within PostgreSQL: what `benchmarks.filling` fills a database with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.backends.utils import CursorWrapper

from collector.models import Transaction

FRESH = 20_000
"""So many of the copies began within the last quarter of an hour; some of these have not ended."""
PAYLOADS = timedelta(days=7)
SLOTS = 10_000
OLD_SHARES = {"done": 9_620, "compensated": 200, "failed": 160, "stuck": 20}
FRESH_SHARES = {"done": 8_000, "compensated": 400, "failed": 300, "running": 1_000, "stuck": 300}
"""How many of SLOTS are copies of each kind of model."""

_NAME, _MOMENT = "transaction_id", ("first_seen_at", "started_at", "last_event_at", "ended_at", "overdue_since")
_SAME = [
    str(field.column)
    for field in Transaction._meta.concrete_fields  # noqa: SLF001
    if field.column not in {"id", _NAME, "day", "state", *_MOMENT}
]

_MODELS = """
CREATE FUNCTION pg_temp.renamed(stored jsonb, old text, new text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
$$ SELECT replace(stored::text, old, new)::jsonb $$;
CREATE FUNCTION pg_temp.moved(state jsonb, by interval) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN state ? 'pending' THEN state || jsonb_build_object('pending', (
       SELECT jsonb_agg(CASE WHEN p ? 'deadline' AND p ->> 'deadline' IS NOT NULL
           THEN p || jsonb_build_object('deadline', (p ->> 'deadline')::timestamptz + by) ELSE p END)
       FROM jsonb_array_elements(state -> 'pending') AS p)) ELSE state END $$;
CREATE TEMP TABLE model AS
SELECT *, CASE WHEN overdue_since IS NOT NULL THEN 'stuck' WHEN phase = 'completed' THEN 'done' ELSE phase END AS kind
FROM collector_transaction WHERE transaction_id LIKE 'model-%';
CREATE TEMP TABLE model_event AS SELECT * FROM collector_event WHERE transaction IN (SELECT id FROM model);
CREATE TEMP TABLE model_key AS SELECT * FROM collector_key WHERE transaction IN (SELECT id FROM model);
CREATE TEMP TABLE model_transition AS SELECT * FROM collector_transition WHERE transaction IN (SELECT id FROM model);
CREATE TEMP TABLE model_overdue AS SELECT * FROM collector_overdue;
CREATE TEMP TABLE model_deadline AS SELECT * FROM collector_deadline;
CREATE TEMP TABLE model_payload AS SELECT * FROM collector_payload;
CREATE TEMP TABLE slot (fresh boolean, place int, model bigint);
CREATE TEMP TABLE copied (id bigint, model bigint, name text, old text, by interval, day date);
ANALYZE model_event, model_key, model_transition, model_payload;
"""
_SLOTS = """
INSERT INTO slot SELECT %(fresh)s, row_number() OVER (ORDER BY md5(id::text || n)) - 1, id
FROM (SELECT id, row_number() OVER (ORDER BY id) AS number, count(*) OVER () AS models FROM model
      WHERE kind = %(kind)s) AS m, generate_series(0, %(share)s - 1) AS n WHERE n %% models = number - 1
"""
_RENUMBER = """
UPDATE slot SET place = other.other FROM (
    SELECT ctid AS row, row_number() OVER (PARTITION BY fresh ORDER BY md5(model::text || place)) - 1 AS other FROM slot
) AS other WHERE slot.ctid = other.row
"""
_COPIED = """
TRUNCATE copied;
INSERT INTO copied SELECT %(first)s + n, m.id,
    split_part(m.choreography, '-', 1) || to_char(%(day)s, '-YYYYMMDD-') || lpad(to_hex(%(first)s + n), 8, '0'),
    m.transaction_id, %(begin)s + n * %(apart)s - m.started_at, %(day)s
FROM generate_series(0, %(count)s - 1) AS n JOIN slot s ON s.fresh = %(fresh)s AND s.place = n %% %(slots)s
JOIN model m ON m.id = s.model;
ANALYZE copied;
"""
_TRANSACTIONS = f"""
INSERT INTO collector_transaction (id, {_NAME}, day, state, {", ".join(_MOMENT)}, {", ".join(_SAME)})
SELECT c.id, c.name, c.day, CASE WHEN m.state = '{{}}' THEN m.state
        ELSE pg_temp.moved(pg_temp.renamed(m.state, c.old, c.name), c.by) END,
    {", ".join(f"m.{name} + c.by" for name in _MOMENT)}, {", ".join(f"m.{name}" for name in _SAME)}
FROM copied c JOIN model m ON m.id = c.model
"""
_EVENTS = """
INSERT INTO collector_event (day, transaction, source, event_id, type, service, time, record_time, received_at,
    topic_id, partition, "offset", causes, subject, dialect, basis, trace, keys, notes, redeliveries)
SELECT c.day, c.id, e.source, replace(e.event_id, c.old, c.name), e.type, e.service,
    e.time + c.by, e.record_time + c.by, e.received_at + c.by,
    e.topic_id, e.partition, e."offset" + c.id * 100000, pg_temp.renamed(e.causes, c.old, c.name),
    e.subject, e.dialect, e.basis, e.trace,
    pg_temp.renamed(pg_temp.renamed(e.keys, 'c-' || c.old, 'c-' || c.id %% 200000), c.old, c.name),
    e.notes, e.redeliveries
FROM copied c JOIN model_event e ON e.transaction = c.model
"""
_KEYS = """
INSERT INTO collector_key (day, value, name, transaction)
SELECT c.day, CASE WHEN k.name = 'customer.id' THEN 'c-' || c.id %% 200000 ELSE replace(k.value, c.old, c.name) END,
    k.name, c.id FROM copied c JOIN model_key k ON k.transaction = c.model
"""
_TRANSITIONS = """
INSERT INTO collector_transition (day, transaction, at, effective_at, kind, phase, overdue_since, detail)
SELECT c.day, c.id, t.at + c.by, t.effective_at + c.by, t.kind, t.phase, t.overdue_since + c.by,
    pg_temp.renamed(t.detail, c.old, c.name)
FROM copied c JOIN model_transition t ON t.transaction = c.model ORDER BY c.id, t.id
"""
_OPEN = """
INSERT INTO collector_overdue (transaction, choreography, awaited, service, compensation, since)
SELECT c.id, o.choreography, o.awaited, o.service, o.compensation, o.since + c.by
FROM copied c JOIN model_overdue o ON o.transaction = c.model;
INSERT INTO collector_deadline (transaction, due_at)
SELECT c.id, d.due_at + c.by FROM copied c JOIN model_deadline d ON d.transaction = c.model;
"""
_PAYLOADS = """
INSERT INTO collector_payload (day, topic_id, partition, "offset", key, headers, value, size)
SELECT ((e.received_at + c.by) AT TIME ZONE 'UTC')::date, p.topic_id, p.partition, p."offset" + c.id * 100000,
    p.key, p.headers, p.value, p.size
FROM copied c JOIN model_event e ON e.transaction = c.model
JOIN model_payload p ON p.topic_id = e.topic_id AND p.partition = e.partition AND p."offset" = e."offset"
"""
_UNREAD = """
INSERT INTO collector_undecodable
SELECT u.day - d, topic_id, partition, "offset" + 1000 + d * 1000000 + n * 1000, record_time - d * interval '1 day',
    u.received_at - d * interval '1 day' - n * interval '7 seconds', reason, detail, size, raw
FROM collector_undecodable u, generate_series(0, %(days)s - 1) AS d, generate_series(1, 300) AS n;
INSERT INTO collector_uncorrelated
SELECT u.day - d, topic_id, partition, "offset" + 1000 + d * 1000000 + n * 1000, position,
    record_time - d * interval '1 day',
    u.received_at - d * interval '1 day' - n * interval '7 seconds', source,
    event_id || '-' || d || '-' || n, type, service,
    time - d * interval '1 day', dialect, notes
FROM collector_uncorrelated u, generate_series(0, %(days)s - 1) AS d, generate_series(1, 300) AS n;
"""
# What waits is counted from the transactions themselves.
_WAITING = """
TRUNCATE collector_waiting;
INSERT INTO collector_waiting (writer, choreography, rule, after, awaited, service, count)
SELECT 'bench', choreography, '', '', '', '', count(*) FROM collector_transaction WHERE ended_at IS NULL GROUP BY 2;
INSERT INTO collector_waiting (writer, choreography, rule, after, awaited, service, count)
SELECT 'bench', choreography, p ->> 'rule',
    (SELECT string_agg(name, ' + ') FROM jsonb_array_elements_text(p -> 'after') AS name),
    (SELECT string_agg(name, ' or ') FROM jsonb_array_elements_text(p -> 'expect') AS name),
    coalesce(p ->> 'service', ''), count(*)
FROM collector_transaction, jsonb_array_elements(state -> 'pending') AS p WHERE ended_at IS NULL AND state ? 'pending'
GROUP BY 2, 3, 4, 5, 6
"""
# A busy last hour, and traffic in every tenth bucket of the two days before it, stored in the order of time.
_FLOWS = """
INSERT INTO collector_flow (bucket, writer, choreography, source_type, source_service, target_type, target_service,
    topic, count, durations)
SELECT date_bin('10 seconds', %(now)s, '2000-01-01') - n * interval '10 seconds', 'bench', choreography, source_type,
    source_service, target_type, target_service, topic, 1 + (count * n) %% 60, durations
FROM generate_series(0, 17279) AS n, (
    SELECT DISTINCT ON (choreography, source_type, source_service, target_type, target_service, topic) *
    FROM collector_flow
    ORDER BY choreography, source_type, source_service, target_type, target_service, topic, bucket DESC
) AS model
WHERE n < 360 OR n %% 10 = 0 ORDER BY n DESC;
DELETE FROM collector_flow WHERE writer <> 'bench';
INSERT INTO collector_outcome (bucket, writer, choreography, outcome, count, durations)
SELECT date_bin('10 seconds', %(now)s, '2000-01-01') - n * interval '10 seconds', 'bench', choreography, outcome,
    1 + (count * n) %% 30, durations
FROM generate_series(0, 17279) AS n, (
    SELECT DISTINCT ON (choreography, outcome) * FROM collector_outcome ORDER BY choreography, outcome, bucket DESC
) AS model
WHERE outcome <> 'stuck' OR n %% 100 < 3 ORDER BY n DESC;
DELETE FROM collector_outcome WHERE writer <> 'bench';
"""
_MINED = """
CREATE TEMP TABLE mined_model AS
SELECT choreography, kind, status, source, target, sum(count)::bigint AS count, sum(total) AS total,
    '[' || coalesce(string_agg(nullif(trim(both '[]' from durations), ''), ','), '') || ']' AS durations
FROM collector_minedcount WHERE hours = 0 GROUP BY 1, 2, 3, 4, 5;
TRUNCATE collector_minedsum, collector_mineddifference;
INSERT INTO collector_minedsum (choreography, kind, hours, bucket, status, source, target, count, total, durations)
SELECT choreography, kind, 0, 0, status, source, target, count * %(copies)s, total * %(copies)s, durations
FROM mined_model;
INSERT INTO collector_minedsum (choreography, kind, hours, bucket, status, source, target, count, total, durations)
SELECT choreography, kind, 1, %(hour)s - n, status, source, target, count * 5, total * 5, durations
FROM mined_model, generate_series(0, 48) AS n;
INSERT INTO collector_minedsum (choreography, kind, hours, bucket, status, source, target, count, total, durations)
SELECT choreography, kind, 24, (%(hour)s / 24 - n) * 24, status, source, target,
    count * 5 * CASE n WHEN 0 THEN %(hour)s %% 24 + 1 ELSE 24 END,
    total * 5 * CASE n WHEN 0 THEN %(hour)s %% 24 + 1 ELSE 24 END, durations
FROM mined_model, generate_series(0, 29) AS n;
"""
_ALERTS = """
INSERT INTO alerts_alert (kind, choreography, awaited, service, subject, names, state, severity, count, total, peak,
    course, impact, verdict, since, opened_at, changed_at, resolved_at, flaps, announced_severity, announced_count)
SELECT kind, choreography, awaited, service, subject, names, 'resolved', severity, count, total, peak, course, impact,
    verdict, since - n * interval '1 hour', opened_at - n * interval '1 hour', changed_at - n * interval '1 hour',
    opened_at - n * interval '59 minutes', 0, '', 0
FROM alerts_alert, generate_series(1, 170) AS n;
INSERT INTO alerts_alertentry (alert_id, at, kind, who, detail)
SELECT a.id, a.opened_at + n * interval '1 minute', 'raised', 'choreoscope', '{}'
FROM alerts_alert a, generate_series(1, 3) AS n WHERE a.state = 'resolved';
"""


def multiply(cursor: CursorWrapper, now: datetime, transactions: int, days: int) -> int:
    """So many copies of the models that are stored, over so many days; returns how many events there are then."""
    cursor.execute("SET synchronous_commit = off; SET work_mem = '128MB'; SET maintenance_work_mem = '512MB'")
    cursor.execute(_MODELS)
    for fresh, shares in ((False, OLD_SHARES), (True, FRESH_SHARES)):
        for kind, share in shares.items():
            cursor.execute(_SLOTS, {"fresh": fresh, "kind": kind, "share": share})
    cursor.execute(_RENUMBER)
    cursor.execute("SELECT max(id) + 1 FROM collector_transaction")
    first = int(cursor.fetchone()[0])
    recent = min(FRESH, transactions // 10)
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
    whole, part = timedelta(days=1), now - timedelta(minutes=15) - midnight
    spans = [(midnight - whole * back, whole) for back in range(days - 1, 0, -1)] + [(midnight, part)]
    total = sum((length for _, length in spans), timedelta())
    for begin, length in spans:
        number = round((transactions - recent) * (length / total))
        _copy(cursor, begin, length, first, number, fresh=False, kept=now - begin <= PAYLOADS)
        first += number
    _copy(cursor, now - timedelta(minutes=15), timedelta(minutes=15), first, recent, fresh=True, kept=True)
    cursor.execute("SELECT setval(pg_get_serial_sequence('collector_transaction', 'id'), %s)", [first + recent])
    _count(cursor, now, transactions, days)
    cursor.execute("SELECT count(*) FROM collector_event")
    return int(cursor.fetchone()[0])


def _copy(
    cursor: CursorWrapper, begin: datetime, length: timedelta, first: int, number: int, *, fresh: bool, kept: bool
) -> None:
    """Transactions of one day, or of the part of one."""
    wanted: dict[str, Any] = {
        "first": first,
        "count": number,
        "begin": begin,
        "apart": length / max(1, number),
        "slots": SLOTS,
    }
    cursor.execute(_COPIED, {**wanted, "day": begin.date(), "fresh": fresh})
    for statement in (_TRANSACTIONS, _EVENTS, _KEYS, _TRANSITIONS, _OPEN, *([_PAYLOADS] if kept else [])):
        cursor.execute(statement, {})


def _count(cursor: CursorWrapper, now: datetime, transactions: int, days: int) -> None:
    cursor.execute("SELECT count(*) FROM model")
    copies = transactions // int(cursor.fetchone()[0])
    cursor.execute(_UNREAD, {"days": days})
    cursor.execute(_WAITING)
    cursor.execute(_FLOWS, {"now": now})
    cursor.execute(_MINED, {"copies": copies, "hour": int(now.timestamp() // 3600)})


def past_alerts(cursor: CursorWrapper) -> None:
    """The alerts that there are, and each of them again for every hour of the last week, resolved."""
    cursor.execute(_ALERTS)
