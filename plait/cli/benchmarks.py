"""`plait benchmarks`: published figures that a firm keeps beside its own; each with year, population and source."""

from __future__ import annotations

from pathlib import Path

import click

from plait.cli.plainly import plainly


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_obj
def benchmarks(home: Path, file: Path | None) -> None:
    """List the published figures, or keep those in FILE (CSV) beside plait's own.

    FILE has the columns id, value, unit, statement, comparator, population, study, year, source. A row without year,
    population or source refuses the file.
    """
    from plait.web.benchmarks.reading import benchmarks as known
    from plait.web.benchmarks.reading import load

    with plainly():
        if file is not None:
            home.mkdir(parents=True, exist_ok=True)
            click.echo(f"{len(load(home, file))} published figures kept; they are shown on the page Benchmarks")
            return
        for one in known(home):
            unchecked = "" if one.checked else " (at second hand: hidden on pages)"
            click.echo(f"{one.value} {one.unit}: {one.statement}. {one.population}; {one.study}, {one.year}{unchecked}")
