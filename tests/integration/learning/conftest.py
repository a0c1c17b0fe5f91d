"""A company without a declared choreography, and the rules' file that says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from tests.feeding import Feed
from tests.integration.learning.company import SOON, Company


@pytest.fixture
def rules(tmp_path: Path, settings: Settings) -> Path:
    settings.CHOREOSCOPE_CONFIG = tmp_path / "choreoscope.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text(SOON)
    return tmp_path / "choreoscope.yaml"


@pytest.fixture
def company(rules: Path) -> Company:
    return Company(Feed())
