"""An event that came in live, as the line of time shows it: a few of its values, never the whole of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from django.utils.translation import gettext, pgettext

MOST, LONGEST = 4, 80  # values shown of an event, characters of each
# What the fact shows already, and what says who somebody is: the line of time names people by their short id only.
LEFT_OUT = frozenset(
    (
        "path", "url", "search", "referrer", "name", "firstname", "lastname", "first_name", "last_name",
        "email", "phone", "address", "birthday", "age", "gender", "avatar", "username", "id", "ip", "revenue",
        "currency", "password", "token", "secret",
    )
)  # fmt: skip


def shown(detail: object) -> list[tuple[str, str]]:
    """Give the values of a live event that people read beside its kind and text; of any other fact none."""
    event = _object(_object(detail).get("event"))
    if event.get("type") in ("page", "screen"):
        return list(_page(event))
    said = event.get("properties" if event.get("type") == "track" else "traits")
    told = [(name, _text(value)) for name, value in _object(said).items() if name.lower() not in LEFT_OUT]
    return [(name[:LONGEST], text) for name, text in told if text][:MOST]


def _page(event: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Give the title of a page, and the site from which its visitor came."""
    holders = [_object(event.get("properties")), _object(_object(event.get("context")).get("page"))]
    titles = [_text(holder.get("title")) for holder in holders]
    sites = [_site(_text(holder.get("referrer"))) for holder in holders]
    for name, texts in ((pgettext("page", "Title"), titles), (gettext("Came from"), sites)):
        if any(texts):
            yield name, next(filter(None, texts))


def _object(told: object) -> Mapping[str, object]:
    if isinstance(told, str):
        try:
            told = json.loads(told)
        except ValueError:
            return {}
    return told if isinstance(told, dict) else {}


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = str(value).strip()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _site(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
