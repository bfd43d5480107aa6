"""Asking: one request to a system, with its pace, its second tries and its bounds."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from plait.failure import Said, Unfit
from plait.sources.pull.address import LOOPBACK, same_place
from plait.sources.pull.description import Retry

if TYPE_CHECKING:
    import httpx

MOST_BYTES = 64 << 20  # of one answer, unpacked
LONGEST_ANSWER = 300.0  # seconds for one answer, however slowly it comes
LONGEST_SAID = 300  # letters of what a system says about an error
REDIRECTS = 5
FIRST_WAIT, MINUTE = 1.0, 60.0
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
Json = Any  # what an interface answers: numbers keep their digits


class NoAnswer(Unfit, ConnectionError):
    """A system that could not be reached, or that did not answer whole, often enough."""


class Denied(Unfit, PermissionError):
    """A system that does not let us in: a secret is wrong, over, or lacks a right."""


class NotLetIn(Denied):
    """A system that does not know who asks: a token may be over."""


class Unexpected(Unfit, ValueError):
    """An answer that is not what the description of the system says."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How waiting is done: tests pass their own, so that nobody sleeps."""

    sleep: Callable[[float], None] = time.sleep
    elapsed: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = field(default_factory=lambda: random.Random().random)  # noqa: S311 - spreads tries


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: a path, or a whole address at the same host."""

    path: str
    query: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    body: Json = None
    form: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: the value, and the address in the Link header that follows it."""

    value: Json
    next_link: str = ""


class Asker:
    """Asks one system. It keeps the pace that the system allows and tries again what may go better.

    `headers` is asked for each request and gives what shows who asks; `renew` is told when the system no longer
    accepts that, and says whether it is worth another try. `secrets` are taken out of whatever is said about an error.
    """

    def __init__(self, base: str, *, retry: Retry, per_second: float, pace: Pace, local: bool = False) -> None:
        import httpx

        self.base, self.retry, self.pace = base, retry, pace
        self.host = urlsplit(base).hostname or ""
        self.between, self.free_at, self.requests = 1 / per_second, 0.0, 0
        self.per_minute, self.recent = 0, deque[float](maxlen=1000)
        self.headers: Callable[[], Mapping[str, str]] = dict
        self.renew: Callable[[], bool] = lambda: False
        self.secrets: Callable[[], list[str]] = list
        self.client = httpx.Client(
            timeout=httpx.Timeout(60.0, connect=15.0), follow_redirects=False,
            trust_env=not (local and self.host in LOOPBACK),  # this machine is not reached through a proxy
            headers={"Accept": "application/json", "User-Agent": "plait"},
        )  # fmt: skip

    def close(self) -> None:
        """End the connection."""
        self.client.close()

    def ask(self, request: Request, *, headers: Mapping[str, str] | None = None, login: bool = True) -> Answer:
        """Give the answer to a request; a failure that may pass is waited for and tried again."""
        renewed = False
        for left in reversed(range(self.retry.tries)):
            try:
                return self._once(request, {**(self.headers() if login else {}), **(headers or {})})
            except _Again as again:
                if not left:
                    raise NoAnswer(self._said(again)) from again.__cause__
                self._wait(again, self.retry.tries - left)
            except NotLetIn:
                if renewed or not login or not self.renew():
                    raise
                renewed = True
        raise NoAnswer(Said("{host} did not let us in again.", host=self.host))

    def _once(self, request: Request, headers: Mapping[str, str]) -> Answer:
        import httpx

        address = self._address(request.path)
        for _ in range(REDIRECTS):
            self._keep_pace()
            self.requests += 1
            try:
                made = self.client.build_request(
                    request.method, address, params=list(request.query) or None, json=request.body,
                    data=dict(request.form) or None, headers=dict(headers),
                )  # fmt: skip
                response = self.client.send(made, stream=True)
                try:
                    content = self._content(response)
                finally:
                    response.close()
            except httpx.TransportError as error:
                raise _Again(Said("{host} did not answer: {error}", host=self.host, error=self._hide(error))) from error
            if not response.is_redirect:
                return self._read(response, content)
            address = self._followed(address, response)
            request = Request(address, (), request.method, request.body, request.form)
        raise Unexpected(Said("{host} sends us from one address to the next without end.", host=self.host))

    def _address(self, path: str) -> str:
        address = path if path.startswith(("http://", "https://")) else urljoin(f"{self.base}/", path.lstrip("/"))
        if path.startswith("/") and urlsplit(self.base).path in ("", "/"):
            address = urljoin(self.base, path)
        if not same_place(address, self.base):
            other = urlsplit(address).hostname or "?"
            raise Unexpected(
                Said("{host} names an address of {other}, which is not asked.", host=self.host, other=other)
            )
        return address

    def _followed(self, address: str, response: httpx.Response) -> str:
        target = urljoin(address, str(response.headers.get("location", "")))
        if not same_place(target, self.base):
            other = urlsplit(target).hostname or "?"
            raise Unexpected(Said("{host} leads to {other}, which is not followed; check the address.", host=self.host,
                                  other=other))  # fmt: skip
        return target

    def _content(self, response: httpx.Response) -> bytes:
        """Read an answer; one that is too large or takes too long is given up."""
        began, size, parts = time.monotonic(), 0, []
        for part in response.iter_bytes():
            size += len(part)
            parts.append(part)
            if size > MOST_BYTES:
                most = MOST_BYTES >> 20
                raise Unexpected(Said("{host} answers with more than {most} MB at once.", host=self.host, most=most))
            if time.monotonic() - began > LONGEST_ANSWER:
                raise _Again(Said("{host} takes too long to answer.", host=self.host))
        return b"".join(parts)

    def _read(self, response: httpx.Response, content: bytes) -> Answer:
        status = response.status_code
        if status in AGAIN:
            said = Said("{host} answered {status}", host=self.host, status=status)
            raise _Again(said, wait=_wait_asked(response.headers.get("retry-after", ""), response.headers.get("date")))
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            says = "{host} does not let us in ({status}: {said}); check the secret and its rights there."
            refused = NotLetIn if status == HTTPStatus.UNAUTHORIZED else Denied
            raise refused(Said(says, host=self.host, status=status, said=self._quoted(content)))
        if not response.is_success:
            says = "{host} answered {status}: {said}"
            raise Unexpected(Said(says, host=self.host, status=status, said=self._quoted(content)))
        try:
            value = parsed(content)
        except ValueError as error:
            raise _Again(Said("{host} answered with something that is no whole JSON", host=self.host)) from error
        return Answer(value, str(response.links.get("next", {}).get("url", "")))

    def _keep_pace(self) -> None:
        now = self.pace.elapsed()
        if self.per_minute and len(self.recent) >= self.per_minute:
            self.free_at = max(self.free_at, self.recent[-self.per_minute] + MINUTE)
        if now < self.free_at:
            self.pace.sleep(self.free_at - now)
        begins = max(now, self.free_at)
        self.recent.append(begins)
        self.free_at = begins + self.between

    def _wait(self, again: _Again, tried: int) -> None:
        """Wait before another try: as long as the system asks, else twice as long each time, by chance less."""
        longest = self.retry.longest_wait
        if again.wait is not None and again.wait > longest:
            says = "{problem}, and asks to wait {wait} seconds; the next run tries again."
            raise NoAnswer(Said(says, problem=again.says, wait=round(again.wait))) from again
        backoff = min(longest, FIRST_WAIT * 2 ** (tried - 1)) * (0.5 + self.pace.chance() / 2)
        self.pace.sleep(max(again.wait or 0.0, backoff))

    def _said(self, again: _Again) -> Said:
        return Said("{problem}, {n} times in a row; the next run tries again.", problem=again.says, n=self.retry.tries)

    def _quoted(self, content: bytes) -> str:
        """Give the beginning of what a system says about an error, on one line and without our secrets."""
        text = " ".join(content[:4000].decode("utf-8", "replace").split())
        return self._hide(text)[:LONGEST_SAID] or "-"

    def _hide(self, text: object) -> str:
        return without(str(text), self.secrets())


class _Again(Exception):
    """A failure that may pass; `wait` is how long the system asks to wait."""

    def __init__(self, says: Said, *, wait: float | None = None) -> None:
        super().__init__(says)
        self.says, self.wait = says, wait


def without(text: str, secrets: list[str]) -> str:
    """Take secrets out of a text, however short the text is that is left."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def parsed(content: bytes) -> Json:
    """Read JSON; a number with a point keeps its digits."""
    import simplejson

    def refuse(name: str) -> None:
        raise ValueError(name)

    return simplejson.loads(content.decode("utf-8-sig"), use_decimal=True, parse_constant=refuse)


def _wait_asked(text: str, date: str | None) -> float | None:
    """Read a Retry-After header: seconds, or an instant, counted from the system's own clock."""
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(text)
        now: datetime = parsedate_to_datetime(date or "")
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return None
