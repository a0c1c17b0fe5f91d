import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Alert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("stuck", "stuck"),
                            ("stuck_compensating", "stuck while compensating"),
                            ("collector_down", "no collector is alive"),
                            ("collector_behind", "reading is behind"),
                            ("partition_unreadable", "a partition cannot be read"),
                            ("topic_forbidden", "a topic may not be read"),
                        ]
                    ),
                ),
                ("choreography", models.TextField()),
                ("awaited", models.TextField(help_text="the awaited event types, joined by ' or '")),
                ("service", models.TextField(help_text="who owes it; empty where not known")),
                ("subject", models.TextField(default="", help_text="the topic, where it is about the reading of one")),
                (
                    "names",
                    models.TextField(
                        default="", help_text="what it names: partitions, or the topic that is furthest behind"
                    ),
                ),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("open", "Open"),
                            ("acknowledged", "Acknowledged"),
                            ("snoozed", "Snoozed"),
                            ("resolved", "Resolved"),
                        ],
                        default="open",
                    ),
                ),
                ("count", models.IntegerField(default=0)),
                ("peak", models.IntegerField(default=0)),
                (
                    "impact",
                    models.FloatField(null=True, help_text="what is at stake in these transactions together"),
                ),
                (
                    "since",
                    models.DateTimeField(help_text="the earliest deadline that passed; since when reading is not well"),
                ),
                ("opened_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("resolved_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["-opened_at", "-id"], name="alert_list")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "resolved"), _negated=True),
                        fields=("kind", "choreography", "awaited", "service", "subject"),
                        name="one_unresolved_alert_per_cause",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("kind", models.TextField(help_text="raised, grew, resolved, acknowledged, snoozed …")),
                ("who", models.TextField(default="choreoscope")),
                ("detail", models.JSONField(default=dict)),
                (
                    "alert",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="entries", to="alerts.alert"
                    ),
                ),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
    ]
