"""Answers of the collector: exactly what the official libraries understand, and nothing else.

Success is 200 with JSON: some libraries send again after 201, 202 or 204. A refusal is JSON with `code` and `message`:
some fail on JSON without. No answer is a redirect: all of them would follow it as GET and count the batch as taken.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from uvicorn._types import ASGISendCallable

Header = tuple[bytes, bytes]
JSON = (b"content-type", b"application/json")
NO_STORE = (b"cache-control", b"no-store")
SUCCESS = b'{"success":true}'
GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
LONGEST_WAIT = 300  # seconds; what libraries honour at most
ALLOWED_HEADERS = (
    b"authorization, content-type, x-retry-count, anonymousid, sentat, rsa-recovered, rsa-retry-attempt, "
    b"rsa-since-last-attempt, rsa-since-first-attempt, rsa-retry-reason"
)
_spread = random.Random()  # noqa: S311 - spreads the moments at which senders come again


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer on its way out; `origin` is that of the page that asked, which must be told to its browser."""

    status: int
    body: bytes
    headers: Sequence[Header] = (JSON, NO_STORE)
    origin: bytes | None = None

    async def send(self, send: ASGISendCallable) -> None:
        """Send it."""
        headers = [*self.headers, (b"content-length", b"%d" % len(self.body))]
        if self.origin:
            headers += [(b"access-control-allow-origin", self.origin), (b"vary", b"Origin")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers, "trailers": False})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


class Refused(Exception):
    """A request that is not taken: status, a code for programs, a sentence for people, seconds to wait (0: never).

    `field` is the one that is wrong, where there is one.
    """

    def __init__(self, status: int, code: str, message: str, *, wait: int = 0, field: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.wait, self.field = status, code, message, wait, field

    def answer(self, origin: bytes | None) -> Answer:
        """Give what the sender is told."""
        headers = [JSON, NO_STORE]
        if self.wait:
            seconds = min(LONGEST_WAIT, self.wait + _spread.randrange(self.wait + 1))  # not all at the same moment
            headers.append((b"retry-after", b"%d" % seconds))
        if self.status == 405:  # noqa: PLR2004
            headers.append((b"allow", b"POST, GET, OPTIONS"))
        told = {"code": self.code, "message": self.message} | ({"field": self.field} if self.field else {})
        return Answer(self.status, msgspec.json.encode(told), headers, origin)


def taken(origin: bytes | None) -> Answer:
    """Say that all events are on disk."""
    return Answer(200, SUCCESS, origin=origin)


def pixel() -> Answer:
    """Give the picture of one point that a mail or a page without script asks for."""
    return Answer(200, GIF, ((b"content-type", b"image/gif"), (b"cache-control", b"no-store, private")))


def preflight(origin: bytes | None) -> Answer:
    """Tell a browser that its page may send; which pages really may is told when the key is known."""
    headers = (
        (b"access-control-allow-methods", b"POST, GET, OPTIONS"),
        (b"access-control-allow-headers", ALLOWED_HEADERS),
        (b"access-control-max-age", b"7200"),
    )
    return Answer(200, b"", headers, origin)


def document(told: object, origin: bytes | None) -> Answer:
    """Give a settings document."""
    cached = (b"cache-control", b"public, max-age=300")
    return Answer(200, msgspec.json.encode(told), (JSON, cached), origin or b"*")


def unknown_path() -> Refused:
    """Say that there is nothing at this path."""
    return Refused(404, "not_found", "There is nothing here. Events are sent to /v1/batch or /v1/track.")


def wrong_method() -> Refused:
    """Say that the path takes no request of this method."""
    return Refused(405, "method_not_allowed", "Events are sent with POST.")


def too_large(what: str, most: int) -> Refused:
    """Say that the request is larger than what is taken."""
    return Refused(413, "too_large", f"The {what} is larger than {most // 1024} KiB. Send smaller batches.")
