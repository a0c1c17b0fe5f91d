"""Static files as they are served once they were collected: small, compressed, and kept for ever by browsers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles.finders import AppDirectoriesFinder
from django.core.files.storage import FileSystemStorage
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from dashboard.static_files import StaticFiles, StaticFilesMiddleware

MOST = 2_500_000
"""Bytes of all scripts and style sheets together, as they are."""
MOST_SENT = 800_000
"""Compressed."""
SOURCE = Path(__file__).parents[2] / "dashboard" / "static"


def code(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in (".js", ".css")]


@pytest.fixture
def collected(tmp_path: Path) -> dict[str, str]:
    """The hashed names of all files, by their names."""
    storage, paths = StaticFiles(location=tmp_path, base_url="/static/"), {}
    for path, source in AppDirectoriesFinder(app_names=["dashboard"]).list(None):
        assert isinstance(source, FileSystemStorage)
        with source.open(path) as file:
            storage.save(path, file)
        paths[path] = (source, path)
    return {name: hashed for name, hashed, _ in storage.post_process(paths) if not hashed.endswith(".gz")}


def test_all_scripts_and_styles_together_are_small(collected: dict[str, str], tmp_path: Path) -> None:
    assert sum(path.stat().st_size for path in code(SOURCE)) < MOST
    names = [collected[str(path.relative_to(SOURCE))] for path in code(SOURCE)]
    sent = [tmp_path / f"{name}.gz" for name in names if (tmp_path / name).stat().st_size > 1_000]
    assert sum(path.stat().st_size for path in sent) < MOST_SENT


def test_modules_import_each_other_by_hashed_names(collected: dict[str, str], tmp_path: Path) -> None:
    imported = [
        found
        for path in SOURCE.glob("js/*.js")
        for found in re.findall(
            r"^import[^;]*?[\"'](.+?)[\"'];", (tmp_path / collected[f"js/{path.name}"]).read_text(), re.MULTILINE
        )
    ]
    assert len(imported) > 10
    assert {f"js/{found.removeprefix('./')}" for found in imported} <= set(collected.values())


def test_the_largest_script_is_compiled_beside_the_page() -> None:
    """The browser would else compile it piece by piece on the page's main thread, for a third of a second."""
    assert (SOURCE / "vendor/plotly/plotly-basic.min.js").read_text().startswith("//# allFunctionsCalledOnLoad\n")


def test_are_sent_compressed_and_kept_for_ever(collected: dict[str, str], tmp_path: Path, settings: Settings) -> None:
    settings.STATIC_ROOT, settings.WHITENOISE_USE_FINDERS = str(tmp_path), False
    middleware = StaticFilesMiddleware(_never_asked)
    name = collected["vendor/tabler/tabler.min.css"]
    assert re.search(r"tabler\.min\.[0-9a-f]{12}\.css$", name)
    answer = middleware(RequestFactory().get(f"/static/{name}", headers={"accept-encoding": "gzip"}))
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "immutable" in answer.headers["Cache-Control"]
    plain = middleware(RequestFactory().get(f"/static/{name}", headers={"accept-encoding": ""}))
    assert len(answer.content) < len(plain.content) / 4


def _never_asked(request: HttpRequest) -> HttpResponse:
    raise AssertionError(request.path)
