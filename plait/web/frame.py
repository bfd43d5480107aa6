"""The frame around every page: the rail with what the reader may open, and what each template may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from plait import __version__
from plait.web.board import boards_for
from plait.web.pages import entries
from plait.web.people.models import User
from plait.web.people.rights import may
from plait.web.rail import WORK, Rail


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the rail; `key` is the letter that follows g on the keyboard.

    `count` is asked only where the rail is drawn: parts of pages have none.
    """

    title: str
    url: str
    here: bool
    key: str = ""
    count: Callable[[], int] | None = None


def frame(request: HttpRequest) -> dict[str, object]:
    """Give every template the rail and the version."""
    shared: dict[str, object] = {"version": __version__, "languages": settings.LANGUAGES, "local": settings.LOCAL}
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return shared
    path = request.path
    boards = [
        (board, _entry(_(board.title), reverse("board", args=[board.name]), path, board.key))
        for board in boards_for(user)
    ]
    allowed = [page for page in entries() if may(user, page.right).allowed]
    mine = [page for page in allowed if not page.within]
    work, pages = (
        [_page(page, user, path) for page in mine if (page.place < WORK) == waits] for waits in (True, False)
    )
    questions = [entry for board, entry in boards if board.area == "numbers"]
    homes = [entry for board, entry in boards if board.area != "numbers"]
    tabs = _tabs(allowed, user, path)
    return shared | {"rail_work": work, "rail_boards": homes, "rail_pages": questions + pages, "page_tabs": tabs}


def _tabs(allowed: list[Rail], user: User, path: str) -> list[Entry]:
    """Give the page that is open and those beside it, when some pages are within one; the nearest is marked."""
    groups = {page.within for page in allowed if page.within}
    for group in groups:
        members = [page for page in allowed if group in (page.within, page.address)]
        tabs = [_page(page, user, path) for page in members]
        if any(tab.here for tab in tabs):
            nearest = max((tab.url for tab in tabs if tab.here), key=len)
            return [replace(tab, here=tab.url == nearest) for tab in tabs]
    return []


def _page(page: Rail, user: User, path: str) -> Entry:
    entry = _entry(_(page.title), reverse(page.address), path, page.key)
    return replace(entry, count=partial(page.count, user) if page.count else None)


def _entry(title: str, url: str, path: str, key: str) -> Entry:
    return Entry(title, url, path.startswith(url), key)
