"""When the sweep looks again at what it found due too early."""

from __future__ import annotations

from datetime import datetime

import pytest

from collector.deadlines import LATER, SOON, look_again
from tests.builders import NOON, seconds


@pytest.mark.parametrize(
    ("through", "wait"),
    [(NOON - seconds(0.3), SOON), (NOON - seconds(1), LATER), (NOON - seconds(3600), LATER), (None, LATER)],
)
def test_what_waits_for_a_watermark_is_looked_at_soon_unless_reading_is_behind(
    through: datetime | None, wait: object
) -> None:
    assert look_again(NOON, through) - NOON == wait
