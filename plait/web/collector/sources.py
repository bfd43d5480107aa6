"""Live sources as people look after them: made, given keys, keys ended; each is written down in the audit log."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from plait.facts import SOURCE_NAME
from plait.failure import Said, Unfit
from plait.web.collector.models import LiveSource, WriteKey
from plait.web.people.models import User, digest_of, record

SHOWN = 10  # signs of a secret key by which people tell it from others
LONGEST_NAME = 60
MOST_QUOTA = 1_000_000  # events a second
MOST_ORIGINS = 50
PORTS = {"http": 80, "https": 443}  # which browsers leave out of an origin


class BadSource(Unfit, ValueError):
    """A live source or a key that cannot be made or found so."""


@dataclass(frozen=True, slots=True)
class Made:
    """A key just made; `text` is shown now and, of a secret key, never again."""

    sort: str
    text: str


def add(name: str, *, sort: str, origins: Sequence[str] = (), quota: int = 0, actor: User | None = None) -> Made:
    """Make a source, or find it, and give it another key."""
    if not SOURCE_NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise BadSource(
            Said("{name!r} is no name of a source; use lower case letters, digits and underscores.", name=name)
        )
    if sort == WriteKey.Sort.SERVER and origins:
        raise BadSource(Said("a server key is used by no page; leave the origins out."))
    pages, quota = _origins(origins), _quota(quota)
    text = secrets.token_urlsafe(24)
    shown = text if sort == WriteKey.Sort.WEB else text[:SHOWN]
    with transaction.atomic():
        source, made = LiveSource.objects.get_or_create(name=name, defaults={"quota": quota})
        if not made and quota:
            LiveSource.objects.filter(pk=source.pk).update(quota=quota)
        WriteKey.objects.create(source=source, sort=sort, shown=shown, digest=digest_of(text), origins=pages)
        told = {"key": shown[:SHOWN], "key_kind": sort, "origins": pages, "quota": quota or source.quota}
        record(actor, "source.added" if made else "key.added", name, after=told)
    return Made(sort, text)


def revoke(text: str, *, actor: User | None = None) -> WriteKey:
    """End a key at once; it is named whole or by its first signs."""
    found = [key for key in WriteKey.objects.filter(revoked_at=None) if text and key.shown.startswith(text[:SHOWN])]
    exact = [key for key in found if key.digest == digest_of(text)]
    if len(exact or found) != 1:
        raise BadSource(Said("no key {text!r} works; `plait source list` shows those that do.", text=text[:SHOWN]))
    return end_key((exact or found)[0], actor=actor)


def end_key(key: WriteKey, *, actor: User | None = None) -> WriteKey:
    """End a key; what it sends from now on is refused."""
    with transaction.atomic():
        if WriteKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
            record(actor, "key.ended", key.source.name, before={"key": key.shown[:SHOWN], "key_kind": key.sort})
    return key


def set_origins(key: WriteKey, origins: Sequence[str], *, actor: User | None = None) -> None:
    """Say from which pages a web key may come; none named is any."""
    if key.sort == WriteKey.Sort.SERVER:
        raise BadSource(Said("a server key is used by no page; leave the origins out."))
    pages = _origins(origins)
    if pages == key.origins:
        return
    with transaction.atomic():
        told = {"key": key.shown[:SHOWN], "origins": key.origins}
        record(actor, "origins.changed", key.source.name, before=told, after={**told, "origins": pages})
        WriteKey.objects.filter(pk=key.pk).update(origins=pages)


def set_quota(source: LiveSource, quota: int, *, actor: User | None = None) -> None:
    """Say how many events a second a source may bring; 0 is any number."""
    _quota(quota)
    if quota == source.quota:
        return
    with transaction.atomic():
        record(actor, "quota.changed", source.name, before={"quota": source.quota}, after={"quota": quota})
        LiveSource.objects.filter(pk=source.pk).update(quota=quota)


def listed() -> list[dict[str, Any]]:
    """Give the keys that work, each with its source."""
    keys = WriteKey.objects.filter(revoked_at=None).select_related("source").order_by("source__name", "id")
    return [
        {"source": k.source.name, "key_kind": k.sort, "key": k.shown, "origins": k.origins, "quota": k.source.quota}
        for k in keys
    ]


def read_quota(text: str) -> int:
    """Read a quota that somebody has typed in."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MOST_QUOTA)):
        raise BadSource(
            Said("{text!r} is no quota; write a number from 0 (any) to {most}.", text=text, most=MOST_QUOTA)
        )
    return _quota(int(text))


def _quota(quota: int) -> int:
    if not 0 <= quota <= MOST_QUOTA:
        raise BadSource(
            Said("{text!r} is no quota; write a number from 0 (any) to {most}.", text=str(quota), most=MOST_QUOTA)
        )
    return quota


def _origins(origins: Sequence[str]) -> list[str]:
    pages = list(dict.fromkeys(_origin(text) for text in origins))
    if len(pages) > MOST_ORIGINS:
        raise BadSource(Said("a key has at most {most} origins; add another key for the others.", most=MOST_ORIGINS))
    return pages


def _origin(text: str) -> str:
    """Read a page's origin as browsers send it: scheme, host and port, nothing more."""
    refused = BadSource(Said("{text!r} is no origin; write https://www.company.example.", text=text))
    try:
        parts = urlsplit(text.strip())
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError as error:
        raise refused from error
    if parts.scheme not in PORTS or not host or "@" in parts.netloc or parts.path not in ("", "/"):
        raise refused
    if parts.query or parts.fragment:
        raise refused
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" if port in (None, PORTS[parts.scheme]) else f"{parts.scheme}://{host}:{port}"
