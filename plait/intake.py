"""The intake: what was loaded, the rows that were refused, and the control totals as each load checked them.

Segments of live events come every few seconds; where files are listed or counted, those of a day stand as one file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from plait import duck
from plait.delta import Snapshot
from plait.store import FACTS, LIVE, LOADS, REJECTS, SAME, Store, view_sql

if TYPE_CHECKING:
    import duckdb

FOLDER = "controls"
# A file as people are told of it: all segments that were sealed on one day (UTC) are one, such as `inbox/2026-01-31`.
AS_TOLD = f"case when starts_with(file, '{LIVE}') then '{LIVE}' || strftime(recorded_at, '%Y-%m-%d') else file end"


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

    @property
    def live(self) -> bool:
        """Tell whether it stands for a day's live events."""
        return self.file.startswith(LIVE)


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
class Received:
    """What became of a source's events that were sealed lately: `received = stored + repeats + refused`.

    `reasons` counts the refused ones by rule, the most frequent first.
    """

    received: int
    stored: int
    repeats: int
    refused: int
    reasons: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How a source's live events come in: ever, in the last hour and the last day before `now`.

    `delay` is how many seconds passed from receiving to storing, in the middle and for 99 of 100 facts of the last
    hour; None when there were none.
    """

    ever: int
    hour: Received
    day: Received
    delay: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Track:
    """A name of track calls that became facts of no kind of their own: how many, and when the last was received."""

    name: str
    count: int
    seen_at: datetime


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
    """Give the files that were loaded, the newest first, and how many there are; live events are one line a day."""
    numbers = ("rows", "accepted", "refused", "without_fact", "added", "known")
    sums = ", ".join(f"sum({name})::bigint" for name in numbers)
    with duck.connect(store.spill) as db:
        db.execute(view_sql("loads", store.loads.snapshot(), LOADS))
        db.execute(
            f"""
            create temp table told as
            select source, {AS_TOLD} as told, {sums}, max(recorded_at) as newest, min(digest) as digest from loads
            group by source, told, case when not starts_with(file, '{LIVE}') then (digest, recorded_at) end
            """
        )
        (count,) = db.execute("select count(*) from told").fetchall()[0]
        rows = db.execute(
            "select * exclude (digest) from told order by newest desc, source, told, digest limit ? offset ?",
            [limit, offset],
        )
        return [FileLoad(*row) for row in rows.fetchall()], count


def refused_groups(store: Store) -> list[RefusedGroup]:
    """Count the refused rows by source and rule, the most frequent first."""
    with _rejects(store) as db:
        rows = db.execute(
            f"""
            select source, rule, min(next_step), count(*), count(distinct {AS_TOLD}) from rejects
            group by source, rule order by 4 desc, source, rule
            """
        )
        return [RefusedGroup(*row) for row in rows.fetchall()]


def refused_rows(store: Store, wanted: Mapping[str, str], *, limit: int | None, offset: int = 0) -> RefusedPage:
    """Give the refused rows of a source, rule or file, as far as `wanted` names them."""
    names = [name for name in ("source", "rule", "file") if wanted.get(name)]
    where = " and ".join([_is(name) for name in names] or ["true"])
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


def _is(name: str) -> str:
    """Give what holds for a row that is asked for; a day's live events are found by the name that they are told by."""
    return f"(file = $file or {AS_TOLD} = $file)" if name == "file" else f"{name} = ${name}"


def arrivals(store: Store, source: str, *, now: datetime) -> Arrivals:
    """Count what came in of a live source."""
    with _of_source(store, source) as db:
        (ever,) = db.execute("select coalesce(sum(rows), 0)::bigint from sealed").fetchall()[0]
        hour, day = (now.astimezone(UTC).replace(tzinfo=None) - timedelta(hours=hours) for hours in (1, 24))
        return Arrivals(ever, _received(db, hour), _received(db, day), _delay(db, hour))


def other_tracks(store: Store, source: str) -> list[Track]:
    """Give the names of a source's track calls that became facts of kind `event.other`, the most frequent first."""
    with _of_source(store, source) as db:
        rows = db.execute(
            """
            select text, count(*), max(recorded_at) from facts where kind = 'event.other' and text is not null
            group by text order by 2 desc, text
            """
        )
        return [Track(*row) for row in rows.fetchall()]


def _of_source(store: Store, source: str) -> duckdb.DuckDBPyConnection:
    """Open the facts of one source, its refused events and the segments that were sealed of it."""
    db = duck.connect(store.spill)
    whole = store.snapshot()
    files = tuple(name for name in whole.files if name.startswith(f"{store.facts.path}/source={source}/"))
    db.execute(view_sql("facts", Snapshot(whole.root, whole.version, files, 0), FACTS))
    db.execute(view_sql("rejects", store.refused(), REJECTS))
    db.execute(view_sql("loads", store.loads.snapshot(), LOADS))
    for name, table in (("sealed", "loads"), ("barred", "rejects")):
        db.execute(
            f"create temp view {name} as select * from {table} "
            f"where source = {duck.literal(source)} and starts_with(file, '{LIVE}')"
        )
    return db


def _received(db: duckdb.DuckDBPyConnection, since: datetime) -> Received:
    received, stored, repeats, refused = db.execute(
        """
        select coalesce(sum(rows), 0)::bigint, coalesce(sum(added), 0)::bigint, coalesce(sum(known), 0)::bigint,
            coalesce(sum(refused), 0)::bigint
        from sealed where recorded_at >= ?
        """,
        [since],
    ).fetchall()[0]
    reasons = db.execute(
        "select rule, count(*) from barred where recorded_at >= ? group by rule order by 2 desc, rule", [since]
    )
    return Received(received, stored, repeats, refused, reasons.fetchall())


def _delay(db: duckdb.DuckDBPyConnection, since: datetime) -> tuple[float, float] | None:
    """Give the delay between receiving and storing: a fact is stored by the first seal after it was received."""
    (found,) = db.execute(
        """
        with received as (
            select recorded_at as received_at from facts where recorded_at >= $since and contains(detail, $live)
        ), seals as (select distinct recorded_at as sealed_at from sealed where recorded_at >= $since)
        select quantile_cont(epoch(sealed_at) - epoch(received_at), [0.5, 0.99])
        from received asof join seals on received_at <= sealed_at
        """,
        {"since": since, "live": f'"{SAME}"'},
    ).fetchall()[0]
    return (found[0], found[1]) if found else None


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
