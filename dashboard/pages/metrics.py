"""`/metrics` for Prometheus: collectors, topics, sweep and alerts in one place. docs/metrics.md lists them."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collector import queries
from dashboard.alerts.models import Alert
from dashboard.pages.shared import shared

_SECOND = 1.0


class _Stored(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from queries.metrics(timezone.now())
        alerts = GaugeMetricFamily("choreoscope_alerts", "Alerts that are not resolved.", labels=["kind"])
        for kind, count in Alert.unresolved_by_kind().items():
            alerts.add_metric([kind], count)
        yield alerts


def metrics(request: HttpRequest) -> HttpResponse:
    """Made once a second at most, however many ask."""
    content = shared.get("metrics", _SECOND, _made)
    return HttpResponse(content, content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


def _made() -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Stored())
    return generate_latest(registry)
