"""The configuration file: what it says, what it leaves to defaults, and how every mistake names its line and key."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from django.core.management import CommandError, call_command

from collector import config
from collector.config import Config, ConfigError, Service, check, durations, load, loader, parse
from collector.correlation.choreography import Limits
from tests.stack.place import ROOT

FULL = """
topics:
  include: ["^shop"]
  exclude: ["internal$"]
  start: 24h back
limits: {skew: 1s, grace: 100ms, history_age: 2d, transaction_events: 50}
retention: {payloads: 1d, events: P2W, alerts: 90d}
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
    assert found.retention.alerts == timedelta(days=90)
    assert found.retention.counts == timedelta(days=14)
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


def test_the_configuration_in_the_documentation_is_right_and_shows_every_part() -> None:
    document = (ROOT / "docs" / "configuration.md").read_text()
    example = document.split("```yaml\n")[1].split("```")[0]
    assert parse("docs", example).doubts == ()
    assert set(yaml.safe_load(example)) == set(loader._PARTS)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("topics: [", "line 1: this is not YAML"),
        ("topics:\n\t- x", "line 2: this is not YAML"),
        ("just text", "line 1, top level: expected keys with values here"),
        (
            "tpoics: {}",
            "line 1, tpoics: this key is not known; did you mean 'topics'? Known here: topics, correlation, links",
        ),
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
        ("correlation: {topics: x}", "line 1, correlation: expected a list here"),
        (
            "correlation:\n  - {topics: x}",
            "line 2, correlation[0]: says nothing: give a path to at least one of transaction_id",
        ),
        ("correlation: [{topics: '(', type: key}]", "correlation[0].topics: expected a regular expression"),
        ("correlation: [{transactionid: key}]", "this key is not known; did you mean 'transaction_id'?"),
        (
            "correlation:\n- type: valeu:x",
            "line 2, correlation[0].type: expected a path into the record: 'valeu:x' begins",
        ),
        ("correlation: [{type: valeu:x}]", "did you mean value:x?"),
        (
            "keys:\n  - value:a\n  - value:b..c",
            "line 3, keys[1]: expected a path into the record: 'value:b..c': a dot is",
        ),
        ("impact: topic", "line 1, impact: expected a path to a number"),
        ("redact: ['text:x']", "line 1, redact[0]: only headers, keys and values can be masked"),
        ("payloads: mask", "line 1, payloads: expected masked or none, not 'mask'; did you mean 'masked'?"),
        ("undecodable: keep", "line 1, undecodable: expected reference or encrypt, not 'keep'"),
        ("overrides: [{payloads: none}]", "line 1, overrides[0]: topics is missing"),
        ("overrides: [{topics: x}]", "line 1, overrides[0]: says nothing: give keys"),
        ("retention: {events: 30d, abnormal: 7d}", "line 1, retention.abnormal: is shorter than events"),
        (
            "retention: {events: 10d, abnormal: 90d, counts: 30d}",
            "line 1, retention.counts: is shorter than transactions are kept",
        ),
        (
            "services: {a: {runbook: 'javascript:alert(1)'}}",
            "services.a.runbook: expected an address that begins with https://",
        ),
        ("services: {a: {groups: ['(']}}", "services.a.groups[0]: expected a regular expression"),
        ("services: {a: {links: {l: 'https://x/{transactoin}'}}}", "stands for nothing; did you mean 'transaction'?"),
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


def test_of_each_part_the_first_mistake_is_told() -> None:
    found, mistakes = check("c.yaml", "keys: [x]\nlimits: {grac: 1s}\nimpact: value:ok\npayloads: no")
    assert found is None
    assert [mistake.split(":")[0] for mistake in mistakes] == [
        "c.yaml, line 1, keys[0]",
        "c.yaml, line 2, limits.grac",
        "c.yaml, line 4, payloads",
    ]


@pytest.mark.parametrize(
    ("content", "doubt"),
    [
        (
            "correlation:\n- {transaction_id: topic}\n- {topics: x, type: key}",
            "line 3, correlation[1]: never applies: rule 1",
        ),
        (
            "correlation:\n- {transaction_id: [key, 'value:a']}\n- {transaction_id: key}",
            "line 3, correlation[1]: never",
        ),
        (
            "correlation: [{topics: ^_demo, type: key}]",
            "no topic that begins with '_demo' is read, since topics.exclude has",
        ),
        ("overrides: [{topics: '^choreoscope\\.alerts', payloads: none}]", "overrides[0]: never applies"),
        (
            "correlation: [{transaction_id: value:a.b}]\nredact: value:a",
            "correlation[0]: finds no transaction: value:a.b is",
        ),
        ("correlation: [{transaction_id: header:X-a}]\nredact: ['header:x-*']", "header:X-a is masked by redact"),
        ("links: [{ids: [key, value:a]}]\nredact: value:a", "line 1, links[0]: value:a is masked by redact"),
        ("links: [{topics: ^_x, ids: [key, value:a]}]", "links[0]: never applies: no topic that begins with '_x'"),
        ("keys: key\nredact: key", "line 1, keys: key is masked by redact"),
        ("impact: 'value:a[0].b'\nredact: 'value:**.B'", "line 1, impact: value:a[0].b is masked by redact"),
        (
            "choreographies:\n  o:\n    starts: Placed\n    rules:\n    - {after: Plaecd, expect: A}",
            "line 5, choreographies.o.rules[0]: nothing here brings Plaecd; did you mean 'Placed'?",
        ),
    ],
)
def test_what_can_never_apply_is_doubted(content: str, doubt: str) -> None:
    [said] = parse("c.yaml", content).doubts
    assert said.startswith("c.yaml, line ")
    assert doubt in said


@pytest.mark.parametrize(
    "content",
    [
        "correlation:\n- {topics: ^a, transaction_id: topic}\n- {topics: ^b, transaction_id: topic}",
        "correlation:\n- {transaction_id: value:a}\n- {transaction_id: value:b}",
        "correlation: [{transaction_id: [value:a, value:b]}]\nredact: value:a",
        "keys: value:a.b\nredact: [value:a.c, 'header:a']",
        "correlation: [{topics: demo, type: key}]",
        "choreographies: {o: {starts: Placed, rules: [{after: Other, expect: Else}]}}",
        FULL,
    ],
)
def test_nothing_else_is_doubted(content: str) -> None:
    assert parse("c.yaml", content).doubts == ()


def test_check_config_says_what_it_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(FULL + "keys: value:order.number\nredact: ['value:**.card', header:x]\npayloads: none\n")
    call_command("check_config", str(path), stdout=sys.stdout)
    said = capsys.readouterr().out
    for line in (
        "read ^shop, but not internal$; from 1d back",
        "value:**.card, header:x",
        "not kept",
        "mine.yaml is right.",
    ):
        assert line in said
    path.write_text("correlation: [{transaction_id: topic}, {type: key}]")
    call_command("check_config", str(path), stdout=sys.stdout)
    assert "Warning: mine.yaml, line 1, correlation[1]: never applies" in capsys.readouterr().out


def test_check_config_tells_every_mistake_and_fails(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("keys: [x]\npayloads: no")
    with pytest.raises(CommandError, match=r"(?s)mine\.yaml, line 1, keys.*mine\.yaml, line 2, payloads") as caught:
        call_command("check_config", str(path))
    assert caught.value.returncode == 1
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("check_config", str(tmp_path / "none.yaml"))


def test_links_lead_to_the_transaction() -> None:
    service = Service(links={"logs": "https://x/{transaction}?s={service}", "all": "https://x/{service}"})
    assert service.about("a/b&c", "pay ment").links == {
        "logs": "https://x/a%2Fb%26c?s=pay%20ment",
        "all": "https://x/pay%20ment",
    }
    assert service.about("", "pay").links == {"all": "https://x/pay"}


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


def test_a_file_that_goes_away_leaves_in_force_what_it_said(tmp_path: Path) -> None:
    path = tmp_path / "choreoscope.yaml"
    assert config.current(path).policy.payloads, "there was none yet"
    path.write_text("payloads: false")
    first = config.current(path)
    path.unlink()
    assert config.current(path) is first
    assert config.current(path) is first
    path.write_text("payloads: true")
    assert config.current(path).policy.payloads


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
