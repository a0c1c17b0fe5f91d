"""The control process's HTTP interface: JSON, on loopback only.

GET /state · PUT /faults/{name} {"on": bool} · PUT /rate {"rate": float} · POST /orders {"count": int}. What is wrong
with a request is answered with 4xx and {"error": sentence}.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from demo_services.bus import SettingsError
from demo_services.faults import FAULTS
from demo_services.shop import MOST_PER_SECOND, BusyError, Shop

log = logging.getLogger("demo")

LONGEST_BODY = 10_000
MOST_ORDERS = 500
IDLE = 0.1  # seconds between looks at whether to stop


class RefusedError(Exception):
    """The request is wrong; the sentence goes back to whoever sent it."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def answer(shop: Shop, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Does what a request asks for. Raises RefusedError."""
    match method, unquote(path).strip("/").split("/"):
        case "GET", ["state"]:
            return shop.describe()
        case "PUT", ["faults", name]:
            return _switch(shop, name, body.get("on"))
        case "PUT", ["rate"]:
            return _set_rate(shop, body.get("rate"))
        case "POST", ["orders"]:
            return _place(shop, body.get("count"))
        case _:
            raise RefusedError(HTTPStatus.NOT_FOUND, f"There is no {method} {path} here.")


def _switch(shop: Shop, name: str, on: object) -> dict[str, Any]:
    if name not in FAULTS:
        raise RefusedError(HTTPStatus.NOT_FOUND, f"There is no fault {name!r}; there are: {', '.join(FAULTS)}.")
    if not isinstance(on, bool):
        raise RefusedError(HTTPStatus.BAD_REQUEST, '"on" must be true or false.')
    shop.switch(name, on=on)
    return shop.describe()


def _set_rate(shop: Shop, rate: object) -> dict[str, Any]:
    # A bool is an int to Python, but not to whoever sends JSON. NaN is within no bounds.
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= MOST_PER_SECOND:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f'"rate" must be a number from 0 to {MOST_PER_SECOND:g}.')
    shop.set_rate(float(rate))
    return shop.describe()


def _place(shop: Shop, count: object) -> dict[str, Any]:
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_ORDERS:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f'"count" must be a whole number from 1 to {MOST_ORDERS}.')
    try:
        return {"order_ids": shop.place(count)}
    except BusyError as error:
        raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, f"{error}.") from error


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, shop: Shop, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.shop = shop


class Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = 5  # seconds that a client may keep us waiting for the rest of its request

    def do_GET(self) -> None:
        self._respond()

    def do_PUT(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        try:
            status, result = HTTPStatus.OK, answer(self.server.shop, self.command, self.path, self._body())
        except RefusedError as refused:
            status, result = refused.status, {"error": str(refused)}
        content = json.dumps(result).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> dict[str, Any]:
        if self.headers.get("Origin"):  # a page somewhere must not order in the name of whoever looks at it
            raise RefusedError(HTTPStatus.FORBIDDEN, "This is not for browsers: use the dashboard's demo page.")
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            raise RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body must be at most {LONGEST_BODY} bytes long."
            )
        try:
            body = json.loads(self.rfile.read(int(length)) or b"{}")
        except (ValueError, RecursionError) as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "The body is not JSON.") from error
        if not isinstance(body, dict):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "The body must be a JSON object.")
        return body

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        log.debug(format, *args)


@contextmanager
def serve(shop: Shop, port: int) -> Iterator[int]:
    """Serves in a thread of its own; yields the port, which the system chooses where `port` is 0."""
    try:
        server = Server(shop, port)
    except OSError as error:
        raise SettingsError(f"DEMO_CONTROL_PORT is {port}, and that port cannot be used: {error.strerror}") from error
    chosen = int(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(IDLE,), name="control-api", daemon=True)
    thread.start()
    log.info("control listens on http://127.0.0.1:%d", chosen)
    try:
        yield chosen
    finally:
        server.shutdown()
        server.server_close()
