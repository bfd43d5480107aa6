"""`plait value`: what the customers in a file are worth, without loading anything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from plait.cli.plainly import JSON, Misuse, plainly

MODELS = ("bg-nbd", "mbg-nbd", "geometric-nbd", "nbd", "gamma-gamma", "bg-bb", "sbg")
UNITS = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "year": 365.25}  # days
USUAL = {"bg-bb": "year", "sbg": "month"}  # what a period is where nobody says
YEAR = 365.25
COLUMN = "NAME"


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--model", type=click.Choice(MODELS), required=True, help="Which model (docs/value.md says when which).")
@click.option("--customer", metavar=COLUMN, help="In a log: the column of the customer (a number: no header).")
@click.option("--date", "day", metavar=COLUMN, help="In a log: the column of the day of the purchase.")
@click.option("--amount", metavar=COLUMN, help="In a log: the column of what was paid.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="In a log: the last day that was seen.")
@click.option("--date-format", metavar="FORMAT", help="How dates are written, such as %d.%m.%Y (default: 2026-01-31).")
@click.option("--only", multiple=True, metavar="COLUMN=VALUE", help="Only rows that have this value.")
@click.option("--unit", type=click.Choice(list(UNITS)), help="The unit of time (default: week; bg-bb year, sbg month).")
@click.option("--horizon", type=click.FloatRange(0, min_open=True), help="How many units ahead (default: a year).")
@click.option("--discount", type=click.FloatRange(0, 9), default=0.1, show_default=True, help="A year, 0.1 is 10 %.")
@click.option(
    "--margin", type=click.FloatRange(0, 1, min_open=True), default=1.0, show_default=True, help="Share left."
)
@click.option("--force", "forced", is_flag=True, help="Fit spend although it follows frequency.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a line per customer (sbg: per period) as CSV.")
@JSON
def value(file: Path, *, model: str, as_json: bool, as_csv: bool, **given: Any) -> None:  # noqa: ANN401 - as clicked
    """Say what the customers in FILE are worth: a log of purchases, a summary per customer, or a cohort's counts.

    Nothing is loaded and no home is needed. docs/value.md has the shapes of FILE, the models and what they assume.
    """
    if as_json and as_csv:
        raise Misuse("--json and --csv are two outputs; give one of them.")
    with plainly():
        from plait.cli.histories import Asked, read_history
        from plait.cli.worth import Wanted, answer
        from plait.stats.clv.value import Plan

        unit = given["unit"] or USUAL.get(model, "week")
        year = YEAR / UNITS[unit]
        horizon = given["horizon"] or float(int(year))
        until: datetime | None = given["until"]
        asked = Asked(
            model, given["customer"], given["day"], given["amount"], until.date() if until else None,
            given["date_format"], given["only"], UNITS[unit],
        )  # fmt: skip
        wanted = Wanted(
            model, Plan(horizon, given["discount"], given["margin"], year), unit, UNITS[unit], given["forced"]
        )
        found = answer(read_history(file, asked), wanted)
    if as_json:
        click.echo(json.dumps(found.told, indent=2, ensure_ascii=False))
    elif as_csv:
        _print_csv(found.table)
    else:
        for line in in_words(found.told):
            click.echo(line)


def _print_csv(table: Mapping[str, Any]) -> None:
    """Print columns as CSV; one that is not known is empty."""
    import pyarrow as pa
    from pyarrow.csv import WriteOptions, write_csv

    rows = len(next(iter(table.values())))
    columns = {name: pa.nulls(rows) if column is None else pa.array(column) for name, column in table.items()}
    sink = pa.BufferOutputStream()
    write_csv(pa.table(columns), sink, WriteOptions(include_header=False))
    click.echo(",".join(columns))
    click.echo(sink.getvalue().to_pybytes(), nl=False)


def in_words(told: Mapping[str, Any]) -> Iterator[str]:
    """Say an answer as people read it."""
    unit = told["unit"]
    again = f", {told['repeat_customers']:,} of whom bought again" if "repeat_customers" in told else ""
    yield f"{told['model']}: {told['customers']:,} customers{again}; times in {unit}s"
    yield ""
    yield from _aligned([("parameter", "value", "standard error", "95 % interval"), *_parameters(told)])
    yield f"log-likelihood {told['log_likelihood']:,.3f}"
    if "expected" in told:
        yield from _ahead(told)
    if "correlation" in told:
        yield ""
        yield f"a purchase is worth {told['mean']:,.2f} on average over all customers"
        yield f"number of purchases and their mean value correlate by {told['correlation']:.2f}"
    if "retention" in told:
        yield from _renewing(told)
    if told["notes"] or told["left_out"]:
        yield ""
    yield from (f"! {note}" for note in told["notes"])
    yield from (f"! left out: {count:,} {why}" for why, count in told["left_out"].items())


def _parameters(told: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, one in told["parameters"].items():
        between = f"{one['low']:.5g} to {one['high']:.5g}"
        yield name, f"{one['value']:.6g}", f"{one['standard_error']:.4g}", between


def _ahead(told: Mapping[str, Any]) -> Iterator[str]:
    """Say what is expected, with every width of the interval by name."""
    expected, horizon, unit = told["expected"], told["horizon"], told["unit"]
    named = [("purchases", expected["purchases"], 1), ("value", expected["value"], 2)]
    head = (f"next {horizon:g} {unit}s", "expected", "95 % interval", "chance ±", "parameters ±", "model error ±")
    lines = [
        (
            name,
            f"{one['value']:,.{digits}f}",
            "none" if one["low"] is None else f"{one['low']:,.{digits}f} to {one['high']:,.{digits}f}",
            *(
                "unknown" if one[width] is None else f"{one[width]:,.{digits}f}"
                for width in ("chance", "parameters", "model")
            ),
        )
        for name, one, digits in named
        if one is not None
    ]
    yield ""
    yield from _aligned([head, *lines])
    if expected["value"] is not None:
        yield (
            f"value is spend of {expected['money']:,.2f}, {told['discount']:.0%} off a year, times a margin of "
            f"{told['margin']:.0%}"
        )
    yield f"{expected['alive']:,.1f} of {told['customers']:,} customers are still customers"
    if told.get("spend"):
        spend = told["spend"]
        values = ", ".join(f"{name} {one['value']:.5g}" for name, one in spend["parameters"].items())
        yield f"a purchase is worth {spend['mean']:,.2f} on average over all customers (gamma-gamma: {values})"
    if told.get("model_error"):
        tests = "; ".join(f"{one['ratio']:.3f} from {one['origin']}" for one in told["model_error"]["tests"])
        yield f"tried on the past, actual by expected purchases until {told['until']}: {tests}"


def _renewing(told: Mapping[str, Any]) -> Iterator[str]:
    lines = [(str(one["period"]), f"{one['retention']:.1%}", f"{one['survival']:.1%}") for one in told["retention"]]
    yield ""
    yield from _aligned([(told["unit"], "renewed", "still there of all"), *lines])
    if told["lifetime"] is not None:
        yield (
            f"a new customer pays for {told['lifetime']:,.2f} {told['unit']}s, the first included, later ones "
            f"{told['discount']:.0%} off a year"
        )


def _aligned(lines: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Lay lines out as columns; the first to the left, numbers to the right."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    for line in lines:
        parts = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        yield "   ".join(parts).rstrip()
