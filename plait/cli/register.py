"""`plait register`: which definition of each measure the firm has agreed on, and who signed it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plait.cli.plainly import JSON, plainly

if TYPE_CHECKING:
    from plait.measure import Measure
    from plait.register import Register

Row = dict[str, object]


@click.group(invoke_without_command=True)
@click.option("--unsigned", is_flag=True, help="Only measures whose definition two departments have not signed.")
@JSON
@click.pass_context
def register(context: click.Context, unsigned: bool, as_json: bool) -> None:  # noqa: FBT001
    """List every measure with its class, who signs its definition and whether they have."""
    if context.invoked_subcommand is not None:
        return
    from plait import desk
    from plait.register import read_register

    with plainly():
        kept = read_register(context.obj)
        rows = [_line(measure, kept) for _, measure in sorted(desk.measures().items())]
    _print([row for row in rows if not unsigned or row["state"] != "signed"], as_json=as_json)


@register.command()
@click.argument("name")
@JSON
@click.pass_obj
def show(home: Path, name: str, as_json: bool) -> None:  # noqa: FBT001
    """Show the definitions of the measure NAME: options, reason, and who signed each of them when."""
    from plait import desk
    from plait.measure import known_measure
    from plait.register import read_register

    with plainly():
        desk.measures()
        rows = _versions(known_measure(name), read_register(home))
    _print(rows, as_json=as_json)


def _line(measure: Measure, kept: Register) -> Row:
    """Tell of one measure what the list shows."""
    held, waits = kept.in_force(measure), kept.proposal(measure.name)
    return {
        "measure": measure.name, "class": measure.sort, "parent": measure.parent, "signers": list(measure.signers),
        "definition": held.number, "state": held.state, "proposed": waits.number if waits else None,
    }  # fmt: skip


def _versions(measure: Measure, kept: Register) -> list[Row]:
    """Tell of each definition of a measure; 0 is the one that plait came with."""
    from plait.register import agreed_by

    first: Row = {"definition": 0, "state": "as plait came", "options": agreed_by(measure), "reason": "", "signed": []}
    told: list[Row] = [
        {
            "definition": one.number, "state": kept.state_of(one), "options": dict(one.options), "reason": one.reason,
            "signed": [f"{s.department}: {s.by}, {s.at:%Y-%m-%d %H:%M} UTC" for s in one.signatures],
        }
        for one in kept.of(measure.name)
    ]  # fmt: skip
    return [first, *told]


def _print(rows: list[Row], *, as_json: bool) -> None:
    """Print rows, as a table for people or as JSON."""
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from rich import box
    from rich.table import Table

    from plait.board import console

    if not rows:
        click.echo("two departments have signed every definition")
        return
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in rows[0]:
        grid.add_column(name)
    for row in rows:
        grid.add_row(*(_said(value) for value in row.values()))
    console().print(grid)


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={_said(one)}" for name, one in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return "–" if value is None else str(value)
