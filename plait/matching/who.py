"""Who is meant: a person or a company by an id (an old one too), a key such as `email=jane@acme.com`, or a value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plait import duck, identity
from plait.derived import Derived, refresh
from plait.facts import is_account_key, is_person_key
from plait.failure import Said, Unfit
from plait.stewardship import Key
from plait.store import FACTS, Store, view_sql

if TYPE_CHECKING:
    import duckdb

ID = re.compile(r"[ap][0-9a-f]{16}")
MOST_SHOWN = 5


class Unknown(Unfit, LookupError):
    """Nobody is known by this, or more than one."""


@dataclass(frozen=True, slots=True)
class Who:
    """A person or a company: its id and its keys, the oldest first."""

    id: str
    scope: str
    keys: tuple[Key, ...]

    @property
    def eldest(self) -> Key:
        """Give the key that its id is made from."""
        return self.keys[0]

    @property
    def shown(self) -> str:
        """Give the key by which people know it best: an address or a domain, else the oldest."""
        best = ("email", "domain", "user_id", "phone")
        return min(self.keys, key=lambda key: best.index(key[0]) if key[0] in best else len(best))[1]


def read_key(text: str) -> Key:
    """Read `name=value`; a name that no identifier has is refused with those there are."""
    name, sign, value = text.partition("=")
    name, value = name.strip(), value.strip()
    if not sign or not value or not (is_account_key(name) or is_person_key(name)):
        says = (
            "{text!r} is no key; write its name and value, such as email=jane@acme.com. Names: email, phone, user_id, "
            "anonymous_id, domain, and person.SYSTEM or account.SYSTEM such as account.crm."
        )
        raise Unknown(Said(says, text=text))
    return name, value.lower() if name in ("email", "domain") else value


def opened(home: Path) -> duckdb.DuckDBPyConnection:
    """Open an engine with the views `nodes` and `facts` of a home, brought up to date."""
    store, derived = Store.open(home), Derived.open(home)
    refresh(store, derived)
    db = duck.connect(store.spill)
    db.execute(view_sql("nodes", derived.nodes.snapshot(), identity.NODES))
    db.execute(view_sql("facts", store.snapshot(), FACTS))
    return db


def find_who(home: Path, text: str) -> Who:
    """Find a person or a company by an id, a key or a value."""
    with opened(home) as db:
        return who(db, text)


def who(db: duckdb.DuckDBPyConnection, text: str) -> Who:
    """Find a person or a company in the view `nodes`."""
    text = text.strip()
    if ID.fullmatch(text):
        own = f"belongs_to = ? or {identity.id_sql('nodes')} = ?"
        found = _owners(db, own, [text, text])
    elif "=" in text:
        key = read_key(text)
        found = _owners(db, "name = ? and lower(value) = lower(?)", list(key))
        if not found:
            raise _barred(db, key)
    else:
        found = _owners(db, "lower(value) = ?", [text.lower()])
    if len(found) == 1:
        return one_who(db, found[0])
    if found:
        ids = ", ".join(found[:MOST_SHOWN])
        raise Unknown(Said("{text!r} is more than one: {ids}; use an id, or name=value.", text=text, ids=ids))
    says = "nobody is known by {text!r}; give an id, a key such as email=jane@acme.com, or a value such as acme.com."
    raise Unknown(Said(says, text=text))


def one_who(db: duckdb.DuckDBPyConnection, number: str) -> Who:
    """Give the person or company with an id of today."""
    rows = db.execute(
        "select name, value from nodes where belongs_to = ? order by first_at, name, value", [number]
    ).fetchall()
    return Who(number, "account" if number[0] == "a" else "person", tuple((name, value) for name, value in rows))


def _owners(db: duckdb.DuckDBPyConnection, where: str, values: list[str]) -> list[str]:
    rows = db.execute(
        f"select distinct belongs_to from nodes where belongs_to is not null and ({where}) order by 1", values
    ).fetchall()
    return [row[0] for row in rows]


def _barred(db: duckdb.DuckDBPyConnection, key: Key) -> Unknown:
    """Say why a key is nobody's: it is unknown, or it joins nobody."""
    rows = db.execute("select why_not from nodes where name = ? and value = ?", list(key)).fetchall()
    name, value = key
    if not rows:
        return Unknown(Said("no fact has the key {name}={value}.", name=name, value=value))
    says = "{name}={value} joins nobody ({why}); to let it join: plait identity allow {name}={value}."
    return Unknown(Said(says, name=name, value=value, why=rows[0][0]))


def parted(found: Who, keys: list[Key]) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
    """Give the keys that are to be parted and those that stay; keys that are not its own are refused."""
    foreign = [key for key in keys if key not in found.keys]
    if foreign:
        told = ", ".join("=".join(key) for key in foreign)
        own = ", ".join("=".join(key) for key in found.keys)
        raise Unknown(Said("{keys} is no key of {id}; its keys: {own}.", keys=told, id=found.id, own=own))
    return tuple(keys), tuple(key for key in found.keys if key not in keys)


__all__ = ["Unknown", "Who", "find_who", "one_who", "opened", "parted", "read_key", "who"]
