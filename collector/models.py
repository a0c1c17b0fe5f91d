"""The tables of events and transactions: what was read, what it means, and how far reading has come.

Five of them are partitioned by day (`day`) and so carry no foreign keys: `Event`, `Payload`, `Transition`,
`Uncorrelated` and `Undecodable`; their DDL is in the first migration, their upkeep in `collector.storage.partitions`.
docs/architecture.md draws how they hang together.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Phase(models.TextChoices):
    RUNNING = "running"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    FAILED = "failed"
    COMPENSATED = "compensated"
    ABANDONED = "abandoned"


OPEN_PHASES = (Phase.RUNNING, Phase.COMPENSATING)


class Topic(models.Model):
    """A topic of one Kafka cluster. A topic that was deleted and made anew has a new id, and so a new row."""

    cluster = models.TextField()
    uid = models.TextField(help_text="Kafka's topic id; where the broker has none (the embedded one), the name")
    name = models.TextField()
    first_seen_at = models.DateTimeField(auto_now_add=True)
    vanished_at = models.DateTimeField(null=True, help_text="when the cluster no longer listed it")
    watermark = models.DateTimeField(null=True, help_text="everything appended before this moment has been read")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cluster", "uid"], name="topic_once")]

    def __str__(self) -> str:
        return self.name


class Progress(models.Model):
    """The next offset to read of a partition; written in the same database transaction as what was read before it."""

    pk = models.CompositePrimaryKey("topic", "partition")
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE)
    partition = models.IntegerField()
    next_offset = models.BigIntegerField()
    first_offset = models.BigIntegerField(help_text="where reading began")
    from_start = models.BooleanField(help_text="reading began at offset 0, so nothing came before it")
    last_record_at = models.DateTimeField(null=True)
    last_offset = models.BigIntegerField(null=True, help_text="of the record that was read last")
    leader_epoch = models.IntegerField(null=True, help_text="of that record: how many leaders the log had had by then")
    updated_at = models.DateTimeField(auto_now=True)


class End(models.Model):
    """Where a partition ended when the brokers were last asked, whether it has been read or not.

    Apart from `Progress`, so that whoever asks never waits for a batch that is being stored.
    """

    pk = models.CompositePrimaryKey("topic", "partition")
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE)
    partition = models.IntegerField()
    end_offset = models.BigIntegerField(null=True, help_text="open producer transactions included")
    stable_offset = models.BigIntegerField(null=True, help_text="where an open producer transaction stops reading")
    unreadable_since = models.DateTimeField(null=True, help_text="since when it has not said where it ends")


class Gap(models.Model):
    """Records that were gone before they were read, or a log that ends before the place read to."""

    class Kind(models.TextChoices):
        GAP = "gap", "records were removed before they were read"
        TRUNCATION = "truncation", "the log ends before the place read to"

    topic = models.ForeignKey(Topic, on_delete=models.CASCADE)
    partition = models.IntegerField()
    kind = models.TextField(choices=Kind)
    from_offset = models.BigIntegerField()
    to_offset = models.BigIntegerField()
    noticed_at = models.DateTimeField(auto_now_add=True)


class RuleSet(models.Model):
    """A version of the choreographies, with what was learned, as it was when transactions were judged by it."""

    digest = models.TextField(unique=True)
    declaration = models.TextField(help_text="digest of what was declared; the same where only learned rules differ")
    declared = models.JSONField()
    loaded_at = models.DateTimeField(auto_now_add=True)


class Transactions(models.Manager["Transaction"]):
    """All but aliases."""

    def get_queryset(self) -> models.QuerySet[Transaction]:
        return super().get_queryset().filter(merged_into=None)


class Transaction(models.Model):
    """All events that share a transaction id, and where they stand.

    Everything but `transaction_id`, `day`, `first_seen_at` and `abandoned_*` is a function of the events, the rules'
    version and the watermarks; it is stored so that lists need not compute it. `state` holds pending responses and
    deviations in the form that `collector.correlation.state` documents.
    """

    id = models.BigAutoField(primary_key=True)
    transaction_id = models.TextField(unique=True, db_collation="C")
    day = models.DateField(help_text="the day of its first arrival: where its events are stored")
    first_seen_at = models.DateTimeField()
    choreography = models.TextField(default="")
    phase = models.TextField(choices=Phase, default=Phase.RUNNING)
    overdue_since = models.DateTimeField(null=True)
    started_at = models.DateTimeField()
    last_event_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.TextField(default="", help_text="event, learned end, compensation, silence or person")
    event_count = models.IntegerField(default=0)
    redelivery_count = models.IntegerField(default=0)
    failed_delivery_count = models.IntegerField(default=0)
    impact = models.FloatField(
        null=True, help_text="what is at stake: the largest number that any of its events has there"
    )
    partial = models.BooleanField(default=False)
    oversized = models.BooleanField(default=False)
    historic = models.BooleanField(default=False)
    rules = models.IntegerField(default=0, help_text="id of the RuleSet it was judged by; 0: none")
    version = models.BigIntegerField(default=0, help_text="grows with every change: what pages compare")
    merged_into = models.BigIntegerField(null=True, help_text="of an alias: the row that its id leads to")
    link_rank = models.SmallIntegerField(null=True, help_text="the place of its id's path in the link that found it")
    abandoned_at = models.DateTimeField(null=True)
    abandoned_by = models.TextField(default="")
    abandoned_reason = models.TextField(default="")
    state = models.JSONField(default=dict)

    objects = Transactions()
    every = models.Manager()  # noqa: DJ012 - what is no field is told apart by its type only
    """With aliases, which have no events and no state."""

    class Meta:
        indexes = [
            models.Index(fields=["merged_into"], condition=Q(merged_into__isnull=False), name="transaction_alias"),
            models.Index(fields=["-started_at", "-id"], name="transaction_list"),
            models.Index(fields=["choreography", "-started_at", "-id"], name="transaction_by_choreography"),
            models.Index(fields=["-started_at", "-id"], condition=Q(ended_at=None), name="transaction_open"),
            models.Index(fields=["phase", "-ended_at"], condition=Q(ended_at__isnull=False), name="transaction_ended"),
        ]

    def __str__(self) -> str:
        return self.transaction_id

    @property
    def status(self) -> str:
        """The phase, or `stuck` where something is overdue; the phase stays beneath."""
        return "stuck" if self.overdue_since else self.phase


class Deadline(models.Model):
    """When a transaction is next to be checked. Narrow and apart, so that the wide row needs no index on a deadline.

    Written under the transaction's row lock, only ever to an earlier moment; the sweep re-checks and postpones.
    """

    transaction = models.BigIntegerField(primary_key=True)
    due_at = models.DateTimeField(db_index=True)


class Overdue(models.Model):
    """An overdue pending response of a transaction, by cause; what alerts count."""

    id = models.BigAutoField(primary_key=True)
    transaction = models.BigIntegerField(db_index=True)
    choreography = models.TextField()
    awaited = models.TextField(help_text="the awaited event types, joined by ' or '")
    service = models.TextField(help_text="who owes it; empty where not known")
    compensation = models.BooleanField(default=False)
    since = models.DateTimeField()
    learned = models.BooleanField(db_default=False, help_text="the deadline is nobody's promise")

    class Meta:
        indexes = [models.Index(fields=["choreography", "awaited", "service", "since"], name="overdue_by_cause")]


class EventType(models.Model):
    """An event type seen on a topic, from a service: tells which topics' watermarks an awaited event needs."""

    topic = models.ForeignKey(Topic, on_delete=models.CASCADE)
    type = models.TextField()
    service = models.TextField()
    first_seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["type", "service", "topic"], name="event_type_once")]


class Flow(models.Model):
    """How often one event led to another, in ten-second buckets by arrival: what the live map draws.

    Each collector writes rows of its own (`writer`), so that collectors never wait for each other; readers sum.
    Rows with an empty source (type and service) count every event once; the others count edges of the causal graph.
    """

    bucket = models.DateTimeField()
    writer = models.TextField()
    choreography = models.TextField()
    source_type = models.TextField()
    source_service = models.TextField()
    target_type = models.TextField()
    target_service = models.TextField()
    topic = models.TextField(help_text="the topic of the target event")
    count = models.IntegerField()
    durations = models.JSONField(help_text="log-bucket counts of the edge's durations: {bucket: count}")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "bucket",
                    "writer",
                    "choreography",
                    "source_type",
                    "source_service",
                    "target_type",
                    "target_service",
                    "topic",
                ],
                name="flow_once",
            )
        ]


class Outcome(models.Model):
    """How many transactions started, ended or became stuck, in ten-second buckets of when that became known.

    `outcome` is "started", "stuck" or the phase that a transaction ended with; `durations` holds the durations of the
    ended ones, counted as in `Flow`. Writers as in `Flow`.
    """

    bucket = models.DateTimeField()
    writer = models.TextField()
    choreography = models.TextField()
    outcome = models.TextField()
    count = models.IntegerField()
    durations = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bucket", "writer", "choreography", "outcome"], name="outcome_once")
        ]


class FlowHour(models.Model):
    """`Flow`, summed up by the hour: what an overview of longer ago is drawn from."""

    bucket = models.DateTimeField()
    choreography = models.TextField()
    source_type = models.TextField()
    source_service = models.TextField()
    target_type = models.TextField()
    target_service = models.TextField()
    topic = models.TextField()
    count = models.BigIntegerField()
    durations = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "bucket",
                    "choreography",
                    "source_type",
                    "source_service",
                    "target_type",
                    "target_service",
                    "topic",
                ],
                name="flow_hour_once",
            )
        ]


class OutcomeHour(models.Model):
    """`Outcome`, summed up by the hour."""

    bucket = models.DateTimeField()
    choreography = models.TextField()
    outcome = models.TextField()
    count = models.BigIntegerField()
    durations = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bucket", "choreography", "outcome"], name="outcome_hour_once")]


class Waiting(models.Model):
    """How many pending responses there are by rule; each writer adds its differences, readers sum.

    Rows with an empty `rule` count the choreography's open transactions.
    """

    writer = models.TextField()
    choreography = models.TextField()
    rule = models.TextField(help_text="the rule's key within the choreography")
    after = models.TextField(help_text="the triggers' types, joined by ' + '")
    awaited = models.TextField(help_text="the awaited types, joined by ' or '")
    service = models.TextField()
    count = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["choreography", "rule", "after", "awaited", "service", "writer"], name="waiting_once"
            )
        ]


class Heartbeat(models.Model):
    """The last sign of life of a collector, of the sweep and of the workers."""

    name = models.TextField(primary_key=True)
    at = models.DateTimeField()
    detail = models.JSONField(default=dict)


class Clock(models.Model):
    """By how much a service's clock was off on a day, at least: `ahead` of the database's when its events arrived;
    `behind`, since its events had earlier times than their causes. Rows only of services of which that was seen."""

    pk = models.CompositePrimaryKey("day", "service")
    day = models.DateField()
    service = models.TextField()
    ahead = models.DurationField()
    behind = models.DurationField()
    count = models.BigIntegerField(help_text="events that showed it")
    at = models.DateTimeField(help_text="when that was last seen")


class Unmined(models.Model):
    """Transactions that have changed and are to be mined again: one row for each batch that changed some.

    Written in the batch's own database transaction; a miner that takes a row deletes it in the same one as it counts.
    """

    transactions = ArrayField(models.BigIntegerField())


class Mined(models.Model):
    """What a transaction has contributed to `MinedCount`, so that it can be subtracted when the transaction changes."""

    transaction = models.BigIntegerField(primary_key=True)
    body = models.BinaryField(help_text="MessagePack; see collector.mining.contribution")


class Variant(models.Model):
    """A way that transactions of a choreography went: its event types in event order or, where `causal`, what led to
    what, whatever the order. Only so many are kept; the others are counted together."""

    choreography = models.TextField()
    causal = models.BooleanField()
    digest = models.BinaryField()
    definition = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["choreography", "causal", "digest"], name="variant_once")]


class Counted(models.Model):
    """Something that was mined, by when transactions began: in days (`hours` is 24) since 1970 and, of the last two, in
    hours (1) as well; and of all times together (0). What each `kind` counts is told in `collector.mining.counts`."""

    choreography = models.TextField()
    kind = models.TextField()
    hours = models.SmallIntegerField()
    bucket = models.IntegerField(help_text="its first hour, counted from 1970")
    status = models.TextField(help_text="of the transactions: a phase, or stuck")

    class Meta:
        abstract = True


class MinedSum(Counted):
    """A count of what was mined: settled, so that there is one for each thing that is counted."""

    source = models.TextField()
    target = models.TextField()
    count = models.BigIntegerField()
    total = models.DecimalField(max_digits=40, decimal_places=0, help_text="sum of the durations, in microseconds")
    durations = models.TextField(help_text="JSON: a log-bucket, how many durations lie in it, another bucket …")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["choreography", "kind", "hours", "bucket", "status", "source", "target"],
                name="mined_sum_once",
            )
        ]
        indexes = [models.Index(fields=["hours", "kind", "bucket"], name="mined_sum_of_all")]


class MinedDifference(Counted):
    """What is to be added to sums, and may be below zero: many entries in one row, each a place in these columns."""

    always = models.BooleanField(help_text="they are to be added to the sums of all times too")
    entries = models.IntegerField(help_text="how many, counted twice where they are to be added twice")
    sources = ArrayField(models.TextField())
    targets = ArrayField(models.TextField())
    counts = ArrayField(models.BigIntegerField())
    totals = ArrayField(models.DecimalField(max_digits=40, decimal_places=0))
    durations = ArrayField(models.TextField())


class MinedCount(Counted):
    """The counts as they are to be read, a view: sums, and the entries of what is to be added to them. There may be
    several rows for one thing, and their sum counts."""

    settled = models.BooleanField(help_text="else it is to be added to the settled row, and may be below zero")
    source = models.TextField()
    target = models.TextField()
    count = models.BigIntegerField()
    total = models.DecimalField(max_digits=40, decimal_places=0)
    durations = models.TextField()

    class Meta:
        managed = False


class Lesson(models.Model):
    """Settled transactions that began about the same time, looked at to learn from: the first few of them.

    Taken once, and anew where one of them has changed since. `disturbed`: one of them was stuck.
    """

    choreography = models.TextField()
    since = models.DateTimeField(help_text="when the first of them began")
    until = models.DateTimeField(help_text="up to when those that began are represented by these")
    transactions = ArrayField(models.BigIntegerField())
    events = models.IntegerField(help_text="how many these had together")
    disturbed = models.BooleanField()
    body = models.BinaryField(help_text="MessagePack, compressed; see collector.mining.lessons")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["choreography", "until"], name="lesson_once")]


class LearnedGroup(models.Model):
    """What is known of a consumer group that may be the one by which a service reads a topic that it reacts to.

    A group that has passed what the service had answered may be; what else was seen tells such groups apart.
    """

    service = models.TextField()
    topic = models.TextField()
    name = models.TextField(help_text="the group's")
    seen_at = models.DateTimeField(help_text="when the service was last seen to react to what the group may read")
    passed_at = models.DateTimeField(null=True, help_text="when it had last passed what the service had answered")
    stopped_at = models.DateTimeField(null=True, help_text="when both had last stood still at the same place")
    against_at = models.DateTimeField(null=True, help_text="when the service last went on where it stood still")
    watched = models.JSONField(
        default=dict, help_text="by partition: an offset that was answered, and since when known"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["service", "topic", "name"], name="learned_group_once")]


class LearnedRule(models.Model):
    """What was learned of a choreography and when that was so; rows are added and ended, never changed otherwise.

    response: after `after`, one of `expect` comes `within` a time. ends: the event types that end its transactions.
    types: all that were met.
    """

    class Kind(models.TextChoices):
        RESPONSE = "response"
        ENDS = "ends"
        TYPES = "types"

    choreography = models.TextField()
    kind = models.TextField(choices=Kind)
    after = ArrayField(models.TextField(), default=list)
    expect = ArrayField(models.TextField())
    services = ArrayField(models.TextField(), default=list)
    within = models.DurationField(null=True)
    evidence = models.JSONField(default=dict, help_text="support, confidence, percentiles in seconds, basis")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, help_text="when it was given up, or replaced; null: in force")

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=Q(until=None), name="learned_rule_in_force"),
            models.Index(fields=["since"], name="learned_rule_since"),
        ]


class Event(models.Model):
    """A decoded record within a transaction; stored once for each transaction that it names. Partitioned by `day`."""

    pk = models.CompositePrimaryKey("day", "transaction", "source", "event_id")
    day = models.DateField(help_text="the transaction's day")
    transaction = models.BigIntegerField()
    source = models.TextField()
    event_id = models.TextField()
    type = models.TextField()
    service = models.TextField()
    time = models.DateTimeField()
    record_time = models.DateTimeField()
    received_at = models.DateTimeField()
    topic = models.ForeignKey(Topic, on_delete=models.DO_NOTHING, db_constraint=False)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    causes = models.JSONField(null=True, help_text="ids of the events that it names as its causes")
    subject = models.TextField(default="")
    dialect = models.TextField()
    basis = models.TextField(help_text="where the transaction id was found")
    trace = models.TextField(default="", help_text="trace context: trace id, span id, parent span id")
    keys = models.JSONField(null=True, help_text="business keys: pairs of what a key is called and its value")
    notes = models.JSONField(null=True, help_text="what had to be assumed or mended: marks of what is not known")
    redeliveries = models.IntegerField(default=0)

    class Meta:
        managed = False
        db_table = "collector_event"


class Key(models.Model):
    """A business key that one of a transaction's events has: what it is searched by. Partitioned as events are."""

    pk = models.CompositePrimaryKey("day", "value", "name", "transaction")
    day = models.DateField()
    value = models.TextField(db_collation="C")
    name = models.TextField(help_text="what the key is called: its path without the place")
    transaction = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "collector_key"


class FailedDelivery(models.Model):
    """A copy of an event on a retry or dead-letter topic, once for each transaction that it names. No event itself.

    Partitioned by the day of arrival. `source` and `event_id` are the original's where the copy still says them.
    """

    pk = models.CompositePrimaryKey("day", "transaction_id", "topic", "partition", "offset")
    day = models.DateField()
    transaction_id = models.TextField(db_collation="C")
    topic = models.ForeignKey(Topic, on_delete=models.DO_NOTHING, db_constraint=False)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    record_time = models.DateTimeField()
    received_at = models.DateTimeField()
    source = models.TextField()
    event_id = models.TextField()
    type = models.TextField()
    retried = models.BooleanField(help_text="it is tried again; else it was set aside")
    convention = models.TextField(help_text="by what it was recognised")
    original_topic = models.TextField(default="")
    original_partition = models.IntegerField(null=True)
    original_offset = models.BigIntegerField(null=True)
    exception = models.TextField(default="", help_text="the exception's class")
    message = models.TextField(default="")
    attempts = models.BigIntegerField(null=True)
    due_at = models.DateTimeField(null=True, help_text="when its transaction is next looked for; null: it is counted")

    class Meta:
        managed = False
        db_table = "collector_failure"


class Payload(models.Model):
    """A record's key, headers and value as bytes (masked where rules say so). Partitioned by the day of arrival."""

    pk = models.CompositePrimaryKey("day", "topic", "partition", "offset")
    day = models.DateField(help_text="the day of arrival")
    topic = models.ForeignKey(Topic, on_delete=models.DO_NOTHING, db_constraint=False)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    key = models.BinaryField(null=True)
    headers = models.BinaryField(help_text="MessagePack: a list of [name, value]; see collector.records")
    value = models.BinaryField(null=True)
    size = models.IntegerField(help_text="bytes of the whole value; more than is stored where it was cut")

    class Meta:
        managed = False
        db_table = "collector_payload"


class Transition(models.Model):
    """An entry in the append-only log of what was known of a transaction, and when. Partitioned by its day.

    It is also the outbox that alerts (`alert_due`) and events back on the bus (`bus_due`) are made from.
    """

    pk = models.CompositePrimaryKey("day", "id")
    day = models.DateField()
    id = models.BigIntegerField()
    transaction = models.BigIntegerField()
    at = models.DateTimeField(help_text="when it became known: the database's clock")
    effective_at = models.DateTimeField(help_text="when it happened: an event's time, or a deadline")
    kind = models.TextField()
    phase = models.TextField(choices=Phase)
    overdue_since = models.DateTimeField(null=True)
    detail = models.JSONField(default=dict)
    alert_due = models.BooleanField(default=False)
    bus_due = models.BooleanField(default=False)

    class Meta:
        managed = False
        db_table = "collector_transition"


class Uncorrelated(models.Model):
    """A decoded event without a transaction id. Partitioned by the day of arrival."""

    pk = models.CompositePrimaryKey("day", "topic", "partition", "offset", "position")
    day = models.DateField()
    topic = models.ForeignKey(Topic, on_delete=models.DO_NOTHING, db_constraint=False)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    position = models.SmallIntegerField(default=0, help_text="which of the record's events it is")
    record_time = models.DateTimeField()
    received_at = models.DateTimeField()
    source = models.TextField()
    event_id = models.TextField()
    type = models.TextField()
    service = models.TextField()
    time = models.DateTimeField()
    dialect = models.TextField()
    notes = models.JSONField(null=True)

    class Meta:
        managed = False
        db_table = "collector_uncorrelated"


class Undecodable(models.Model):
    """A record that no dialect could read: its coordinates and why. Partitioned by the day of arrival."""

    pk = models.CompositePrimaryKey("day", "topic", "partition", "offset")
    day = models.DateField()
    topic = models.ForeignKey(Topic, on_delete=models.DO_NOTHING, db_constraint=False)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    record_time = models.DateTimeField()
    received_at = models.DateTimeField()
    reason = models.TextField()
    detail = models.TextField()
    size = models.IntegerField()
    raw = models.BinaryField(null=True, help_text="the encrypted record, where the configuration keeps it")

    class Meta:
        managed = False
        db_table = "collector_undecodable"
