"""The Celery application: `celery -A dashboard.celery worker`, and `… beat`."""

from __future__ import annotations

import os
import warnings
from typing import Any

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

# Who runs us is not for us to judge; what makes root dangerous to a worker, messages that carry code, is not accepted.
warnings.simplefilter("ignore", SecurityWarning)

app = Celery("choreoscope")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Being connected is all it does: Celery then leaves logging as the settings have it."""
