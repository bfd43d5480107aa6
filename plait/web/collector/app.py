"""The collector as an ASGI application: takes events, puts them on disk, and only then says so."""

from __future__ import annotations

import asyncio
import logging
import time
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec

from plait.inbox import Inbox, InboxClosed, InboxFull
from plait.web.collector import answers, bots, conversions, documents, links
from plait.web.collector.answers import Answer, Refused
from plait.web.collector.keys import Keys, KnownKey
from plait.web.collector.links import Links
from plait.web.collector.looking import Looking, Lookout
from plait.web.collector.request import Sent, headers_of, parse, pixel_event, read

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope

SINGLE = {name: kind for kind in ("identify", "track", "page", "screen", "group", "alias") for name in (kind, kind[0])}
BATCHES = ("/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch")
DISCARDED = ("/v1/m", "/rsaMetrics")  # the libraries' own counters
PIXELS = ("/pixel/v1/track", "/pixel/v1/page")
PREFIXES = ("/v1/", "/beacon/v1/", "/pixel/v1/")
OTHERS = ("/rsaMetrics", "/sourceConfig", "/health")
WAIT, WAIT_FOR_DISK = 1, 5  # seconds
BURST = 2  # seconds of a source's quota that may come at once
FAIR_SHARE = 16_000_000  # bytes of one source that may wait for the disk: others find room too


def owns(path: str) -> bool:
    """Tell whether a path is the collector's."""
    return path.startswith(PREFIXES) or links.owns(path) or path.rstrip("/") in OTHERS


@dataclass
class _Flow:
    """How much a source sends: what is left of its quota, and what of it waits for the disk."""

    tokens: float
    at: float
    waiting: int = 0


@dataclass
class Collector:
    """The collector of a home. `secure` refuses plain http, which would carry keys in the open."""

    home: Path
    secure: bool
    keys: Keys = field(default_factory=Keys)
    codes: Looking[conversions.Codes] = field(default_factory=conversions.new_looking)
    inbox: Inbox | None = None
    flows: dict[str, _Flow] = field(default_factory=dict)
    links: Links = field(init=False)
    lookout: Lookout = field(init=False)

    def __post_init__(self) -> None:
        self.links = Links(self._keep)
        self.lookout = Lookout(self.keys.looking, self.links.looking, self.codes)

    async def start(self) -> None:
        """Open the inbox, read keys, links and codes; called on the loop that answers."""
        loop = asyncio.get_running_loop()
        self.inbox = Inbox.open(self.home, lambda waiters, error: _answer_on(loop, waiters, error))
        await loop.run_in_executor(None, self.lookout.start)
        await loop.run_in_executor(None, bots.warm)

    async def stop(self) -> None:
        """Put on disk what waits and stop."""
        self.lookout.stop()
        if self.inbox is not None:
            await asyncio.get_running_loop().run_in_executor(None, self.inbox.close)

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer a request; whatever goes wrong here is told as a reason to come again."""
        headers = headers_of(scope)
        origin = headers.get(b"origin")
        try:
            answer = await self._answer(scope, headers, receive)
        except Refused as refused:
            answer = refused.answer(origin)
        except Exception:
            logging.getLogger(__name__).exception("a request to the collector failed")
            answer = _storage_unavailable().answer(origin)
        await answer.send(send)

    async def _answer(self, scope: HTTPScope, headers: Mapping[bytes, bytes], receive: ASGIReceiveCallable) -> Answer:
        path, method, origin = scope["path"].rstrip("/"), scope["method"], headers.get(b"origin")
        if links.owns(scope["path"]):  # over plain http too: it carries no key
            return await self.links.follow(scope, headers)
        if method == "OPTIONS":
            return answers.preflight(origin)
        if self.secure and scope["scheme"] == "http":
            raise Refused(403, "https_required", "Send over https: a write key must not travel in the open.")
        if method in ("GET", "HEAD"):
            return await self._told(path, scope, headers)
        if method != "POST":
            raise answers.wrong_method()
        if path in DISCARDED:
            await read(headers, receive)
            return answers.taken(origin)
        if conversions.owns(path):
            return await self._converted(path, headers, receive)
        kind = SINGLE.get(path.removeprefix("/v1/"))
        if kind is None and path not in BATCHES and path != "/v1/merge":
            raise answers.wrong_method() if path in PIXELS else answers.unknown_path()
        sent = parse(await read(headers, receive), single=path not in BATCHES)
        key = await self._key(_key_of(sent, scope, headers, path), headers)
        line = _line(sent, key, kind or ("merge" if path == "/v1/merge" else None), headers, path != "/v1/import")
        await self._keep(key.source, line, len(sent.events), key.quota)
        return answers.taken(origin)

    async def _converted(self, path: str, headers: Mapping[bytes, bytes], receive: ASGIReceiveCallable) -> Answer:
        """Keep a conversion, or what undoes one; only a server may tell of money."""
        body = await read(headers, receive)
        key = await self._key(_basic(headers) or conversions.bearer(headers), headers)
        if key.sort != "server":
            raise Refused(403, "server_key_required", "Conversions are told by servers: use a server key.")
        now = datetime.now(UTC)  # noqa: TID251 - the collector is an edge where the clock is read
        line = await conversions.line_of(path, body, key.source, self.codes, now)
        if line is not None:
            await self._keep(key.source, line, 1, key.quota)
        return answers.taken(headers.get(b"origin"))

    async def _told(self, path: str, scope: HTTPScope, headers: Mapping[bytes, bytes]) -> Answer:
        """Answer what is asked with GET."""
        if path == "/health":
            await self._keep("", b"", 0, 0)
            return answers.taken(None)
        if path in PIXELS:
            return await self._pixel(path, scope, headers)
        if path.startswith("/v1/projects/") and path.endswith("/settings"):
            given = path.removeprefix("/v1/projects/").removesuffix("/settings")
            await self._known(given)
            host = headers.get(b"host", b"").decode("latin-1")
            return answers.document(documents.segment(given, host, scope["scheme"]), headers.get(b"origin"))
        if path == "/sourceConfig":
            given = _of_query(scope, "writeKey") or _basic(headers)
            return answers.document(documents.rudder(given, (await self._known(given)).source), headers.get(b"origin"))
        takes = path in BATCHES or path in DISCARDED or conversions.owns(path) or path.removeprefix("/v1/") in SINGLE
        raise answers.wrong_method() if takes else answers.unknown_path()

    async def _pixel(self, path: str, scope: HTTPScope, headers: Mapping[bytes, bytes]) -> Answer:
        """Keep the event of a pixel; its reader gets the picture whatever becomes of it."""
        given, event = pixel_event(scope["query_string"])
        try:
            key = await self._key(given, headers)
            sent = parse(event, single=True)
            await self._keep(key.source, _line(sent, key, path.rpartition("/")[2], headers, True), 1, key.quota)  # noqa: FBT003
        except Refused as refused:
            logging.getLogger(__name__).info("a pixel was not kept: %s", refused.message)
        return answers.pixel()

    async def _known(self, given: str) -> KnownKey:
        """Find the key of a settings document; without one the library sends nothing."""
        key = await self.keys.find(given) if given else None
        if key is None:
            raise Refused(404, "unknown_write_key", "Unknown write key. Check the source settings.")
        return key

    async def _key(self, given: str, headers: Mapping[bytes, bytes]) -> KnownKey:
        if not given:
            raise Refused(401, "missing_write_key", "No write key. Send it as the user name of Basic authorization.")
        key = await self.keys.find(given)
        if key is None:
            raise Refused(401, "unknown_write_key", "Unknown write key. Check the source settings.")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and (key.sort == "server" or (key.origins and origin not in key.origins)):
            raise Refused(403, "origin_not_allowed", "This write key may not be used from this page.")
        return key

    async def _keep(self, source: str, line: bytes, events: int, quota: int) -> None:
        """Put a line on disk; returns when it is there."""
        if self.inbox is None:
            raise _storage_unavailable()
        flow = self._flow(source, len(line), events, quota)
        waiter = asyncio.get_running_loop().create_future()
        try:
            self.inbox.append(line, waiter)
        except InboxFull as full:
            raise Refused(429, "rate_limited", str(full), wait=WAIT) from full
        except InboxClosed as closed:
            raise Refused(503, "storage_unavailable", str(closed), wait=WAIT) from closed
        flow.waiting += len(line)
        try:
            await waiter
        except OSError as error:
            raise _storage_unavailable() from error
        finally:
            flow.waiting -= len(line)

    def _flow(self, source: str, size: int, events: int, quota: int) -> _Flow:
        """Refuse what is beyond a source's quota or its share of the room."""
        now = time.monotonic()
        flow = self.flows.setdefault(source, _Flow(float(quota * BURST), now))
        if flow.waiting and flow.waiting + size > FAIR_SHARE:
            raise Refused(429, "rate_limited", "More of this source waits for the disk than may.", wait=WAIT)
        if quota:
            flow.tokens, flow.at = min(quota * BURST, flow.tokens + (now - flow.at) * quota), now
            if flow.tokens <= 0:
                raise Refused(429, "rate_limited", f"This source may send {quota} events a second.", wait=WAIT)
            flow.tokens -= events
        return flow


def _answer_on(loop: asyncio.AbstractEventLoop, waiters: list[Any], error: BaseException | None) -> None:
    """Tell those who wait, all at once, on the loop that they wait on."""

    def tell() -> None:
        for waiter in waiters:
            if waiter.done():  # the sender has gone
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)

    if not loop.is_closed():
        loop.call_soon_threadsafe(tell)


def _line(sent: Sent, key: KnownKey, kind: str | None, headers: Mapping[bytes, bytes], clock: bool) -> bytes:  # noqa: FBT001 - private
    """Write a request as the inbox keeps it (`plait.sources.events.Envelope`), its events as they came."""
    body = sent.body
    parts = [
        b'{"at":%d,"source":"%s","key":"%s","write_key":"%s"'
        % (time.time_ns() // 1000, key.source.encode(), key.sort.encode(), key.digest.encode())
    ]
    if kind:
        parts.append(b',"type":"%s"' % kind.encode())
    sent_at = bytes(body.sentAt) or _quoted(headers.get(b"sentat"))
    if sent_at:
        parts.append(b',"sent_at":' + sent_at)
    if not clock:
        parts.append(b',"clock":false')
    if bytes(body.context)[:1] == b"{":
        parts.append(b',"context":' + bytes(body.context))
    if sent.repaired:
        parts.append(b',"repaired":true')
    parts.append(b',"events":[' + b",".join(map(bytes, sent.events)) + b"]}")
    # In JSON a line can only be broken between two signs, never inside a text: a blank does as well.
    return b"".join(parts).replace(b"\n", b" ").replace(b"\r", b" ")


def _quoted(text: bytes | None) -> bytes:
    return msgspec.json.encode(text.decode("latin-1")) if text else b""


def _key_of(sent: Sent, scope: HTTPScope, headers: Mapping[bytes, bytes], path: str) -> str:
    """Give the write key of a request: its header's, else its body's, else (of a beacon) its address's."""
    from_header, from_body = _basic(headers), sent.body.writeKey
    if from_body is not None and not isinstance(from_body, str):
        raise _mismatch()
    if from_header and from_body and from_header != from_body:
        raise _mismatch()
    given = from_header or from_body
    if not given and path == "/v1/b" and sent.events:  # Segment's library in a browser: the key stands in each event
        given = _own_key(sent.events[0])
    return given or (_of_query(scope, "writeKey") if path.startswith("/beacon/") else "")


class _Keyed(msgspec.Struct):
    writeKey: Any = None  # noqa: N815 - the protocol's name


def _own_key(event: msgspec.Raw) -> str:
    try:
        told = msgspec.json.decode(event, type=_Keyed).writeKey
    except msgspec.MsgspecError:
        return ""
    return told if isinstance(told, str) else ""


def _basic(headers: Mapping[bytes, bytes]) -> str:
    """Give the user name of Basic authorization; the colon may be missing."""
    given = headers.get(b"authorization", b"")
    if given[:6].lower() != b"basic ":
        return ""
    try:
        return b64decode(given[6:] + b"==").decode("utf-8").partition(":")[0]
    except ValueError:
        return ""


def _of_query(scope: HTTPScope, name: str) -> str:
    return parse_qs(scope["query_string"].decode("latin-1")).get(name, [""])[0]


def _mismatch() -> Refused:
    return Refused(401, "write_key_mismatch", "The write key in the body is not the one of the header.")


def _storage_unavailable() -> Refused:
    return Refused(503, "storage_unavailable", "Events cannot be kept now. Send them again.", wait=WAIT_FOR_DISK)
