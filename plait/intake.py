"""The intake: what was loaded, the rows that were refused, and the control totals as each load checked them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from plait import duck
from plait.store import LOADS, REJECTS, Store, view_sql

if TYPE_CHECKING:
    import duckdb

FOLDER = "controls"


@dataclass(frozen=True, slots=True)
class FileLoad:
    """One file as it was loaded: `rows = accepted + refused`; `added` and `known` count facts; `at` is naive UTC."""

    source: str
    file: str
    rows: int
    accepted: int
    refused: int
    without_fact: int
    added: int
    known: int
    at: datetime


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A refused row, whole; `row` is the row as JSON, `at` the naive UTC instant of the load."""

    source: str
    file: str
    line: int | None
    field: str
    value: str | None
    rule: str
    next_step: str
    row: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RefusedGroup:
    """How many rows of a source broke a rule, in how many files."""

    source: str
    rule: str
    next_step: str
    rows: int
    files: int


@dataclass(frozen=True, slots=True)
class RefusedPage:
    """Some of the refused rows that are asked for, and how many there are."""

    rows: list[RefusedRow]
    count: int


@dataclass(frozen=True, slots=True)
class ControlCheck:
    """A control total as a load checked it: what the exporting system says and what the store held then."""

    at: datetime
    mapping: str
    source: str
    kind: str
    before: datetime | None
    says: str
    holds: str
    agrees: bool


def loads(store: Store, *, limit: int, offset: int = 0) -> tuple[list[FileLoad], int]:
    """Give the files that were loaded, the newest first, and how many there are."""
    columns = ", ".join("recorded_at" if name == "at" else name for name in FileLoad.__slots__)
    with duck.connect(store.spill) as db:
        db.execute(view_sql("loads", store.loads.snapshot(), LOADS))
        (count,) = db.execute("select count(*) from loads").fetchall()[0]
        rows = db.execute(
            f"select {columns} from loads order by recorded_at desc, source, file, digest limit ? offset ?",
            [limit, offset],
        )
        return [FileLoad(*row) for row in rows.fetchall()], count


def refused_groups(store: Store) -> list[RefusedGroup]:
    """Count the refused rows by source and rule, the most frequent first."""
    with _rejects(store) as db:
        rows = db.execute(
            """
            select source, rule, min(next_step), count(*), count(distinct file) from rejects
            group by source, rule order by 4 desc, source, rule
            """
        )
        return [RefusedGroup(*row) for row in rows.fetchall()]


def refused_rows(store: Store, wanted: Mapping[str, str], *, limit: int | None, offset: int = 0) -> RefusedPage:
    """Give the refused rows of a source, rule or file, as far as `wanted` names them."""
    names = [name for name in ("source", "rule", "file") if wanted.get(name)]
    where = " and ".join([f"{name} = ${name}" for name in names] or ["true"])
    given = {name: wanted[name] for name in names}
    columns = ", ".join("recorded_at" if name == "at" else name for name in RefusedRow.__slots__)
    with _rejects(store) as db:
        (count,) = db.execute(f"select count(*) from rejects where {where}", given).fetchall()[0]
        some = f"limit {limit} offset {offset}" if limit is not None else ""
        rows = db.execute(
            f"""
            select {columns} from rejects where {where}
            order by recorded_at desc, source, file, line, field, rule, value, row {some}
            """,
            given,
        )
        return RefusedPage([RefusedRow(*row) for row in rows.fetchall()], count)


def keep_controls(home: Path, checks: Sequence[ControlCheck]) -> None:
    """Keep what a load checked: one file for each load, there whole or not at all."""
    if not checks:
        return
    folder = home / FOLDER
    folder.mkdir(exist_ok=True)
    at = checks[0].at.astimezone(UTC)
    path = folder / f"{at:%Y%m%dT%H%M%S%f}-{os.getpid()}.json"
    rows = [
        {name: getattr(check, name) for name in ControlCheck.__slots__}
        | {"at": at.isoformat(), "before": check.before.isoformat() if check.before else None}
        for check in checks
    ]
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(rows, ensure_ascii=False, indent=1), "utf-8")
    temporary.replace(path)


def controls(home: Path) -> list[ControlCheck]:
    """Give each control total as the last load that had it checked it, by source, kind and day."""
    newest: dict[tuple[str, str, str, str], ControlCheck] = {}
    for path in sorted((home / FOLDER).glob("*.json")):
        for row in json.loads(path.read_text("utf-8")):
            before = datetime.fromisoformat(row["before"]) if row["before"] else None
            at = datetime.fromisoformat(row["at"])
            check = ControlCheck(**{**row, "at": at, "before": before})
            newest[check.mapping, check.source, check.kind, str(before)] = check
    return [newest[key] for key in sorted(newest, key=lambda key: (key[1], key[2], key[3], key[0]))]


def _rejects(store: Store) -> duckdb.DuckDBPyConnection:
    db = duck.connect(store.spill)
    db.execute(view_sql("rejects", store.refused(), REJECTS))
    return db
