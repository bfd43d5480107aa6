"""How large a request may be: told before its body is read, so that nobody fills the disk of the desk."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGIReceiveEvent, ASGISendCallable, Scope

GIGABYTE = 1_000_000_000
MOST_BYTES = 2 * GIGABYTE  # of one upload of exports; larger ones are loaded on the command line
BESIDE = 10_000_000  # what a form needs beside its files, and the most that any other request may have
UPLOAD = "/data/upload/"
SAID = "The request is too large. Up to {most} GB of exports are taken at once; load larger ones with `plait load`.\n"


def most_of(path: str) -> int:
    """Give the most bytes that a request to a path may have."""
    return MOST_BYTES + BESIDE if path == UPLOAD else BESIDE


async def refused(scope: Scope, send: ASGISendCallable) -> bool:
    """Refuse a request that says itself that it is too large; tell whether it was."""
    if scope["type"] != "http":
        return False
    stated = dict(scope["headers"]).get(b"content-length", b"0")
    if not stated.isdigit() or int(stated) <= most_of(scope["path"]):
        return False
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    said = SAID.format(most=MOST_BYTES // GIGABYTE).encode()
    status = int(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": said, "more_body": False})
    return True


def counted(scope: Scope, receive: ASGIReceiveCallable) -> ASGIReceiveCallable:
    """Count the body of a request that does not say how large it is; beyond the most it is cut off."""
    if scope["type"] != "http":
        return receive
    most, met = most_of(scope["path"]), 0

    async def received() -> ASGIReceiveEvent:
        nonlocal met
        message = await receive()
        if message["type"] == "http.request":
            met += len(message["body"])
            if met > most:
                return {"type": "http.disconnect"}
        return message

    return received
