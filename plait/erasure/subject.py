"""The person who is asked about: found by any key, with everything by which the home knows them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from plait import duck, identity
from plait.delta import Snapshot
from plait.derived import TIMELINE, Derived, refresh
from plait.facts import KEY_NAME, is_person_key
from plait.failure import Misused, Said, Unfit
from plait.store import FACTS, Store, view_sql
from plait.suppression import SHORTEST

if TYPE_CHECKING:
    import duckdb

Key = tuple[str, str]
PERSON_ID = re.compile(r"p[0-9a-f]{16}")
SHARED = "shared"  # why a key joins nobody: several people use it
NAMES = ("contact.created", "person.identified")  # kinds of which the text is a person's name
SHORTEST_NAME = 5


class UnknownKey(Misused, LookupError):
    """A key that names nobody, or does not say what it is."""


class SeveralPersons(Unfit, LookupError):
    """A key by which several people are known: nobody may be erased together with somebody else."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A person: `ids` as identity knows them now (none: only refused rows or the desk may hold them), all their keys.

    `names` is how records call them, `accounts` whose people they are. `sets` gives of each set of keys that their
    facts carry what stays of it; `facts` are those that no key of theirs tells, source and id: what they did at a
    shared browser.
    """

    ids: tuple[str, ...]
    keys: tuple[Key, ...]
    names: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    sets: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def values(self) -> list[str]:
        """Their values that can be told from any other text, each as it may be written."""
        long = (value for _, value in self.keys if len(value) >= SHORTEST and not value.isdigit())
        return sorted({form for value in long for form in forms(value)}, key=lambda one: (-len(one), one))

    def told(self) -> dict[str, object]:
        """Give it as JSON keeps it."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def of(cls, told: Mapping[str, object]) -> Subject:
        """Give what `told` has told."""
        rows: dict[str, Sequence[Sequence[str]]] = {name: told[name] for name in ("keys", "facts")}  # type: ignore[misc]
        pairs = {name: tuple((one[0], one[1]) for one in some) for name, some in rows.items()}
        texts: dict[str, Sequence[str]] = {name: told[name] for name in ("ids", "names", "accounts")}  # type: ignore[misc]
        sets: Mapping[str, str] = told["sets"]  # type: ignore[assignment]
        return cls(sets=dict(sets), **pairs, **{name: tuple(some) for name, some in texts.items()})  # type: ignore[arg-type]


def forms(value: str) -> set[str]:
    """Give the ways in which a value may stand in a text, in lower case."""
    spelt = {value, quote(value), quote(value, safe="@"), json.dumps(value)[1:-1]}
    return {one.lower() for one in spelt}


def read_key(asked: str) -> Key | None:
    """Read `name=value`; None where only a value is given."""
    name, sign, value = asked.strip().partition("=")
    if not sign or not KEY_NAME.fullmatch(name):
        return None
    if not is_person_key(name) or not value.strip():
        raise UnknownKey(
            Said(
                "{name!r} names no person; write email=, phone=, user_id=, anonymous_id= or person.<system>= "
                "and the value after it.",
                name=name,
            )
        )
    return name, value.strip()


def find_subject(home: Path, asked: str) -> Subject:
    """Find the person whom a key names; an address that nobody is known by gives a person without facts.

    `asked` is a value, `name=value`, or the person's id. A key that several people share is refused: it says whose.
    """
    with _opened(home) as (db, timeline):
        return _subject(db, timeline, _named(db, asked))


def grown(home: Path, subject: Subject) -> Subject:
    """Give a person with what has come of them since, such as another browser on which they signed in."""
    with _opened(home) as (db, timeline):
        now = _subject(db, timeline, set(subject.keys))
    told = {
        name: tuple(sorted({*getattr(subject, name), *getattr(now, name)}))
        for name in ("ids", "keys", "names", "accounts", "facts")
    }
    return Subject(sets={**now.sets, **subject.sets}, **told)


@contextmanager
def _opened(home: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, Snapshot]]:
    """Open who is who by the newest facts: the views `nodes`, `places` and `facts`, and the timeline's files."""
    store, derived = Store.open(home), Derived.open(home)
    refresh(store, derived)
    with duck.connect(store.spill) as db:
        db.execute(view_sql("nodes", derived.nodes.snapshot(), identity.NODES))
        db.execute(view_sql("places", derived.identity.snapshot(), identity.IDENTITY))
        db.execute(view_sql("facts", store.snapshot(), FACTS))
        yield db, derived.timeline.snapshot()


def _subject(db: duckdb.DuckDBPyConnection, timeline: Snapshot, first: set[Key]) -> Subject:
    ids, keys = _closure(db, first)
    sets = _sets(db, ids, keys)
    if not ids:
        _check_alone(sets, keys)
        return Subject((), tuple(sorted(keys)), sets=sets)
    db.execute(view_sql("timeline", _of_persons(db, timeline, ids), TIMELINE))
    return Subject(
        ids, tuple(sorted(keys)), _names(db, ids), _accounts(db, ids), sets, _at_shared_browsers(db, ids, sets)
    )


def _named(db: duckdb.DuckDBPyConnection, asked: str) -> set[Key]:
    """Give the keys that are asked for; of a value that two persons have nobody is chosen."""
    given, text = read_key(asked), asked.strip()
    if not text:
        raise UnknownKey(Said("nothing is asked for; give an e-mail address, another key, or a person's id."))
    if given is None and PERSON_ID.fullmatch(text):
        keys = set(db.execute("select name, value from nodes where belongs_to = ?", [text]).fetchall())
        if not keys:
            raise UnknownKey(Said("no person has the id {id}; ids change when people merge: give a key.", id=text))
        return keys
    name, value = given or ("", text)
    rows = db.execute(
        """
        select name, value, belongs_to, why_not from nodes
        where scope = 'person' and (name = $name or $name = '') and lower(value) = lower($value)
        """,
        {"name": name, "value": value},
    ).fetchall()
    _check_one(rows, value)
    if rows:
        return {(row[0], row[1]) for row in rows}
    if given is None and "@" not in value:
        raise UnknownKey(
            Said(
                "nobody is known by {value!r}; say what it is, such as phone={value} or person.crm={value}, "
                "to look for it in rows that were refused and on the desk.",
                value=value,
            )
        )
    return {(name or "email", value.lower() if (name or "email") == "email" else value)}


def _check_one(rows: Sequence[tuple[str, str, str | None, str | None]], value: str) -> None:
    if any(why_not == SHARED for *_, why_not in rows):
        raise SeveralPersons(
            Said("{value!r} is shared by several people; give a key that only one of them has.", value=value)
        )
    persons = {belongs_to for _, _, belongs_to, _ in rows if belongs_to}
    if len(persons) > 1 and "@" not in value:
        names = ", ".join(sorted({f"{row[0]}={value}" for row in rows}))
        raise SeveralPersons(
            Said("{value!r} is a key of several people; write which one: {names}.", value=value, names=names)
        )


def _check_alone(sets: Mapping[str, str], keys: set[Key]) -> None:
    """Refuse a key that joins nobody, such as `info@`, where facts name people beside it: it is no person's."""
    for text in sets:
        others = {key for key in json.loads(text).items() if is_person_key(key[0])} - keys
        if others:
            value = min(keys)[1]
            raise SeveralPersons(
                Said("{value!r} is shared by several people; give a key that only one of them has.", value=value)
            )


def _closure(db: duckdb.DuckDBPyConnection, first: set[Key]) -> tuple[tuple[str, ...], set[Key]]:
    """Give the persons who have these keys and all keys of theirs; an address is the same whatever names it."""
    ids, keys = set[str](), set(first)
    while True:
        values = [value.lower() for _, value in keys if "@" in value]
        found = db.execute(
            """
            select distinct belongs_to from nodes where scope = 'person' and belongs_to is not null
                and ((name, value) in (select (unnest($names), unnest($values)))
                    or lower(value) in (select unnest($mail)))
            """,
            {"names": [name for name, _ in keys], "values": [value for _, value in keys], "mail": values},
        ).fetchall()
        new = {row[0] for row in found} - ids
        if not new:
            return tuple(sorted(ids)), keys
        ids |= new
        rows = db.execute("select name, value from nodes where belongs_to in (select unnest(?))", [sorted(ids)])
        keys |= set(rows.fetchall())


def _sets(db: duckdb.DuckDBPyConnection, ids: tuple[str, ...], keys: set[Key]) -> dict[str, str]:
    """Give each set of keys that names the person, and what stays of it: the account's keys, or its oldest one."""
    values = [json.dumps(value, ensure_ascii=False) for _, value in keys]
    rows = db.execute(
        """
        with mine as (
            select distinct keys, account from places
            where (person in (select unnest($ids)) and from_at is null)
                or exists (select 1 from (select unnest($values) as value) where contains(keys, value))
        ),
        oldest as (
            select belongs_to, arg_min({'name': name, 'value': value}, (first_at, name, value)) as key from nodes
            where scope = 'account' and belongs_to in (select account from mine) group by belongs_to
        )
        select mine.keys, oldest.key.name, oldest.key.value from mine
        left join oldest on oldest.belongs_to = mine.account
        """,
        {"ids": list(ids), "values": values},
    ).fetchall()
    told = ((text, json.loads(text), name, value) for text, name, value in rows)
    return {text: _rest(its, name, value) for text, its, name, value in told if keys & set(its.items())}


def _rest(its: Mapping[str, str], name: str | None, value: str | None) -> str:
    kept = {key: one for key, one in its.items() if not is_person_key(key)}
    if not kept and name and value:
        kept = {name: value}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _of_persons(db: duckdb.DuckDBPyConnection, whole: Snapshot, ids: tuple[str, ...]) -> Snapshot:
    """Give the files of the timeline in which a person's facts can be: the buckets of their accounts, and of nobody."""
    accounts = _accounts(db, ids)
    buckets = {f"bucket=b{one[1 : 1 + digits]}" for one in (*accounts, *ids) for digits in range(3)}
    files = tuple(name for name in whole.files if buckets & set(name.split("/")))
    return Snapshot(whole.root, whole.version, files, 0)


def _names(db: duckdb.DuckDBPyConnection, ids: tuple[str, ...]) -> tuple[str, ...]:
    """Give how records call a person; too short a name could be any word."""
    rows = db.execute(
        f"""
        select distinct trim(text) from timeline where person in (select unnest(?))
            and kind in ({duck.literals(NAMES)}) and text is not null order by 1
        """,
        [list(ids)],
    ).fetchall()
    return tuple(row[0] for row in rows if len(row[0]) >= SHORTEST_NAME or not row[0].isascii())


def _accounts(db: duckdb.DuckDBPyConnection, ids: tuple[str, ...]) -> tuple[str, ...]:
    rows = db.execute(
        "select distinct account from places where person in (select unnest(?)) and account is not null order by 1",
        [list(ids)],
    ).fetchall()
    return tuple(row[0] for row in rows)


def _at_shared_browsers(
    db: duckdb.DuckDBPyConnection, ids: tuple[str, ...], sets: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Give the facts that are theirs only because they had signed in: their keys name others as well.

    Needs the view `facts`, which is read only where there are such browsers.
    """
    rows = db.execute(
        "select count(*) from places where person in (select unnest(?)) and from_at is not null", [list(ids)]
    ).fetchall()
    if not rows[0][0]:
        return ()
    facts = db.execute(
        """
        select source, id from facts semi join (
            select source, id from timeline where person in (select unnest($ids))
        ) using (source, id)
        where keys not in (select unnest($sets)) order by source, id
        """,
        {"ids": list(ids), "sets": list(sets)},
    ).fetchall()
    return tuple((source, id_) for source, id_ in facts)
