"""The same people or companies in a list: rows of a CSV or Parquet file, clustered without anything being loaded."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np

from plait import duck
from plait.failure import Misused, Said
from plait.matching.cleaning import Block, key_columns, make_records
from plait.matching.fields import Layout, recognise
from plait.matching.model import Model, train
from plait.matching.pairs import Pairs, cluster, score, weight_of
from plait.matching.quality import Quality, estimated, measured, numbered

SURE = 0.95
MEMORY = "1200MB"  # of the engine; a million contacts fit


class UnreadableList(Misused, ValueError):
    """A file that is no list of rows."""


@dataclass(frozen=True, slots=True)
class Same:
    """What was found in a list: the cluster of each row, in the file's order, and how good that is.

    `quality` and `exact` are measured where the file tells the truth, else None; `exact` is what equal rows find.
    """

    rows: int
    layout: Layout
    model: Model
    blocks: list[Block]
    pairs: Pairs
    clusters: np.ndarray
    estimate: Quality
    quality: Quality | None = None
    exact: Quality | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)


def find_same(
    file: Path,
    *,
    truth: str | None = None,
    pattern: str | None = None,
    told: Mapping[str, str] | None = None,
    scope: str | None = None,
    sure: float = SURE,
) -> Same:
    """Find the rows of a file that are one person or one company.

    `told` says which column is what where its name does not. `truth` names a column of the file that says who is one:
    it is not compared, only measured by; `pattern` is a regular expression whose first group is what counts of it.
    """
    marks = [time.perf_counter()]
    with TemporaryDirectory(prefix="plait-") as drafts, duck.connect(Path(drafts), memory_limit=MEMORY) as db:
        columns = _read(db, file)
        if truth is not None and truth not in columns:
            says = "there is no column {column!r} in {file}; it has {columns}."
            raise UnreadableList(Said(says, column=truth, file=file.name, columns=", ".join(columns)))
        layout = recognise([name for name in columns if name != truth], scope=scope, told=told)
        fields, blocks = make_records(db, layout, "list", "row_number")
        marks.append(time.perf_counter())
        model = train(db, layout.scope, fields, key_columns(blocks))
        marks.append(time.perf_counter())
        pairs = score(db, model, key_columns(blocks))
        marks.append(time.perf_counter())
        (rows,) = db.execute("select count(*) from list").fetchall()[0]
        clusters = cluster(pairs, rows, least=weight_of(sure))
        marks.append(time.perf_counter())
        quality = exact = None
        if truth is not None:
            known = _truth(db, truth, pattern)
            quality, exact = measured(clusters, known), measured(_exact(db, fields), known)
    together = clusters[pairs.left] == clusters[pairs.right]
    steps = zip(("read", "train", "compare", "cluster"), np.diff(marks).tolist(), strict=True)
    estimate = estimated(pairs.probability, together)
    return Same(rows, layout, model, blocks, pairs, clusters, estimate, quality, exact, dict(steps))


def _read(db: duckdb.DuckDBPyConnection, file: Path) -> list[str]:
    """Make the table `list` of a file's rows as texts, with the place of each; gives the columns."""
    name = duck.literal(str(file))
    parquet = file.suffix.lower() in (".parquet", ".pq")
    source = f"read_parquet({name})" if parquet else f"read_csv({name}, all_varchar = true)"
    try:
        db.execute("set preserve_insertion_order = true")
        db.execute(f"create temp view given as select * from {source}")
        columns = [column for (column, *_) in db.execute("describe given").fetchall()]
        texts = ", ".join(
            f"nullif(trim({duck.identifier(column)}::varchar), '') as {duck.identifier(column.strip())}"
            for column in columns
        )
        db.execute(f"create temp table list as select row_number() over () - 1 as row_number, {texts} from given")
    except duckdb.Error as error:
        says = "{file} is no CSV or Parquet file that can be read: {error}"
        raise UnreadableList(Said(says, file=file.name, error=str(error).splitlines()[0])) from error
    return [column.strip() for column in columns]


def _truth(db: duckdb.DuckDBPyConnection, column: str, pattern: str | None) -> np.ndarray:
    """Give the true cluster of each row; a row that says nothing is alone."""
    told = duck.identifier(column)
    if pattern is not None:
        told = f"nullif(regexp_extract({told}, {duck.literal(pattern)}, 1), '')"
    rows = db.execute(f"select coalesce({told}, 'alone ' || row_number) from list order by row_number").fetchall()
    return numbered([row[0] for row in rows])


def _exact(db: duckdb.DuckDBPyConnection, fields: list[str]) -> np.ndarray:
    """Give the clusters that equal rows make: equal in every field, once written in one way."""
    columns = ", ".join(fields)
    rows = db.execute(f"select dense_rank() over (order by {columns}) - 1 as place, unique_id from records order by 2")
    return np.asarray(rows.fetchnumpy()["place"], dtype=np.int64)


def write_clusters(file: Path, found: Same, out: Path) -> None:
    """Write a file's rows with the number of their cluster in front, as CSV."""
    import pyarrow as pa

    with TemporaryDirectory(prefix="plait-") as drafts, duck.connect(Path(drafts), memory_limit=MEMORY) as db:
        columns = ", ".join(map(duck.identifier, _read(db, file)))
        db.register("clusters", pa.table({"row_number": np.arange(found.rows), "cluster": found.clusters}))
        rows = f"select cluster, {columns} from list join clusters using (row_number) order by row_number"
        db.execute(f"copy ({rows}) to {duck.literal(str(out))} (format csv, header)")
