"""What the environment says, strictly: a value that makes no sense stops the start with one line that names it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

KAFKA_PREFIX = "KAFKA_CONFIG_"
REGISTRY_PREFIX = "SCHEMA_REGISTRY_CONFIG_"

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):(\d{1,5})")
_HOST = re.compile(r"\*|\[[0-9a-fA-F:.]+\]|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_LARGEST_PORT = 65535


class WrongValue(SystemExit):
    """An environment variable has a value that can't be meant. Ends the process with one line on standard error."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")


def text(name: str, default: str = "") -> str:
    """The variable's value without the blanks around it; one that is set but empty counts as not set."""
    return os.environ.get(name, "").strip() or default


def boolean(name: str, default: bool) -> bool:
    value = text(name).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    if value:
        raise WrongValue(name, f"is {value!r}: write true or false.")
    return default


def port(name: str, default: int) -> int:
    value = text(name, str(default))
    if not (value.isascii() and value.isdigit() and 0 < int(value) <= _LARGEST_PORT):
        raise WrongValue(name, f"is {value!r}: a port is a whole number from 1 to {_LARGEST_PORT}.")
    return int(value)


def optional_port(name: str) -> int | None:
    return port(name, 0) if text(name) else None


def choice(name: str, choices: Sequence[str], default: str) -> str:
    """One of these words, however it is written."""
    value = text(name, default)
    for word in choices:
        if value.lower() == word.lower():
            return word
    raise WrongValue(name, f"is {value!r}: write {', '.join(choices[:-1])} or {choices[-1]}.")


def secret(name: str, least: int) -> str:
    value = text(name)
    if value and len(value) < least:
        raise WrongValue(name, f"has {len(value)} characters: that is too easily guessed, give it at least {least}.")
    return value


def hosts(name: str, default: list[str]) -> list[str]:
    """Names of hosts, separated by commas; `.example.org` stands for all beneath it, `*` for any."""
    names = [part.strip() for part in text(name).split(",") if part.strip()]
    for host in names:
        if not _HOST.fullmatch(host):
            raise WrongValue(name, f"names {host!r}: a host has no scheme, port or path. Separate several by commas.")
    return names or default


def file(name: str, default: Path) -> Path:
    """A file that must be there if the variable names it; the default need not."""
    value = text(name)
    if not value:
        return default
    path = Path(value).expanduser().absolute()
    if not path.is_file():
        raise WrongValue(name, f"is {value!r}: there is no such file.")
    return path


def folder(name: str, default: Path) -> Path:
    """A folder that may yet have to be made."""
    path = Path(text(name, str(default))).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise WrongValue(name, f"is {str(path)!r}: that is not a folder.")
    return path


def bootstrap_servers(name: str) -> str:
    """`host:port`, or several of them separated by commas; empty where not set."""
    servers = [server.strip() for server in text(name).split(",") if server.strip()]
    for server in servers:
        match = _ADDRESS.fullmatch(server)
        if not match or not 0 < int(match[2]) <= _LARGEST_PORT:
            raise WrongValue(name, f"names {server!r}: write host:port, several separated by commas.")
    return ",".join(servers)


def kafka_properties() -> dict[str, str]:
    """librdkafka's properties out of KAFKA_CONFIG_<NAME>: KAFKA_CONFIG_SASL_USERNAME is `sasl.username`."""
    addresses = {"bootstrap.servers", "metadata.broker.list"}
    return _properties(KAFKA_PREFIX, "SASL_USERNAME", "librdkafka", addresses, "KAFKA_BOOTSTRAP_SERVERS")


def schema_registry(variable: str) -> dict[str, str]:
    """The properties of the schema registry's client: `url` out of this variable (several separated by commas), others
    out of SCHEMA_REGISTRY_CONFIG_<NAME>. Empty where there is no registry."""
    properties = _properties(REGISTRY_PREFIX, "BASIC_AUTH_USER_INFO", "the registry's client", {"url"}, variable)
    urls = [part.strip() for part in text(variable).split(",") if part.strip()]
    for part in urls:
        _check_url(variable, part, {"http", "https"})
    if properties and not urls:
        raise WrongValue(variable, "is not set, though SCHEMA_REGISTRY_CONFIG_… is.")
    return {"url": ",".join(urls), **properties} if urls else {}


def _properties(prefix: str, example: str, client: str, addresses: set[str], instead: str) -> dict[str, str]:
    properties = {}
    for name, value in sorted(os.environ.items()):
        if name.startswith(prefix):
            key = name.removeprefix(prefix).lower().replace("_", ".")
            if not key:
                raise WrongValue(name, f"names no property of {client}, as {prefix}{example} does.")
            if key in addresses:
                raise WrongValue(name, f"is not for addresses: set {instead}.")
            properties[key] = value
    return properties


def url(name: str, schemes: set[str]) -> str:
    """A URL with one of these schemes; empty where not set."""
    value = text(name)
    if value:
        _check_url(name, value, schemes)
    return value


def _check_url(name: str, value: str, schemes: set[str]) -> None:
    try:
        parts = urlsplit(value)
        complete = parts.scheme in schemes and bool(parts.path if parts.scheme == "unix" else parts.hostname)
        complete = complete and parts.port != 0  # reading it also refuses one that is no number
    except ValueError:
        complete = False
    if not complete:
        raise WrongValue(name, f"is no address that can be used here: it starts with {_either(schemes)}.")


def _either(schemes: set[str]) -> str:
    return " or ".join(f"{scheme}://" for scheme in sorted(schemes))


def database(name: str) -> dict[str, Any] | None:
    """Django's DATABASES entry for a PostgreSQL URL, read as libpq reads it; None where not set.

    What has no place of its own in Django (`?sslmode=require`) goes to OPTIONS.
    """
    value = text(name)
    if not value:
        return None
    if urlsplit(value).scheme not in {"postgresql", "postgres"}:
        raise WrongValue(name, "starts with postgresql://: Choreoscope stores everything in PostgreSQL.")
    try:
        options = conninfo_to_dict(value)
    except psycopg.Error as error:
        raise WrongValue(name, f"can't be read: {str(error).strip()}.") from error
    entry = {
        "NAME": options.pop("dbname", ""),
        "USER": options.pop("user", ""),
        "PASSWORD": options.pop("password", ""),
        "HOST": options.pop("host", ""),
        "PORT": options.pop("port", ""),
    }
    if not entry["NAME"]:
        raise WrongValue(name, "names no database: it ends in /choreoscope, say.")
    return {**entry, "OPTIONS": options}
