"""The walls of the house (docs/architecture.md): who may import whom, and what the pure packages do without."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.place import ROOT

PACKAGES = ("collector", "dashboard", "demo_services")
PURE = (
    "collector.health.counts",
    "collector.decoding",
    "collector.correlation",
    "collector.eventlogs.csv_log",
    "collector.eventlogs.entries",
    "collector.eventlogs.xes",
    "collector.health.liveness",
    "dashboard.graphs",
)
KAFKA_CLIENTS = ("collector.kafka", "collector.registry", "dashboard.parts.broker", "demo_services")
CLOCKS = {
    "time.time",
    "time.monotonic",
    "time.sleep",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "timezone.now",
}
CLOCKS |= {"date.today", "datetime.datetime.now", "datetime.date.today"}
PAGES = ("dashboard.api", "dashboard.graphs", "dashboard.live", "dashboard.pages", "dashboard.templatetags")
LONGEST = 320
DECLARATIONS = {"collector.models"}  # a list of tables gains nothing from being cut in two

MODULES = sorted(
    path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts
)

TABLES = {
    node.name
    for node in ast.parse((ROOT / "collector" / "models.py").read_text()).body
    if isinstance(node, ast.ClassDef)
}


def dotted(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def imports(path: Path) -> Iterator[str]:
    """The dotted names of all that a module imports, wherever in it, relative ones resolved."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def offences(within_packages: tuple[str, ...], forbidden: tuple[str, ...], allowed: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in MODULES
        if within(dotted(path), *within_packages)
        for name in imports(path)
        if within(name, *forbidden) and not within(name, *allowed)
    ]


def test_the_collector_knows_no_dashboard() -> None:
    assert offences(("collector",), ("dashboard",)) == []


def test_the_dashboard_reads_through_queries_and_changes_through_actions() -> None:
    """It may also name what queries hand it: rows, pure values, the configuration. It never asks the tables itself."""
    doors = ("collector.queries", "collector.actions", "collector.config", "collector.publish.digest")
    assert offences(PAGES, ("collector",), (*doors, "collector.models", "collector.correlation")) == []
    assert [
        f"{path.relative_to(ROOT)} has {ast.unparse(node)}"
        for path in MODULES
        if within(dotted(path), *PAGES)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "objects" and ast.unparse(node.value) in TABLES
    ] == []


def test_the_demo_services_are_as_if_somebody_else_wrote_them() -> None:
    assert offences(("demo_services",), ("django", "channels", "celery", "collector", "dashboard")) == []


def test_the_pure_packages_know_no_framework_and_no_client() -> None:
    outside = ("django", "celery", "channels", "redis", "psycopg", "confluent_kafka", "os", "socket", "asyncio")
    assert offences(PURE, outside) == []


def test_the_pure_packages_have_no_clock() -> None:
    assert [
        f"{path.relative_to(ROOT)} calls {name}"
        for path in MODULES
        if within(dotted(path), *PURE)
        for name in calls(path)
        if name in CLOCKS
    ] == []


def test_few_speak_to_kafka() -> None:
    assert [
        str(path.relative_to(ROOT))
        for path in MODULES
        if not within(dotted(path), *KAFKA_CLIENTS)
        if any(within(name, "confluent_kafka") for name in imports(path))
    ] == []


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_a_module_says_what_it_is_for_and_is_no_longer_than_that_takes(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST or dotted(path) in DECLARATIONS
    if len(text.splitlines()) > 40:
        assert ast.get_docstring(ast.parse(text)), "no docstring"


def test_the_test_sees_what_it_looks_for(tmp_path: Path) -> None:
    """Otherwise an empty list would prove nothing."""
    assert {dotted(path) for path in MODULES} >= {"collector.models", "dashboard.settings", "dashboard.parts.broker"}
    assert "confluent_kafka.Producer" in set(imports(ROOT / "dashboard" / "parts" / "broker.py"))
    assert "os._exit" in set(calls(ROOT / "dashboard" / "parts" / "broker.py"))
