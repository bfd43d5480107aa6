"""The store: facts on disk, appended once, with the rows that were refused and the loads that brought them.

Three Delta tables in the home: `facts`, `rejects`, `loads`. A load is one commit on `facts`, so it is there or it is
not; `rejects` is written before it, `loads` after it from what the commit itself remembers, and neither takes a row
that it has: a load that was killed and is repeated leaves every row once. `(source, id)` is unique for ever: a fact
that is known is skipped, the same id with other content is refused and the first one stays.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from plait import duck, suppression
from plait.delta import DurableTable, Snapshot, locked
from plait.failure import Unfit

MONEY = pa.decimal128(18, 4)
QUANTITY = pa.decimal128(20, 10)  # times an amount this is 38 digits, the most that engines multiply exactly
INSTANT = pa.timestamp("us")  # naive, UTC

FACTS = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("month", pa.string()),
        ("kind", pa.string()),
        ("occurred_at", INSTANT),
        ("recorded_at", INSTANT),
        ("keys", pa.string()),
        ("object_id", pa.string()),
        ("amount", MONEY),
        ("currency", pa.string()),
        ("quantity", QUANTITY),
        *[(name, pa.string()) for name in ("channel", "campaign", "partner", "product", "owner", "text", "detail")],
    ]
)
REJECTS = pa.schema(
    [
        ("source", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        *[(name, pa.string()) for name in ("field", "value", "rule", "next_step", "row")],
        ("recorded_at", INSTANT),
    ]
)
LOADS = pa.schema(
    [
        ("source", pa.string()),
        ("file", pa.string()),
        ("digest", pa.string()),
        *[(name, pa.int64()) for name in ("rows", "accepted", "refused", "without_fact", "added", "known")],
        ("recorded_at", INSTANT),
        ("received_at", INSTANT),  # of live events: when the first of them came
    ]
)
LOADED = "plait.loaded"  # what a commit on the facts remembers of its files: rows of `LOADS`
CONTENT = [name for name in FACTS.names if name not in ("id", "source", "month", "recorded_at")]
UNSAFE_IN_HOME = frozenset("%[]{}*?")  # engines read these as patterns, the table library as escapes
LIVE = "inbox/"  # what the names of segments of live events begin with, where files have theirs
SAME = "plait.same"  # in a fact's detail: what is the same each time that a sender repeats it; else all its fields
JUDGED = ("field", "value", "rule", "next_step")  # what a refused row's judgement says
ERASING = ".erasing"  # the lock that whoever writes shares, and who erases a person holds alone
ID_CONFLICT = "id_conflict"
CONFLICT_STEP = "keep the first fact, or give the changed one an id of its own, such as id + date of the change"


class UnsafeHome(Unfit, ValueError):
    """A home whose name engines would misread."""


@dataclass(frozen=True, slots=True)
class Part:
    """One read file on its way into the store: where its facts and refused rows lie, and what was counted.

    `digest` names the file's content together with the mapping that read it; `facts` and `refused` are Parquet files
    with the columns of `FACTS` (less `month`, plus `file` and `line`) and of `REJECTS`. A segment of live events is the
    `number`-th of its `series`; a series is stored in order. `received_at` is when the first of live events came.
    """

    source: str
    file: str
    digest: str
    facts: Path
    refused: Path
    rows: int
    accepted: int
    refused_rows: int
    without_fact: int
    series: str = ""
    number: int = 1
    received_at: datetime | None = None

    @property
    def app(self) -> str:
        """The name under which the commit remembers this file."""
        return self.series or f"{self.source}:{self.digest}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did with one file. `rows = accepted + refused`; `added` and `known` count facts."""

    source: str
    file: str
    rows: int
    accepted: int
    refused: int
    without_fact: int
    added: int
    known: int


@dataclass(frozen=True, slots=True)
class SourceCount:
    """How much the store holds of one source; `files` counts no segments of live events."""

    source: str
    facts: int
    refused: int
    files: int


@dataclass(frozen=True, slots=True)
class Store:
    """The facts of a home."""

    home: Path
    facts: DurableTable
    rejects: DurableTable
    loads: DurableTable

    @classmethod
    def open(cls, home: Path) -> Store:
        """Open the store of a home; the folder is made when it is not there."""
        unsafe = UNSAFE_IN_HOME & set(str(home.absolute()))
        if unsafe:
            signs = " ".join(sorted(unsafe))
            raise UnsafeHome(
                f"the home {str(home)!r} contains {signs}, which engines misread; choose a folder without."
            )
        home = home.absolute()
        store = cls(
            home,
            facts=DurableTable.open(home / "facts", FACTS, ("source", "month"), ("occurred_at", "recorded_at", "kind")),
            rejects=DurableTable.open(home / "rejects", REJECTS, (), ("recorded_at", "source")),
            loads=DurableTable.open(home / "loads", LOADS, (), ("recorded_at", "source")),
        )
        store.loads.widen(LOADS)
        return store

    @property
    def spill(self) -> Path:
        """The folder for whatever does not fit into memory."""
        return self.home / "spill"

    def holds(self, app: str, number: int = 1) -> bool:
        """Tell whether a file was loaded before, with this content and this mapping, or a segment of a series."""
        return self.facts.holds(app, number)

    def append(self, parts: Sequence[Part], *, recorded_at: datetime) -> list[Loaded]:
        """Store the facts of several files in one commit; a file that is already in is not stored again."""
        with self.writing({part.source for part in parts}):
            new = [part for part in parts if not self._has(part)]
            known = self._were([part for part in parts if part not in new])
            return (self._append(new, recorded_at) if new else []) + known

    def refused(self) -> Snapshot:
        """List the files of the refused rows."""
        return self.rejects.snapshot()

    def snapshot(self, version: int | None = None) -> Snapshot:
        """List the files of one version of the facts."""
        return self.facts.snapshot(version)

    def count(self) -> list[SourceCount]:
        """Count facts, refused rows and loaded files of each source."""
        with duck.connect(self.spill) as db:
            for name, table in (("facts", self.facts), ("rejects", self.rejects), ("loads", self.loads)):
                db.execute(view_sql(name, table.snapshot(), {"facts": FACTS, "rejects": REJECTS, "loads": LOADS}[name]))
            rows = db.execute(
                f"""
                select source, sum(facts)::bigint, sum(refused)::bigint, sum(files)::bigint
                from (
                    select source, count(*) as facts, 0 as refused, 0 as files from facts group by source
                    union all select source, 0, count(*), 0 from rejects group by source
                    union all select source, 0, 0, count(distinct file) filter (not starts_with(file, '{LIVE}'))
                    from loads group by source
                ) group by source order by source
                """
            ).fetchall()
        return [SourceCount(*row) for row in rows]

    def compact(self) -> int:
        """Join small files, drop those that nothing names; gives the newest version of the facts."""
        with locked(self.home / "locks" / ERASING, shared=True):  # what an erasure rewrites must not come back
            for table in (self.rejects, self.loads):
                table.compact()
            version = self.facts.compact()
            self.facts.clean()
        return version

    def verify(self) -> list[str]:
        """Check that every file is there, the counts agree with the log and no fact is stored twice; give faults."""
        faults = []
        for table in (self.facts, self.rejects, self.loads):
            snapshot = table.snapshot()
            missing = [name for name in snapshot.files if not Path(name).exists()]
            faults += [f"{table.path.name}: {name} is missing" for name in missing]
        if faults:
            return faults
        snapshot = self.snapshot()
        with duck.connect(self.spill) as db:
            db.execute(view_sql("facts", snapshot, FACTS))
            (stored,) = db.execute("select count(*) from facts").fetchall()[0]
            twice = db.execute("select source, id from facts group by all having count(*) > 1 limit 5").fetchall()
        if stored != snapshot.rows:
            faults.append(f"facts: the log counts {snapshot.rows} rows, the files hold {stored}")
        return faults + [f"facts: {source} {id_!r} is stored more than once" for source, id_ in twice]

    def rewrite(self, source: str, files: Sequence[Path]) -> int:
        """Put facts that were read again in the place of those with the same ids, in one commit; gives the version.

        `files` are Parquet files as `Part.facts` names them. The caller holds `writing` of the source.
        """
        with duck.connect(self.spill) as db:
            self.view_stored(db, {source})
            db.execute(f"create view again as select * from read_parquet({duck.text_list(map(str, files))})")
            columns = ", ".join(name for name in FACTS.names if name != "month")
            month = "strftime(occurred_at, '%Y-%m') as month"
            rows = db.sql(
                f"""
                select {", ".join(FACTS.names)} from (
                    select {columns}, {month} from again
                    union all by name select {columns}, {month} from stored anti join again using (id)
                )
                """
            )
            return self.facts.replace_where(lambda: rows.to_arrow_reader(50_000), f"source = '{source}'")

    def admit(self, parts: Sequence[Part]) -> int:
        """Store refused rows of one source that are facts now; the others stay, with why they are refused now.

        `parts` hold rows of the view `barred`, each with its `number` as line. Gives how many are facts. These are
        stored before they are taken out of the refused rows: what is killed in between is known when it is done again.
        The caller holds `writing` of the source.
        """
        source = parts[0].source
        with duck.connect(self.spill) as db:
            _stage(db, parts, self.view_stored(db, {source}), suppression.read(self.home))
            if db.execute("select 1 from fresh limit 1").fetchall():
                columns = ", ".join(FACTS.names)
                self.facts.append(db.sql(f"select {columns} from fresh").to_arrow_reader(50_000), {})
            self.view_refused(db, source)
            db.execute("create temp table admitted as select line from new anti join conflicting using (line)")
            (admitted,) = db.execute("select count(*) from admitted").fetchall()[0]
            both = "from barred join refused on barred.number = refused.line where barred.rule <> refused.rule"
            if admitted or db.execute(f"select 1 {both} limit 1").fetchall():
                self.rejects.replace_where(lambda: _still_refused(db), f"source = '{source}'")
        return int(admitted)

    def view_refused(self, db: duckdb.DuckDBPyConnection, source: str) -> None:
        """Make the view `barred` of a source's refused rows; `number` tells them apart while nobody writes."""
        db.execute(view_sql("rejected", self.rejects.snapshot(), REJECTS))
        db.execute(
            f"""
            create or replace view barred as
            select *, row_number() over (order by file, line, rule, row) as number
            from rejected where source = {duck.literal(source)}
            """
        )

    @contextmanager
    def writing(self, sources: set[str]) -> Iterator[None]:
        """Hold the lock of each source: uniqueness is per source, so different sources load side by side.

        Nobody writes while a person is erased.
        """
        with ExitStack() as locks:
            locks.enter_context(locked(self.home / "locks" / ERASING, shared=True))
            for source in sorted(sources):
                locks.enter_context(locked(self.home / "locks" / source))
            yield

    def _append(self, parts: Sequence[Part], recorded_at: datetime) -> list[Loaded]:
        with duck.connect(self.spill) as db:
            any_stored = self.view_stored(db, {part.source for part in parts})
            _stage(db, parts, any_stored, suppression.read(self.home))
            loaded = _counted(db, parts)
            self._append_refused(db, parts, recorded_at)
            rows = [_load_row(part, counts, recorded_at) for part, counts in zip(parts, loaded, strict=True)]
            self.facts.append(
                db.sql(f"select {', '.join(FACTS.names)} from fresh").to_arrow_reader(50_000),
                _apps(parts),
                {LOADED: json.dumps(rows)},
            )
        self._remember(rows, parts)
        return loaded

    def _append_refused(self, db: duckdb.DuckDBPyConnection, parts: Sequence[Part], recorded_at: datetime) -> None:
        """Store the refused rows that are not there yet: from a killed load, or from the same file read before."""
        columns = ", ".join(name for name in REJECTS.names if name != "recorded_at")
        db.execute(view_sql("rejected", self.rejects.snapshot(), REJECTS))
        among = f"list_contains({duck.text_list(part.file for part in parts)}, file)"
        db.execute(
            f"""
            create temp table newly_refused as
            select {columns} from refused except select {columns} from rejected where {among}
            """
        )
        stamp = f"timestamp '{recorded_at.replace(tzinfo=None)}' as recorded_at"
        rows = db.sql(f"select {columns}, {stamp} from newly_refused order by file, line").to_arrow_table()
        if rows.num_rows:
            self.rejects.append(rows, {})

    def _has(self, part: Part) -> bool:
        """Tell whether a file or a segment is in; of a series a later segment may have come before an earlier one."""
        if not self.holds(part.app, part.number):
            return False
        return not part.series or part.digest in self._told(part) or part.digest in self._remembered(part.source)

    def _told(self, part: Part) -> set[str]:
        """Name the files and segments of a source that the newest commit of its application has stored."""
        rows = json.loads(self.facts.metadata_of(part.app).get(LOADED, "[]"))
        return {row[2] for row in rows if row[0] == part.source}

    def _remembered(self, source: str) -> set[str]:
        with duck.connect(self.spill) as db:
            db.execute(view_sql("loads", self.loads.snapshot(), LOADS))
            return {row[0] for row in db.execute("select digest from loads where source = ?", [source]).fetchall()}

    def _were(self, parts: Sequence[Part]) -> list[Loaded]:
        """Tell of files that are in already what their load counted, nothing of it added now."""
        if not parts:
            return []
        for part in parts:
            if not self.loads.holds(part.app, part.number):  # the load was killed before it was remembered
                rows = json.loads(self.facts.metadata_of(part.app).get(LOADED, "[]"))
                self._remember([row for row in rows if row[0] == part.source and row[2] == part.digest], [part])
        with duck.connect(self.spill) as db:
            db.execute(view_sql("loads", self.loads.snapshot(), LOADS))
            rows = db.execute(f"select {', '.join(LOADS.names)} from loads").fetchall()
        counts = {f"{row[0]}:{row[2]}": row[3:9] for row in rows}
        told = []
        for p in parts:
            here = (p.rows, p.accepted, p.refused_rows, p.without_fact, 0, 0)  # of a log that reaches back no longer
            read, accepted, refused, without_fact, added, known = counts.get(p.app, here)
            told.append(Loaded(p.source, p.file, read, accepted, refused, without_fact, 0, added + known))
        return told

    def _remember(self, rows: Sequence[Sequence[str | int | None]], parts: Sequence[Part]) -> None:
        """Write down what a load did with its files; `rows` are those of `LOADS` as JSON holds them."""
        if not rows:
            return
        columns = zip(*([*row, *[None] * (len(LOADS) - len(row))] for row in rows), strict=True)
        arrays = [
            pa.array([datetime.fromisoformat(str(cell)) if cell else None for cell in column], INSTANT)
            if field.type == INSTANT
            else pa.array(column, field.type)
            for column, field in zip(columns, LOADS, strict=True)
        ]
        self.loads.append(pa.Table.from_arrays(arrays, schema=LOADS), _apps(parts))

    def view_stored(self, db: duckdb.DuckDBPyConnection, sources: set[str]) -> bool:
        """Make the view `stored` of these sources' facts; tell whether there are any."""
        folders = tuple(f"{self.facts.path}/source={source}/" for source in sources)
        snapshot = self.snapshot()
        files = tuple(name for name in snapshot.files if name.startswith(folders))
        db.execute(view_sql("stored", Snapshot(snapshot.root, snapshot.version, files, 0), FACTS))
        return bool(files)


def _still_refused(db: duckdb.DuckDBPyConnection) -> pa.RecordBatchReader:
    """Give the rows of `barred` that were not admitted, those that were judged again with what `refused` says now."""
    erased = f"refused.rule = {duck.literal(suppression.PERSON_RULE)}"
    columns = ", ".join(
        f"case when refused.line is null then barred.{name} else refused.{name} end as {name}"
        if name in JUDGED
        else f"if({erased}, refused.row, barred.row) as row"
        if name == "row"
        else f"barred.{name}"
        for name in REJECTS.names
    )
    return db.sql(
        f"""
        select {columns} from barred left join refused on barred.number = refused.line
        where barred.number not in (select line from admitted)
        """
    ).to_arrow_reader(50_000)


def _apps(parts: Sequence[Part]) -> dict[str, int]:
    """Give what a commit carries as done: each file, and each series up to the last of its segments."""
    apps: dict[str, int] = {}
    for part in parts:
        apps[part.app] = max(part.number, apps.get(part.app, 0))
    return apps


def _load_row(part: Part, counts: Loaded, recorded_at: datetime) -> list[str | int | None]:
    """Give the row of `LOADS` for a file, as JSON holds it."""
    c, stamp = counts, recorded_at.replace(tzinfo=None).isoformat()
    numbers = (c.rows, c.accepted, c.refused, c.without_fact, c.added, c.known)
    received = part.received_at.isoformat() if part.received_at else None
    return [part.source, part.file, part.digest, *numbers, stamp, received]


def view_sql(name: str, snapshot: Snapshot, schema: pa.Schema) -> str:
    """Give the query that makes a view of a snapshot; without a file it is an empty one of the same columns."""
    if not snapshot.files:
        columns = ", ".join(f"null::{_sql_type(field.type)} as {field.name}" for field in schema)
        return f"create or replace view {name} as select {columns} where false"
    return (
        f"create or replace view {name} as select {', '.join(schema.names)} from read_parquet("
        f"{duck.text_list(snapshot.files)}, union_by_name = true, "
        "hive_partitioning = true, hive_types_autocast = false)"
    )


def _sql_type(kind: pa.DataType) -> str:
    names = {pa.string(): "varchar", pa.int64(): "bigint", INSTANT: "timestamp", pa.date32(): "date"}
    named = names.get(kind)
    return named or f"decimal({kind.precision}, {kind.scale})"


def _stage(
    db: duckdb.DuckDBPyConnection,
    parts: Sequence[Part],
    any_stored: bool,  # noqa: FBT001 - private
    erased: suppression.Suppression,
) -> None:
    """Make the views `new` (all staged facts), `fresh` (those to store) and `refused`, and the tables behind them.

    Facts that only concern an erased person are in none of them; lines that gave nothing else are refused.
    """
    facts = f"read_parquet({duck.text_list(str(part.facts) for part in parts)})"
    refused = f"read_parquet({duck.text_list(str(part.refused) for part in parts)})"
    told, facts = facts, suppression.spare(db, erased, facts, any_stored=any_stored)
    refused = suppression.blank(db, erased, refused)
    own = f"json_extract_string(detail, '$.\"{SAME}\"')"
    content = f"coalesce({own}, hash({', '.join(CONTENT)})::varchar)"
    row = ", ".join(f"'{name}', new.{name}" for name in ("id", *CONTENT))
    db.execute(
        f"""
        create temp view new as
        select *, strftime(occurred_at, '%Y-%m') as month, {content} as content from {facts};
        create temp table twins as select source, id from new group by all having count(*) > 1;
        create temp table known (source varchar, id varchar, file varchar, line bigint, differs boolean);
        """
    )
    if any_stored:
        db.execute(
            f"""
            create temp table met as select source, id from new semi join stored using (source, id);
            insert into known
            select new.source, new.id, new.file, new.line,
                new.content <> stored.content and not contains(stored.detail, '"{suppression.MARK}"')
            from new join (
                select source, id, detail, {content} as content from stored semi join met using (source, id)
            ) as stored using (source, id)
            """
        )
    db.execute(
        f"""
        create temp table ranked_twins as
        select *, first_value(content) over first_first <> content as differs, row_number() over first_first as place
        from new semi join twins using (source, id)
        window first_first as (partition by source, id order by file, line, kind, content);
        create temp table conflicting as
        select distinct source, file, line, id from known where differs
        union select distinct source, file, line, id from ranked_twins where differs;
        create temp view fresh as
        select * exclude (content) from new
        anti join twins using (source, id) anti join known using (source, id)
        anti join conflicting using (source, file, line)
        union all
        select * exclude (content, differs, place) from ranked_twins
        anti join known using (source, id) anti join conflicting using (source, file, line) where place = 1;
        create temp view refused as
        select {", ".join(REJECTS.names)} from {refused}
        union all
        select source, file, line, 'keys', null, {duck.literal(suppression.PERSON_RULE)},
            {duck.literal(suppression.PERSON_STEP)}, {duck.literal(suppression.BLANK)}, min(recorded_at)
        from {told} semi join erased_lines using (source, file, line) group by source, file, line
        union all
        select new.source, new.file, new.line, 'id', min(new.id), '{ID_CONFLICT}', {duck.literal(CONFLICT_STEP)},
            min(json_object({row}))::varchar, min(new.recorded_at)
        from new join conflicting using (source, file, line, id) group by new.source, new.file, new.line
        """
    )


def _counted(db: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> list[Loaded]:
    """Count what became of each file's facts."""
    (left_out,) = db.execute("select (select count(*) from known) + (select count(*) from twins)").fetchall()[0]
    staged = _by_file(db, "select source, file, count(*) from new group by all")
    added = _by_file(db, "select source, file, count(*) from fresh group by all") if left_out else staged
    refused = _by_file(
        db, "select source, file, count(distinct line) from (from conflicting union all by name from erased_lines) "
        "group by all"
    )  # fmt: skip
    barred = _by_file(
        db, "select source, file, count(*) from new semi join conflicting using (source, file, line) group by all"
    )
    return [
        Loaded(
            source=part.source,
            file=part.file,
            rows=part.rows,
            accepted=part.accepted - refused[part.source, part.file],
            refused=part.refused_rows + refused[part.source, part.file],
            without_fact=part.without_fact,
            added=added[part.source, part.file],
            known=staged[part.source, part.file] - added[part.source, part.file] - barred[part.source, part.file],
        )
        for part in parts
    ]


def _by_file(db: duckdb.DuckDBPyConnection, sql: str) -> Counter[tuple[str, str]]:
    return Counter({(source, file): count for source, file, count in db.execute(sql).fetchall()})
