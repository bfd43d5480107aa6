"""Bots: a stated rule that tells machines from people by what a request says of itself.

Version 1. A request is of a bot when it only asks for the head, when it fetches ahead (`Sec-Purpose`, `Purpose`,
`X-Moz`), when it has no user agent, or when its user agent is one that the list crawler-user-agents knows. It is of a
human when its user agent is a browser's (`Mozilla/`, `Opera/`). Of anything else the verdict is unknown. The rule's
version is kept beside each click, with that of the list, so that a later rule can judge anew which clicks count. The
user agent itself is kept nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Literal

from crawleruseragents import is_crawler

RULE = f"1/crawler-user-agents-{version('crawler-user-agents')}"
LONGEST_AGENT = 512  # bytes that are looked at
REMEMBERED = 10_000  # user agents whose verdict is kept in memory
AHEAD = frozenset((b"sec-purpose", b"purpose", b"x-moz"))
BROWSERS = ("Mozilla/", "Opera/")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who followed a link, and why that is thought."""

    who: Literal["human", "bot", "unknown"]
    reason: str


HEAD, PREFETCH = Verdict("bot", "head"), Verdict("bot", "prefetch")
NO_AGENT, KNOWN = Verdict("bot", "no_user_agent"), Verdict("bot", "known_bot")
BROWSER, OTHER = Verdict("human", "browser"), Verdict("unknown", "no_browser")


def verdict(method: str, headers: Mapping[bytes, bytes]) -> Verdict:
    """Tell who sends a request."""
    if method == "HEAD":
        return HEAD
    if not AHEAD.isdisjoint(headers) and any(b"prefetch" in headers.get(name, b"").lower() for name in AHEAD):
        return PREFETCH
    return of_agent(headers.get(b"user-agent", b"")[:LONGEST_AGENT])


@lru_cache(maxsize=REMEMBERED)
def of_agent(agent: bytes) -> Verdict:
    """Tell who has a user agent."""
    text = agent.decode("latin-1").strip()
    if not text:
        return NO_AGENT
    if is_crawler(text, case_sensitive=False):
        return KNOWN
    return BROWSER if text.startswith(BROWSERS) else OTHER


def warm() -> None:
    """Make the list ready: the first visitor need not wait for it."""
    of_agent(b"Mozilla/5.0")
