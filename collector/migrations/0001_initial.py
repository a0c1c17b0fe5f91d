import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day",
                        "transaction",
                        "source",
                        "event_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField(help_text="the transaction's day")),
                ("transaction", models.BigIntegerField()),
                ("source", models.TextField()),
                ("event_id", models.TextField()),
                ("type", models.TextField()),
                ("service", models.TextField()),
                ("time", models.DateTimeField()),
                ("record_time", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                ("partition", models.IntegerField()),
                ("offset", models.BigIntegerField()),
                ("causes", models.JSONField(help_text="ids of the events that it names as its causes", null=True)),
                ("subject", models.TextField(default="")),
                ("dialect", models.TextField()),
                ("basis", models.TextField(help_text="where the transaction id was found")),
                ("trace", models.TextField(default="", help_text="trace context: trace id, span id, parent span id")),
                (
                    "keys",
                    models.JSONField(help_text="business keys: pairs of what a key is called and its value", null=True),
                ),
                (
                    "notes",
                    models.JSONField(
                        help_text="what had to be assumed or mended: marks of what is not known", null=True
                    ),
                ),
                ("redeliveries", models.IntegerField(default=0)),
            ],
            options={
                "db_table": "collector_event",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Key",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day",
                        "value",
                        "name",
                        "transaction",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                ("value", models.TextField(db_collation="C")),
                ("name", models.TextField(help_text="what the key is called: its path without the place")),
                ("transaction", models.BigIntegerField()),
            ],
            options={
                "db_table": "collector_key",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="FailedDelivery",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day",
                        "transaction_id",
                        "topic",
                        "partition",
                        "offset",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                ("transaction_id", models.TextField(db_collation="C")),
                ("partition", models.IntegerField()),
                ("offset", models.BigIntegerField()),
                ("record_time", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                ("source", models.TextField()),
                ("event_id", models.TextField()),
                ("type", models.TextField()),
                ("retried", models.BooleanField(help_text="it is tried again; else it was set aside")),
                ("convention", models.TextField(help_text="by what it was recognised")),
                ("original_topic", models.TextField(default="")),
                ("original_partition", models.IntegerField(null=True)),
                ("original_offset", models.BigIntegerField(null=True)),
                ("exception", models.TextField(default="", help_text="the exception's class")),
                ("message", models.TextField(default="")),
                ("attempts", models.BigIntegerField(null=True)),
                (
                    "due_at",
                    models.DateTimeField(
                        help_text="when its transaction is next looked for; null: it is counted", null=True
                    ),
                ),
            ],
            options={
                "db_table": "collector_failure",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Payload",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day",
                        "topic",
                        "partition",
                        "offset",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField(help_text="the day of arrival")),
                ("partition", models.IntegerField()),
                ("offset", models.BigIntegerField()),
                ("key", models.BinaryField(null=True)),
                (
                    "headers",
                    models.BinaryField(help_text="MessagePack: a list of [name, value]; see collector.records"),
                ),
                ("value", models.BinaryField(null=True)),
                (
                    "size",
                    models.IntegerField(help_text="bytes of the whole value; more than is stored where it was cut"),
                ),
            ],
            options={
                "db_table": "collector_payload",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Transition",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("day", models.DateField()),
                ("id", models.BigIntegerField()),
                ("transaction", models.BigIntegerField()),
                ("at", models.DateTimeField(help_text="when it became known: the database's clock")),
                ("effective_at", models.DateTimeField(help_text="when it happened: an event's time, or a deadline")),
                ("kind", models.TextField()),
                (
                    "phase",
                    models.TextField(
                        choices=[
                            ("running", "Running"),
                            ("compensating", "Compensating"),
                            ("completed", "Completed"),
                            ("failed", "Failed"),
                            ("compensated", "Compensated"),
                            ("abandoned", "Abandoned"),
                        ]
                    ),
                ),
                ("overdue_since", models.DateTimeField(null=True)),
                ("detail", models.JSONField(default=dict)),
                ("alert_due", models.BooleanField(default=False)),
                ("bus_due", models.BooleanField(default=False)),
            ],
            options={
                "db_table": "collector_transition",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Uncorrelated",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day",
                        "topic",
                        "partition",
                        "offset",
                        "position",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                ("partition", models.IntegerField()),
                ("offset", models.BigIntegerField()),
                (
                    "position",
                    models.SmallIntegerField(default=0, help_text="which of the record's events it is"),
                ),
                ("record_time", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                ("source", models.TextField()),
                ("event_id", models.TextField()),
                ("type", models.TextField()),
                ("service", models.TextField()),
                ("time", models.DateTimeField()),
                ("dialect", models.TextField()),
                ("notes", models.JSONField(null=True)),
            ],
            options={
                "db_table": "collector_uncorrelated",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Undecodable",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day",
                        "topic",
                        "partition",
                        "offset",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                ("partition", models.IntegerField()),
                ("offset", models.BigIntegerField()),
                ("record_time", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                ("reason", models.TextField()),
                ("detail", models.TextField()),
                ("size", models.IntegerField()),
                (
                    "raw",
                    models.BinaryField(help_text="the encrypted record, where the configuration keeps it", null=True),
                ),
            ],
            options={
                "db_table": "collector_undecodable",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Deadline",
            fields=[
                ("transaction", models.BigIntegerField(primary_key=True, serialize=False)),
                ("due_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name="Clock",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day", "service", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("day", models.DateField()),
                ("service", models.TextField()),
                ("ahead", models.DurationField()),
                ("behind", models.DurationField()),
                ("count", models.BigIntegerField(help_text="events that showed it")),
                ("at", models.DateTimeField(help_text="when that was last seen")),
            ],
        ),
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("name", models.TextField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("detail", models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="RuleSet",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.TextField(unique=True)),
                (
                    "declaration",
                    models.TextField(help_text="digest of what was declared; the same where only learned rules differ"),
                ),
                ("declared", models.JSONField()),
                ("loaded_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="Flow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("bucket", models.DateTimeField()),
                ("writer", models.TextField()),
                ("choreography", models.TextField()),
                ("source_type", models.TextField()),
                ("source_service", models.TextField()),
                ("target_type", models.TextField()),
                ("target_service", models.TextField()),
                ("topic", models.TextField(help_text="the topic of the target event")),
                ("count", models.IntegerField()),
                ("durations", models.JSONField(help_text="log-bucket counts of the edge's durations: {bucket: count}")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "bucket",
                            "writer",
                            "choreography",
                            "source_type",
                            "source_service",
                            "target_type",
                            "target_service",
                            "topic",
                        ),
                        name="flow_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Outcome",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("bucket", models.DateTimeField()),
                ("writer", models.TextField()),
                ("choreography", models.TextField()),
                ("outcome", models.TextField()),
                ("count", models.IntegerField()),
                ("durations", models.JSONField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("bucket", "writer", "choreography", "outcome"), name="outcome_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="FlowHour",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("bucket", models.DateTimeField()),
                ("choreography", models.TextField()),
                ("source_type", models.TextField()),
                ("source_service", models.TextField()),
                ("target_type", models.TextField()),
                ("target_service", models.TextField()),
                ("topic", models.TextField()),
                ("count", models.BigIntegerField()),
                ("durations", models.JSONField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "bucket",
                            "choreography",
                            "source_type",
                            "source_service",
                            "target_type",
                            "target_service",
                            "topic",
                        ),
                        name="flow_hour_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OutcomeHour",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("bucket", models.DateTimeField()),
                ("choreography", models.TextField()),
                ("outcome", models.TextField()),
                ("count", models.BigIntegerField()),
                ("durations", models.JSONField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("bucket", "choreography", "outcome"), name="outcome_hour_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Overdue",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("transaction", models.BigIntegerField(db_index=True)),
                ("choreography", models.TextField()),
                ("awaited", models.TextField(help_text="the awaited event types, joined by ' or '")),
                ("service", models.TextField(help_text="who owes it; empty where not known")),
                ("compensation", models.BooleanField(default=False)),
                ("since", models.DateTimeField()),
                ("learned", models.BooleanField(db_default=False, help_text="the deadline is nobody's promise")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["choreography", "awaited", "service", "since"], name="overdue_by_cause")
                ],
            },
        ),
        migrations.CreateModel(
            name="Topic",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cluster", models.TextField()),
                (
                    "uid",
                    models.TextField(
                        help_text="Kafka's topic id; where the broker has none (the embedded one), the name"
                    ),
                ),
                ("name", models.TextField()),
                ("first_seen_at", models.DateTimeField(auto_now_add=True)),
                ("vanished_at", models.DateTimeField(help_text="when the cluster no longer listed it", null=True)),
                (
                    "watermark",
                    models.DateTimeField(help_text="everything appended before this moment has been read", null=True),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("cluster", "uid"), name="topic_once")],
            },
        ),
        migrations.CreateModel(
            name="Progress",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "topic", "partition", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("partition", models.IntegerField()),
                ("next_offset", models.BigIntegerField()),
                ("first_offset", models.BigIntegerField(help_text="where reading began")),
                ("from_start", models.BooleanField(help_text="reading began at offset 0, so nothing came before it")),
                ("last_record_at", models.DateTimeField(null=True)),
                ("last_offset", models.BigIntegerField(help_text="of the record that was read last", null=True)),
                (
                    "leader_epoch",
                    models.IntegerField(
                        help_text="of that record: how many leaders the log had had by then", null=True
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("topic", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="collector.topic")),
            ],
        ),
        migrations.CreateModel(
            name="Gap",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("partition", models.IntegerField()),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("gap", "records were removed before they were read"),
                            ("truncation", "the log ends before the place read to"),
                        ]
                    ),
                ),
                ("from_offset", models.BigIntegerField()),
                ("to_offset", models.BigIntegerField()),
                ("noticed_at", models.DateTimeField(auto_now_add=True)),
                ("topic", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="collector.topic")),
            ],
        ),
        migrations.CreateModel(
            name="End",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "topic", "partition", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("partition", models.IntegerField()),
                ("end_offset", models.BigIntegerField(help_text="open producer transactions included", null=True)),
                (
                    "stable_offset",
                    models.BigIntegerField(help_text="where an open producer transaction stops reading", null=True),
                ),
                (
                    "unreadable_since",
                    models.DateTimeField(help_text="since when it has not said where it ends", null=True),
                ),
                ("topic", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="collector.topic")),
            ],
        ),
        migrations.CreateModel(
            name="Transaction",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("transaction_id", models.TextField(db_collation="C", unique=True)),
                ("day", models.DateField(help_text="the day of its first arrival: where its events are stored")),
                ("first_seen_at", models.DateTimeField()),
                ("choreography", models.TextField(default="")),
                (
                    "phase",
                    models.TextField(
                        choices=[
                            ("running", "Running"),
                            ("compensating", "Compensating"),
                            ("completed", "Completed"),
                            ("failed", "Failed"),
                            ("compensated", "Compensated"),
                            ("abandoned", "Abandoned"),
                        ],
                        default="running",
                    ),
                ),
                ("overdue_since", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField()),
                ("last_event_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "ended_by",
                    models.TextField(default="", help_text="event, learned end, compensation, silence or person"),
                ),
                ("event_count", models.IntegerField(default=0)),
                ("redelivery_count", models.IntegerField(default=0)),
                ("failed_delivery_count", models.IntegerField(default=0)),
                (
                    "impact",
                    models.FloatField(
                        null=True,
                        help_text="what is at stake: the largest number that any of its events has there",
                    ),
                ),
                ("partial", models.BooleanField(default=False)),
                ("oversized", models.BooleanField(default=False)),
                ("historic", models.BooleanField(default=False)),
                ("rules", models.IntegerField(default=0, help_text="id of the RuleSet it was judged by; 0: none")),
                ("version", models.BigIntegerField(default=0, help_text="grows with every change: what pages compare")),
                (
                    "merged_into",
                    models.BigIntegerField(help_text="of an alias: the row that its id leads to", null=True),
                ),
                (
                    "link_rank",
                    models.SmallIntegerField(
                        help_text="the place of its id's path in the link that found it", null=True
                    ),
                ),
                ("abandoned_at", models.DateTimeField(null=True)),
                ("abandoned_by", models.TextField(default="")),
                ("abandoned_reason", models.TextField(default="")),
                ("state", models.JSONField(default=dict)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("merged_into__isnull", False)),
                        fields=["merged_into"],
                        name="transaction_alias",
                    ),
                    models.Index(fields=["-started_at", "-id"], name="transaction_list"),
                    models.Index(fields=["choreography", "-started_at", "-id"], name="transaction_by_choreography"),
                    models.Index(
                        condition=models.Q(("ended_at", None)), fields=["-started_at", "-id"], name="transaction_open"
                    ),
                    models.Index(
                        condition=models.Q(("ended_at__isnull", False)),
                        fields=["phase", "-ended_at"],
                        name="transaction_ended",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Waiting",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("writer", models.TextField()),
                ("choreography", models.TextField()),
                ("rule", models.TextField(help_text="the rule's key within the choreography")),
                ("after", models.TextField(help_text="the triggers' types, joined by ' + '")),
                ("awaited", models.TextField(help_text="the awaited types, joined by ' or '")),
                ("service", models.TextField()),
                ("count", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("choreography", "rule", "after", "awaited", "service", "writer"), name="waiting_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EventType",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("type", models.TextField()),
                ("service", models.TextField()),
                ("first_seen_at", models.DateTimeField(auto_now_add=True)),
                ("topic", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="collector.topic")),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("type", "service", "topic"), name="event_type_once")],
            },
        ),
        migrations.CreateModel(
            name="Mined",
            fields=[
                ("transaction", models.BigIntegerField(primary_key=True, serialize=False)),
                ("body", models.BinaryField(help_text="MessagePack; see collector.mining.contribution")),
            ],
        ),
        migrations.CreateModel(
            name="Unmined",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "transactions",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Lesson",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("choreography", models.TextField()),
                ("since", models.DateTimeField(help_text="when the first of them began")),
                (
                    "until",
                    models.DateTimeField(help_text="up to when those that began are represented by these"),
                ),
                (
                    "transactions",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                ("events", models.IntegerField(help_text="how many these had together")),
                ("disturbed", models.BooleanField()),
                (
                    "body",
                    models.BinaryField(help_text="MessagePack, compressed; see collector.mining.lessons"),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("choreography", "until"), name="lesson_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="LearnedGroup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("service", models.TextField()),
                ("topic", models.TextField()),
                ("name", models.TextField(help_text="the group's")),
                (
                    "seen_at",
                    models.DateTimeField(
                        help_text="when the service was last seen to react to what the group may read"
                    ),
                ),
                (
                    "passed_at",
                    models.DateTimeField(help_text="when it had last passed what the service had answered", null=True),
                ),
                (
                    "stopped_at",
                    models.DateTimeField(help_text="when both had last stood still at the same place", null=True),
                ),
                (
                    "against_at",
                    models.DateTimeField(help_text="when the service last went on where it stood still", null=True),
                ),
                (
                    "watched",
                    models.JSONField(
                        default=dict, help_text="by partition: an offset that was answered, and since when known"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("service", "topic", "name"), name="learned_group_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="LearnedRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("choreography", models.TextField()),
                (
                    "kind",
                    models.TextField(choices=[("response", "Response"), ("ends", "Ends"), ("types", "Types")]),
                ),
                (
                    "after",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None),
                ),
                (
                    "expect",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None),
                ),
                (
                    "services",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None),
                ),
                ("within", models.DurationField(null=True)),
                (
                    "evidence",
                    models.JSONField(default=dict, help_text="support, confidence, percentiles in seconds, basis"),
                ),
                ("since", models.DateTimeField()),
                (
                    "until",
                    models.DateTimeField(help_text="when it was given up, or replaced; null: in force", null=True),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("until", None)), fields=["id"], name="learned_rule_in_force"),
                    models.Index(fields=["since"], name="learned_rule_since"),
                ],
            },
        ),
        migrations.CreateModel(
            name="MinedCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("choreography", models.TextField()),
                ("kind", models.TextField()),
                ("hours", models.SmallIntegerField()),
                ("bucket", models.IntegerField(help_text="its first hour, counted from 1970")),
                ("status", models.TextField(help_text="of the transactions: a phase, or stuck")),
                (
                    "settled",
                    models.BooleanField(help_text="else it is to be added to the settled row, and may be below zero"),
                ),
                ("source", models.TextField()),
                ("target", models.TextField()),
                ("count", models.BigIntegerField()),
                ("total", models.DecimalField(decimal_places=0, max_digits=40)),
                ("durations", models.TextField()),
            ],
            options={
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="MinedDifference",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("choreography", models.TextField()),
                ("kind", models.TextField()),
                ("hours", models.SmallIntegerField()),
                ("bucket", models.IntegerField(help_text="its first hour, counted from 1970")),
                ("status", models.TextField(help_text="of the transactions: a phase, or stuck")),
                ("always", models.BooleanField(help_text="they are to be added to the sums of all times too")),
                ("entries", models.IntegerField(help_text="how many, counted twice where they are to be added twice")),
                ("sources", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                ("targets", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                ("counts", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                (
                    "totals",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.DecimalField(decimal_places=0, max_digits=40), size=None
                    ),
                ),
                ("durations", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="MinedSum",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("choreography", models.TextField()),
                ("kind", models.TextField()),
                ("hours", models.SmallIntegerField()),
                ("bucket", models.IntegerField(help_text="its first hour, counted from 1970")),
                ("status", models.TextField(help_text="of the transactions: a phase, or stuck")),
                ("source", models.TextField()),
                ("target", models.TextField()),
                ("count", models.BigIntegerField()),
                (
                    "total",
                    models.DecimalField(
                        decimal_places=0, help_text="sum of the durations, in microseconds", max_digits=40
                    ),
                ),
                (
                    "durations",
                    models.TextField(help_text="JSON: a log-bucket, how many durations lie in it, another bucket …"),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["hours", "kind", "bucket"], name="mined_sum_of_all")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("choreography", "kind", "hours", "bucket", "status", "source", "target"),
                        name="mined_sum_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Variant",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("choreography", models.TextField()),
                ("causal", models.BooleanField()),
                ("digest", models.BinaryField()),
                ("definition", models.JSONField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("choreography", "causal", "digest"), name="variant_once")
                ],
            },
        ),
    ]
