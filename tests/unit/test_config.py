"""The configuration file: what it says, what it leaves to defaults, and how every mistake names its line and key."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from collector import config
from collector.config import Config, ConfigError, durations, load, parse
from collector.correlation.choreography import Limits
from tests.stack.place import ROOT

FULL = """
topics:
  include: ["^shop"]
  exclude: ["internal$"]
  start: 24h back
limits: {skew: 1s, grace: 100ms, history_age: 2d, transaction_events: 50}
retention: {payloads: 1d, events: P2W}
services:
  payment:
    owner: team-payments
    contact: "#payments"
    runbook: https://runbooks.example.com
    groups: ["payment-.*"]
    links: {logs: "https://logs.example.com/{transaction}"}
choreographies:
  order:
    starts: Placed
    completes: [Completed]
    fails: [Cancelled, Refused]
    timeout: 10m
    idle_timeout: PT1H30M
    rules:
      - {after: Placed, expect: [Paid, Declined], from: payment, within: 30s}
      - {after: [Paid, Reserved], expect: Shipped, within: 1m, even_after_end: true}
      - {after: Declined, expect: Released, compensates: Reserved}
  return:
    starts: [Returned]
"""


def test_everything_that_can_be_said_is_read() -> None:
    found = parse("choreoscope.yaml", FULL)
    assert found.topics.start == timedelta(hours=24)
    assert found.topics.wanted("shop-orders")
    assert not found.topics.wanted("shop-internal")
    assert not found.topics.wanted("orders")
    assert found.rulebook.limits == Limits(timedelta(seconds=1), timedelta(milliseconds=100), timedelta(days=2), 50)
    assert (found.retention.payloads, found.retention.events) == (timedelta(days=1), timedelta(days=14))
    payment = found.services["payment"]
    assert (payment.owner, payment.contact, payment.groups) == ("team-payments", "#payments", ("payment-.*",))
    assert payment.links == {"logs": "https://logs.example.com/{transaction}"}


def test_choreographies_are_read_in_their_order() -> None:
    order, returns = parse("choreoscope.yaml", FULL).rulebook.choreographies
    assert (order.name, order.starts, order.completes) == ("order", {"Placed"}, {"Completed"})
    assert (order.fails, order.timeout) == ({"Cancelled", "Refused"}, timedelta(minutes=10))
    assert order.idle_timeout == timedelta(minutes=90)
    first, join, undoing = order.rules
    assert (first.after, first.expect, first.service) == (("Placed",), ("Paid", "Declined"), "payment")
    assert (first.within, first.survives_end) == (timedelta(seconds=30), False)
    assert (join.after, join.expect, join.even_after_end) == (("Paid", "Reserved"), ("Shipped",), True)
    assert (undoing.compensates, undoing.within, undoing.survives_end) == ("Reserved", None, True)
    assert len({rule.key for rule in order.rules}) == 3
    assert (returns.name, returns.rules) == ("return", ())


@pytest.mark.parametrize("content", ["", "# nothing but a comment\n", "{}"])
def test_nothing_has_to_be_said(content: str) -> None:
    assert parse("choreoscope.yaml", content) == Config()


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    found = load(tmp_path / "none.yaml")
    assert found == Config()
    assert found.topics.start == "earliest"
    assert [found.topics.wanted(name) for name in ("orders", "_internal", "choreoscope.alerts")] == [True, False, False]


def test_the_configuration_that_comes_with_the_project_is_right() -> None:
    assert load(ROOT / "choreoscope.yaml").rulebook.choreographies


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("topics: [", "line 1: this is not YAML"),
        ("topics:\n\t- x", "line 2: this is not YAML"),
        ("just text", "line 1, top level: expected keys with values here"),
        ("tpoics: {}", "line 1, tpoics: this key is not known; did you mean 'topics'? Known here: topics, correlation, keys"),
        ("limits:\n  skew: 5s\n  skew: 6s", "line 3, limits.skew: this key is here twice"),
        ("limits:\n  grace: soon", "line 2, limits.grace: expected a duration such as 30s, 5m, 2h or P1D: 'soon'"),
        ("limits: {skew: -5s}", "line 1, limits.skew: expected a duration"),
        ("limits: {skew: 99999999999999d}", "'99999999999999d' is too long; 3650d is the longest"),
        ("limits: {skew: 4000d}", "'4000d' is too long; 3650d is the longest"),
        ("limits: {skew: [5s]}", "line 1, limits.skew: expected text here"),
        ("limits: {skew: }", "line 1, limits.skew: expected text here"),
        ("limits: {transaction_events: many}", "line 1, limits.transaction_events: expected a whole number"),
        ("limits: {transaction_events: 0}", "line 1, limits.transaction_events: expected a whole number from 1 up"),
        ("topics: {include: '^x'}", "line 1, topics.include: expected a list here"),
        ("topics:\n  include:\n    - '^x'\n    - '['", "line 4, topics.include[1]: expected a regular expression"),
        ("topics: {start: yesterday}", "line 1, topics.start: expected earliest, latest, or how far back"),
        ("services: {payment: {ownr: x}}", "services.payment.ownr: this key is not known; did you mean 'owner'?"),
        ("choreographies: [order]", "line 1, choreographies: expected keys with values here"),
        ("choreographies:\n  order:\n    completes: [A]", "line 3, choreographies.order: starts is missing"),
        (
            "choreographies:\n  order:\n    starts: A\n    completes: [B, C]\n    fails: [C]",
            "line 5, choreographies.order.fails: C is named under completes as well",
        ),
        (
            "choreographies:\n  order:\n    starts: A\n    rules:\n      - {expect: B}",
            "line 5, choreographies.order.rules[0]: after is missing",
        ),
        (
            "choreographies:\n  order:\n    starts: A\n    rules:\n      - {after: A}",
            "line 5, choreographies.order.rules[0]: expect is missing",
        ),
        (
            "choreographies:\n  order:\n    starts: A\n    rules:\n      - {after: A, expect: []}",
            "line 5, choreographies.order.rules[0]: after and expect each name at least one event type",
        ),
        (
            "choreographies:\n  order:\n    starts: A\n    rules:\n      - {after: [A, A], expect: B}",
            "line 5, choreographies.order.rules[0].after: a join names each of its triggers once",
        ),
        (
            "choreographies:\n  order:\n    starts: A\n    rules:\n      - {after: A, expect: [B, A]}",
            "line 5, choreographies.order.rules[0].expect: A cannot answer itself",
        ),
        (
            "choreographies:\n  order:\n    starts: A\n    rules:\n      - {after: A, expect: B, within: 5}",
            "line 5, choreographies.order.rules[0].within: expected a duration",
        ),
        (
            "choreographies:\n  order:\n    starts: A\n    rules:\n      - {after: A, expect: B, even_after_end: so}",
            "line 5, choreographies.order.rules[0].even_after_end: expected true or false",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_key(content: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse("choreoscope.yaml", content)
    assert str(caught.value).startswith("choreoscope.yaml, line ")
    assert complaint in str(caught.value)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "choreoscope.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"choreoscope\.yaml: cannot be read"):
        load(path)


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "choreoscope.yaml"
    path.write_text("limits: {skew: 1s}")
    first = config.current(path)
    assert config.current(path) is first
    path.write_text("limits: {skew: 2s}")
    os.utime(path, (1, 1))
    assert config.current(path).rulebook.limits.skew == timedelta(seconds=2)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("1.5 s", timedelta(seconds=1.5)),
        ("0s", timedelta(0)),
        ("10m", timedelta(minutes=10)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("P1D", timedelta(days=1)),
        ("p1dt12h", timedelta(days=1, hours=12)),
        ("P2W", timedelta(weeks=2)),
        ("PT0.5S", timedelta(milliseconds=500)),
    ],
)
def test_durations_are_read_as_people_write_them(written: str, meant: timedelta) -> None:
    assert durations.parse(written) == meant


@pytest.mark.parametrize("written", ["", "5", "s", "5 seconds", "-5s", "P", "PT", "P1Y", "1h30m", "1e3s", "٣s"])
def test_what_is_no_duration_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        durations.parse(written)
