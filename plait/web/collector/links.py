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
from dataclasses import dataclass
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
PATIENCE = 2.0  # seconds that a visitor waits for the disk; then the click is kept, or not, but no id is given
OVERLAP = timedelta(
    minutes=10
)  # a change may become visible this long after its time: clocks differ, commits take time
MOST_QUERY, MOST_FIELDS = 8_192, 100  # bytes and fields of an address that are read; of a larger one nothing is
LONGEST_TEXT = 200  # signs
SUBS = tuple(f"sub{number}" for number in range(1, 6))
REFERRER = re.compile(r"https?://(?:[^/?#@]*@)?([a-z0-9.-]{1,253})(?:[:/?#]|$)", re.IGNORECASE)
ALWAYS = (
    (b"cache-control", b"no-store"),
    (b"x-robots-tag", b"noindex"),
    (b"referrer-policy", b"no-referrer-when-downgrade"),
)
PLAIN = (b"content-type", b"text/plain; charset=utf-8")
Keep = Callable[[str, bytes, int, int], Awaitable[None]]  # puts a line of a source on disk


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
class Links:
    """The links as they are known; `newest` is when the last of them was changed."""

    by_code: Mapping[str, KnownLink]
    newest: datetime | None = None


def new_looking() -> Looking[Links]:
    """Give what keeps the links in memory; after the first time only those that were changed are read."""
    return Looking("tracked links", Links({}), _read)


def _read(known: Links) -> Links:
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
    return Links({**known.by_code, **fresh}, found[-1].changed_at)


def owns(path: str) -> bool:
    """Tell whether a path is a tracked link's."""
    return path.startswith(PREFIXES)


async def follow(looking: Looking[Links], scope: HTTPScope, headers: Mapping[bytes, bytes], keep: Keep) -> Answer:
    """Lead a visitor on; the click is on disk before, and where the disk refuses it no id is given."""
    if scope["method"] not in ("GET", "HEAD"):
        return Answer(405, b"A link is followed with GET.\n", (PLAIN, (b"allow", b"GET, HEAD"), *ALWAYS))
    link = await _find(looking, scope["path"][3:].rstrip("/").lower())
    if link is None or (link.ended and not link.fallback):
        return Answer(404, b"There is no such link, or it has ended.\n", (PLAIN, *ALWAYS))
    if link.ended:
        return _led(link.fallback)
    asked = _asked(scope["query_string"])
    denied = headers.get(b"sec-gpc") == b"1" or any(name == "consent" and said == "denied" for name, said in asked)
    given: dict[str, str] = {}
    for name, said in asked:
        given.setdefault(name, said)  # of a name that stands there twice the first counts
    click = _click(link, given, denied, scope["method"], headers)
    kept = await _keep(click, link.source, keep)
    return _led(_address(link, given, click.id if kept and not denied else ""))


async def _find(looking: Looking[Links], code: str) -> KnownLink | None:
    found = looking.known.by_code.get(code)
    if found is None and code:
        await looking.again()
        found = looking.known.by_code.get(code)
    return found


def _asked(query: bytes) -> list[tuple[str, str]]:
    """Read what stands behind the question mark, at most as much as a link can need."""
    if not query or len(query) > MOST_QUERY:
        return []
    try:
        return parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return []


def _click(
    link: KnownLink,
    given: Mapping[str, str],
    denied: bool,  # noqa: FBT001 - private
    method: str,
    headers: Mapping[bytes, bytes],
) -> Click:
    """Write down a click; of somebody who denies consent only that a link was followed."""
    found = bots.verdict(method, headers)
    click = Click(
        new_id(), link.code, link.number, link.partner, link.campaign, link.channel,
        "denied" if denied else "granted" if given.get("consent") == "granted" else "unknown",
        found.who, bots.RULE, found.reason,
    )  # fmt: skip
    if not denied:
        click.referrer_host = _host_of(headers.get(b"referer", b""))
        if given:
            click.sub = [_clean(given.get(name, "")) for name in SUBS]
    return click


def new_id() -> str:
    """Make the id of a click: 24 signs, 48 bits of milliseconds and 72 of chance, nothing of the partner."""
    return b32hexencode((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(9)).decode().lower()


def _clean(text: str) -> str:
    """Give a text of a request without signs that nobody sees, and not longer than is kept."""
    return "".join(sign for sign in text[:LONGEST_TEXT] if sign.isprintable())


def _host_of(referrer: bytes) -> str:
    found = REFERRER.match(referrer.decode("latin-1")) if referrer else None
    return found[1].lower() if found else ""


async def _keep(click: Click, source: str, keep: Keep) -> bool:
    """Put a click on disk; tells whether it is there."""
    event = msgspec.Raw(msgspec.json.encode(click))
    line = msgspec.json.encode(Envelope(time.time_ns() // 1000, source, KEY, [event]))
    try:
        async with asyncio.timeout(PATIENCE):
            await keep(source, line, 1, 0)
    except (Refused, TimeoutError) as error:
        logging.getLogger(__name__).warning("a click was not kept in time, its visitor was led on: %s", error)
        return False
    return True


def _address(link: KnownLink, given: Mapping[str, str], click: str) -> str:
    """Give the address that a visitor is led to: the stored one, or one that the link allows, with id and campaign."""
    target = link.target
    if link.hosts and "u" in given:
        target = deeper(given["u"], link.hosts, link.parameter) or target
    added = [(_clean(name), _clean(text)) for name, text in given.items() if name.startswith("utm_")]
    address, mark, fragment = target.partition("#")
    if added:
        held = _names_in(address)
        added = [pair for pair in added if pair[0] not in held]
    if click:
        added.append((link.parameter, click))
    if not added:
        return target
    query = "&".join(f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in added)
    return f"{address}{'&' if '?' in address else '?'}{query}{mark}{fragment}"


@lru_cache(maxsize=1_000)
def _names_in(address: str) -> frozenset[str]:
    """Give the names that an address has a value for already: what the firm chose stays."""
    return frozenset(name for name, _ in parse_qsl(address.partition("?")[2], keep_blank_values=True))


def _led(address: str) -> Answer:
    return Answer(302, b"", ((b"location", address.encode("ascii")), *ALWAYS))
