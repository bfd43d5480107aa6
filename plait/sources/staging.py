"""Staging: files become Parquet files of facts and of refused rows, ready to be committed by the store.

Everything cheap is checked for all files first. Then each file is read once by the engine, in bounded memory; a
second time only where rows were refused or gave no fact. A file that is finished is never staged again while its part
lies in the working folder, so a load that was killed goes on where it stopped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from plait.duck import literal
from plait.failure import Said
from plait.sources.contract.held import Held
from plait.sources.contract.judge import Judge, judgement_path, keys_path
from plait.sources.delimited import Positions, RowsLost
from plait.sources.expression import ARROW, EPOCHS, FACT_COLUMNS, ISO, Query, compile_file
from plait.sources.file import (
    Found,
    Plain,
    digest_of,
    format_of,
    prepare,
    remove_copy,
    write_through,
)
from plait.sources.folder import find
from plait.sources.form import BadMapping, Control, FileMapping, Lookup
from plait.sources.form import Mapping as SourceMapping
from plait.sources.lookup import load_lookups
from plait.sources.refusal import RefusedRows
from plait.sources.table import Table, Tally, open_table

MEMORY = "1500MB"
NOTHING = pa.schema([(name, ARROW[kind]) for name, kind in FACT_COLUMNS.items()])
FUTURE = "in the future of the load"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class StagedFile:
    """One file as staged: rows = accepted + refused_rows; of the accepted, `without_fact` met no condition."""

    file: str
    source: str
    digest: str
    facts: Path
    refused: Path
    rows: int
    accepted: int
    refused_rows: int
    without_fact: int


@dataclass(frozen=True, slots=True)
class Staging:
    """What a folder gave: the staged files, the files that no pattern fits, and what the sums must be.

    `recognised` says of the files that were told by their columns as what.
    """

    files: list[StagedFile]
    not_read: list[str]
    controls: tuple[Control, ...]
    digest: str
    mapping: str
    recognised: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Job:
    """A file that passed every check: already staged, or ready to be."""

    found: Found
    key: str
    lookups: Mapping[Lookup, Sequence[Found]]
    plain: Plain | None
    table: Table | None
    held: Held | None = None


def stage(
    folder: Path,
    mapping: SourceMapping,
    *,
    work: Path,
    recorded_at: datetime,
    progress: Progress | None = None,
    judge: Judge | None = None,
) -> Staging:
    """Turn the files of a folder (or one file) into staged facts and refused rows, by a mapping.

    `recorded_at` is when we came to know, with its zone; `work` is a folder for parts and working copies, kept
    between a killed load and the next. `judge` holds the files against the contracts of their sources. Raises
    `UnreadableFile`, `BadMapping` or `Drifted` before anything is staged.
    """
    if recorded_at.tzinfo is None:
        raise ValueError("recorded_at needs its timezone")
    recorded_at = recorded_at.astimezone(UTC)
    work.mkdir(parents=True, exist_ok=True)
    for left in work.glob("*.tmp"):  # of a load that was killed
        left.unlink()
    found, not_read = find(folder, mapping.files, work=work)
    jobs: list[_Job] = []
    try:
        for file in found:  # one by one: what is prepared before a failure is removed below
            looked = _lookups(file, found, mapping.name, folder if folder.is_dir() else folder.parent)
            jobs.append(_job(file, mapping, looked, work, recorded_at, judge))
        if judge is not None:
            judge.ask()
        looked_up = {lookup.file for file in mapping.files for lookup in file.lookups()}
        staged = [_stage_file(job, work, recorded_at, progress or _silent, judge) for job in jobs]
    finally:
        for job in jobs:
            if job.plain is not None:
                remove_copy(job.plain)
    not_read = [name for name in not_read if name not in looked_up]
    told = {file.name: said for file in found if (said := _told(file))}
    return Staging(staged, not_read, mapping.controls, mapping.digest, mapping.name, told)


def _silent(_file: str, _done: int, _total: int) -> None:
    """Report nothing."""


# -- checks before anything is read


def _told(found: Found) -> str:
    """Say as what a file was recognised; nothing where a pattern of its name said it."""
    mapping = found.mapping
    return f"{mapping.source} {mapping.shape.replace('_', ' ')}" if mapping.columns else ""


def _lookups(file: Found, found: Sequence[Found], mapping: str, folder: Path) -> Mapping[Lookup, Sequence[Found]]:
    """Find the files in which a file looks values up; those of a shape are all that were recognised as it."""
    files: dict[Lookup, Sequence[Found]] = {}
    for lookup in file.mapping.lookups():
        if lookup.shape:
            source = file.mapping.source
            files[lookup] = [f for f in found if (f.mapping.source, f.mapping.shape) == (source, lookup.shape)]
            continue
        path = folder / lookup.file
        if not path.is_file():
            absent = Said("lookup names the file {name!r}, which is not in the folder", name=lookup.file)
            raise BadMapping(mapping, [absent])
        plain = FileMapping((lookup.file,), file.mapping.source, ())
        digest = digest_of(lookup.file, path)
        files[lookup] = [Found(lookup.file, path, None, plain, format_of(lookup.file, plain), digest)]
    return files


def _job(
    found: Found,
    mapping: SourceMapping,
    lookups: Mapping[Lookup, Sequence[Found]],
    work: Path,
    recorded_at: datetime,
    judge: Judge | None,
) -> _Job:
    held = judge.held(found) if judge else None
    digests = [file.digest for files in lookups.values() for file in files]
    context = [found.mapping.timezone, found.mapping.currency]  # a home's own stand in no mapping
    parts = [found.name, found.digest, mapping.digest, _code(), *digests, *context, held.mark if held else ""]
    key = sha256(json.dumps(parts).encode()).hexdigest()[:32]
    if _finished(work, key, recorded_at) is not None:
        return _Job(found, key, lookups, None, None, held)
    plain = prepare(found, work)
    try:
        _check_formats(found.mapping, mapping.name)
        table = _opened(found, plain, judge)
        if held is not None:
            held.open(table)
        if judge is not None:
            judge.look(found, table, held)
    except BaseException:
        remove_copy(plain)
        raise
    return _Job(found, key, lookups, plain, table, held)


def _opened(found: Found, plain: Plain, judge: Judge | None) -> Table:
    """Open a file; where it lacks a column of the mapping, say since when and what it may be called now."""
    try:
        return open_table(found, plain, found.mapping.required())
    except BadMapping as bad:
        changed = judge.explain(found, open_table(found, plain, ())) if judge else []
        if not changed:
            raise
        raise BadMapping(found.name, [*bad.problems, *changed]) from bad


@cache
def _code() -> str:
    """Give the digest of the code that stages: what older code has staged is not taken for its own."""
    here = Path(__file__).parent
    return sha256(
        b"".join(
            path.read_bytes()
            for path in [*sorted(here.glob("*.py")), *sorted(here.glob("contract/*.py")), here.parent / "facts.py"]
        )
    ).hexdigest()


def _check_formats(mapping: FileMapping, name: str) -> None:
    formats = {f for fact in mapping.facts for value in fact.values() for f in value.formats}
    for time_format in formats - {*EPOCHS, ISO}:
        try:
            duckdb.execute("select try_strptime('', ?)", [time_format])
        except duckdb.Error as error:
            says = Said("the time format {given!r} is not understood: {error}", given=time_format, error=str(error))
            raise BadMapping(name, [says]) from error


# -- parts


def _paths(work: Path, key: str) -> tuple[Path, Path, Path]:
    return work / f"{key}.facts.parquet", work / f"{key}.refused.parquet", work / f"{key}.json"


def _finished(work: Path, key: str, recorded_at: datetime) -> dict[str, int] | None:
    """Give the counts of a part that is already there; rows refused as future may have happened by now."""
    facts, refused, counts = _paths(work, key)
    if not (facts.exists() and refused.exists() and counts.exists()):
        return None
    known: dict[str, int] = json.loads(counts.read_text())
    same_time = known.pop("recorded_at") == int(recorded_at.timestamp() * 1_000_000)
    return None if known.pop("future") and not same_time else known


def _stage_file(job: _Job, work: Path, recorded_at: datetime, progress: Progress, judge: Judge | None) -> StagedFile:
    facts, refused, counts = _paths(work, job.key)
    known = _finished(work, job.key, recorded_at)
    if known is None:
        made = _Part(job, work, recorded_at, progress).make()
        known = {
            "rows": made.rows,
            "accepted": made.accepted,
            "refused_rows": made.refused,
            "without_fact": made.without_fact,
        }
        stamp = {"future": made.future, "recorded_at": int(recorded_at.timestamp() * 1_000_000)}
        for temporary, final in ((made.facts, facts), (made.refused_path, refused)):
            write_through(temporary)
            temporary.rename(final)
        if job.held is not None:
            found = job.held.judgement(job.found.mapping.source, rows=made.rows, refused=made.refused)
            judgement_path(facts).write_text(json.dumps(found.told()))
        temporary = work / f"{job.key}.counts.tmp"
        temporary.write_text(json.dumps(known | stamp))
        write_through(temporary)
        temporary.rename(counts)  # last: a part without it is not finished
    if judge is not None and job.held is not None:
        judge.finished(job.held, facts, job.found.mapping.source)
    return StagedFile(job.found.name, job.found.mapping.source, job.found.digest, facts, refused, **known)


@dataclass(slots=True)
class _Made:
    facts: Path
    refused_path: Path
    rows: int = 0
    accepted: int = 0
    refused: int = 0
    without_fact: int = 0
    future: int = 0


class _Part:
    """Stages one file."""

    def __init__(self, job: _Job, work: Path, recorded_at: datetime, progress: Progress) -> None:
        if job.table is None or job.plain is None:  # pragma: no cover - a finished part is not made again
            raise ValueError(job.key)
        self.job, self.work, self.recorded_at = job, work, recorded_at
        self.table, self.plain, self.progress = job.table, job.plain, progress
        self.held = job.held
        spoken_of = self.held.columns if self.held else ()
        self.columns = [
            name for name in dict.fromkeys([*job.found.mapping.named(), *spoken_of]) if self.table.has(name)
        ]
        self.made = _Made(work / f"{job.key}.facts.tmp", work / f"{job.key}.refused.tmp")

    def make(self) -> _Made:
        found, made = self.job.found, self.made
        refused = RefusedRows(
            made.refused_path, source=found.mapping.source, file=found.name, recorded_at=self.recorded_at
        )
        total = self.plain.path.stat().st_size
        tally = Tally(refused.add_broken, lambda done: self.progress(found.name, min(done, total), total))
        try:
            if found.mapping.facts or self.held or found.format == "jsonl":
                self._tell(refused, tally)
            else:
                self._count(refused, tally)
        finally:
            refused.close()
        made.refused = refused.count
        made.accepted = made.rows - refused.count
        return made

    def _count(self, refused: RefusedRows, tally: Tally) -> None:
        """Count rows that others look values up in: nothing in them can be told or refused."""
        for _ in self.table.batches([], whole=False, tally=tally):
            pass
        pyarrow.parquet.write_table(NOTHING.empty_table(), self.made.facts)
        self.made.rows, self.made.without_fact = tally.rows + refused.count, tally.rows

    def _tell(self, refused: RefusedRows, tally: Tally) -> None:
        found, made = self.job.found, self.made
        with _engine(self.work) as engine:
            load_lookups(engine, self.job.lookups, self.work)
            if self.held is not None:
                self.held.look(engine, self.table, found.mapping, self.columns, self.recorded_at)
            with_fact = self._facts(engine, tally)
            made.rows = tally.rows + refused.count
            lines = self._marked(engine)
            if lines.size:
                self._rest(engine, refused, tally.rows, lines)
            made.without_fact = tally.rows - with_fact - lines.size
            if self.held is not None:
                self.held.keep_keys(engine, keys_path(made.facts), refused=lines.size > 0)

    def _query(self, *, whole: bool) -> Query:
        return compile_file(
            self.job.found.mapping, self.table.query(self.columns, whole=whole), self.columns,
            file=self.job.found.name, recorded_at=self.recorded_at, exponents=self.table.exponents,
            promised=self.held.promised(self.job.found.mapping, exponents=self.table.exponents) if self.held else None,
        )  # fmt: skip

    def _facts(self, engine: duckdb.DuckDBPyConnection, tally: Tally) -> int:
        """Write the facts; give the number of rows that have any."""
        query = self._query(whole=False)
        path = literal(str(self.made.facts))
        engine.register("raw", self.table.batches(self.columns, whole=False, tally=tally))
        # LZ4: staged facts are read once and thrown away.
        copied = engine.execute(f"copy ({query.parts} {query.facts}) to {path} (format parquet, compression lz4_raw)")
        copied.fetchall()
        engine.unregister("raw")
        many = "distinct line" if len(self.job.found.mapping.facts) > 1 else "*"
        counted = engine.execute(f"select count({many}) from read_parquet({path}) where kind is not null").fetchall()
        return int(counted[0][0])

    def _marked(self, engine: duckdb.DuckDBPyConnection) -> Positions:
        """Take the marks of rows that break a rule out of the facts; give their lines, in order."""
        path = literal(str(self.made.facts))
        marks = f"select line from read_parquet({path}) where kind is null order by line"
        lines: Positions = engine.execute(marks).fetchnumpy()["line"].astype(np.int64)
        if lines.size:
            clean = self.made.facts.with_suffix(".clean.tmp")
            engine.execute(
                f"copy (select * from read_parquet({path}) where kind is not null) to {literal(str(clean))} "
                "(format parquet, compression lz4_raw)"
            )
            clean.replace(self.made.facts)
        return lines

    def _rest(self, engine: duckdb.DuckDBPyConnection, refused: RefusedRows, rows: int, lines: Positions) -> None:
        """Read the file again for the rows that were refused: what is wrong with each, and the whole row."""
        query = self._query(whole=True)
        cases = " ".join(f"when {n} then {check.value}" for n, check in enumerate(query.checks))
        more = " + ".join(f"coalesce(({check.broken})::int, 0)" for check in query.checks)
        again = Tally(lambda _rows: None, lambda _done: None, lines=lines)
        engine.register("raw", _only(self.table.batches(self.columns, whole=True, tally=again), lines))
        engine.execute(
            f"""create temp table rest as {query.parts}
            select line, broken, case when broken = 0 then 0 else {more} - 1 end as more,
                case broken {cases} end as value, row {self.held.flags(query) if self.held else ""}
            from judged where broken is not null"""
        )
        engine.unregister("raw")
        future = [n for n, check in enumerate(query.checks) if check.rule == FUTURE]
        counted = engine.execute(
            f"select count(*), count(*) filter (list_contains({future}, broken)) from rest"
        ).fetchall()[0]
        self.made.future = counted[1]
        if again.rows != rows or counted[0] != lines.size:
            raise RowsLost(
                Said(
                    "{file}: {rows} rows, {given} with facts, {none} without: please report this",
                    file=self.job.found.name,
                    rows=again.rows,
                    given=rows - lines.size,
                    none=counted[0],
                )
            )
        if self.held is not None:
            self.held.count(engine)
        result = engine.execute("select line, broken, more, value, row from rest order by line")
        while part := result.fetchmany(10_000):
            refused.add_judged(part, query.checks)


def _only(read: pa.RecordBatchReader, lines: Positions) -> pa.RecordBatchReader:
    """Hand on the rows of these lines only."""
    wanted = pa.array(lines)

    def kept() -> Iterator[pa.RecordBatch]:
        for batch in read:
            yield batch.filter(pyarrow.compute.is_in(batch.column("line"), wanted))

    return pa.RecordBatchReader.from_batches(read.schema, kept())


@contextmanager
def _engine(work: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY,
        "threads": os.cpu_count() or 1,
        "temp_directory": str(work / "spill.tmp.d"),
    }
    with duckdb.connect(config=config) as engine:
        engine.execute("set TimeZone = 'UTC'")
        # Left on, the first two may build a hash table of the file, whose size they do not know, and not of the lookup;
        # the third computes every value again for the filter on the outermost layer: 14 us of CPU a row where 5 do.
        engine.execute("set disabled_optimizers = 'join_order,build_side_probe_side,filter_pushdown'")
        yield engine
