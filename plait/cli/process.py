"""`plait process`: the process map of any log of cases, steps and instants; needs no home."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plait.cli.plainly import JSON, plainly

if TYPE_CHECKING:
    import duckdb
    import ibis.expr.types as ir

SHOW = ("map", "steps", "variants")
MONEY = ("waiting_cost", "currency")  # a log has none
FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".gz": "csv", ".parquet": "parquet"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--case", required=True, metavar="COLUMN", help="Column: the case, such as a ticket's number.")
@click.option("--activity", required=True, metavar="COLUMN", help="Column: the step.")
@click.option("--at", required=True, metavar="COLUMN", help="Column: the instant of the step (ISO 8601).")
@click.option("--show", type=click.Choice(SHOW), default="map", show_default=True, help="What follows what, or ...")
@click.option(
    "--least-percent", type=click.IntRange(0, 100), default=1, show_default=True, help="Variants: of all cases."
)
@JSON
def process(file: Path, *, case: str, activity: str, at: str, show: str, least_percent: int, as_json: bool) -> None:
    """Say how the cases of a log ran: FILE (CSV or Parquet) has a row for each step of a case.

    Steps of one instant keep the order of the file. The numbers are those of `plait show process_map`, which reads the
    timeline instead.
    """
    from plait import desk
    from plait.measure import known_measure

    with plainly():
        rows = answered(file, (case, activity, at), show, least_percent)
        desk.measures()
    units = known_measure(f"process_{show}").columns
    if as_json:
        import simplejson

        click.echo(simplejson.dumps({"show": show, "rows": rows}, indent=2, ensure_ascii=False))
    else:
        _print(show, rows, units)


def answered(file: Path, columns: tuple[str, str, str], show: str, least_percent: int = 1) -> list[dict[str, Any]]:
    """Read a log and give the rows that are asked for."""
    import ibis

    from plait.measures._process import counted, edges, in_order, variants

    backend = ibis.duckdb.connect()
    _read(backend.con, file, columns)
    ordered = in_order(backend.table("log"))
    told: ir.Table = (
        {"map": edges, "steps": counted}[show](ordered) if show != "variants" else variants(ordered, least_percent)
    )
    rows: list[dict[str, Any]] = told.drop(*(name for name in MONEY if name in told.columns)).to_pyarrow().to_pylist()
    return rows


def _read(engine: duckdb.DuckDBPyConnection, file: Path, columns: tuple[str, str, str]) -> None:
    """Make the table `log` of a file, or say which row will not do."""
    import duckdb

    from plait.duck import identifier, literal
    from plait.failure import Said, Unfit

    engine.execute("set TimeZone = 'UTC'")
    path = literal(str(file))
    read = (
        f"read_parquet({path})"
        if _format(file) == "parquet"
        else f"read_csv({path}, header = true, all_varchar = true)"
    )
    try:
        engine.execute(f"create table raw as select row_number() over () as line, * from {read}")
    except duckdb.Error as error:
        raise Unfit(Said("{file} cannot be read: {error}", file=file.name, error=str(error))) from error
    has = [str(name) for name, *_rest in engine.execute("describe raw").fetchall()][1:]
    _check(columns, has, file)
    case, step, at = (f"cast({identifier(name)} as varchar)" for name in columns)
    engine.execute(
        f"""create table log as select line, trim({case}) as "case", trim({step}) as step, {at} as told,
            cast(try_cast({at} as timestamptz) as timestamp) as "at",
            '' as source, lpad(line::varchar, 12, '0') as id from raw"""
    )
    wrong = engine.execute(
        """select line, coalesce("case", '') = '', coalesce(step, '') = '', told from log
        where coalesce("case", '') = '' or coalesce(step, '') = '' or "at" is null order by line limit 1"""
    ).fetchone()
    if wrong is not None:
        line, no_case, no_step, told = wrong
        name = columns[0] if no_case else columns[1] if no_step else columns[2]
        if no_case or no_step:
            says = Said("{file}, row {line}: {name} is empty; each row needs a case and a step.",
                        file=file.name, line=line, name=name)  # fmt: skip
        else:
            says = Said(
                "{file}, row {line}: {name} is {told!r}; allowed are instants such as 2026-01-31T10:00:00+01:00.",
                file=file.name, line=line, name=name, told=told,
            )  # fmt: skip
        raise Unfit(says)


def _format(file: Path) -> str:
    from plait.failure import Said, Unfit

    if file.suffix.lower() not in FORMATS:
        raise Unfit(Said("{file} is no log that can be read; give a .csv or a .parquet file.", file=file.name))
    return FORMATS[file.suffix.lower()]


def _check(columns: tuple[str, str, str], has: list[str], file: Path) -> None:
    from plait.facts import nearest
    from plait.failure import Misused, Said

    for name in columns:
        if name not in has:
            raise Misused(
                Said(
                    "{file} has no column {name!r}; {hint}it has: {has}.",
                    file=file.name, name=name, hint=nearest(name, has), has=", ".join(has),
                )
            )  # fmt: skip


def _print(show: str, rows: list[dict[str, Any]], units: Any) -> None:  # noqa: ANN401 - a mapping
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from plait.measure import TEXT_UNITS
    from plait.report import shown

    out = Console(highlight=False, markup=False, emoji=False)
    if not out.is_terminal:
        out.width = 200 if show == "variants" else 120
    grid = Table(box=box.SIMPLE_HEAD)
    names = [name for name in units if name not in MONEY]
    for name in names:
        grid.add_column(name.replace("_", " "), justify="left" if units[name] in TEXT_UNITS else "right")
    for row in rows:
        grid.add_row(*(shown(row[name], units[name]) for name in names))
    out.print(grid)
