"""Reaching: what a connection says of itself, made into something that can be read: a system, a database, a storage."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_noop

from plait.failure import Said, Unfit
from plait.sources.pull import database, rest, storage
from plait.sources.pull.address import settings_of
from plait.sources.pull.asking import Pace
from plait.sources.pull.description import Login, Setting, System, read_system, systems
from plait.sources.pull.rest import Pulled, Tell
from plait.web.connections import sealed
from plait.web.connections.models import Connection

OWN = "rest"
FOLDERS = "PLAIT_FOLDERS"  # folders below which the page may watch, with : between
HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"
_PASSWORD = Login(name="", title="", kind="header", secrets={"password": gettext_noop("Password")})
_NOTHING = Login(name="", title="", kind="header", secrets={})
_KEYS = Login(
    name="", title="", kind="header",
    secrets={"key": gettext_noop("Access key"), "secret": gettext_noop("Secret access key")},
)  # fmt: skip
_SERVER = (
    Setting(name="host", title=gettext_noop("Server"), example="db.company.example", pattern=HOST),
    Setting(name="port", title=gettext_noop("Port, where it is not the usual one"), pattern=r"\d{1,5}", default=""),
    Setting(name="database", title=gettext_noop("Database"), example="shop"),
    Setting(name="user", title=gettext_noop("User who may only read"), example="plait"),
)
_MODES = "disable|prefer|require"
_TLS = Setting(
    name="sslmode",
    title=gettext_noop("Encryption: disable, prefer or require"),
    example="require",
    pattern=_MODES,
    default="prefer",
)
_FILE = Setting(name="database", title=gettext_noop("File"), example="/srv/shop.sqlite3")
_BUCKET = (
    Setting(name="path", title=gettext_noop("Bucket, and a folder in it"), example="exports/crm", pattern=r"[^/\s].*"),
    Setting(name="endpoint", title=gettext_noop("Address of the storage, where it is not Amazon's"),
            example="https://s3.company.example", default=""),
    Setting(name="region", title=gettext_noop("Region"), example="eu-central-1", pattern=r"[a-z0-9-]+", default=""),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sort:
    """A sort of connection as people choose it: what it asks for, and whether it says itself what is read."""

    name: str
    title: str
    about: str
    settings: tuple[Setting, ...]
    logins: tuple[Login, ...]
    describes: str = ""  # what stands in `description`, in a word: "system", "reads"


class NoSuchSort(Unfit, LookupError):
    """A sort of connection that there is not."""


def sorts() -> dict[str, Sort]:
    """Give every sort of connection: described systems, one's own description, databases, files."""
    described = [Sort(s.name, s.title, s.about, tuple(s.setting), tuple(s.login)) for s in systems().values()]
    databases = gettext_noop("Tables or SELECTs of a database; nothing is written there.")
    files = gettext_noop("New files of a bucket; nothing is deleted.")
    others = [
        Sort("postgresql", "PostgreSQL", databases, (*_SERVER, _TLS), (_PASSWORD,), "reads"),
        Sort("mysql", "MySQL / MariaDB", databases, _SERVER, (_PASSWORD,), "reads"),
        Sort("sqlite", "SQLite", databases, (_FILE,), (_NOTHING,), "reads"),
        Sort("bucket", gettext_noop("S3-compatible storage"), files,
             _BUCKET, (_KEYS,)),
        Sort("folder", gettext_noop("Watched folder"), gettext_noop("New files of a folder; nothing is deleted."),
             (Setting(name="path", title=gettext_noop("Folder"), example="/srv/exports"),), (_NOTHING,)),
        Sort(OWN, gettext_noop("Another system"), gettext_noop("A REST interface that you describe in a TOML file."),
             (), (), "system"),
    ]  # fmt: skip
    return {sort.name: sort for sort in [*described, *others]}


def sort_of(name: str, description: str = "") -> Sort:
    """Give a sort of connection; one's own description says itself what it asks for."""
    known = sorts()
    if name not in known:
        raise NoSuchSort(Said("there is no system {name!r}; there are: {known}.", name=name, known=", ".join(known)))
    if name == OWN and description:
        own = read_system(description, "description")
        return Sort(OWN, own.title, own.about, tuple(own.setting), tuple(own.login), "system")
    return known[name]


def checked_settings(sort: Sort, given: Mapping[str, str]) -> dict[str, str]:
    """Check settings by what the sort allows."""
    known = System(
        name="x", title=sort.title, about="", address="", test="", login=[_NOTHING], resource=[],
        setting=[_as_written(setting) for setting in sort.settings],
    )  # fmt: skip
    return settings_of(known, given)


def _as_written(setting: Setting) -> Setting:
    """Give a setting as people write it, without what is put before it when it is sent."""
    return Setting(name=setting.name, title=setting.title, example=setting.example, pattern=setting.pattern,
                   default=setting.default)  # fmt: skip


def test(connection: Connection, *, pace: Pace) -> list[str]:
    """Ask once whether all is right; gives what works, in sentences."""
    secrets = sealed.unseal(connection.secrets)
    if connection.system in database.KINDS:
        return database.test(_database(connection, secrets))
    if connection.system in ("folder", "bucket"):
        return storage.test(_storage(connection, secrets))
    return rest.test(_reached(connection, secrets), pace=pace)


def pull(connection: Connection, folder: Path, *, full: bool, now: datetime, tell: Tell, pace: Pace) -> Pulled:
    """Read what is new, or all of it, into files of a folder."""
    secrets = sealed.unseal(connection.secrets)
    cursors = {} if full else dict(connection.cursors)
    if connection.system in database.KINDS:
        return database.pull(_database(connection, secrets), cursors, folder, now=now, tell=tell)
    if connection.system in ("folder", "bucket"):
        return storage.pull(_storage(connection, secrets), cursors, folder, now=now, tell=tell)
    return rest.pull(_reached(connection, secrets), cursors, folder, now=now, pace=pace, tell=tell)


def _reached(connection: Connection, secrets: Mapping[str, str]) -> rest.Reached:
    own = connection.system == OWN
    system = read_system(connection.description, connection.name) if own else systems()[connection.system]
    keep = partial(_keep, connection.pk)
    return rest.Reached(system, connection.settings, connection.login, secrets, settings.LOCAL, keep)


def _keep(number: int, name: str, secret: str) -> None:
    """Keep a secret that the system has exchanged: the old one is worth nothing any more."""
    with sealed.held(), transaction.atomic():
        held = Connection.objects.select_for_update().get(pk=number)
        held.secrets = sealed.seal({**sealed.unseal(held.secrets), name: secret})
        held.save(update_fields=["secrets"])


def _database(connection: Connection, secrets: Mapping[str, str]) -> database.Database:
    told = connection.settings
    if connection.system == "sqlite":
        _permit_place(Path(told["database"]))
    return database.Database(
        connection.system, told.get("database", ""), database.reads_of(connection.description), told.get("host", ""),
        int(told.get("port") or 0), told.get("user", ""), secrets.get("password", ""), told.get("sslmode") or "prefer",
    )  # fmt: skip


def _storage(connection: Connection, secrets: Mapping[str, str]) -> storage.Storage:
    told, bucket = connection.settings, connection.system == "bucket"
    if not bucket:
        _permit_place(Path(told["path"]))
    return storage.Storage(
        told["path"], bucket, told.get("endpoint", ""), told.get("region", ""), secrets.get("key", ""),
        secrets.get("secret", ""), settings.LOCAL,
    )  # fmt: skip


def _permit_place(path: Path) -> None:
    """Refuse files of this machine that are not for everybody who may make a connection."""
    place, home = path.resolve(), Path(settings.HOME).resolve()
    if place == home or home in place.parents or place in home.parents:
        raise Unfit(Said("{path} is, or holds, the home of plait itself; choose another folder.", path=str(path)))
    named = [Path(one).resolve() for one in os.environ.get(FOLDERS, "").split(":") if one]
    if not any(one == place or one in place.parents for one in named):
        says = "{path} may not be read; whoever runs the server names the folders that may, in {variable}."
        raise Unfit(Said(says, path=str(path), variable=FOLDERS))
