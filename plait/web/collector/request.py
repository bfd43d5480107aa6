"""Requests to the collector: bodies read, unpacked, parsed, and mended where honest libraries send no JSON.

Bodies are parsed whatever their content type says. Events are cut out of a batch as they are, not read: that is done
when they are sealed, so that the sender does not wait for it.
"""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import msgspec
import numpy as np

from plait.sources.events import mended
from plait.web.collector.answers import Refused, too_large

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, HTTPScope

MIB = 1024 * 1024
MOST_BODY, MOST_UNPACKED = 4 * MIB, 8 * MIB
MOST_DEPTH = 128
AT_ONCE = 64 * 1024  # signs whose depth is counted in one go: sums take eight times their room
MOST_SECONDS = 20.0  # for a body to arrive
BOM = b"\xef\xbb\xbf"
NO_EVENT = msgspec.Raw(b"")
_texts = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_steps = np.zeros(256, dtype=np.int32)
_steps[[ord("{"), ord("[")]], _steps[[ord("}"), ord("]")]] = 1, -1


class Body(msgspec.Struct):
    """What a request says beside its events."""

    batch: msgspec.Raw = NO_EVENT
    context: msgspec.Raw = NO_EVENT
    sentAt: msgspec.Raw = NO_EVENT  # noqa: N815 - the protocol's names
    writeKey: Any = None  # noqa: N815


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that was read: its events as they came, and whether it had to be mended."""

    events: list[msgspec.Raw]
    body: Body
    repaired: bool


_body, _events = msgspec.json.Decoder(Body).decode, msgspec.json.Decoder(list[msgspec.Raw]).decode


def headers_of(scope: HTTPScope) -> dict[bytes, bytes]:
    """Give a request's headers."""
    return dict(scope["headers"])


async def read(headers: Mapping[bytes, bytes], receive: ASGIReceiveCallable) -> bytes:
    """Read a body whole, unpacked."""
    stated = headers.get(b"content-length", b"0")
    if stated.isdigit() and int(stated) > MOST_BODY:
        raise too_large("body", MOST_BODY)
    try:
        async with asyncio.timeout(MOST_SECONDS):
            packed = await _received(receive)
    except TimeoutError:
        raise Refused(408, "too_slow", f"The body did not arrive within {MOST_SECONDS:.0f} seconds.") from None
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding == b"gzip":
        return _unpacked(packed)
    if encoding not in (b"identity", b""):
        raise Refused(400, "invalid_encoding", "The body is packed in a way that is not known; allowed: gzip.")
    return packed


async def _received(receive: ASGIReceiveCallable) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "incomplete", "The connection ended before the body did.")
        parts.append(message["body"])
        size += len(message["body"])
        if size > MOST_BODY:
            raise too_large("body", MOST_BODY)
        if not message["more_body"]:
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _unpacked(packed: bytes) -> bytes:
    """Unpack a body; one that would fill the memory is cut where it is too large."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        told = unpacker.decompress(packed, MOST_UNPACKED + 1)
    except zlib.error as error:
        raise Refused(400, "invalid_encoding", "The body is not the gzip that its header says.") from error
    if len(told) > MOST_UNPACKED:
        raise too_large("unpacked body", MOST_UNPACKED)
    if not unpacker.eof:
        raise Refused(400, "invalid_encoding", "The gzip body ends too early.")
    return told


def parse(body: bytes, *, single: bool) -> Sent:
    """Cut the events out of a body: of a batch, or the one that it is."""
    body = body.removeprefix(BOM)
    try:
        return _cut(body, single=single, repaired=False)
    except msgspec.ValidationError:  # JSON, but not of this shape
        raise _no_batch() if not single else _not_json() from None
    except msgspec.DecodeError:
        return _cut_mended(body, single=single)
    except RecursionError:
        raise _too_deep() from None


def _cut(body: bytes, *, single: bool, repaired: bool) -> Sent:
    told = _body(body)
    if single:
        events, told.context = [msgspec.Raw(body)], NO_EVENT  # it stands in the event
    elif not bytes(told.batch):
        raise _no_batch()
    else:
        events = _events(told.batch)
    for raw in (*events, told.context):
        _check_depth(bytes(raw))
    return Sent(events, told, repaired)


def _cut_mended(body: bytes, *, single: bool) -> Sent:
    """Read what a strict reader refuses: one number that is none would else lose a whole batch."""
    try:
        told = mended(json.loads(body.decode("utf-8", "replace")))
        return _cut(msgspec.json.encode(told), single=single, repaired=True)
    except (ValueError, msgspec.MsgspecError):
        raise _not_json() from None
    except RecursionError:
        raise _too_deep() from None


def _check_depth(raw: bytes) -> None:
    if raw.count(b"{") + raw.count(b"[") <= MOST_DEPTH:
        return
    depth, signs = 0, np.frombuffer(_texts.sub(b"", raw), dtype=np.uint8)
    for begin in range(0, len(signs), AT_ONCE):
        depths = depth + np.cumsum(_steps[signs[begin : begin + AT_ONCE]])
        if int(depths.max()) > MOST_DEPTH:
            raise _too_deep()
        depth = int(depths[-1])


def pixel_event(query: bytes) -> tuple[str, bytes]:
    """Read the event of a pixel from its address; gives the write key and the event as JSON."""
    told = dict(parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True))
    event: dict[str, Any] = {}
    if told.get("data"):
        try:
            held = json.loads(b64decode(unquote(told["data"]) + "=="))
            event = held if isinstance(held, dict) else {}
        except ValueError:
            event = {}
    properties = dict(event.get("properties") or {}) if isinstance(event.get("properties"), dict | None) else {}
    for name, text in told.items():
        if name in ("userId", "anonymousId", "event", "name", "messageId", "timestamp"):
            event[name] = text
        elif name not in ("writeKey", "data"):
            properties[name] = text
    if properties:
        event["properties"] = properties
    return str(told.get("writeKey") or event.get("writeKey") or ""), msgspec.json.encode(mended(event))


def _no_batch() -> Refused:
    return Refused(400, "batch_missing", 'The body has no list of events; send {"batch": [...]}.')


def _not_json() -> Refused:
    return Refused(400, "invalid_json", "The body is not a JSON object.")


def _too_deep() -> Refused:
    return Refused(400, "invalid_json", f"The body is nested deeper than {MOST_DEPTH} levels.")
