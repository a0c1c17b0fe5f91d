"""Those who are told: a real HTTP server and a real SMTP server, each in a thread of this process."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Web:
    """`answers`: the statuses of the next answers; 204 when there are no more. `before_answering` is called with each
    request that has come."""

    port: int = 0
    answers: list[int] = field(default_factory=list)
    got: list[Request] = field(default_factory=list)
    location: str = ""
    before_answering: Callable[[Request], None] = lambda _: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?key=do-not-show"


@contextmanager
def web_server() -> Iterator[Web]:
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            web.got.append(Request(self.path, dict(self.headers), body))
            web.before_answering(web.got[-1])
            self.send_response(web.answers.pop(0) if web.answers else 204)
            if web.location:
                self.send_header("Location", web.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            web.got.append(Request(self.path, dict(self.headers), b""))
            self.send_response(web.answers.pop(0) if web.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Mailbox:
    def __init__(self) -> None:
        self.got: list[Message] = []
        self.port = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.got.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"

    @property
    def url(self) -> str:
        """For Apprise."""
        return f"mailto://127.0.0.1:{self.port}?from=choreoscope@example.com&to=ada@example.com&mode=insecure"


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        mailbox.port = found.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()
