"""A schema registry for tests: the embedded one, over HTTP, that can also fail in the ways that registries fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from dashboard.parts.registry import Handler, Schemas, serving


class Registry:
    """`url` is where it answers; `asked` holds what it was asked for.

    `status`: answers with this instead. `silent`: takes questions and does not answer, until it is cleared.
    `texts`: what a schema of this number is in its readable form, where the one that was registered is not.
    """

    def __init__(self, url: str, schemas: Schemas) -> None:
        self.url, self._schemas = url, schemas
        self.asked: list[str] = []
        self.status: HTTPStatus | None = None
        self.texts: dict[int, str] = {}
        self.authorization: str | None = None
        self._speaking = threading.Event()
        self._speaking.set()

    @property
    def silent(self) -> bool:
        return not self._speaking.is_set()

    @silent.setter
    def silent(self, silent: bool) -> None:
        if silent:
            self._speaking.clear()
        else:
            self._speaking.set()

    def register(
        self, schema: object, kind: str = "AVRO", subject: str = "orders-value", **more: Any
    ) -> dict[str, Any]:
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return self._schemas.register(subject, {"schema": text, "schemaType": kind, **more})

    def wait(self) -> None:
        self._speaking.wait()


@contextmanager
def running() -> Iterator[Registry]:
    schemas = Schemas()
    holder: list[Registry] = []

    class Failing(Handler):
        def do_GET(self) -> None:  # noqa: N802 - as http.server calls it
            holder[0].asked.append(self.path)
            holder[0].authorization = self.headers.get("Authorization")
            holder[0].wait()
            super().do_GET()

        def answer(self, status: HTTPStatus, content: dict[str, Any]) -> None:
            if holder[0].status is not None:
                status, content = holder[0].status, {"error_code": holder[0].status, "message": "as the test wants it"}
            elif "format=serialized" not in self.path and content.get("id") in holder[0].texts:
                content = content | {"schema": holder[0].texts[content["id"]]}
            super().answer(status, content)

    server = serving(Failing, schemas)
    holder.append(Registry(f"http://127.0.0.1:{server.server_port}", schemas))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield holder[0]
    finally:
        holder[0].silent = False
        server.shutdown()
        server.server_close()
        thread.join()
