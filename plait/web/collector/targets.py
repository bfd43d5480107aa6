"""Targets: the addresses to which a tracked link may lead. They are checked when stored, never when followed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from urllib.parse import SplitResult, quote, unquote_plus, urlsplit

from plait.failure import Said, Unfit

LONGEST = 2_000  # signs
PORTS = {"https": 443, "http": 80}
HERE = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")  # for which http does as well
NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*|\[[0-9a-f:.]+\]")
KEPT = "%/:@!$&'()*+,;=-._~?"  # signs that stay as they are; all others are written as %..
UNSEEN = ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")  # categories of signs that nobody sees


class BadTarget(Unfit, ValueError):
    """An address to which no link may lead."""


def checked(text: str) -> str:
    """Give an address as it is stored: http(s), a host that is a name, no user; what is not ASCII is written as %...

    What browsers read in another way than we do (a backslash, a line break, a sign that nobody sees) is refused.
    """
    text = text.strip()
    if len(text) > LONGEST:
        raise BadTarget(Said("an address has at most {most} signs; shorten it.", most=LONGEST))
    if "\\" in text or any(unicodedata.category(sign) in UNSEEN for sign in text):
        raise _refusal(text, Said("take out blanks, backslashes and signs that nobody sees"))
    try:
        parts = urlsplit(text)
        place = _place(parts)
    except ValueError as error:
        raise _refusal(text, Said("write https://www.company.example/page")) from error
    if parts.scheme != "https" and not HERE.fullmatch(place):
        raise _refusal(text, Said("write it with https"))
    told = f"{parts.scheme}://{place}{quote(parts.path, safe=KEPT) or '/'}"
    told += f"?{quote(parts.query, safe=KEPT)}" if parts.query else ""
    told += f"#{quote(parts.fragment, safe=KEPT)}" if parts.fragment else ""
    if len(told) > LONGEST:
        raise BadTarget(Said("an address has at most {most} signs; shorten it.", most=LONGEST))
    return told


def _place(parts: SplitResult) -> str:
    """Give host and port of an address, the host as name servers know it."""
    port = parts.port
    if parts.scheme not in PORTS or "@" in parts.netloc or "%" in parts.netloc:
        raise ValueError(parts.netloc)
    host = host_name(parts.netloc.rpartition(":")[0] if port is not None else parts.netloc.removesuffix(":"))
    return host if port in (None, PORTS[parts.scheme]) else f"{host}:{port}"


def host_name(text: str) -> str:
    """Give the name of a host in the signs of name servers; raises `ValueError` when it is none."""
    host = text.strip().lower()
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    if len(host) > 253 or not NAME.fullmatch(host):  # noqa: PLR2004 - of name servers
        raise ValueError(text)
    return host


def deeper(text: str, hosts: Collection[str], parameter: str) -> str | None:
    """Give the address that a visitor's link names, where its host is one of `hosts`; else None.

    A click id that stands in it already is taken out: it would be somebody else's.
    """
    try:
        address = checked(text)
    except BadTarget:
        return None
    scheme, _, rest = address.partition("://")
    host, _, path = rest.partition("/")
    if scheme != "https" or host not in hosts:
        return None
    path, mark, fragment = path.partition("#")
    path, _, query = path.partition("?")
    pairs = [pair for pair in query.split("&") if pair and unquote_plus(pair.partition("=")[0]) != parameter]
    return f"https://{host}/{path}{'?' if pairs else ''}{'&'.join(pairs)}{mark}{fragment}"


def _refusal(text: str, next_step: Said) -> BadTarget:
    return BadTarget(Said("{text!r} is no address to which a link may lead; {step}.", text=text[:100], step=next_step))
