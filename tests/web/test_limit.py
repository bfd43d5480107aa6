"""No request fills the disk: what is too large is refused before it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from plait.web.limit import BESIDE, MOST_BYTES, UPLOAD, counted, refused


def told(path: str, length: int) -> tuple[bool, list[dict[str, Any]]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:  # noqa: ANN401 - the server's own messages
        sent.append(message)

    scope: Any = {"type": "http", "path": path, "headers": [(b"content-length", str(length).encode())]}
    return asyncio.run(refused(scope, send)), sent


def test_what_says_it_is_too_large_is_refused_unread() -> None:
    assert told("/account/login/", BESIDE) == (False, [])
    assert told(UPLOAD, MOST_BYTES) == (False, [])
    for path, length in (("/account/login/", BESIDE + 1), (UPLOAD, MOST_BYTES + BESIDE + 1)):
        was_refused, sent = told(path, length)
        assert was_refused
        assert sent[0]["status"] == 413
        assert b"plait load" in sent[1]["body"]


def heard(path: str, chunks: Sequence[int]) -> list[str]:
    messages = iter([{"type": "http.request", "body": bytes(size), "more_body": True} for size in chunks])

    async def receive() -> Any:  # noqa: ANN401 - the server's own messages
        return next(messages)

    async def drain() -> list[str]:
        scope: Any = {"type": "http", "path": path, "headers": []}
        listen = counted(scope, receive)
        return [(await listen())["type"] for _ in chunks]

    return asyncio.run(drain())


def test_what_does_not_say_how_large_it_is_is_cut_off() -> None:
    assert heard("/account/login/", [BESIDE, 1]) == ["http.request", "http.disconnect"]
    assert heard(UPLOAD, [BESIDE, 1]) == ["http.request", "http.request"]
