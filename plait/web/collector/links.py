"""Tracked links as they are followed: led to the stored target, with the click on disk before the visitor goes on.

Links are held in memory; nothing here waits for SQL. Nothing of a request reaches the host of the address that it is
led to: that is the stored one, or one of those that the link itself allows.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from base64 import b32hexencode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

import msgspec

from plait.sources.clicks import KEY, Click
from plait.sources.events import Envelope
from plait.web.collector import bots
from plait.web.collector.answers import Answer, Refused
from plait.web.collector.looking import Looking
from plait.web.collector.targets import deeper

if TYPE_CHECKING:
    from uvicorn._types import HTTPScope

PREFIXES = ("/r/", "/c/")
TOGETHER = 0.008  # seconds in which clicks gather for one write
PATIENCE = 2.0  # seconds that a visitor waits for the disk; then the click is kept, or not, but no id is given
OVERLAP = timedelta(
    minutes=10
)  # a change may become visible this long after its time: clocks differ, commits take time
MOST_QUERY, MOST_FIELDS = 8_192, 100  # bytes and fields of an address that are read; of a larger one nothing is
LONGEST_TEXT = 200  # signs
DENIED = "denied"
SUBS = tuple(f"sub{number}" for number in range(1, 6))
REFERRER = re.compile(r"https?://(?:[^/?#@]*@)?([a-z0-9.-]{1,253})(?:[:/?#]|$)", re.IGNORECASE)
ALWAYS = (
    (b"cache-control", b"no-store"),
    (b"x-robots-tag", b"noindex"),
    (b"referrer-policy", b"no-referrer-when-downgrade"),
)
PLAIN = (b"content-type", b"text/plain; charset=utf-8")
Keep = Callable[[str, bytes, int, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class KnownLink:
    """A link that can be followed; once it has `ended` it leads to its fallback, where it has one."""

    number: int
    code: str
    source: str
    target: str
    partner: str
    campaign: str
    channel: str
    parameter: str
    hosts: tuple[str, ...]
    fallback: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Known:
    """The links as they are known; `newest` is when the last of them was changed."""

    by_code: Mapping[str, KnownLink]
    newest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What stands behind the question mark of a link that is followed.

    `sub` is empty where none is given; `campaign` has the name of each utm parameter and how it is written in an
    address.
    """

    consent: str = "unknown"
    sub: tuple[str, ...] = ()
    campaign: tuple[tuple[str, str], ...] = ()
    deeper: str = ""


class _Batch:
    """Clicks of one source that go to the disk together; `kept` tells whether they are there."""

    def __init__(self, kept: asyncio.Future[bool]) -> None:
        self.events: list[msgspec.Raw] = []
        self.kept = kept


def _read(known: Known) -> Known:
    from plait.web.collector.models import TrackedLink

    links = TrackedLink.objects.select_related("source").order_by("changed_at")
    if known.newest is not None:
        links = links.filter(changed_at__gt=known.newest - OVERLAP)
    found = list(links)
    if not found:
        return known
    fresh = {
        one.code: KnownLink(
            one.pk, one.code, one.source.name, one.target, one.partner, one.campaign, one.channel, one.parameter,
            tuple(one.hosts), one.fallback, one.ended_at is not None,
        )
        for one in found
    }  # fmt: skip
    if fresh.items() <= known.by_code.items():
        return known
    return Known({**known.by_code, **fresh}, found[-1].changed_at)


def owns(path: str) -> bool:
    """Tell whether a path is a tracked link's."""
    return path.startswith(PREFIXES)


class Links:
    """The links of a home as they are followed; `keep` puts a line of a source on disk.

    Clicks that come within some milliseconds go to the disk together: one write of five costs as much as one of one.
    """

    def __init__(self, keep: Keep) -> None:
        self.looking = Looking("tracked links", Known({}), _read)
        self._keep = keep
        self._waiting: dict[str, _Batch] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def follow(self, scope: HTTPScope, headers: Mapping[bytes, bytes]) -> Answer:
        """Lead a visitor on; the click is on disk before, and where the disk refuses it no id is given."""
        if scope["method"] not in ("GET", "HEAD"):
            return Answer(405, b"A link is followed with GET.\n", (PLAIN, (b"allow", b"GET, HEAD"), *ALWAYS))
        link = await self._find(scope["path"][3:].rstrip("/").lower())
        if link is None or (link.ended and not link.fallback):
            return Answer(404, b"There is no such link, or it has ended.\n", (PLAIN, *ALWAYS))
        if link.ended:
            return _led(link.fallback)
        asked = _asked(scope["query_string"])
        if headers.get(b"sec-gpc") == b"1":
            asked = replace(asked, consent=DENIED)
        click = _click(link, asked, bots.verdict(scope["method"], headers), headers.get(b"referer", b""))
        kept = await self._recorded(click, link.source)
        return _led(_address(link, asked, click.id if kept and asked.consent != DENIED else ""))

    async def _find(self, code: str) -> KnownLink | None:
        found = self.looking.known.by_code.get(code)
        if found is None and code:
            await self.looking.again()
            found = self.looking.known.by_code.get(code)
        return found

    async def _recorded(self, click: Click, source: str) -> bool:
        """Put a click on disk, together with those that come at the same time; tells whether it is there."""
        batch = self._waiting.get(source)
        if batch is None:
            loop = asyncio.get_running_loop()
            batch = self._waiting[source] = _Batch(loop.create_future())
            loop.call_later(TOGETHER, self._send, source)
        batch.events.append(msgspec.Raw(msgspec.json.encode(click)))
        return await batch.kept

    def _send(self, source: str) -> None:
        task = asyncio.create_task(self._put(source, self._waiting.pop(source)))
        self._sending.add(task)  # else nobody would hold it
        task.add_done_callback(self._sending.discard)

    async def _put(self, source: str, batch: _Batch) -> None:
        kept = False
        try:
            line = msgspec.json.encode(Envelope(time.time_ns() // 1000, source, KEY, batch.events))
            async with asyncio.timeout(PATIENCE):
                await self._keep(source, line, len(batch.events), 0)
            kept = True
        except (Refused, TimeoutError) as error:
            logging.getLogger(__name__).warning("clicks were not kept in time, visitors were led on: %s", error)
        finally:
            if not batch.kept.done():
                batch.kept.set_result(kept)


@lru_cache(maxsize=2_000)
def _asked(query: bytes) -> Asked:
    """Read what stands behind the question mark; of more than a link can need, nothing."""
    if not query:
        return Asked()
    if len(query) > MOST_QUERY:
        return Asked(DENIED)  # whatever it says of consent was not read
    try:
        pairs = parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return Asked(DENIED)
    given: dict[str, str] = {}
    for name, text in pairs:
        given.setdefault(name, text)  # of a name that stands there twice the first counts
    denied = ("consent", DENIED) in pairs
    return Asked(
        DENIED if denied else "granted" if given.get("consent") == "granted" else "unknown",
        tuple(_clean(given.get(name, "")) for name in SUBS) if any(name in given for name in SUBS) else (),
        tuple((name, _written(name, text)) for name, text in given.items() if name.startswith("utm_")),
        given.get("u", ""),
    )


def _clean(text: str) -> str:
    """Give a text of a request without signs that nobody sees, and not longer than is kept."""
    return "".join(sign for sign in text[:LONGEST_TEXT] if sign.isprintable())


def _written(name: str, text: str) -> str:
    return f"{quote(_clean(name), safe='')}={quote(_clean(text), safe='')}"


def _click(link: KnownLink, asked: Asked, found: bots.Verdict, referrer: bytes) -> Click:
    """Write down a click; of somebody who denies consent only that a link was followed."""
    click = Click(
        new_id(), link.code, link.number, link.partner, link.campaign, link.channel, asked.consent, found.who,
        bots.RULE, found.reason,
    )  # fmt: skip
    if asked.consent != DENIED:
        click.referrer_host, click.sub = _host_of(referrer), list(asked.sub)
    return click


def new_id() -> str:
    """Make the id of a click: 24 signs, 48 bits of milliseconds and 72 of chance, nothing of the partner."""
    return b32hexencode((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(9)).decode().lower()


def _host_of(referrer: bytes) -> str:
    found = REFERRER.match(referrer.decode("latin-1")) if referrer else None
    return found[1].lower() if found else ""


def _address(link: KnownLink, asked: Asked, click: str) -> str:
    """Give the address that a visitor is led to: the stored one, or one that the link allows, with id and campaign."""
    target = link.target
    if link.hosts and asked.deeper:
        target = deeper(asked.deeper, link.hosts, link.parameter) or target
    address, mark, fragment = target.partition("#")
    added = [written for name, written in asked.campaign if name not in _names_in(address)]
    if click:
        added.append(f"{link.parameter}={click}")
    if not added:
        return target
    return f"{address}{'&' if '?' in address else '?'}{'&'.join(added)}{mark}{fragment}"


@lru_cache(maxsize=1_000)
def _names_in(address: str) -> frozenset[str]:
    """Give the names that an address has a value for already: what the firm chose stays."""
    return frozenset(name for name, _ in parse_qsl(address.partition("?")[2], keep_blank_values=True))


def _led(address: str) -> Answer:
    return Answer(302, b"", ((b"location", address.encode("ascii")), *ALWAYS))
