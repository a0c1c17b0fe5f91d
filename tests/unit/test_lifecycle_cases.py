"""The table of cases holds, and the page that shows it is up to date."""

from __future__ import annotations

import msgspec
import pytest

from tests.lifecycle_cases import PAGE, Case, Section, cases, outcome, page


@pytest.mark.parametrize(("section", "case"), [pytest.param(*found, id=found[1].says) for found in cases()])
def test_a_case_comes_out_as_the_table_says(section: Section, case: Case) -> None:
    expected = msgspec.structs.asdict(case)
    assert outcome(section, case) == {part: expected[part] for part in ("phase", "waits", "deviates")}


def test_the_page_of_cases_is_written_from_the_table() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.lifecycle_cases"
