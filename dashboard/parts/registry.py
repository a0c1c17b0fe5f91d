"""The embedded schema registry: as much of one as the demo's Avro service and the collector ask of it.

Schemas are registered under subjects, with a number and a GUID each, and handed out by them; in memory, and nothing is
checked for compatibility. Paths and answers are those of Confluent's Schema Registry.

`python -m dashboard.parts.registry` prints its address as JSON when it is ready, and runs until it is told to stop.
"""

from __future__ import annotations

import hashlib
import json
import re
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from dashboard.parts import modules
from dashboard.parts.process import Launcher

NAME = "registry"
HOST = "127.0.0.1"
LONGEST = 1024 * 1024

_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_ROUTES = (
    (re.compile(r"/schemas/ids/(\d+)"), "by_number"),
    (re.compile(r"/schemas/guids/([0-9a-f-]{36})"), "by_guid"),
    (re.compile(r"/subjects/([^/]+)/versions/(\d+|latest)"), "version"),
)


class Schemas:
    """The registered schemas, as their descriptions; from whichever thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: list[dict[str, Any]] = []
        self._subjects: dict[str, list[dict[str, Any]]] = {}

    def register(self, subject: str, description: dict[str, Any]) -> dict[str, Any]:
        """The schema with its number; the same one again keeps it."""
        text = json.dumps(description, sort_keys=True)
        guid = str(uuid.UUID(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()))
        with self._lock:
            known = next((found for found in self._all if found["guid"] == guid), None)
            if known is None:
                known = {"id": len(self._all) + 1, "guid": guid, **description}
                self._all.append(known)
            versions = self._subjects.setdefault(subject, [])
            if known not in versions:
                versions.append(known)
            return known

    def by_number(self, number: str) -> dict[str, Any] | None:
        return next((found for found in self._all if found["id"] == int(number)), None)

    def by_guid(self, guid: str) -> dict[str, Any] | None:
        return next((found for found in self._all if found["guid"] == guid), None)

    def version(self, subject: str, version: str) -> dict[str, Any] | None:
        versions = self._subjects.get(unquote(subject), [])
        number = len(versions) if version == "latest" else int(version)
        if not 0 < number <= len(versions):
            return None
        return {"subject": unquote(subject), "version": number, **versions[number - 1]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    schemas: Schemas

    def do_GET(self) -> None:
        for pattern, name in _ROUTES:
            if match := pattern.fullmatch(urlsplit(self.path).path):
                found = getattr(self.schemas, name)(*match.groups())
                if found is None:
                    self.answer(HTTPStatus.NOT_FOUND, {"error_code": 40403, "message": "Schema not found"})
                else:
                    self.answer(HTTPStatus.OK, found)
                return
        self.answer(HTTPStatus.NOT_FOUND, {"error_code": 404, "message": "HTTP 404 Not Found"})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        match = re.fullmatch(r"/subjects/([^/]+)/versions", urlsplit(self.path).path)
        try:
            description = json.loads(self.rfile.read(length)) if 0 < length <= LONGEST else None
        except ValueError:
            description = None
        if match is None or not isinstance(description, dict) or not isinstance(description.get("schema"), str):
            self.close_connection = True
            self.answer(HTTPStatus.UNPROCESSABLE_ENTITY, {"error_code": 42201, "message": "Invalid schema"})
            return
        found = self.schemas.register(unquote(match[1]), description)
        self.answer(HTTPStatus.OK, {"id": found["id"], "guid": found["guid"]})

    def answer(self, status: HTTPStatus, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", _MEDIA_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads a line for each request."""


def serving(handler: type[Handler], schemas: Schemas) -> ThreadingHTTPServer:
    """A server on a port of the system's choice, which has yet to be run."""
    kind = type(handler.__name__, (handler,), {"schemas": schemas})
    server = ThreadingHTTPServer((HOST, 0), kind)
    server.daemon_threads = True
    return server


@contextmanager
def running(folder: Path, *, launcher: Launcher) -> Iterator[str]:
    """The registry in a process of its own while the block runs; yields its URL."""
    with modules.running(NAME, __name__, folder, launcher) as told:
        yield told["url"]


def main() -> None:
    path = modules.address_file("Run the embedded schema registry until it is told to stop.")
    server = serving(Handler, Schemas())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    modules.tell({"url": f"http://{HOST}:{server.server_port}"}, path)
    server.serve_forever()


if __name__ == "__main__":
    main()
