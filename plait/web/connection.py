"""Connections as the server takes them: one whose head never ends is ended, before it fills the memory.

The server's own protocol bounds neither the length of a head nor the time that it takes. Bodies are bounded where they
are read.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 64 * 1024  # bytes
MOST_SECONDS = 20.0  # from the connection, or the head's first byte, until the head is whole
TOO_SLOW = ("408 Request Timeout", "too_slow", "The head of the request did not arrive in time.")
TOO_LARGE = ("431 Request Header Fields Too Large", "too_large", "The head of the request is too large.")


class BoundedHead(HttpToolsProtocol):
    """The server's protocol, with a bound on the head of each request."""

    def __init__(self, *told: Any, **named: Any) -> None:  # noqa: ANN401 - the server's
        super().__init__(*told, **named)
        self._in_head, self._head, self._heads = True, 0, 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with a head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._unwait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; what brought neither the end of a head nor that of a body is a part of the head."""
        began, heads = self._in_head, self._heads
        super().data_received(data)
        if began and self._in_head and heads == self._heads:
            self._head += len(data)
            if self._head > MOST_HEAD:
                self._end(TOO_LARGE)
            elif self._late is None:
                self._wait()

    def on_headers_complete(self) -> None:
        """Take the head as whole."""
        self._in_head, self._head = False, 0
        self._heads += 1
        self._unwait()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Begin with the next head."""
        self._in_head = True
        super().on_message_complete()

    def _wait(self) -> None:
        self._late = self.loop.call_later(MOST_SECONDS, self._end, TOO_SLOW)

    def _unwait(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _end(self, why: tuple[str, str, str]) -> None:
        """Say why, and end the connection."""
        self._unwait()
        if self.transport.is_closing():
            return
        status, code, message = why
        body = f'{{"code":"{code}","message":"{message}"}}'
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(f"{head}Connection: close\r\n\r\n{body}".encode())
        self.transport.close()
