"""The `alerts:` part of the configuration: what is judged how, who is told, and what is wrong with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from collector import config
from collector.config.alerting import Alerting, Facts

PAYMENT = Facts("stuck", "order-fulfilment", "payment", ("Paid", "Declined"), "team-payments", "warning")


def alerts(content: str) -> Alerting:
    lines = "\n".join(f"  {line}" for line in content.splitlines())
    return config.parse("choreoscope.yaml", f"alerts:\n{lines}\n").alerts


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_without_a_word_every_kind_is_judged_and_everybody_is_told() -> None:
    usual = config.parse("choreoscope.yaml", "").alerts
    assert usual.judging(PAYMENT).severity == "warning"
    assert usual.judging(Facts("stuck_compensating")).severity == "critical"
    assert usual.channels(PAYMENT) is None
    assert not usual.quiet(PAYMENT, moment("2026-11-20 03:00"))


def test_rules_apply_in_their_order_where_all_that_they_name_matches() -> None:
    found = alerts("""rules:
  - {kind: stuck.*, at_least: 3, for: 30s}
  - {service: payment, event_type: Paid, severity: critical}
  - {service: shipping, enabled: false}""")
    judged = found.judging(PAYMENT)
    assert (judged.at_least, judged.lasting, judged.severity) == (3, timedelta(seconds=30), "critical")
    other = found.judging(Facts("stuck", service="pay", event_types=("Paid",)))
    assert other.severity == "warning"
    assert not found.judging(Facts("stuck", service="shipping")).enabled


def test_what_is_critical_by_its_count_stays_so_until_there_are_clearly_fewer() -> None:
    judged = Alerting().judging(PAYMENT)
    assert [judged.graveness(count) for count in (99, 100)] == ["warning", "critical"]
    assert [judged.graveness(count, "critical") for count in (99, 80, 79)] == ["critical", "critical", "warning"]


def test_what_nobody_answers_for_long_is_critical() -> None:
    judged = alerts("rules: [{kind: stuck, critical_after: 15m}]").judging(PAYMENT)
    assert [judged.graveness(1, "", timedelta(minutes=minutes)) for minutes in (14, 15)] == ["warning", "critical"]
    assert Alerting().judging(PAYMENT).graveness(1, "", timedelta(days=1)) == "warning"


def test_routes_add_up_and_what_none_matches_goes_nowhere() -> None:
    found = alerts("""routes:
  - {owner: team-pay.*, to: payments}
  - {severity: critical, to: [oncall, payments]}""")
    assert found.channels(PAYMENT) == {"payments"}
    assert found.channels(Facts("failed", severity="critical")) == {"payments", "oncall"}
    assert found.channels(Facts("failed")) == frozenset()


@pytest.mark.parametrize(
    ("at", "quiet"),
    [
        ("2026-11-20 20:59", False),  # a Friday; in Berlin it is an hour later
        ("2026-11-20 21:00", True),
        ("2026-11-21 05:59", True),  # began on Friday
        ("2026-11-21 06:00", False),
        ("2026-11-21 22:00", False),
    ],
)
def test_quiet_hours_belong_to_the_day_on_which_they_begin(at: str, quiet: bool) -> None:
    found = alerts("""quiet_hours:
  - {days: [mon, tue, wed, thu, fri], from: "22:00", to: "07:00", timezone: Europe/Berlin, match: {kind: stuck}}""")
    assert found.quiet(PAYMENT, moment(at)) is quiet
    assert not found.quiet(Facts("failed", severity="warning"), moment(at))
    assert not found.quiet(Facts("stuck", severity="critical"), moment(at))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("rule: []", "line 2, alerts.rule: this key is not known; did you mean 'rules'?"),
        ("rules:\n  - {kind: stuk, at_least: 2}", "line 3, alerts.rules[0].kind: matches none; there are stuck, "),
        ("rules:\n  - {kind: stuck}", "line 3, alerts.rules[0]: says nothing"),
        ("rules:\n  - {severity: bad}", "alerts.rules[0].severity: expected info or warning or critical, not 'bad'"),
        ("rules:\n  - {share: 120%}", "alerts.rules[0].share: expected a share such as 20%"),
        ("rules:\n  - {service: '(', at_least: 1}", "alerts.rules[0].service: expected a regular expression"),
        ("routes:\n  - {kind: stuck}", "line 3, alerts.routes[0]: to is missing"),
        ("quiet_hours:\n  - {from: '22:00'}", "alerts.quiet_hours[0]: to is missing"),
        ("quiet_hours:\n  - {from: '25:00', to: '07:00'}", "alerts.quiet_hours[0].from: expected a time of day"),
        ("quiet_hours:\n  - {from: '7:00', to: '07:00'}", "alerts.quiet_hours[0].from: expected a time of day"),
        ("quiet_hours:\n  - {from: '22:00', to: '07:00', timezone: Mars/Olympus}", "there is no time zone"),
        ("allow: [10.0.0.0/99]", "alerts.allow[0]: expected a network such as 10.0.0.0/8"),
        ("link: choreoscope", "alerts.link: expected an address that begins with https://"),
        ("group_by: place", "alerts.group_by: expected kind or choreography or service or owner"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_key(content: str, complaint: str) -> None:
    with pytest.raises(config.ConfigError) as raised:
        alerts(content)
    assert complaint in str(raised.value)
