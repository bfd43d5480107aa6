"""What every page has in common, whichever it is: every address of the router is asked, nobody has to list them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Self
from urllib.parse import urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, Route
from served import browser, chromium, settled

from plait.web.middleware import POLICY

from .addresses import Examples, measure_paths, names, paths
from .test_login import login, with_factor

IDA = "ida@demo.example"
HERE = "http://testserver"
SERIOUS = ("serious", "critical")
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


@dataclass(frozen=True, slots=True)
class Seen:
    """A page as somebody gets it."""

    who: Client
    path: str
    status: int
    policy: str
    text: str

    @classmethod
    def of(cls, who: Client, path: str) -> Self | None:
        """Ask for it; nothing where the answer is no page."""
        answer = who.get(path)
        if not answer.headers.get("Content-Type", "").startswith("text/html"):
            return None
        return cls(who, path, answer.status_code, answer["Content-Security-Policy"], answer.content.decode())


class Parts(HTMLParser):
    """What of a page could run, look or lead elsewhere, and the forms that change something and carry no token."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.elsewhere: list[str] = []
        self.unsigned: list[str] = []
        self.posts = 0
        self._form = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element."""
        given = {name: value or "" for name, value in attrs}
        told = self.get_starttag_text() or tag
        if tag == "style" or (tag == "script" and "src" not in given and given.get("type") != "application/json"):
            self.inline.append(told)
        for name, value in given.items():
            if name == "style" or name.startswith(("on", "hx-on")) or value.lower().startswith("javascript:"):
                self.inline.append(told)
            if urlparse(value).netloc not in ("", "testserver") and not name.startswith("xmlns"):
                self.elsewhere.append(told)
        if tag == "form" and given.get("method", "").lower() == "post":
            self.posts += 1
            self._form = told
        if given.get("name") == "csrfmiddlewaretoken" and given.get("value"):
            self._form = ""

    def handle_endtag(self, tag: str) -> None:
        """Remember a form that ends before its token came."""
        if tag == "form" and self._form:
            self.unsigned.append(self._form)
            self._form = ""


def walk(places: Sequence[str]) -> list[Seen]:
    """Give every page: the entrance, what Ida sees who has just logged in, and what a second factor adds for her."""
    nobody, ida = Client(), login(IDA)
    seen = [Seen.of(who, place) for place in places for who in (nobody, ida)]
    with_factor(ida)
    seen += [Seen.of(ida, place) for place in places if place.startswith("/account/")]
    return [page for page in seen if page]


def test_what_no_page_may_have_is_found() -> None:
    page = Parts(
        "<style></style><script>run()</script><p style='x'><a onclick='x'><a href='javascript:x'>"
        "<script type='application/json'>{}</script><script src='/static/a.js'></script>"
        "<img src='//cdn.example/a.png'><a href='https://elsewhere.example/'><svg xmlns='http://www.w3.org/2000/svg'>"
        "<form method='POST'></form><form method='post'><input name='csrfmiddlewaretoken' value='x'></form><form>"
    )
    assert len(page.inline) == 5
    assert len(page.elsewhere) == 2
    assert page.unsigned == ["<form method='POST'>"]


def test_what_every_page_keeps(examples: Examples) -> None:
    """All boards and measures, the entrance, the codes that only a second factor shows, fragments and faults.

    Each carries the policy, holds no script or style of its own, names no other host, and each form that changes
    something carries its token. One walk for all of it: the pages are many.
    """
    pages = walk([*paths(examples), *measure_paths()])
    parts = [(page.path, Parts(page.text)) for page in pages]
    shown = {page.path for page in pages if page.status == 200}
    assert len(shown) > 65
    assert {"/account/login/", "/boards/hr/", "/measures/retention/", "/account/2fa/recovery-codes/"} <= shown
    assert {page.status for page in pages} >= {200, 404}
    assert sum(part.posts for _, part in parts) > len(shown)
    assert "unsafe" not in POLICY
    assert [page.path for page in pages if page.policy != POLICY] == []
    assert [(path, part.inline) for path, part in parts if part.inline] == []
    assert [(path, part.elsewhere) for path, part in parts if part.elsewhere] == []
    assert [(path, part.unsigned) for path, part in parts if part.unsigned] == []


@pytest.mark.parametrize("who", ["nobody", "ida"])
def test_no_address_takes_a_form_without_its_token(who: str, examples: Examples) -> None:
    """Whoever lures a person to another site cannot make their browser change anything here."""
    client = Client(enforce_csrf_checks=True)
    if who == "ida":
        client.cookies = login(IDA).cookies
    wrong = []
    for name in names():
        response = client.post(reverse(name, kwargs=examples.get(name)), {})
        if response.status_code not in ({401, 403, 405, 409} if name.startswith("api-") else {403}):
            wrong.append((name, response.status_code))
    assert wrong == []


@pytest.mark.django_db
def test_who_sends_a_form_without_its_token_reads_a_page_of_ours() -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies = login(IDA).cookies
    page = client.post("/language/", {"language": "fr"}).content.decode()
    assert "Nothing was changed" in page
    assert Parts(page).inline == []


class Desk:
    """A browser's page before which the desk stands without a socket, in a thread that shares the test's database."""

    def __init__(self, page: Page, database: BaseDatabaseWrapper) -> None:
        self.page = page
        self.who = Client()
        self._thread = ThreadPoolExecutor(1, initializer=connections.__setitem__, initargs=("default", database))
        page.route("**/*", lambda route: self._thread.submit(self.answer, route.request.url).result()(route))

    def answer(self, url: str) -> Callable[[Route], None]:
        """Answer whoever looks."""
        response = self.who.get(url.removeprefix(HERE))
        body = b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]
        status, headers = response.status_code, dict(response.headers)
        return lambda route: route.fulfill(status=status, headers=headers, body=body)

    def stumbles(self, **chosen: object) -> list[tuple[str, str]]:
        """Give what a screen reader or weak eyes stumble over."""
        told = Axe().run(self.page, options=chosen | {"resultTypes": ["violations"]}).response["violations"]
        return [(one["id"], one["nodes"][0]["html"][:150]) for one in told if one["impact"] in SERIOUS]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(chromium() is None, reason="NO BROWSER: install Debian's chromium to test what people see in one")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nobody_stumbles_on_any_page(examples: Examples) -> None:
    """Every page in light and, its theme turned by its own button, in dark; of the boards, which are alike, two."""
    wrong: list[tuple[str, str, list[tuple[str, str]]]] = []
    boards = [path for path in paths(examples) if path.startswith("/boards/")]
    looked_at = [path for path in paths(examples) if path not in boards[2:]]
    whole = (page for page in walk(looked_at) if page.status == 200 and "<!doctype html>" in page.text)
    pages = {page.path: page.who for page in whole}
    database = connections["default"]
    database.inc_thread_sharing()
    with browser() as opened:
        context = opened.new_context(
            viewport={"width": 1440, "height": 900}, locale="en", color_scheme="light", reduced_motion="reduce"
        )
        desk = Desk(context.new_page(), database)
        for path, desk.who in pages.items():
            desk.page.goto(f"{HERE}{path}")
            settled(desk.page)
            wrong.append((path, "light", desk.stumbles()))
            desk.page.locator("[data-theme-button]").click()
            wrong.append((path, "dark", desk.stumbles(**COLOURS)))
            desk.page.evaluate("localStorage.clear()")
    assert len(pages) > 35
    assert [one for one in wrong if one[2]] == []
