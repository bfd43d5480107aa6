"""The board in a terminal: answers, stories and reports as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import click
import simplejson
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as Grid
from rich.text import Text

from plait import desk
from plait.facts import KINDS
from plait.measure import FLOAT_UNITS, MONEY_UNIT, TEXT_UNITS, Cell, Definition, Measure, Table
from plait.report import rounded, shown
from plait.store import Loaded

COLOURS = {
    "marketing": "magenta", "sales": "green", "service": "yellow", "product": "cyan", "finance": "blue", "it": "red",
    "hr": "bright_magenta", "partners": "bright_green",
}  # fmt: skip
WIDEST = 10_000
WIDTH = 120  # where the output is no terminal, such as a file or a test

# What a head of department looks at first: the measure, its options and how many of its last rows.
BOARD: dict[str, tuple[Mapping[str, object], int]] = {
    "stage_stock": ({}, 8),
    "funnel": ({"within_days": None}, 6),
    "win_rate": ({"by": "quarter"}, 4),
    "recurring_revenue": ({}, 6),
    "channel_first_last": ({}, 10),
    "acquisition_cost": ({}, 4),
    "satisfaction": ({}, 4),
    "source_health": ({}, 30),
}


def console(least: int = 0) -> Console:
    """Open the console, at least so wide; wide enough for a table where nobody looks."""
    # No markup: what people and systems write is text, and `[/x]` in it no order to the terminal.
    found = Console(highlight=False, markup=False, emoji=False)
    found.width = max(least, found.width if found.is_terminal else WIDTH)
    return found


def print_table(table: Table, last: int | None = None) -> None:
    """Print an answer with what it means and where it comes from."""
    out = console()
    head, _, _ = table.measure.means.partition("\n")
    out.print(Text.assemble((table.measure.name, "bold"), (f": {head}", "dim")))
    records = [rounded(record) for record in table.records()][-(last or 0) :]
    if records:
        one_line, words = (_grid(table, records, between) for between in (" ", "\n"))
        grid = one_line if _width(out, one_line) <= out.width else words
        console(_width(out, grid)).print(grid)  # the terminal may wrap a line: a number stays whole
    else:
        out.print(Text("no rows: nothing of this kind is known yet", style="dim"))
    if table.estimates:
        out.print(Text(table.estimates, style="dim"))
    for warning in table.warnings:
        out.print(Text(f"! {warning}", style="yellow"))
    about = f"owner {table.measure.owner}, version {table.version}, {agreed(table.definition)}"
    about += f", facts {table.facts_version}"
    out.print(Text(f"{about}, as of {table.as_of:%Y-%m-%d %H:%M} UTC", style="dim"), "")


def agreed(definition: Definition) -> str:
    """Say how far a firm has agreed on a definition."""
    signed = " and ".join(one.department for one in definition.signatures)
    if definition.departs:
        return f"definition {definition.number}, not as signed: {', '.join(definition.departs)}"
    if definition.state == "changed":
        return f"unsigned: changed since {signed} signed definition {definition.number}"
    if definition.state == "half-signed":
        return f"half-signed by {signed}"
    return f"definition {definition.number} signed by {signed}" if definition.state == "signed" else "unsigned"


def print_board(home: Path, *, now: datetime, as_of: date | None = None) -> None:
    """Print the board of a home."""
    tables = desk.board(home, {name: options for name, (options, _) in BOARD.items()}, now=now, as_of=as_of)
    for table in tables:
        print_table(table, BOARD[table.measure.name][1])


def print_load(report: desk.LoadReport, *, as_json: bool = False) -> None:
    """Print what a load did, file by file, with the first refused rows and the control totals."""
    if as_json:
        click.echo(simplejson.dumps(_load_record(report), indent=2, ensure_ascii=False))
        return
    out = console()
    out.print(_files(report.files, report.recognised))
    _print_refused(out, report.refused, sum(file.refused for file in report.files))
    for control in report.controls:
        before = f" before {control.before:%Y-%m-%d}" if control.before else ""
        said = f"control total {control.source} {control.kind}{before}: {control.says}"
        style, verdict = (
            ("green", "holds") if control.agrees else ("bold red", f"does not hold: stored are {control.holds}")
        )
        out.print(Text(f"{said} {verdict}", style=style))
    _print_contract(out, report.contract, report.drift)
    if report.not_read:
        _print_not_read(out, report.not_read, report.recognised)
    added, rows = (sum(getattr(file, name) for file in report.files) for name in ("added", "rows"))
    out.print(Text(f"{added:,} facts added; the facts are at version {report.version}", style="bold"))
    speed = f"{rows:,} rows in {report.took:.1f} s, {rows / report.took:,.0f} rows/s with identity and timeline"
    out.print(Text(speed, style="dim"), "")


def print_trial(trial: desk.Trial) -> None:
    """Print what a load would do."""
    out = console()
    out.print(_files(trial.files, trial.recognised))
    _print_refused(out, trial.refused, sum(file.refused for file in trial.files))
    for fact in trial.facts:
        out.print(Text(" ".join(f"{name}={value}" for name, value in fact.items() if value not in (None, "{}"))))
    _print_contract(out, trial.contract, trial.drift)
    if trial.not_read:
        _print_not_read(out, trial.not_read, trial.recognised)
    out.print(Text("nothing was stored", style="bold"))


def _print_contract(out: Console, broken: Sequence[str], drift: Sequence[str]) -> None:
    """Say what a load broke of its contracts, and how the exports have changed."""
    for said in (*broken, *drift):
        out.print(Text(said, style="yellow"))


def _print_not_read(out: Console, names: Sequence[str], recognised: Mapping[str, str]) -> None:
    """Name the files that were left, and what to do about them."""
    why = "not known by their columns; `plait map` proposes a mapping" if recognised else "no pattern fits"
    out.print(Text(f"not read, {why}: {', '.join(names)}", style="yellow"))


def print_story(story: desk.Story) -> None:
    """Print an account's timeline, each fact in the colour of the department that owns its kind."""
    out = console()
    keys = ", ".join(f"{name} {value}" for name, value in story.names)
    out.print(Text(story.account, style="bold"), Text(keys, style="dim"))
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("day", "department", "kind", "what", "who", "source"):
        grid.add_column(name)
    for fact in story.facts:
        owner = KINDS[str(fact["kind"])].owner
        said = [_money(fact), *(fact[name] for name in ("channel", "campaign", "product", "object_id", "text"))]
        what = " · ".join(str(part) for part in said if part)
        who = str(fact["person"] or fact["owner"] or "")
        day = f"{fact['occurred_on']}"
        grid.add_row(day, Text(owner, style=COLOURS[owner]), str(fact["kind"]), what, who, str(fact["source"]))
    out.print(grid)
    for join in story.joins:
        if join.scope == "account":
            one, other = (f"{name} {value}" for name, value in (join.left, join.right))
            out.print(
                Text(
                    f"{one} and {other} are one account: one fact of {join.recorded_at:%Y-%m-%d} carries both",
                    style="dim",
                )
            )


def print_people(home: Path, people: Sequence[tuple[str, str, str]], password: str) -> None:
    """Print who may log in to a demo desk: name, address and what they are, all with one password."""
    out = console()
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("who", "logs in as", "is"):
        grid.add_column(name)
    for row in people:
        grid.add_row(*row)
    out.print(grid)
    out.print(Text(f"everybody's password: {password}", style="bold"))
    out.print(Text(f"open their desk: plait --home {home} serve", style="dim"), "")


def print_measures(measures: Mapping[str, Measure]) -> None:
    """Print a line for each measure."""
    out = console()
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("measure", "owner", "what it says"):
        grid.add_column(name)
    for name, measure in sorted(measures.items()):
        grid.add_row(name, Text(measure.owner, style=COLOURS[measure.owner]), measure.means.partition("\n")[0])
    out.print(grid)


def print_definition(measure: Measure) -> None:
    """Print a measure's whole definition."""
    out = console()
    out.print(
        Text(f"{measure.name}", style="bold"), Text(f"owner {measure.owner}, version {measure.version}", style="dim")
    )
    one, other = measure.signers
    parent = f", helps to explain {measure.parent}" if measure.parent else ""
    out.print(Text(f"class {measure.sort}, to be signed by {one} and {other}{parent}", style="dim"))
    out.print(measure.means, "")
    out.print(Text(f"one row per {measure.grain}: " + ", ".join(f"{n} ({u})" for n, u in measure.columns.items())))
    for option in measure.options.values():
        default = "none" if option.default is None else option.default
        out.print(Text(f"--{option.name.replace('_', '-')}: {option.allowed()} (default {default})"))
    if measure.origin:
        out.print(Text(f"after {measure.origin}", style="dim"))


def print_info(info: desk.Info, *, as_json: bool = False) -> None:
    """Print what a home holds."""
    sources = [{"source": s.source, "facts": s.facts, "refused": s.refused, "files": s.files} for s in info.sources]
    if as_json:
        record = {
            "home": str(info.home), "facts": info.facts, "refused": info.refused, "version": info.version,
            "zone": info.settings.zone, "currency": info.settings.currency, "sources": sources,
        }  # fmt: skip
        click.echo(simplejson.dumps(record, indent=2, ensure_ascii=False))
        return
    out = console()
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("source", "facts", "refused", "files"):
        grid.add_column(name, justify="left" if name == "source" else "right")
    for source in info.sources:
        grid.add_row(source.source, f"{source.facts:,}", f"{source.refused:,}", f"{source.files:,}")
    out.print(grid)
    said = f"{info.facts:,} facts, {info.refused:,} refused rows, version {info.version}"
    out.print(Text(f"{said}; days of {info.settings.zone}, money in {info.settings.currency or 'its own currency'}"))


def _files(files: list[Loaded], recognised: Mapping[str, str]) -> Grid:
    """Lay out what became of each file; where some were told by their columns, as what."""
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in (
        "read as" if recognised else "source",
        "file",
        "rows",
        "accepted",
        "refused",
        "no fact",
        "added",
        "known",
    ):
        grid.add_column(name, justify="left" if name in ("read as", "source", "file") else "right")
    for f in files:
        numbers = (f.rows, f.accepted, f.refused, f.without_fact, f.added, f.known)
        grid.add_row(recognised.get(f.file, f.source), f.file, *(f"{number:,}" for number in numbers))
    return grid


def _print_refused(out: Console, refused: list[desk.Refused], count: int) -> None:
    for row in refused:
        where = f"{row.file} line {row.line}" if row.line else row.file
        value = "" if row.value is None else f" {row.value!r}"
        out.print(Text(f"refused {where}: {row.field}{value}: {row.rule}; {row.next_step}", style="yellow"))
    if count > len(refused):
        out.print(
            Text(
                f"and {count - len(refused):,} more refused rows, all kept with line, reason and next step",
                style="yellow",
            )
        )


def _load_record(report: desk.LoadReport) -> dict[str, object]:
    names = ("source", "file", "rows", "accepted", "refused", "without_fact", "added", "known")
    return {
        "files": [{name: getattr(file, name) for name in names} for file in report.files],
        "refused": [{name: getattr(row, name) for name in row.__slots__} for row in report.refused],
        "controls": [
            {"source": c.source, "kind": c.kind, "says": c.says, "holds": c.holds, "agrees": c.agrees}
            for c in report.controls
        ],
        "contract": report.contract,
        "drift": report.drift,
        "not_read": report.not_read,
        "added": sum(file.added for file in report.files),
        "version": report.version,
    }


def _money(fact: Mapping[str, object]) -> str:
    amount, currency = fact["amount"], fact["currency"]
    return f"{amount:,.2f} {currency}" if amount is not None else ""


def _grid(table: Table, records: list[dict[str, Cell]], between: str) -> Grid:
    """Lay out an answer; `between` stands between the words of a heading."""
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, unit in table.columns.items():
        grid.add_column(name.replace("_", between), justify="right" if _is_number(unit) else "left")
    for record in records:
        grid.add_row(*(shown(record[name], unit) for name, unit in table.columns.items()))
    return grid


def _width(out: Console, grid: Grid) -> int:
    """Give the width at which nothing of a table is wrapped or cut."""
    return Measurement.get(out, out.options.update(max_width=WIDEST), grid).maximum


def _is_number(unit: str) -> bool:
    return unit in FLOAT_UNITS or unit == MONEY_UNIT or unit not in TEXT_UNITS | {"day", "month"}
