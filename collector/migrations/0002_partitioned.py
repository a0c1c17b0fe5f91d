"""Tables that are partitioned by day, how tables are stored, and a view: what Django's migrations cannot say."""

from django.db import migrations

EVENT = """
CREATE TABLE collector_event (
    day date NOT NULL,
    transaction bigint NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    service text NOT NULL,
    time timestamptz NOT NULL,
    record_time timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    topic_id bigint NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    causes jsonb,
    subject text NOT NULL DEFAULT '',
    dialect text NOT NULL,
    basis text NOT NULL,
    trace text NOT NULL DEFAULT '',
    keys jsonb,
    notes jsonb,
    redeliveries integer NOT NULL DEFAULT 0,
    PRIMARY KEY (transaction, source, event_id, day)
) PARTITION BY RANGE (day);
CREATE INDEX collector_event_id ON collector_event USING hash (event_id);
"""

KEY = """
CREATE TABLE collector_key (
    day date NOT NULL,
    value text COLLATE "C" NOT NULL,
    name text NOT NULL,
    transaction bigint NOT NULL,
    PRIMARY KEY (value, name, transaction, day)
) PARTITION BY RANGE (day)
"""

FAILURE = """
CREATE TABLE collector_failure (
    day date NOT NULL,
    transaction_id text COLLATE "C" NOT NULL,
    topic_id bigint NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    record_time timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    retried boolean NOT NULL,
    convention text NOT NULL,
    original_topic text NOT NULL DEFAULT '',
    original_partition integer,
    original_offset bigint,
    exception text NOT NULL DEFAULT '',
    message text NOT NULL DEFAULT '',
    attempts bigint,
    due_at timestamptz,
    PRIMARY KEY (transaction_id, topic_id, partition, "offset", day)
) PARTITION BY RANGE (day);
CREATE INDEX collector_failure_due ON collector_failure (due_at) WHERE due_at IS NOT NULL;
"""

PAYLOAD = """
CREATE TABLE collector_payload (
    day date NOT NULL,
    topic_id bigint NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    key bytea,
    headers bytea NOT NULL,
    value bytea,
    size integer NOT NULL,
    PRIMARY KEY (topic_id, partition, "offset", day)
) PARTITION BY RANGE (day)
"""

TRANSITION = """
CREATE SEQUENCE collector_transition_id_seq;
CREATE TABLE collector_transition (
    day date NOT NULL,
    id bigint NOT NULL DEFAULT nextval('collector_transition_id_seq'),
    transaction bigint NOT NULL,
    at timestamptz NOT NULL,
    effective_at timestamptz NOT NULL,
    kind text NOT NULL,
    phase text NOT NULL,
    overdue_since timestamptz,
    detail jsonb NOT NULL DEFAULT '{}',
    alert_due boolean NOT NULL DEFAULT false,
    bus_due boolean NOT NULL DEFAULT false,
    PRIMARY KEY (id, day)
) PARTITION BY RANGE (day);
ALTER SEQUENCE collector_transition_id_seq OWNED BY collector_transition.id;
CREATE INDEX collector_transition_transaction ON collector_transition (transaction, id);
CREATE INDEX collector_transition_alert_due ON collector_transition (id) WHERE alert_due;
CREATE INDEX collector_transition_bus_due ON collector_transition (id) WHERE bus_due;
"""

UNCORRELATED = """
CREATE TABLE collector_uncorrelated (
    day date NOT NULL,
    topic_id bigint NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    position smallint NOT NULL DEFAULT 0,
    record_time timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    service text NOT NULL,
    time timestamptz NOT NULL,
    dialect text NOT NULL,
    notes jsonb,
    PRIMARY KEY (topic_id, partition, "offset", position, day)
) PARTITION BY RANGE (day);
CREATE INDEX collector_uncorrelated_newest ON collector_uncorrelated (received_at DESC);
"""

UNDECODABLE = """
CREATE TABLE collector_undecodable (
    day date NOT NULL,
    topic_id bigint NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    record_time timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    size integer NOT NULL,
    raw bytea,
    PRIMARY KEY (topic_id, partition, "offset", day)
) PARTITION BY RANGE (day);
CREATE INDEX collector_undecodable_newest ON collector_undecodable (received_at DESC);
"""

# Wide rows that change with each event: room on every page keeps those updates heap-only (no index is touched).
TRANSACTION_STORAGE = """
ALTER TABLE collector_transaction SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE collector_progress SET (fillfactor = 20);
ALTER TABLE collector_waiting SET (fillfactor = 20);
ALTER TABLE collector_flow SET (fillfactor = 50);
ALTER TABLE collector_outcome SET (fillfactor = 50);
ALTER TABLE collector_minedsum SET (fillfactor = 60);
ALTER TABLE collector_mineddifference SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE collector_unmined SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE collector_deadline SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
"""

# Short-lived and read at once: compressing it would take longer than reading it.
MINED = """
ALTER TABLE collector_mineddifference ALTER sources SET STORAGE EXTERNAL, ALTER targets SET STORAGE EXTERNAL,
    ALTER counts SET STORAGE EXTERNAL, ALTER totals SET STORAGE EXTERNAL, ALTER durations SET STORAGE EXTERNAL;
CREATE VIEW collector_minedcount AS
SELECT id, true AS settled, choreography, kind, hours, bucket, status, source, target, count, total, durations
FROM collector_minedsum
UNION ALL
SELECT d.id, false, d.choreography, d.kind, d.hours, d.bucket, d.status, e.source, e.target, e.count, e.total,
    e.durations
FROM collector_mineddifference d,
    unnest(d.sources, d.targets, d.counts, d.totals, d.durations) AS e(source, target, count, total, durations)
UNION ALL
SELECT d.id, false, d.choreography, d.kind, 24::smallint, d.bucket - d.bucket % 24, d.status, e.source, e.target,
    e.count, e.total, e.durations
FROM collector_mineddifference d,
    unnest(d.sources, d.targets, d.counts, d.totals, d.durations) AS e(source, target, count, total, durations)
WHERE d.hours = 1
UNION ALL
SELECT d.id, false, d.choreography, d.kind, 0::smallint, 0, d.status, e.source, e.target, e.count, e.total, e.durations
FROM collector_mineddifference d,
    unnest(d.sources, d.targets, d.counts, d.totals, d.durations) AS e(source, target, count, total, durations)
WHERE d.always;
"""


def table(name: str, create: str) -> migrations.RunSQL:
    return migrations.RunSQL(create, f"DROP TABLE {name}")


class Migration(migrations.Migration):
    dependencies = [("collector", "0001_initial")]
    operations = [
        table("collector_event", EVENT),
        table("collector_key", KEY),
        table("collector_failure", FAILURE),
        table("collector_payload", PAYLOAD),
        table("collector_transition", TRANSITION),
        table("collector_uncorrelated", UNCORRELATED),
        table("collector_undecodable", UNDECODABLE),
        migrations.RunSQL(TRANSACTION_STORAGE, migrations.RunSQL.noop),
        migrations.RunSQL(MINED, "DROP VIEW collector_minedcount"),
    ]
