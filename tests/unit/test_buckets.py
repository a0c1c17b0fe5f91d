"""Durations counted in buckets: close to the truth by one per cent, and sums of counts are counts of sums."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.correlation.buckets import bucket, quantile, quantiles, seconds

durations = st.floats(1.1e-6, 400 * 86400)


@given(durations)
def test_a_bucket_stands_for_its_durations_within_one_per_cent(duration: float) -> None:
    exact = timedelta(seconds=duration) / timedelta(seconds=1)
    assert seconds(bucket(timedelta(seconds=duration))) == pytest.approx(exact, rel=0.0101)


@given(durations, durations)
def test_longer_durations_are_never_in_lower_buckets(one: float, other: float) -> None:
    shorter, longer = sorted((one, other))
    assert bucket(timedelta(seconds=shorter)) <= bucket(timedelta(seconds=longer))


@pytest.mark.parametrize("micros", [-1_000_000, -1, 0, 1])
def test_what_is_too_short_or_negative_falls_into_the_lowest_bucket(micros: int) -> None:
    assert bucket(timedelta(microseconds=micros)) == 0


@given(st.lists(durations, min_size=1, max_size=50), st.floats(0, 1))
def test_a_quantile_is_that_of_the_durations_within_one_per_cent(found: list[float], q: float) -> None:
    exact = sorted(timedelta(seconds=duration) / timedelta(seconds=1) for duration in found)
    rank = next(i for i in range(1, len(exact) + 1) if i >= q * len(exact) or i == len(exact))
    counted = quantile(Counter(bucket(timedelta(seconds=duration)) for duration in found), q)
    assert counted == pytest.approx(exact[rank - 1], rel=0.0101)


@given(st.dictionaries(st.integers(0, 20), st.integers(0, 9), min_size=1), st.lists(st.floats(0, 1), max_size=4))
def test_several_quantiles_are_those_that_are_asked_for(counts: dict[int, int], wanted: list[float]) -> None:
    assert quantiles(counts, *sorted(wanted)) == [quantile(counts, q) for q in sorted(wanted)]


def test_a_quantile_of_nothing_is_not_known() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({7: 0}, 0.5) is None


def test_counts_add_up_and_can_be_taken_away_again() -> None:
    morning, evening = Counter({100: 3, 200: 1}), Counter({200: 5})
    assert quantile(morning + evening, 0.5) == seconds(200)
    assert quantile(morning + evening - evening, 0.5) == quantile(morning, 0.5)
