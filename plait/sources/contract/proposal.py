"""Proposals: a contract written from what exports look like, with room, for their owners to read and agree on."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import yaml

from plait.facts import DEPARTMENTS, SOURCE_NAME, nearest
from plait.failure import Said, Unfit
from plait.sources import number
from plait.sources.contract.seen import DAY, EMPTY, INSTANT, NUMBER, TEXT, WHOLE, YEAR_FIRST, YES_NO, Seen, look
from plait.sources.contract.spec import FILL_IN, VERSIONS
from plait.sources.expression import compile_file
from plait.sources.file import Found, is_data, members, pattern_fits, prepare, remove_copy
from plait.sources.form import FileMapping
from plait.sources.table import Table, Tally, open_table

MOST_VALUES = 12  # of a column whose values are few enough to be listed
_PROPER = re.compile(r"\w \W*[A-Z]|@")  # names of people and titles: there will be others
_KEYS = re.compile(
    r"(?i)(?:^|[^a-z])(?:id|ids|uid|uuid|key|code|no|nr|number|zip|phone|year)$|(?-i:[a-z](?:Id|ID|Key|Code|No|Nr)$)"
)  # columns that name something: a number there is no amount
ROOM = Decimal("0.5")  # of a range or a volume, to each side
TYPES = {WHOLE: "integer", NUMBER: "number", DAY: "date", INSTANT: "timestamp", YES_NO: "boolean", TEXT: "string"}


class NothingSeen(Unfit, ValueError):
    """A folder in which no file can be read."""


@dataclass(frozen=True, slots=True)
class Owners:
    """Who stands for a source; what is not known is to be filled in."""

    it: str = ""
    department_owner: str = ""
    department: str = ""


@dataclass(slots=True)
class _Column:
    """What was seen of a column in all files of its shape."""

    type: str
    order: str
    filled: int = 0
    rows: int = 0
    distinct: bool = True
    least: Decimal | None = None
    most: Decimal | None = None
    values: frozenset[str] | None = frozenset()


_Files = list[tuple[str, dict[str, _Column], int]]


def propose(folder: Path, source: str, owners: Owners) -> str:
    """Write a contract of a source from the files in a folder, or from one file."""
    if not SOURCE_NAME.fullmatch(source):
        raise NothingSeen(Said("{name!r} is no source name: lower case letters, digits and underscores.", name=source))
    if owners.department and owners.department not in DEPARTMENTS:
        hint, known = nearest(owners.department, list(DEPARTMENTS)), ", ".join(DEPARTMENTS)
        raise NothingSeen(
            Said("no department {name!r}; {hint}allowed: {allowed}", name=owners.department, hint=hint, allowed=known)
        )
    shapes: dict[tuple[str, ...], _Files] = defaultdict(list)
    with TemporaryDirectory() as work:
        for found in _files(folder):
            columns, rows = _look(found, Path(work))
            shapes[tuple(columns)].append((found.name, columns, rows))
    if not shapes:
        raise NothingSeen(Said("no file of {folder} can be read as a table.", folder=str(folder)))
    groups = _apart(list(shapes.values()))
    objects = [_object(files) for files in groups]
    return _written(source, objects, owners)


def _files(folder: Path) -> list[Found]:
    paths = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
    found: list[Found] = []
    for path in paths:
        name = path.name if folder.is_file() else path.relative_to(folder).as_posix()
        if is_data(name) and not path.name.startswith(".") and path.stat().st_size:
            found += members(name, path, FileMapping((), "proposed", ()))
    return found


def _look(found: Found, work: Path) -> tuple[dict[str, _Column], int]:
    plain = prepare(found, work)
    try:
        table = open_table(found, plain, ())
        seen = look(table)
        with duckdb.connect() as engine:
            engine.execute("set TimeZone = 'UTC'")
            return _measured(engine, found, table, seen)
    finally:
        remove_copy(plain)


def _measured(
    engine: duckdb.DuckDBPyConnection, found: Found, table: Table, seen: dict[str, Seen]
) -> tuple[dict[str, _Column], int]:
    """Read a whole file for what a sample does not tell: what is always filled in, once there, between what."""
    names = list(seen)
    query = compile_file(
        FileMapping((), "proposed", ()), table.query(names, whole=False), names, file=found.name,
        recorded_at=datetime(2000, 1, 1, tzinfo=UTC), exponents=table.exponents,
    )  # fmt: skip
    engine.register("raw", table.batches(names, whole=False, tally=Tally(lambda _rows: None, lambda _done: None)))
    engine.execute(f"create temp table cells as {query.parts} select * from judged where broken is null")
    (rows,) = engine.execute("select count(*) from cells").fetchall()[0]
    return {name: _column(engine, f"c{n}", seen[name], rows) for n, name in enumerate(names)}, rows


def _column(engine: duckdb.DuckDBPyConnection, cell: str, seen: Seen, rows: int) -> _Column:
    fits, cast = number.number(cell, ".", "decimal(38, 10)", exponents=True)
    value = f"case when {fits} then {cast} end"
    filled, unfit, distinct, least, most = engine.execute(
        f"""select count({cell}), count({cell}) - count({value}), count(distinct {cell}), min({value}), max({value})
        from cells"""
    ).fetchall()[0]
    kind = seen.type
    if kind in (WHOLE, NUMBER) and unfit:
        kind = TEXT  # one that does not fit stands behind the sample
    if kind == WHOLE and engine.execute(f"select count(*) from cells where ({value}) % 1 <> 0").fetchall()[0][0]:
        kind = NUMBER
    if kind in (DAY, INSTANT) and seen.fit(INSTANT) < seen.filled:
        kind = TEXT
    values = None
    if kind == TEXT and 0 < distinct <= MOST_VALUES and filled >= 4 * distinct:
        told = engine.execute(f"select distinct {cell} from cells where {cell} is not null").fetchall()
        values = frozenset(row[0] for row in told)
    made = _Column(kind, seen.order, filled, rows, filled == distinct, values=values)
    if kind in (WHOLE, NUMBER):
        made.least, made.most = least, most
    return made


# -- written


def _apart(groups: Sequence[_Files]) -> list[_Files]:
    """Put files of other folders, or whose common pattern would fit another's files, into groups of their own."""
    found: list[_Files] = []
    for files in groups:
        others = [name for other in groups if other is not files for name, _columns, _rows in other]
        folders: dict[str, _Files] = defaultdict(list)
        for file in files:
            folders[file[0].rpartition("/")[0]].append(file)
        for within in folders.values():
            pattern = _pattern([name for name, _columns, _rows in within])
            alone = any(pattern_fits(pattern, name) for name in others)
            found += [[file] for file in within] if alone else [within]
    return found


def _object(files: Sequence[tuple[str, dict[str, _Column], int]]) -> dict[str, Any]:
    """Write the object of all files of one shape."""
    names = [name for name, _columns, _rows in files]
    properties = [_property(name, [columns[name] for _file, columns, _rows in files]) for name in files[0][1]]
    rows = [count for _file, _columns, count in files]
    least = (min(rows) * ROOM).to_integral_value(ROUND_FLOOR)
    most = (sum(rows) * (1 + ROOM)).to_integral_value(ROUND_CEILING)  # one load may bring them all
    pattern = _pattern(names)
    return {
        "name": pattern.split("/")[-1].split(".")[0].rstrip("*-_ ") or "files",
        "physicalName": pattern,
        "description": "Seen in " + ", ".join(names[:5]) + ("" if len(names) <= 5 else f" and {len(names) - 5} more"),  # noqa: PLR2004
        "properties": properties,
        "quality": [
            {"metric": "rowCount", "mustBeGreaterOrEqualTo": int(least)},
            {"metric": "rowCount", "mustBeLessOrEqualTo": int(most)},
        ],
        # Exports mostly hold everything, again and again: a key that comes back is then no breach.
        "customProperties": [{"property": "plait.uniqueWithin", "value": "file"}],
    }


def _pattern(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    start, end = _shared(names), _shared([name[::-1] for name in names])[::-1]
    shortest = min(map(len, names))
    return f"{start}*{end[max(0, len(start) + len(end) - shortest) :]}"


def _shared(names: Sequence[str]) -> str:
    """Give the letters with which all names begin."""
    first, last = min(names), max(names)
    return first[: next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]


def _property(name: str, seen: Sequence[_Column]) -> dict[str, Any]:
    """Write one column: its type, whether it is always filled in, between what it lies."""
    known = [column for column in seen if column.type != EMPTY]
    kinds = {column.type for column in known}
    kind = kinds.pop() if len(kinds) == 1 else NUMBER if kinds == {WHOLE, NUMBER} else TEXT
    if any(column.order != YEAR_FIRST for column in known) and kind in (DAY, INSTANT):
        kind = TEXT  # its format is for the owner to write
    rows, filled = sum(column.rows for column in seen), sum(column.filled for column in seen)
    made: dict[str, Any] = {"name": name, "logicalType": TYPES[kind]}
    if rows and rows == filled:
        made["required"] = True
    if rows > 1 and rows == filled and all(column.distinct for column in seen) and _KEYS.search(name):
        made["unique"] = True
    if kind in (WHOLE, NUMBER) and not made.get("unique") and not _KEYS.search(name):
        made["logicalTypeOptions"] = _range([c.least for c in known], [c.most for c in known])
    values = [column.values for column in known]
    allowed = sorted(set().union(*(one or () for one in values)))
    listed = bool(values) and all(one is not None for one in values)
    if kind == TEXT and listed and not any(_PROPER.search(value) for value in allowed):
        made["quality"] = [{"metric": "invalidValues", "arguments": {"validValues": allowed}, "mustBe": 0}]
    return made


def _range(least: Sequence[Decimal | None], most: Sequence[Decimal | None]) -> dict[str, Any]:
    """Give a range with room: half of what was seen to each side; what is never negative stays so."""
    low = min((one for one in least if one is not None), default=Decimal(0))
    high = max((one for one in most if one is not None), default=Decimal(0))
    room = (high - low or abs(high) or Decimal(1)) * ROOM
    down, up = (low - room).to_integral_value(ROUND_FLOOR), (high + room).to_integral_value(ROUND_CEILING)
    return {"minimum": int(max(down, Decimal(0)) if low >= 0 else down), "maximum": int(up)}


def _written(source: str, objects: Sequence[dict[str, Any]], owners: Owners) -> str:
    names = [one["name"] for one in objects]
    for n, one in enumerate(objects):
        if names.count(one["name"]) > 1:
            one["name"] = f"{one['name']}-{n + 1}"
    document = {
        "apiVersion": VERSIONS[0],
        "kind": "DataContract",
        "id": f"plait-{source}",
        "name": source,
        "version": "1.0.0",
        "status": "active",
        "description": {"purpose": f"Exports of {source}, as they looked when this was proposed"},
        "schema": list(objects),
        "team": {
            "members": [
                {"username": owners.it or FILL_IN, "role": "IT owner"},
                {
                    "username": owners.department_owner or FILL_IN,
                    "role": "department owner",
                    "customProperties": [{"property": "plait.department", "value": owners.department or FILL_IN}],
                },
            ]
        },
        "slaProperties": [{"property": "frequency", "value": 31, "unit": "d"}],
        "customProperties": [{"property": "plait.onViolation", "value": "quarantine"}],
    }
    head = (
        f"# A contract for {source}, proposed by plait from what its exports look like: ranges and volumes have room.\n"
        "# Read it with the owners, correct it, then: plait contract adopt FILE --why ...\n"
    )
    return head + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
