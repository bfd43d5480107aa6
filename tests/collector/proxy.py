"""A bad network between a client and the collector: it delays, it cuts, it repeats.

It reads whole requests, so that it knows when the collector has answered: the events of an answer that is cut then are
on disk. Requests are told apart by the ids of their events, as a repeated one differs in other bytes.
"""

from __future__ import annotations

import gzip
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

IDS = re.compile(rb'"messageId":\s*"([^"]+)"')
Fault = Literal["none", "cut", "twice", "late", "busy"]
LATE = 1.0  # seconds
BUSY_TRIES = 2  # of each batch that a busy collector sends away
SENT_AWAY = b'{"code":"storage_unavailable","message":"Events cannot be kept now. Send them again."}'


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that passed: its path, the ids of its events and the status that the collector answered."""

    path: str
    ids: tuple[bytes, ...]
    status: int
    retry_after: str | None


@dataclass
class Proxy:
    """Passes requests on to `upstream`; `fault` is done to the first try of each batch of events."""

    upstream: tuple[str, int]
    fault: Fault
    listening: socket.socket
    seen: list[Seen] = field(default_factory=list)
    hurt: int = 0
    delivered: set[bytes] = field(default_factory=set)  # ids of which the sender was told that they are taken
    _tries: Counter[tuple[bytes, ...]] = field(default_factory=Counter)
    _count: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def run(self) -> None:
        """Take connections until the socket is closed."""
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        """Pass one client's requests on, one after the other."""
        with suppress(OSError), client:
            reader = _Reader(client)
            while (message := reader.message()) is not None:
                ids = tuple(IDS.findall(_unpacked(*message)))
                answer = self._answer(*message, ids)
                if answer is None:
                    return
                client.sendall(answer)
                if answer.startswith(b"HTTP/1.1 200"):
                    self.delivered.update(ids)

    def _answer(self, head: bytes, body: bytes, ids: tuple[bytes, ...]) -> bytes | None:
        """Pass a request on; give the answer, or None where it is cut."""
        with self._count:
            self._tries[ids] += 1
            tries = self._tries[ids] if ids else 0
            self.hurt += tries == 1
        if self.fault == "busy" and 1 <= tries <= BUSY_TRIES:
            return _sent_away(_header(head, b"origin"))
        answer = self._asked(head, body, ids)
        if tries != 1 or self.fault in ("none", "busy"):
            return answer
        if self.fault == "cut":
            return None
        if self.fault == "late":
            time.sleep(LATE)
        else:
            answer = self._asked(head, body, ids)
        return answer

    def _asked(self, head: bytes, body: bytes, ids: tuple[bytes, ...]) -> bytes:
        with socket.create_connection(self.upstream, timeout=60) as server:
            server.sendall(head + body)
            told = _Reader(server).message()
        assert told is not None, "the collector closed the connection without an answer"
        path, status = head.split(b" ", 2)[1].decode(), int(told[0].split(b" ", 2)[1])
        with self._count:
            self.seen.append(Seen(path, ids, status, _header(told[0], b"retry-after")))
        return told[0] + told[1]


@dataclass
class _Reader:
    """Reads whole messages of HTTP from a socket."""

    connection: socket.socket
    held: bytes = b""

    def message(self) -> tuple[bytes, bytes] | None:
        """Read one: its head and its body as they came; None at the end."""
        if not self._more_until(lambda: b"\r\n\r\n" in self.held):
            return None
        head, _, self.held = self.held.partition(b"\r\n\r\n")
        head += b"\r\n\r\n"
        if (_header(head, b"transfer-encoding") or "").lower() == "chunked":
            self._more_until(lambda: self.held.endswith(b"0\r\n\r\n"))
            size = len(self.held)
        else:
            size = int(_header(head, b"content-length") or 0)
            self._more_until(lambda: len(self.held) >= size)
        body, self.held = self.held[:size], self.held[size:]
        return head, body

    def _more_until(self, enough: Callable[[], bool]) -> bool:
        while not enough():
            told = self.connection.recv(65536)
            if not told:
                return False
            self.held += told
        return True


def _sent_away(origin: str | None) -> bytes:
    """Give the answer of a collector that can keep nothing now."""
    allowed = f"Access-Control-Allow-Origin: {origin}\r\n" if origin else ""
    head = f"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\n{allowed}Content-Length: {len(SENT_AWAY)}\r\n"
    return f"{head}Content-Type: application/json\r\n\r\n".encode() + SENT_AWAY


def _header(head: bytes, name: bytes) -> str | None:
    found = re.search(rb"\r\n" + name + rb":\s*([^\r]*)", head, re.IGNORECASE)
    return found[1].decode("latin-1").strip() if found else None


def _unpacked(head: bytes, body: bytes) -> bytes:
    return gzip.decompress(body) if _header(head, b"content-encoding") == "gzip" else body


@contextmanager
def between(port: int, fault: Fault = "none") -> Iterator[Proxy]:
    """Put a bad network before the collector at a port."""
    proxy = Proxy(("127.0.0.1", port), fault, socket.create_server(("127.0.0.1", 0), backlog=512))
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        with suppress(OSError):
            proxy.listening.shutdown(socket.SHUT_RDWR)
        proxy.listening.close()
        thread.join(10)
