"""Where an alert's page leads to: what it is about, and whom to call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.http import urlencode

from collector import config
from dashboard.alerts.models import Alert

_MOST = 8
_CHOREOGRAPHY = {
    Alert.Kind.FAILED: ("variants-title", "the ways they went"),
    Alert.Kind.DEVIATING: ("conformance-title", "how they deviate"),
    Alert.Kind.SLOW: ("heat-title", "how long they take"),
    Alert.Kind.LOOP: ("map-title", "its map"),
    Alert.Kind.FAN_OUT: ("map-title", "its map"),
}
"""The part of the choreography's page that shows it, and what that is."""
_INGESTION = {
    Alert.Kind.UNDECODABLE: ("?list=undecodable#records-title", "the records that nothing could read"),
    Alert.Kind.COVERAGE: ("?list=uncorrelated#records-title", "the events that name no transaction"),
    Alert.Kind.INGESTION_GAP: ("#gaps-title", "the gaps"),
}


@dataclass(frozen=True)
class Lead:
    words: str
    address: str


@dataclass(frozen=True)
class Contact:
    """A service, and what is declared of it."""

    name: str
    service: config.Service


def leads(alert: Alert, explains: Sequence[Alert]) -> list[Lead]:
    """To what it is about, for those that are not about examples."""
    return list(_leads(alert, explains))


def _leads(alert: Alert, explains: Sequence[Alert]) -> Iterator[Lead]:
    if alert.kind in (Alert.Kind.FAILED, Alert.Kind.LOOP, Alert.Kind.FAN_OUT):
        status = "failed" if alert.kind == Alert.Kind.FAILED else "running"
        yield _transactions(f"the {status} transactions", status=status, choreography=alert.choreography)
    if alert.kind in _CHOREOGRAPHY and alert.choreography:
        part, words = _CHOREOGRAPHY[Alert.Kind(alert.kind)]
        yield Lead(words, f"{reverse('choreography', args=[alert.choreography])}#{part}")
    if alert.kind in _INGESTION:
        part, words = _INGESTION[Alert.Kind(alert.kind)]
        yield Lead(words, reverse("ingestion") + part)
    if alert.kind == Alert.Kind.SERVICE_SILENT:
        yield Lead(f"the service {alert.service}", reverse("service", args=[alert.service]))
        for one in [one for one in explains if one.about_transactions and one.state != Alert.State.RESOLVED][:_MOST]:
            wanted = {"choreography": one.choreography, "waiting_for": one.awaited}
            yield _transactions(f"those that wait for {one.awaited}", status="stuck", **wanted)
    if alert.kind == Alert.Kind.BUS_HELD:
        yield _transactions("the transactions that are stuck", status="stuck")


def _transactions(words: str, **wanted: str) -> Lead:
    return Lead(words, f"{reverse('transactions')}?{urlencode(wanted)}")


def contacts(alert: Alert, settled: config.Config) -> list[Contact]:
    """Whom to call: for its service, or those that its choreography's rules name; what nothing is declared of is left
    out."""
    names = [alert.service]
    if not alert.service and alert.choreography:
        names = sorted({rule.service for rule in settled.rulebook.named(alert.choreography).rules})
    known = [Contact(name, settled.services[name].about("", name)) for name in names if name in settled.services]
    return known[:_MOST]
