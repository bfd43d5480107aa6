"""Engines: where a measure's expression runs. DuckDB in this process, or a Spark cluster when one machine is outgrown.

Both read the same Parquet files of the same version, give naive UTC instants and, by the rules that measures keep,
exactly the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from plait import duck
from plait.delta import Snapshot
from plait.failure import Misused, Unfit
from plait.store import view_sql

if TYPE_CHECKING:
    import duckdb
    import ibis.expr.types as ir
    from ibis.backends import BaseBackend

DUCKDB = "duckdb"
SPARK_ADDRESS = ("spark://", "local")
SELDOM = "/often=n/"  # the folder of the kinds that are not written by the million, see `plait.derived`
HELD_ROWS = 1_000_000  # some 300 MB
TOLD = 1_000  # small answers kept


class UnknownEngine(Misused, ValueError):
    """An engine that plait does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no engine {name!r}; allowed: duckdb, or a Spark master such as spark://host:7077.")


class QueryFailed(Unfit, RuntimeError):
    """The engine refused a measure's query; the message carries the query."""

    def __init__(self, measure: str, sql: str, because: Exception) -> None:
        super().__init__(f"{measure} could not be answered: {because}\nThe query was:\n{sql}")


@dataclass(frozen=True, slots=True)
class Tables:
    """What measures may read: each name with its files and columns.

    `held` names a table whose seldom kinds are worth holding in memory: whoever asks many questions reads them once.
    """

    snapshots: Mapping[str, tuple[Snapshot, pa.Schema]]
    held: str | None = None


@dataclass(frozen=True, slots=True)
class Engine:
    """An open engine over fixed versions of the tables."""

    name: str
    backend: BaseBackend
    told: dict[str, pa.Table] = field(default_factory=dict)

    def table(self, name: str) -> ir.Table:
        """Give one of the tables as an expression."""
        return self.backend.table(name)

    def sql(self, rows: ir.Table) -> str:
        """Give the query that the engine would run."""
        return str(self.backend.compile(rows, pretty=True))

    def run(self, rows: ir.Table) -> pa.Table:
        """Run an expression and fetch all its rows."""
        return self.run_sql(self.sql(rows))

    def run_sql(self, sql: str) -> pa.Table:
        """Run a query that this engine has made and fetch all its rows."""
        # Not over Ibis: its own way out imports pandas, half a second, for tables that no measure returns.
        if self.name == DUCKDB:
            answer: pa.Table = self.backend.con.cursor().execute(sql).to_arrow_table()  # several threads may ask
        else:
            answer = self.backend.raw_sql(sql).toArrow()
        return answer

    def run_once(self, sql: str) -> pa.Table:
        """Run a query with a small answer, once: over fixed versions of the tables it stays the same."""
        if sql not in self.told:
            if len(self.told) >= TOLD:
                self.told.clear()
            self.told[sql] = self.run_sql(sql)
        return self.told[sql]


def open_engine(name: str, tables: Tables, spill: Path) -> Engine:
    """Open an engine by name: `duckdb`, or the address of a Spark master."""
    if name == DUCKDB:
        return _open_duckdb(tables, spill)
    if name.startswith(SPARK_ADDRESS):
        return _open_spark(name, tables)
    raise UnknownEngine(name)


def _open_duckdb(tables: Tables, spill: Path) -> Engine:
    """Open DuckDB with nothing readable but the tables' files: no other file, no network, no way to change that."""
    import ibis

    connection = duck.connect(spill)
    backend = ibis.duckdb.from_connection(connection)
    files = [name for snapshot, _ in tables.snapshots.values() for name in snapshot.files]
    for name, (snapshot, schema) in tables.snapshots.items():
        connection.execute(view_sql(name, snapshot, schema))
        if name == tables.held:
            _hold(connection, name, snapshot, schema)
    connection.execute(f"set allowed_paths = {duck.text_list(files)}")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return Engine(DUCKDB, backend)


def _hold(connection: duckdb.DuckDBPyConnection, name: str, snapshot: Snapshot, schema: pa.Schema) -> None:
    """Take the facts of seldom kinds into memory, where they are few enough: most questions read nothing else."""
    seldom = tuple(file for file in snapshot.files if SELDOM in file)
    if not seldom:
        return
    (rows,) = connection.execute(
        f"select sum(num_rows) from parquet_file_metadata({duck.text_list(seldom)})"
    ).fetchall()[0]
    if rows > HELD_ROWS:
        return
    others = tuple(file for file in snapshot.files if SELDOM not in file)
    columns = ", ".join(schema.names)
    connection.execute(view_sql("seldom", Snapshot(snapshot.root, snapshot.version, seldom, 0), schema))
    connection.execute(view_sql("often", Snapshot(snapshot.root, snapshot.version, others, 0), schema))
    connection.execute(f"create table held as select {columns} from seldom order by kind, occurred_at")
    connection.execute(
        f"create or replace view {name} as select {columns} from held union all select {columns} from often"
    )


def _open_spark(address: str, tables: Tables) -> Engine:
    import ibis

    from plait import spark

    session = spark.session(address)
    for name, (snapshot, schema) in tables.snapshots.items():
        spark.view(session, name, snapshot, schema)
    return Engine(address, ibis.pyspark.connect(session))
