"""Every address. Fragments and drawings lie beside the pages, since a transaction's id may hold slashes."""

from __future__ import annotations

from django.conf import settings
from django.urls import path

from dashboard import (
    addresses,  # noqa: F401 - registers <id:…>
    times,
)
from dashboard.accounts.urls import urlpatterns as accounts
from dashboard.api.views import api
from dashboard.pages import (
    alert,
    alerts,
    channels,
    choreographies,
    choreography,
    closing,
    demo,
    frame,
    health,
    ingestion,
    lessons,
    metrics,
    news,
    overview,
    search,
    services,
    taking,
    transaction,
    transactions,
)

DEMO = [
    path("demo", demo.page, name="demo"),
    path("demo/orders", demo.orders, name="demo-orders"),
    path("demo/rate", demo.rate, name="demo-rate"),
    path("demo/faults", demo.fault, name="demo-faults"),
]
"""Only where there are demo services to control."""

urlpatterns = [
    path("", overview.page, name="overview"),
    path("live/overview", overview.fragment, name="overview-fragment"),
    path("live/overview.json", overview.drawings, name="overview-drawings"),
    path("live/changes", news.looked_for, name="changes-fragment"),
    path("transactions", transactions.page, name="transactions"),
    path("live/transactions", transactions.fragment, name="transactions-fragment"),
    path("live/transactions/shown", transactions.shown, name="transactions-shown"),
    path("live/frame", frame.alone, name="frame-fragment"),
    path("transactions/<id:transaction_id>", transaction.page, name="transaction"),
    path("close/<id:transaction_id>", closing.close, name="transaction-close"),
    path("live/transaction/<id:transaction_id>", transaction.fragment, name="transaction-fragment"),
    path("live/drawing/<id:transaction_id>", transaction.drawing, name="transaction-drawing"),
    path("live/then/<id:transaction_id>", transaction.then, name="transaction-then"),
    path("live/event/<id:transaction_id>", transaction.event, name="transaction-event"),
    path("live/why/<id:transaction_id>", transaction.why, name="transaction-why"),
    path("choreographies", choreographies.page, name="choreographies"),
    path("live/choreographies", choreographies.fragment, name="choreographies-fragment"),
    path("choreographies/<id:name>", choreography.page, name="choreography"),
    path("live/choreography/<id:name>", choreography.fragment, name="choreography-fragment"),
    path("live/discovered/<id:name>", choreography.drawing, name="choreography-drawing"),
    path("live/ways/<id:name>", choreography.ways, name="choreography-ways"),
    path("live/rules/<id:name>", lessons.rules, name="choreography-rules"),
    path("live/conformance/<id:name>", lessons.conformance, name="choreography-conformance"),
    path("live/adopt/<id:name>", lessons.adopt, name="choreography-adopt"),
    path("alerts", alerts.page, name="alerts"),
    path("live/alerts", alerts.fragment, name="alerts-fragment"),
    path("alerts/act", alert.act, name="alerts-act"),
    path("alerts/<int:alert_id>", alert.page, name="alert"),
    path("live/alert/<int:alert_id>", alert.fragment, name="alert-fragment"),
    path("live/alert/<int:alert_id>/drawings.json", alert.drawings, name="alert-drawings"),
    path("live/alert/<int:alert_id>/common", alert.common, name="alert-common"),
    path("channels", channels.page, name="channels"),
    path("live/channels", channels.fragment, name="channels-fragment"),
    path("channels/add", channels.add, name="channel-add"),
    path("channels/<int:channel_id>", channels.change, name="channel-change"),
    path("silences/add", channels.silence, name="silence-add"),
    path("silences/<int:silence_id>/end", channels.end_silence, name="silence-end"),
    path("services", services.page, name="services"),
    path("live/services", services.fragment, name="services-fragment"),
    path("services/<id:service>", services.one, name="service"),
    path("live/service/<id:service>", services.one_fragment, name="service-fragment"),
    path("live/readers/<id:service>", services.readers, name="service-readers"),
    path("live/search", search.results, name="search"),
    path("ingestion", ingestion.page, name="ingestion"),
    path("live/ingestion", ingestion.fragment, name="ingestion-fragment"),
    path("ingestion/again", ingestion.again, name="ingestion-again"),
    path("ingestion/suggestion", ingestion.suggestion, name="ingestion-suggestion"),
    path("timezone", times.choose, name="timezone"),
    path("take/<slug:table>.<slug:form>", taking.take, name="take"),
    path("api/", api.urls),
    path("metrics", metrics.metrics, name="metrics"),
    *accounts,
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]

if settings.DEMO_CONTROL_URL:
    urlpatterns += DEMO

handler404 = "dashboard.pages.errors.not_found"
handler500 = "dashboard.pages.errors.broken"
