"""The environment: what is read of it, and that every wrong value is refused with a line that names the variable."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashboard import env
from dashboard.secret import kept_secret
from tests.stack.place import ROOT

REDIS = {"redis", "rediss", "unix"}


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (lambda n: env.boolean(n, False), "True", True),
        (lambda n: env.boolean(n, True), " off ", False),
        (lambda n: env.boolean(n, True), "", True),
        (lambda n: env.port(n, 8000), "", 8000),
        (lambda n: env.port(n, 8000), "65535", 65535),
        (env.optional_port, "", None),
        (env.optional_port, "9100", 9100),
        (lambda n: env.choice(n, ("text", "json"), "text"), "", "text"),
        (lambda n: env.choice(n, ("DEBUG", "INFO"), "INFO"), " debug", "DEBUG"),
        (lambda n: env.hosts(n, ["x"]), "a.example, .b.example", ["a.example", ".b.example"]),
        (lambda n: env.hosts(n, ["x"]), "", ["x"]),
        (env.bootstrap_servers, "a:9092, [::1]:9093", "a:9092,[::1]:9093"),
        (env.bootstrap_servers, "", ""),
        (lambda n: env.url(n, REDIS), "redis://:pass@redis.example:6379/0", "redis://:pass@redis.example:6379/0"),
        (lambda n: env.url(n, REDIS), "unix:///run/redis.sock", "unix:///run/redis.sock"),
        (env.database, "", None),
        (
            env.database,
            "postgresql://me:p%40ss@db.example:6543/orders?sslmode=require",
            {
                "NAME": "orders",
                "USER": "me",
                "PASSWORD": "p@ss",
                "HOST": "db.example",
                "PORT": "6543",
                "OPTIONS": {"sslmode": "require"},
            },
        ),
        (
            env.database,
            "postgres://me@/orders?host=%2Frun%2Fpg",
            {"NAME": "orders", "USER": "me", "PASSWORD": "", "HOST": "/run/pg", "PORT": "", "OPTIONS": {}},
        ),
    ],
)
def test_values(monkeypatch: pytest.MonkeyPatch, read: Callable[[str], Any], value: str, expected: object) -> None:
    monkeypatch.setenv("THE_VARIABLE", value)
    assert read("THE_VARIABLE") == expected


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda n: env.boolean(n, False), "maybe"),
        (lambda n: env.port(n, 8000), "0"),
        (lambda n: env.port(n, 8000), "65536"),
        (lambda n: env.port(n, 8000), "80a"),
        (lambda n: env.port(n, 8000), "²"),
        (env.optional_port, "0"),
        (lambda n: env.choice(n, ("text", "json"), "text"), "xml"),
        (lambda n: env.secret(n, 32), "short"),
        (lambda n: env.hosts(n, []), "https://a.example"),
        (lambda n: env.hosts(n, []), "a.example:80"),
        (env.bootstrap_servers, "kafka"),
        (env.bootstrap_servers, "a:9092,b:0"),
        (env.bootstrap_servers, "a:9092 b:9092"),
        (lambda n: env.url(n, REDIS), "http://redis.example"),
        (lambda n: env.url(n, REDIS), "redis://"),
        (lambda n: env.url(n, REDIS), "redis://a:port"),
        (lambda n: env.url(n, REDIS), "redis://[::1"),
        (env.database, "mysql://me@db/orders"),
        (env.database, "postgresql://me@db/"),
        (env.database, "postgresql://me@db/orders?colour=red"),
        (env.database, "postgresql://me@db:port/orders?sslmode"),
        (lambda n: env.file(n, Path("unused")), "/no/such/file"),
        (lambda n: env.folder(n, Path("unused")), "/dev/null"),
    ],
)
def test_wrong_values(monkeypatch: pytest.MonkeyPatch, read: Callable[[str], Any], value: str) -> None:
    monkeypatch.setenv("THE_VARIABLE", value)
    with pytest.raises(env.WrongValue) as refusal:
        read("THE_VARIABLE")
    message = str(refusal.value)
    assert message.startswith("THE_VARIABLE ")
    assert "\n" not in message


def test_every_variable_is_documented() -> None:
    """Those that the demo sets for its own processes are nobody else's business."""
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (ROOT / "dashboard" / "settings.py").read_text()))
    assert {"DATABASE_URL", "LOG_FORMAT", "COLLECTOR_METRICS_PORT"} <= read
    internal = {"DEMO_CONTROL_URL", "CHOREOSCOPE_VAR", "DEBUG"}
    document = (ROOT / "docs" / "configuration.md").read_text()
    assert {name for name in read - internal if f"| `{name}` |" not in document} == set()


def test_properties_of_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_CONFIG_SASL_USERNAME", "me")
    monkeypatch.setenv("KAFKA_CONFIG_SECURITY_PROTOCOL", "SASL_SSL")
    assert env.kafka_properties() == {"sasl.username": "me", "security.protocol": "SASL_SSL"}


@pytest.mark.parametrize("name", ["KAFKA_CONFIG_", "KAFKA_CONFIG_BOOTSTRAP_SERVERS"])
def test_properties_of_kafka_that_are_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "a:1")
    with pytest.raises(env.WrongValue, match=name):
        env.kafka_properties()


def test_the_schema_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.schema_registry("SCHEMA_REGISTRY_URL") == {}
    monkeypatch.setenv("SCHEMA_REGISTRY_URL", "https://a.example, http://b.example:8081/path")
    monkeypatch.setenv("SCHEMA_REGISTRY_CONFIG_BASIC_AUTH_USER_INFO", "me:secret")
    assert env.schema_registry("SCHEMA_REGISTRY_URL") == {
        "url": "https://a.example,http://b.example:8081/path",
        "basic.auth.user.info": "me:secret",
    }


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("SCHEMA_REGISTRY_URL", "a.example:8081", "SCHEMA_REGISTRY_URL"),
        ("SCHEMA_REGISTRY_URL", "https://a.example,ftp://b.example", "SCHEMA_REGISTRY_URL"),
        ("SCHEMA_REGISTRY_CONFIG_URL", "https://a.example", "SCHEMA_REGISTRY_CONFIG_URL"),
        ("SCHEMA_REGISTRY_CONFIG_BASIC_AUTH_USER_INFO", "me:secret", "SCHEMA_REGISTRY_URL"),
    ],
)
def test_a_schema_registry_that_is_none(monkeypatch: pytest.MonkeyPatch, name: str, value: str, named: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(env.WrongValue, match=named) as refusal:
        env.schema_registry("SCHEMA_REGISTRY_URL")
    assert "secret" not in str(refusal.value)


def manage(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    unset = {"DATABASE_URL", "REDIS_URL", "KAFKA_BOOTSTRAP_SERVERS", "DJANGO_SETTINGS_MODULE"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    return subprocess.run(
        [sys.executable, ROOT / "manage.py", *arguments],
        env={**environment, "CHOREOSCOPE_VAR": str(tmp_path), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_wrong_value_stops_the_start_with_one_line(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", PORT="many")
    assert done.returncode == 1
    assert done.stderr == "PORT is 'many': a port is a whole number from 1 to 65535.\n"


def test_a_missing_database_is_told_when_it_is_needed(tmp_path: Path) -> None:
    assert manage(tmp_path, "makemigrations", "--help").returncode == 0
    done = manage(tmp_path, "migrate", "--skip-checks")
    assert done.returncode == 1
    assert done.stderr == (
        "PartMissing: No database to work with: DATABASE_URL is not set and the embedded one is not running. "
        "Start it with `make demo`, or set DATABASE_URL.\n"
    )


def test_the_secret_is_made_once_and_only_for_us(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret_key"
    first = kept_secret(path)
    assert len(first) > 60
    assert kept_secret(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
