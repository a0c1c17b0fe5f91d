"""What the pages of choreographies are made of: what addresses ask for, strips, heat, what changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.correlation.choreography import Rule
from collector.mining.backtest import Backtest
from collector.mining.durations import NOTHING, bucket
from collector.mining.responses import Response
from collector.queries import BadParameter, MinedMap, MinedVariant, Taken
from collector.queries.answered import answers
from collector.queries.behaviour import Heat, HeatColumn
from collector.queries.mined import MinedEdge, MinedNode
from dashboard.pages.asking import asked, earlier
from dashboard.pages.comparing import apart, changes
from dashboard.pages.heatmap import heat_map
from dashboard.pages.strips import COLOURS, MOST, emitters, strip
from dashboard.pages.tracing import graph_of

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)


class TestAsked:
    def test_everything_is_read(self) -> None:
        wanted = asked({"since": "6h", "until": "2026-11-20T12:00Z", "overlay": "duration", "detail": "40"}, NOW)
        assert wanted.since == NOW - timedelta(hours=6)
        assert wanted.until == datetime(2026, 11, 20, 12, tzinfo=UTC)
        assert (wanted.overlay, wanted.detail, wanted.causal, wanted.against) == ("duration", 40, False, False)

    @pytest.mark.parametrize("detail", ["", "x", "-1", "4.5", "٣", "9999"])
    def test_what_is_no_detail_is_not_asked_for(self, detail: str) -> None:
        assert asked({"detail": detail, "overlay": "?", "ways": "?"}, NOW).detail is None

    def test_a_wrong_moment_is_named(self) -> None:
        for wrong in ({"since": "x"}, {"against_until": "y"}, {"status": "z"}):
            with pytest.raises(BadParameter, match=f"'{next(iter(wrong))}' is"):
                asked(wrong, NOW)
        with pytest.raises(BadParameter, match="'against_since' is not before 'against_until'"):
            asked({"against_since": "1h", "against_until": "2h"}, NOW)

    def test_addresses_keep_what_they_do_not_change(self) -> None:
        wanted = asked({"since": "6h", "overlay": "duration", "other": "no"}, NOW)
        assert wanted.but(detail="7") == "since=6h&overlay=duration&detail=7"
        assert wanted.but(since="") == "overlay=duration"

    def test_the_time_before_is_as_long_and_does_not_overlap(self) -> None:
        since = datetime(2026, 11, 20, 6, tzinfo=UTC)
        (_, before), (_, day), (_, week) = earlier(since, None, NOW)
        assert before == {"against_since": "2026-11-19T23:00Z", "against_until": "2026-11-20T06:00Z"}
        assert day == {"against_since": "2026-11-19T06:00Z", "against_until": "2026-11-19T13:00Z"}
        assert week["against_since"] == "2026-11-13T06:00Z"
        assert [words for words, _ in earlier(since - timedelta(days=3), None, NOW)] == [
            "the time before",
            "a week before",
        ]
        assert earlier(None, NOW, NOW) == []


def variant(*types: str, causes: tuple[tuple[int, ...], ...] | None = None) -> MinedVariant:
    return MinedVariant(7, 10, 0.5, Taken(1, 1, 1, 1), types, causes)


class TestStrips:
    def test_letters_are_as_few_as_differ(self) -> None:
        found = emitters(["order", "payment", "pricing", "Oslo", ""])
        assert {name: one.letters for name, one in found.items()} == {
            "": "?",
            "Oslo": "Os",
            "order": "Or",
            "payment": "Pa",
            "pricing": "Pr",
        }

    @given(st.lists(st.text(max_size=6), max_size=30))
    def test_any_services_have_letters_and_one_of_a_few_colours(self, names: list[str]) -> None:
        for name, one in emitters(names).items():
            assert one.letters
            assert one.name == name
            assert 0 <= one.colour <= COLOURS

    def test_repeats_are_counted_and_long_ones_cut(self) -> None:
        services = {"A": "order", "B": "payment"}
        legend = emitters(services.values())
        found = strip(variant("A", "B", "B", "B"), services, legend, {"completed": 10})
        assert [(square.type, square.times) for (square,) in found.columns] == [("A", 1), ("B", 3)]
        assert (found.said, found.statuses, found.open) == ("A, then B ×3", (), False)
        long = strip(variant(*["A", "B"] * MOST), services, legend, {})
        assert (len(long.columns), long.more) == (MOST, MOST)

    def test_causal_ones_stand_side_by_side(self) -> None:
        services = {"A": "a", "B": "b", "C": "c", "D": "d"}
        found = strip(
            variant("A", "B", "C", "D", causes=((), (0,), (0,), (1, 2))),
            services,
            emitters(services.values()),
            {"stuck": 6, "completed": 4},
        )
        assert found.said == "A, then B and C, then D"
        assert found.statuses == (("stuck", 6), ("completed", 4))
        assert found.open

    def test_the_others_are_named(self) -> None:
        assert strip(MinedVariant(0, 1, 0.1, Taken(), (), None), {}, {}, {}).said.startswith("Other ways")


def column(hour: int, *seconds: float) -> HeatColumn:
    counts: dict[int, int] = {}
    for one in seconds:
        index = bucket(round(one * 1e6)) if one else NOTHING
        counts[index] = counts.get(index, 0) + 1
    return HeatColumn(NOW + timedelta(hours=hour), counts)


class TestHeat:
    def test_nothing_is_nothing(self) -> None:
        assert heat_map(Heat(timedelta(hours=1), ())).empty
        assert heat_map(Heat(timedelta(hours=1), (column(0),))).empty

    def test_what_takes_longer_lies_higher_and_more_is_darker(self) -> None:
        found = heat_map(Heat(timedelta(hours=1), (column(0, *[1.0] * 9, 30.0), column(1, *[30.0] * 10))))
        assert [level for level, _ in found.layers] == sorted(level for level, _ in found.layers)
        assert found.layers[-1][0] == 6
        assert [(row.count, round(row.p50 or 0)) for row in found.rows] == [(10, 1), (10, 30)]
        first, second = (
            float(part.split(" ")[1].split("h")[0]) for part in found.median.replace("L", "M").split("M")[1:]
        )
        assert second < first
        assert found.said == "Half took no longer than 1.0 s to 30 s, by when they began."

    def test_a_column_of_few_is_paler(self) -> None:
        found = heat_map(Heat(timedelta(hours=1), (column(0, *[1.0] * 100), column(1, 30.0))))
        assert [level for level, path in found.layers if path.count("M") == 1] == [2, 6]

    @given(st.lists(st.lists(st.floats(0, 1e9), max_size=5), max_size=20))
    def test_any_durations_lie_within_the_picture(self, columns: list[list[float]]) -> None:
        found = heat_map(Heat(timedelta(hours=1), tuple(column(n, *one) for n, one in enumerate(columns))))
        for _, path in found.layers:
            for cell in path.split("M")[1:]:
                x, y = (float(one) for one in cell.split("h")[0].split(" "))
                assert found.left - 1 <= x <= found.right
                assert 0 <= y <= found.base
        assert all(0 <= tick.at <= found.height for tick in found.y_ticks)


def mined(transactions: int, edges: dict[tuple[str, str], tuple[int, float]]) -> MinedMap:
    kinds: dict[str, int] = {"A": transactions}
    for (_, target), (count, _) in edges.items():
        kinds[target] = kinds.get(target, 0) + count
    return MinedMap(
        "x",
        None,
        None,
        transactions,
        0,
        sum(kinds.values()),
        Taken(),
        tuple(MinedNode(name, count, count if name == "A" else 0, count, 0) for name, count in kinds.items() if count),
        tuple(
            MinedEdge(source, target, count, Taken(p50, p50, p50, p50))
            for (source, target), (count, p50) in edges.items()
        ),
        False,
    )


class TestChanges:
    def test_the_same_is_no_change(self) -> None:
        one = mined(1000, {("A", "B"): (900, 1.0), ("A", "C"): (100, 2.0)})
        assert changes(one, one) == []
        assert changes(mined(1010, {("A", "B"): (905, 1.1), ("A", "C"): (105, 2.0)}), one) == []

    def test_what_is_new_gone_more_or_slower_is_told(self) -> None:
        before = mined(1000, {("A", "B"): (900, 1.0), ("A", "C"): (100, 2.0), ("B", "D"): (50, 1.0)})
        now = mined(1000, {("A", "B"): (600, 1.0), ("A", "C"): (300, 2.0), ("A", "E"): (100, 1.0)})
        words = {(one.source, one.target): one.word for one in changes(now, before)}
        assert words == {
            ("A", "B"): "less often",
            ("A", "C"): "more often",
            ("A", "E"): "new",
            ("E", ""): "new",
            ("B", "D"): "gone",
            ("D", ""): "gone",
        }
        assert {one.word for one in changes(now, before)[:4]} == {"new", "gone"}
        slower = mined(1000, {("A", "B"): (900, 1.5), ("A", "C"): (100, 1.0), ("B", "D"): (50, 1.0)})
        assert {(one.target, one.word) for one in changes(slower, before)} == {("B", "slower"), ("C", "faster")}

    def test_chance_is_no_change(self) -> None:
        before = mined(20, {("A", "B"): (10, 1.0), ("A", "C"): (10, 1.0)})
        assert changes(mined(20, {("A", "B"): (13, 9.0), ("A", "C"): (7, 1.0)}), before) == []
        assert not apart(0.501, 1e9, 0.5, 1e9)
        assert apart(0.53, 1e6, 0.5, 1e6)

    def test_nothing_to_compare_with_is_no_change(self) -> None:
        assert changes(mined(5, {("A", "B"): (5, 1.0)}), mined(0, {})) == []

    def test_a_map_draws_what_is_gone_too(self) -> None:
        before = mined(100, {("A", "B"): (90, 1.0), ("A", "C"): (10, 2.0)})
        graph = graph_of(mined(50, {("A", "B"): (50, 1.0)}), {"C": "shop"}, {"C"}, before)
        gone = next(step for step in graph.steps if step.target == "C")
        assert (gone.word, gone.count, gone.weight, gone.failure) == ("gone", 0, 5, True)
        assert {kind.name: (kind.word, kind.service) for kind in graph.kinds}["C"] == ("gone", "shop")


def response(after: tuple[str, ...], expect: tuple[str, ...], p99: float = 1.0) -> Response:
    return Response(after, expect, ("shop",), 100, 0.99, 0.5, 0.9, p99, 3.0, "causes")


def tried(kept: int = 0, late: int = 0, missed: int = 0) -> Backtest:
    return Backtest(kept + late + missed, kept, late, missed, 0, late + missed, 1, None, None, ())


class TestAnswers:
    def test_declared_ones_come_with_what_was_found_of_them(self) -> None:
        rules = (
            Rule("1", ("Placed",), ("Paid", "Declined"), "payment", timedelta(seconds=0.8)),
            Rule("2", ("Declined",), ("Released",), compensates="Reserved"),
            Rule("3", ("Paid",), ("Invoiced",), learned=True),
        )
        found = [
            response(("Paid",), ("Shipped",)),
            response(("Placed",), ("Paid",)),
            response(("Declined", "Reserved"), ("Released",)),
        ]
        results = (tried(kept=97, late=2, missed=1), tried(), tried(kept=5))
        first, second, third, other = answers(zip(rules, results, strict=True), found)
        assert [one.share for one in (first, second, third, other)] == [0.97, None, 1.0, None]
        assert (first.found, first.marks, first.within, first.doubtful) == (found[1], ("declared",), 0.8, True)
        assert (second.found, second.services, second.marks) == (found[2], ("shop",), ("declared", "compensation"))
        assert (third.found, third.marks, third.doubtful) == (None, ("learned",), False)
        assert (other.rule, other.found, other.marks) == (None, found[0], ("found",))
