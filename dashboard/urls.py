"""Every address. Fragments and drawings lie beside the pages, since a transaction's id may hold slashes."""

from __future__ import annotations

from django.conf import settings
from django.urls import path, re_path

from dashboard.api.views import api
from dashboard.pages import alerts, demo, health, ingestion, overview, transaction, transactions

# Ids come from strangers and may hold anything but NUL: line breaks too, which `path` converters refuse.
ANY_ID = r"(?P<transaction_id>[\s\S]+)$"

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
    path("transactions", transactions.page, name="transactions"),
    path("live/transactions", transactions.fragment, name="transactions-fragment"),
    re_path(rf"^transactions/{ANY_ID}", transaction.page, name="transaction"),
    re_path(rf"^live/transaction/{ANY_ID}", transaction.fragment, name="transaction-fragment"),
    re_path(rf"^live/drawing/{ANY_ID}", transaction.drawing, name="transaction-drawing"),
    re_path(rf"^live/event/{ANY_ID}", transaction.event, name="transaction-event"),
    path("alerts", alerts.page, name="alerts"),
    path("live/alerts", alerts.fragment, name="alerts-fragment"),
    path("ingestion", ingestion.page, name="ingestion"),
    path("live/ingestion", ingestion.fragment, name="ingestion-fragment"),
    path("api/", api.urls),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]

if settings.DEMO_CONTROL_URL:
    urlpatterns += DEMO

handler404 = "dashboard.pages.errors.not_found"
handler500 = "dashboard.pages.errors.broken"
