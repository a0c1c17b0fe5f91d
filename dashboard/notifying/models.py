"""Who is told, of what they are to be told, and what was sent. Work is rows: a Celery message is only a hint."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from dashboard.alerts.models import Alert


class Channel(models.Model):
    """Where notifications go. Its address holds secrets: it is stored encrypted, and never shown or logged."""

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", "Signed webhook"
        APPRISE = "apprise", "Apprise: mail, Slack, Teams, PagerDuty, Telegram …"

    name = models.TextField(unique=True)
    kind = models.TextField(choices=Kind)
    address = models.BinaryField(help_text="the URL, encrypted")
    secret = models.BinaryField(default=b"", help_text="what webhooks are signed with, encrypted")
    shown = models.TextField(help_text="what of the address may be seen")
    enabled = models.BooleanField(default=True)
    trouble = models.TextField(default="", help_text="why it was disabled, or what went wrong last")
    created_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, help_text="until when a worker sends through it")
    leased_by = models.IntegerField(null=True, help_text="which of PostgreSQL's sessions is that worker's")

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """A message to a channel: one notice, or several in one. Its `uid` stays the same however often it is sent."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"

    uid = models.UUIDField(default=uuid.uuid4, unique=True)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    kind = models.TextField(help_text="raised, escalated, updated, recovered, digest or test")
    title = models.TextField()
    text = models.TextField()
    content = models.JSONField(help_text="what a webhook gets as data")
    severity = models.TextField(default="warning")
    state = models.TextField(choices=State, default=State.WAITING)
    attempts = models.IntegerField(default=0)
    created_at = models.DateTimeField()
    next_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    error = models.TextField(default="")

    class Meta:
        indexes = [
            models.Index(fields=["channel", "id"], condition=Q(state="waiting"), name="delivery_waiting"),
            models.Index(fields=["channel", "-created_at"], name="delivery_by_channel"),
        ]


class Notice(models.Model):
    """Something about an alert that a channel is to be told of; `delivery` is what it went into."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="notices")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="notices")
    kind = models.TextField(help_text="raised, escalated, updated or recovered")
    at = models.DateTimeField()
    severity = models.TextField()
    count = models.IntegerField()
    delivery = models.ForeignKey(Delivery, null=True, on_delete=models.SET_NULL, related_name="notices")
    passed_over = models.BooleanField(default=False, help_text="a later one said it all")

    class Meta:
        indexes = [
            models.Index(
                fields=["channel", "id"], condition=Q(delivery=None, passed_over=False), name="notice_unpacked"
            ),
        ]
