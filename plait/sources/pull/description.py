"""Descriptions: what a system's interface looks like, one TOML file a system, read and checked before anybody asks it.

The grammar is explained in `docs/connections.md`. A new system is one file beside `hubspot.toml` and one test.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from plait.facts import SOURCE_NAME
from plait.failure import Said, Unfit

HERE = Path(__file__).parent
HOLE = re.compile(r"{(\w+)}")
RUN = frozenset({"cursor", "last_id", "id", "ids"})  # holes that a run fills; the others are settings of a connection
ITEMS = "{items}"  # stands in the body of a batch for the list of what is asked about
TABLE = re.compile(r"[a-z][a-z0-9_]{0,60}")
HOST = re.compile(r"https://[^/?#@{}]*(\{\w+\}[^/?#@{}]*)?|http://(localhost|127\.0\.0\.1)(:\d+)?")
Texts = Mapping[str, str | list[str]]


class BadDescription(Unfit, ValueError):
    """A description of a system that cannot be used."""

    def __init__(self, name: str, says: str, /, **values: object) -> None:
        problem = Said(says, **values)
        super().__init__(Said("{file}: {problem}; docs/connections.md explains the keys.", file=name, problem=problem))


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a description: a key that it does not know is refused."""


class Setting(_Part, frozen=True, kw_only=True):
    """What a connection must be told, such as the name of the firm's account there; `pattern` is what is allowed.

    `before` is put before a text that is not empty, where it is filled in.
    """

    name: str
    title: str
    example: str = ""
    pattern: str = ".+"
    default: str | None = None
    before: str = ""


class Login(_Part, frozen=True, kw_only=True):
    """A way to show who asks. `secrets` are the names and titles of what is kept encrypted.

    `bearer` sends `value` after "Bearer", `basic` sends `user` and `value`, `header` sends `value` as `header`;
    `oauth2` fetches a token that lives for a while from `token`, by `grant`.
    """

    name: str
    title: str
    kind: Literal["bearer", "basic", "header", "oauth2"]
    secrets: Mapping[str, str]
    value: str = ""
    user: str = ""
    header: str = "Authorization"
    token: str = ""
    grant: Literal["refresh_token", "client_credentials"] = "refresh_token"


class Retry(_Part, frozen=True, kw_only=True):
    """How often a request is tried, and how many seconds may be waited for one more try."""

    tries: int = 6
    longest_wait: float = 120.0


class Paging(_Part, frozen=True, kw_only=True):
    """How an answer names the next page.

    `cursor`: the text at `take` is sent as parameter `send` (in the body, where the request has one). `last_id`: the
    field `take` of the last record is sent as `send`, or stands where the request says {last_id}; over when `more` is
    false, or without `more` when a page has fewer than `size` records. `next_url`: the address at `take`. `link`: the
    address in the Link header. `offset`: the number of records so far is sent as `send`; over when a page has fewer
    than `size`. Where the field `done` is true, or `more` false, the answer is the last one.
    """

    style: Literal["none", "cursor", "last_id", "next_url", "link", "offset"] = "none"
    take: str = ""
    send: str = ""
    more: str = ""
    done: str = ""
    size: int = 0


class Cursor(_Part, frozen=True, kw_only=True):
    """How a resource tells what is new: the largest `field` of its records, written as `write`.

    The next run asks from `overlap` seconds before it, for changes that showed late. An `opaque` cursor is a text of
    the answer at `field`, such as a token, which is sent back as it came.
    """

    field: str
    write: Literal["iso", "epoch", "epoch_ms", "opaque"] = "iso"
    overlap: float = 900.0


class Chosen(_Part, frozen=True, kw_only=True, rename={"source": "from", "otherwise": "else"}):
    """A column made from a field by a list of texts; any other text gives `else`."""

    source: str
    map: Mapping[str, str]
    otherwise: str = ""


class Table(_Part, frozen=True, kw_only=True):
    """A table that records are written to, in the layout that the known mappings read.

    Every field of a record becomes a column: nested fields are joined by `_`, lists and `whole` objects stay as JSON.
    `rename` gives fields (and the beginnings of nested ones) other names, `also` adds columns (of several paths with |
    between them the first that leads anywhere), `columns` are there even where no record has them. With `each` there is
    a row for every item of that list; `^.` leads to the record around it, `#` is its place. `take` names the part of a
    record or item that is the row; `more` says where the rest of a list is that an answer cuts off.
    """

    name: str
    key: list[str]
    names: Literal["as they are", "snake"] = "as they are"
    each: str = ""
    take: str = ""
    rename: Mapping[str, str] = {}
    also: Mapping[str, str | Chosen] = {}
    whole: list[str] = []
    drop: list[str] = []
    instants: list[str] = []
    epochs: list[str] = []
    columns: list[str] = []
    more: Rest | None = None


class Rest(_Part, frozen=True, kw_only=True):
    """Where the items of a list are that an answer has cut off: asked when the record's field `flag` says anything."""

    flag: str
    id: str = "id"
    path: str
    records: str
    query: Texts = {}
    paging: Paging = Paging()


class Batch(_Part, frozen=True, kw_only=True):
    """What is asked about records after they have come, `size` of them at once; `{items}` in the body are they.

    With `ids` it asks for other records that they name there and that this run has not read: `{ids}` is their list,
    parted by `join`, of those that begin with `starts`.

    Of the errors that stand in an answer beside its records, those whose `subCategory` is `harmless` say that there is
    nothing; any other ends the run.
    """

    name: str
    path: str
    records: str
    table: list[Table]
    method: Literal["GET", "POST"] = "POST"
    item: Mapping[str, str] = {}
    ids: str = ""
    starts: str = ""
    join: str = ","
    body: Mapping[str, object] | None = None
    size: int = 100
    query: Texts = {}
    errors: str = "errors"
    harmless: list[str] = []


class Changes(_Part, frozen=True, kw_only=True):
    """What a request has besides, or instead, when it asks only for what is new."""

    method: Literal["GET", "POST"] | None = None
    path: str | None = None
    query: Texts = {}
    body: Mapping[str, object] | None = None
    paging: Paging | None = None


class Resource(_Part, frozen=True, kw_only=True):
    """One kind of records of a system, such as its contacts.

    `unwrap` names the part of a record that is the record. Of two records with one key in a run the `newest` one is
    kept. `only_changes` leaves a first read and a full one out. `per_minute` is for what a system limits more than all
    else.
    """

    name: str
    title: str
    path: str
    records: str
    table: list[Table]
    method: Literal["GET", "POST"] = "GET"
    query: Texts = {}
    body: Mapping[str, object] | None = None
    paging: Paging = Paging()
    cursor: Cursor | None = None
    changes: Changes | None = None
    batch: list[Batch] = []
    unwrap: str = ""
    newest: Literal["last", "first"] = "last"
    only_changes: bool = False
    per_minute: int = 0


class System(_Part, frozen=True, kw_only=True):
    """A system whose interface is described: where it is, how to log in, what it holds.

    `source` is the name under which its facts stand, `per_second` how many requests it takes, `test` a request that
    any login of the right sort may make.
    """

    name: str
    title: str
    about: str
    address: str
    test: str
    login: list[Login]
    resource: list[Resource]
    setting: list[Setting] = []
    headers: Mapping[str, str] = {}
    per_second: float = 4.0
    retry: Retry = Retry()

    def login_of(self, name: str) -> Login:
        """Give a way to log in by its name; the first where there is none of this name."""
        return next((one for one in self.login if one.name == name), self.login[0])


def read_system(text: str, file: str) -> System:
    """Read and check a description."""
    try:
        system = msgspec.convert(tomllib.loads(text), System)
    except tomllib.TOMLDecodeError as error:
        raise BadDescription(file, "is no TOML: {error}", error=str(error)) from error
    except msgspec.ValidationError as error:
        raise BadDescription(file, "{error}", error=str(error)) from error
    for says, values in _problems(system):
        raise BadDescription(file, says, **values)
    return system


@cache
def systems() -> Mapping[str, System]:
    """Give the systems that plait has descriptions of, by name."""
    read = (read_system(path.read_text("utf-8"), path.name) for path in sorted(HERE.glob("*.toml")))
    return {system.name: system for system in read}


def tables_of(system: System) -> list[Table]:
    """Give every table that a system's records are written to."""
    return [
        table for one in system.resource for table in (*one.table, *(t for batch in one.batch for t in batch.table))
    ]


def holes_in(value: object) -> set[str]:
    """Name the holes of a text, or of all texts within a table or list."""
    if isinstance(value, str):
        return set(HOLE.findall(value))
    if isinstance(value, Mapping):
        return {hole for one in value.values() for hole in holes_in(one)}
    if isinstance(value, Sequence):
        return {hole for one in value for hole in holes_in(one)}
    return set()


def _problems(system: System) -> Iterable[tuple[str, dict[str, object]]]:
    """Find what the shapes alone do not say; the first problem is told."""
    if not SOURCE_NAME.fullmatch(system.name):
        yield (
            "name {name!r} is no name: lower case letters, digits and underscores, a letter first",
            {"name": system.name},
        )
    if not HOST.fullmatch(system.address):
        yield "address {address!r} must be https:// and a host, and nothing after it", {"address": system.address}
    if not system.login or not system.resource:
        yield "needs at least one [[login]] and one [[resource]]", {}
    settings = {setting.name for setting in system.setting}
    secrets = {name for login in system.login for name in login.secrets}
    for where, value in _requests(system):
        for hole in sorted(holes_in(value) - settings - RUN - {"items"}):
            if hole in secrets:
                yield "{where} holds the secret {hole!r}; secrets travel in headers only", {
                    "where": where, "hole": hole,
                }  # fmt: skip
            yield "{where} names {{{hole}}}, which no [[setting]] gives", {"where": where, "hole": hole}
    for table in tables_of(system):
        if not TABLE.fullmatch(table.name):
            yield "table {name!r} is no name of a file", {"name": table.name}
    names = [one.name for one in system.resource]
    for name in names:
        if names.count(name) > 1:
            yield "resource {name!r} stands there twice", {"name": name}
    for one in system.resource:
        yield from _paging_problems(one)


def _paging_problems(one: Resource) -> Iterable[tuple[str, dict[str, object]]]:
    for paging in (one.paging, one.changes.paging if one.changes else None):
        if paging is None:
            continue
        if paging.style in ("cursor", "last_id", "next_url") and not paging.take:
            yield "resource {name!r}: paging {style!r} needs take", {"name": one.name, "style": paging.style}
        if paging.style == "offset" and not (paging.send and paging.size):
            yield "resource {name!r}: paging by offset needs send and size", {"name": one.name}
    if (one.changes or one.only_changes) and one.cursor is None:
        yield "resource {name!r}: changes need a cursor", {"name": one.name}


def _requests(system: System) -> Iterable[tuple[str, object]]:
    yield "address", system.address
    yield "test", system.test
    for one in system.resource:
        where = f"resource {one.name!r}"
        yield where, [one.path, one.query, one.body or {}]
        if one.changes:
            yield where, [one.changes.path or "", one.changes.query, one.changes.body or {}]
        for batch in one.batch:
            yield f"{where}, batch {batch.name!r}", [batch.path, batch.query, batch.body or {}]
