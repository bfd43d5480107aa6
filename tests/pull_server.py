"""Servers for tests: systems in the shape of the real interfaces, on this machine, with trouble on the way."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

Json = Any
Trouble = Mapping[int, str]  # what goes wrong at which request
TROUBLES: Mapping[str, tuple[int, Mapping[str, str]]] = {"429": (429, {"Retry-After": "7"}), "500": (500, {})}


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Json
    form: dict[str, str]
    headers: Mapping[str, str]

    def one(self, name: str, otherwise: str = "") -> str:
        return self.query.get(name, [otherwise])[0]


@dataclass
class Server:
    """A server that answers with `answer`, and has trouble at the requests whose numbers `trouble` names."""

    answer: Callable[[Asked], Json]
    trouble: Trouble = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    address: str = ""


class Status(Exception):
    """Another answer than 200."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers or {}


@contextmanager
def serving(answer: Callable[[Asked], Json], trouble: Trouble | None = None) -> Iterator[Server]:
    """Serve until the test is over."""
    server = Server(answer, trouble or {})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 20  # head and body go together, else each answer waits for the other side

        def log_message(self, *_arguments: object) -> None: ...

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            parts = urlsplit(self.path)
            is_form = "urlencoded" in (self.headers.get("content-type") or "")
            asked = Asked(
                self.command, parts.path, parse_qs(parts.query),
                json.loads(content) if content and not is_form else None,
                dict(parse_qsl(content.decode())) if is_form else {}, dict(self.headers.items()),
            )  # fmt: skip
            server.asked.append(asked)
            what = server.trouble.get(len(server.asked), "")
            if what in TROUBLES:
                status, headers = TROUBLES[what]
                self._send(status, "<html>oops</html>", headers)
                return
            try:
                self._send(200, server.answer(asked), {}, cut=what == "drop")
            except Status as other:
                self._send(other.status, other.body, other.headers)

        def _send(self, status: int, body: Json, headers: Mapping[str, str], *, cut: bool = False) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if cut else content)
            if cut:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    httpd.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that goes away is no fault here
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.address = f"http://127.0.0.1:{httpd.server_port}"
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
