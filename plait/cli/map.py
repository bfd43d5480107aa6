"""`plait map`: a mapping proposed for exports that nobody has described yet."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from plait.cli.plainly import Misuse, Refusal, now, plainly

if TYPE_CHECKING:
    from plait.sources.proposal.model import Question
    from plait.sources.proposal.proposing import Proposal, Seen
    from plait.sources.proposal.trial import Tried

MOST_NAMED = 6  # files; of more the folder is named
SIGNS = 60  # of a value that are shown


@click.command("map")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True), metavar="FILE...")
@click.option("--source", metavar="NAME", help="Name of the system that wrote the files (default: the folder's name).")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to write the mapping (default: SOURCE.toml)."
)
@click.option("--yes", is_flag=True, help="Ask nothing: take the default of every question, list it in the mapping.")
@click.option("--overwrite", is_flag=True, help="Replace a mapping that is there already.")
@click.pass_obj
def map_files(
    home: Path, files: tuple[Path, ...], source: str | None, out: Path | None, *, yes: bool, overwrite: bool
) -> None:
    """Propose a mapping for FILE... (or a folder) from names, types and values (docs/map.md)."""
    from plait.facts import SOURCE_NAME
    from plait.sources.proposal.proposing import propose, see, source_name

    if source is not None and not SOURCE_NAME.fullmatch(source):
        raise Misuse(
            f"--source {source!r} is no source name: write lower case letters, digits and underscores, a letter first; "
            f"for example {source_name(source)}."
        )
    named = source or source_name(_stem(files))
    target = out or Path(f"{named}.toml")
    asking = not yes and sys.stdin.isatty()
    if target.exists() and not (overwrite or asking):
        raise Refusal(f"{target} is there already; name another with --out, or replace it with --overwrite.")
    with plainly(), TemporaryDirectory(prefix="plait-map-") as work:
        seen = see(files, work=Path(work))
        day = f"{now().astimezone(UTC):%Y-%m-%d}"
        answers: dict[str, str] = {}
        made = propose(seen, source=named, answers=answers, day=day)
        _print_files(made)
        while asking and made.open:
            question = made.open[0]
            answers[question.key] = _ask(question)
            made = propose(seen, source=named, answers=answers, day=day)
        tried = _try(home, seen, made, Path(work))
    _print_trial(tried)
    _print_open(made)
    if target.exists() and not overwrite and not click.confirm(f"{target} is there already; replace it?"):
        raise Refusal(f"{target} was left as it is; name another with --out.")
    target.write_text(made.toml, "utf-8")
    _print_next(files, target, made)


def suggest(folder: Path, not_read: Sequence[str]) -> None:
    """Name the command that proposes a mapping for files that were not recognised."""
    from plait.sources.file import is_data

    files = [folder / name for name in not_read if folder.is_dir() and is_data(name) and (folder / name).is_file()]
    if files:
        named = [str(file) for file in files] if len(files) <= MOST_NAMED else [str(folder)]
        click.echo(f"a mapping for them is proposed by: plait map {shlex.join(named)}", err=True)


def _stem(files: tuple[Path, ...]) -> str:
    first = files[0].resolve()
    return first.name if first.is_dir() else first.parent.name if len(files) > 1 else first.name.partition(".")[0]


def _try(home: Path, seen: Seen, made: Proposal, work: Path) -> Tried | None:
    from plait.settings import read_settings
    from plait.sources.proposal.trial import try_mapping

    if not any(file.mapping for file in made.draft.files):
        return None
    settings = read_settings(home)
    return try_mapping(
        seen.folder, seen.files, made.toml, work=work / "trial", now=now(), home=(settings.zone, settings.currency)
    )


def _ask(question: Question) -> str:
    """Ask one question: by numbers where there are few answers, by text where any will do."""
    click.echo()
    click.secho(question.asks, bold=True)
    click.echo(f"  {question.because}.")
    options = list(question.options)
    for number, (value, means) in enumerate(options, 1):
        click.echo(f"  {number}  {means}{'' if means == value or not value else f' ({value})'}")
    default = next((n for n, (value, _) in enumerate(options, 1) if value == question.default), 1)
    more = " or your own answer" if question.free else ""
    while True:
        given = str(click.prompt(f"  Number{more}", default=str(default)))
        if given.isdigit() and 1 <= int(given) <= len(options):
            return options[int(given) - 1][0]
        if given in dict(options) or (question.free and _fits(question, given)):
            return given
        if not question.free:
            click.echo(f"  {given!r} will not do; give a number from 1 to {len(options)}.")


def _fits(question: Question, given: str) -> bool:
    """Tell whether a free answer is one that a mapping takes."""
    from plait.sources.proposal.questions import will_do

    problem = will_do(question.key, given)
    if problem:
        click.echo(f"  {problem}")
    return not problem


def _print_files(made: Proposal) -> None:
    from rich.table import Table as Grid

    from plait.board import console
    from plait.sources.proposal.model import ENTITIES, LISTS, NOTHING, ROLES

    out = console()
    for file in made.draft.files:
        rows = f"{file.profile.rows:,} rows" if file.profile.whole else f"first {file.profile.rows:,} rows"
        out.print(f"\n{file.profile.name}: {ENTITIES[file.entity]}, {file.sure} ({file.why}); {rows}")
        for note in file.notes:
            out.print(f"  {note}")
        if not file.facts and file.entity in LISTS:
            continue
        grid = Grid("column", "is", "for example", "becomes", "how sure", box=None, pad_edge=True, header_style="dim")
        told = [c for c in file.columns.values() if c.role and c.role != NOTHING]
        for column in told:
            example = "; ".join(column.profile.examples)[:SIGNS]
            grid.add_row(column.profile.name, column.profile.sort.name, example, ROLES[column.role], column.sure)
        if told:
            out.print(grid)
        if rest := len(file.columns) - len(told):
            out.print(f"  {rest} further columns become nothing")
    for _name, why in made.draft.unreadable:
        out.print(f"\n{why}")


def _print_trial(tried: Tried | None) -> None:
    from plait.board import console

    if tried is None:
        return
    out = console()
    rows, accepted = sum(f.rows for f in tried.files), sum(f.accepted for f in tried.files)
    shown = len({(fact.file, fact.line) for fact in tried.facts})
    out.print(f"\nTried on {rows:,} rows: {accepted:,} accepted, {rows - accepted:,} refused. {shown} of them give:")
    if any(file.cut for file in tried.files):
        out.print("Of large files only the beginning was tried.")
    for fact in tried.facts:
        fields = dict(fact.fields)
        said = ", ".join(
            f"{name} {value[:SIGNS]}" for name, value in fields.items() if name not in ("kind", "occurred_at")
        )
        out.print(f"  {fields.get('occurred_at', '')}  {fields.get('kind', '')}  {said}  [{fact.file}:{fact.line}]")
    for wrong in tried.refused:
        out.print(
            f"  refused, {wrong.rows:,} rows such as {wrong.file}:{wrong.line}: {wrong.field} "
            f"{wrong.value or '(empty)'!r}: {wrong.rule}; {wrong.next_step}"
        )


def _print_open(made: Proposal) -> None:
    if made.open:
        click.echo("\nNot asked; the mapping lists what was taken:")
        for question in made.open:
            default = dict(question.options).get(question.default) or question.default or "-"
            click.echo(f"  {question.asks} {question.because}. Taken: {default}.")


def _print_next(files: tuple[Path, ...], target: Path, made: Proposal) -> None:
    if not any(file.mapping for file in made.draft.files):
        raise Refusal(
            f"wrote {target}, but no file of it gives facts yet: say what its rows are by running plait map on a "
            "terminal, or on the page Map an export."
        )
    place = files[0] if len(files) == 1 else _common(files)
    click.echo(
        f"\nwrote {target}; read it, then: plait load {shlex.quote(str(place))} --mapping {shlex.quote(str(target))}"
    )


def _common(files: tuple[Path, ...]) -> Path:
    import os.path

    return Path(os.path.commonpath([str(file if file.is_dir() else file.parent) for file in files]) or ".")
