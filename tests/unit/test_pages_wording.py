"""How numbers, times and payloads read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template
from django.urls import reverse, set_script_prefix
from django.utils import timezone

from collector.queries.overview import Slot
from dashboard.graphs.axis import nice_ceiling
from dashboard.pages import payloads, wording
from dashboard.pages.bars import bars
from dashboard.pages.rhythm import rhythm
from dashboard.pages.shared import Shared
from dashboard.templatetags.choreoscope import alert_url, coded, service_url, shortened
from tests.builders import at


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 ms"), (0.0384, "38 ms"), (0.9996, "1.0 s"), (5.16, "5.2 s"), (9.96, "9 s"), (48.2, "48 s"),
        (60, "1 min"), (271, "4 min 31 s"), (7500, "2 h 5 min"), (273_600, "3 d 4 h"), (-2.5, "−2.5 s"),
    ],
)  # fmt: skip
def test_durations(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


def test_other_words() -> None:
    assert wording.span(timedelta(seconds=5)) == "5 s"
    assert wording.span(timedelta(milliseconds=1500)) == "1.5 s"
    assert wording.number(18_204) == "18\u202f204"
    assert [wording.rate(r) for r in (0, 0.001, 0.05, 3.14, 61.8, 1234.5)] == [
        "0.0 /s",
        "< 0.01 /s",
        "0.05 /s",
        "3.1 /s",
        "61.8 /s",
        "1\u202f234 /s",
    ]
    assert [wording.size(n) for n in (912, 4_120, 1_000_000)] == ["912 B", "4.1 KB", "1.0 MB"]
    assert [wording.listed(list(names)) for names in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
    assert [wording.lag(s) for s in (-1, 0.24, 14.4)] == ["0.0 s", "0.2 s", "14 s"]


def test_json_is_indented_but_not_changed() -> None:
    shown = payloads.value(b'{"a":1.10,"a":12345678901234567890}', 35)
    assert shown.kind == "json"
    assert shown.text == '{\n  "a": 1.10,\n  "a": 12345678901234567890\n}'


def test_what_is_no_json_is_text_and_what_is_no_text_is_bytes() -> None:
    assert payloads.value(b"{no", 3) == payloads.Shown("text", "{no")
    assert payloads.value(None, 0).kind == "none"
    assert payloads.value(b"", 0).kind == "empty"
    shown = payloads.value(bytes(range(256)), 256)
    assert shown.kind == "bytes"
    assert "00 01 02" in shown.text


def test_nothing_hides_in_a_payload() -> None:
    shown = payloads.value("a\x00b\x1b[31mc\u202ed".encode(), 20)
    assert shown.text == "a\u2400b\u241b[31mc\ufffdd"


def test_much_is_cut_and_says_so() -> None:
    assert payloads.value(b"x" * 100_000, 100_000).cut
    assert payloads.value(b"x", 1_000_000).cut
    deep = payloads.value(b"[" * 100_000 + b"]" * 100_000, 200_000)
    assert deep.cut
    assert len(deep.text) <= payloads.LONGEST_TEXT


def test_headers() -> None:
    assert payloads.headers([("a", b"1"), ("b", None), ("c", b"\xff")]) == [
        ("a", "1"),
        ("b", "(null)"),
        ("c", "bytes: ff"),
    ]


def test_bars_stack_to_what_they_count() -> None:
    slots = [Slot(at(60 * minute), completed=minute, undone=1, stuck=0) for minute in range(60)]
    drawn = bars(slots)
    assert drawn.totals == {"completed": 1770, "undone": 60, "stuck": 0}
    assert [tick.label for tick in drawn.y_ticks] == ["0", "50", "100"]
    assert sum(row.completed for row in drawn.rows) == 1770
    assert dict(drawn.layers)["stuck"] == ""
    assert bars([Slot(at(0))]).empty


def test_what_became_stuck_hangs_from_the_axis() -> None:
    drawn = bars([Slot(at(60 * minute), completed=8, undone=2, stuck=4) for minute in range(60)])
    (axis, *_, below) = drawn.y_ticks
    assert [tick.label for tick in drawn.y_ticks] == ["0", "5", "10", "4"]
    tops = {kind: float(path.split("h")[0].split(" ")[1]) for kind, path in drawn.layers}
    assert tops["undone"] < tops["completed"] < tops["stuck"] == pytest.approx(axis.at, abs=0.1)
    assert float(dict(drawn.layers)["stuck"].split("v")[1].split("h")[0]) == pytest.approx(below.at - axis.at, abs=0.1)
    few = bars([Slot(at(0), completed=1_000, stuck=1)])
    assert [tick.label for tick in few.y_ticks] == ["0", "500", "1000"], "a tick of two would lie upon that of none"


@pytest.mark.parametrize(
    ("zone", "words"),
    [("UTC", ["2 Feb", "12:00", "3 Feb", "12:00"]), ("Asia/Kolkata", ["12:30", "3 Feb", "12:30"])],
)
def test_a_rhythm_has_times_below_it(zone: str, words: list[str]) -> None:
    """Round ones, where the viewer is; none that would stand half beyond an edge."""
    with timezone.override(ZoneInfo(zone)):
        drawn = rhythm([0] * 47 + [3], datetime(2026, 2, 3, 17, 20, tzinfo=UTC))
    assert drawn
    assert [tick.label for tick in drawn.ticks] == words
    assert all(6 < tick.at < 94 for tick in drawn.ticks)
    if zone == "UTC":
        assert drawn.ticks[0].at == pytest.approx(100 * 6 / 48)


def test_commands_in_a_sentence_are_code() -> None:
    assert coded("Run `manage.py <x>` & `y`.") == "Run <code>manage.py &lt;x&gt;</code> &amp; <code>y</code>."
    assert coded("` <b>") == "` &lt;b&gt;"


def test_what_is_long_is_shortened_and_what_is_written_safely_stays_so() -> None:
    assert shortened("payment", 7) == "payment"
    assert shortened("payments", 7) == "paymen…"
    template = Template("{% load choreoscope %}{{ one|shortened:9 }} {{ many|join:', '|shortened:20 }}")
    assert template.render(Context({"one": "<pay>", "many": ["a&b", "<c>"]})) == "&lt;pay&gt; a&amp;b, &lt;c&gt;"


def test_addresses_are_below_where_choreoscope_is_served() -> None:
    assert service_url("pay/ment") == "/services/pay/ment"
    try:
        set_script_prefix("/tracing/")
        assert service_url("pay/ment") == "/tracing/services/pay/ment"
        assert alert_url(3) == "/tracing/alerts/3"
    finally:
        set_script_prefix("/")


@pytest.mark.parametrize(("value", "ceiling"), [(0, 2), (2, 2), (3, 4), (5, 10), (11, 20), (99, 100), (101, 200)])
def test_axis_ends_at_a_round_number(value: int, ceiling: int) -> None:
    assert nice_ceiling(value) == ceiling


def test_shared_is_made_once_for_all_who_ask_within_the_moment() -> None:
    made: list[int] = []
    shared = Shared()
    for _ in range(3):
        shared.get("key", 60, lambda: made.append(1))
    assert len(made) == 1
    shared.get("key", 0, lambda: made.append(1))
    assert len(made) == 2


@pytest.mark.parametrize("hostile", ["a/b", "a b", "<script>", "ä\n%2F", "a?b#c", "x/live/overview"])
def test_every_id_has_an_address(hostile: str) -> None:
    assert reverse("transaction", args=[hostile]) == "/transactions/" + quote(hostile, safe="/~:@!$&'()*+,;=")
