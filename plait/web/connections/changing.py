"""Changing: connections made, paused, told another secret, removed. Each change is written down; no secret ever is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from django.db import transaction
from django.utils import timezone

from plait.failure import Said, Unfit
from plait.sources.mapping import read_mapping
from plait.sources.pull import database
from plait.sources.pull.description import read_system
from plait.web.connections import running, schedule, sealed
from plait.web.connections.models import Connection, Run
from plait.web.connections.reaching import Sort, checked_settings, sort_of
from plait.web.people.models import User, record
from plait.web.work.models import KnownMapping

NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}")
UNITS = {"minutes": 1, "hours": 60, "days": 1440}
LEAST, MOST = 5, 60 * 24 * 31  # minutes between two runs
LONGEST_SECRET, LONGEST_DESCRIPTION = 8_000, 200_000


class BadConnection(Unfit, ValueError):
    """A connection that cannot be made or found so."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A connection as somebody wants it. `mapping` is the name and the text of one's own."""

    name: str
    system: str
    settings: Mapping[str, str]
    secrets: Mapping[str, str]
    login: str = ""
    description: str = ""
    mapping: tuple[str, str] | None = None
    every: int | None = None


def draft(wanted: Wanted) -> Connection:
    """Check what somebody wants and give the connection, not kept yet: it can be tested."""
    if not NAME.fullmatch(wanted.name):
        raise BadConnection(
            Said("{name!r} is no name; use lower case letters, digits, - and _, a letter first.", name=wanted.name)
        )
    if len(wanted.description) > LONGEST_DESCRIPTION:
        raise BadConnection(Said("the description is too long."))
    sort = sort_of(wanted.system, wanted.description)
    _check_description(sort, wanted.description)
    login = _login(sort, wanted.login)
    return Connection(
        name=wanted.name, system=wanted.system, login=login, description=wanted.description if sort.describes else "",
        settings=checked_settings(sort, wanted.settings), every=checked_every(wanted.every),
        secrets=sealed.seal(_secrets(sort, login, wanted.secrets)),
    )  # fmt: skip


def add(wanted: Wanted, *, actor: User | None) -> Connection:
    """Make a connection; it is asked by its schedule from now on."""
    with sealed.held(), transaction.atomic():
        if Connection.objects.filter(name=wanted.name).exists():
            raise BadConnection(Said("there is a connection {name} already; choose another name.", name=wanted.name))
        made = draft(wanted)
        made.owner = actor
        made.mapping = _mapping(*wanted.mapping) if wanted.mapping else None
        made.save(force_insert=True)
        record(actor, "connection.added", made.name, after={"system": made.system, "every": made.every})
        schedule.put(made)
    return made


def find(name: str) -> Connection:
    """Find a connection by its name."""
    found = Connection.objects.select_related("mapping", "owner").filter(name=name).first()
    if found is None:
        raise BadConnection(Said("there is no connection {name!r}; `plait connections list` shows them.", name=name))
    return found


def pause(connection: Connection, *, actor: User | None) -> None:
    """Have a connection asked no more until somebody goes on with it."""
    with transaction.atomic():
        if Connection.objects.filter(pk=connection.pk, paused=False).update(paused=True, why=""):
            record(actor, "connection.paused", connection.name)
            schedule.clear(connection)


def resume(connection: Connection, *, actor: User | None) -> None:
    """Go on with a connection that was paused."""
    with transaction.atomic():
        if Connection.objects.filter(pk=connection.pk, paused=True).update(paused=False, why="", failures=0):
            record(actor, "connection.resumed", connection.name)
            connection.refresh_from_db()
            schedule.put(connection)


def reschedule(connection: Connection, every: int | None, *, actor: User | None) -> None:
    """Have a connection asked every so many minutes, or only when somebody says so."""
    every = checked_every(every)
    with transaction.atomic():
        record(actor, "connection.scheduled", connection.name, before={"every": connection.every},
               after={"every": every})  # fmt: skip
        connection.every = every
        connection.save(update_fields=["every"])
        schedule.put(connection)


def change_secrets(connection: Connection, secrets: Mapping[str, str], *, actor: User | None) -> None:
    """Keep other secrets in the place of those that are there."""
    sort = sort_of(connection.system, connection.description)
    fresh = _secrets(sort, connection.login, secrets)
    with sealed.held(), transaction.atomic():
        record(actor, "connection.secret", connection.name)
        Connection.objects.filter(pk=connection.pk).update(secrets=sealed.seal(fresh), failures=0)


def remove(connection: Connection, *, actor: User | None) -> None:
    """Remove a connection, its secrets and the history of its runs; the facts that it brought stay."""
    running.settle()
    with transaction.atomic():
        if Run.objects.filter(connection=connection, state=Run.State.OPEN).exists():
            says = "{name} is being asked; cancel that job, or wait until it is over."
            raise running.Busy(Said(says, name=connection.name))
        record(actor, "connection.removed", connection.name, before={"system": connection.system})
        schedule.clear(connection)
        connection.delete()


def checked_every(every: int | None) -> int | None:
    """Check how many minutes lie between two runs."""
    if every is not None and not LEAST <= every <= MOST:
        raise BadConnection(Said("a connection is asked every {least} minutes at most, and once a month at least.",
                                 least=LEAST))  # fmt: skip
    return every


def _check_description(sort: Sort, text: str) -> None:
    if sort.describes == "reads":
        database.reads_of(text)
    elif sort.describes == "system":
        if not text.strip():
            raise BadConnection(
                Said("bring the description of the system; docs/connections.md tells how it is written.")
            )
        read_system(text, "description")


def _login(sort: Sort, name: str) -> str:
    names = [login.name for login in sort.logins]
    if name and name not in names:
        known = ", ".join(filter(None, names))
        raise BadConnection(Said("there is no way {name!r} to log in; there are: {known}.", name=name, known=known))
    return name or names[0]


def _secrets(sort: Sort, login: str, given: Mapping[str, str]) -> dict[str, str]:
    """Check secrets; what is said about them never holds one."""
    way = next(one for one in sort.logins if one.name == login)
    found = {}
    for name, title in way.secrets.items():
        secret = given.get(name, "").strip()
        if not secret and not (sort.name in database.KINDS or sort.name == "bucket"):
            raise BadConnection(Said("{title} is missing.", title=Said(title)))
        if len(secret) > LONGEST_SECRET or not secret.isprintable():
            raise BadConnection(Said("{title} holds a line break or is too long; paste it again.", title=Said(title)))
        if secret:
            found[name] = secret
    return found


def _mapping(name: str, text: str) -> KnownMapping:
    """Keep a mapping that was brought; one that will not do is refused with all that is wrong."""
    name = Path(name).name if name.endswith(".toml") else f"{Path(name).name}.toml"
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text, "utf-8", newline="")
        read_mapping(path)
    known, _made = KnownMapping.objects.update_or_create(
        digest=sha256(text.encode()).hexdigest(),
        defaults={"name": name[-120:], "text": text, "used_at": timezone.now()},
    )
    return known
