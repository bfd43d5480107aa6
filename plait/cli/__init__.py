"""The command line: `plait load | show | story | measures | sources | store | demo | serve | user | source | ...`.

Exit codes: 0 done, 1 refused (the data or the home), 2 misuse (the command). Heavy libraries are imported by the
command that needs them, so that `plait --help` answers at once.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import MAXYEAR, MINYEAR, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plait import __version__
from plait.cli.benchmarks import benchmarks
from plait.cli.chance_file import score
from plait.cli.connections import connections
from plait.cli.contracts import contract, login_name
from plait.cli.handoffs import handoff
from plait.cli.identity import identity
from plait.cli.lifecycle import lifecycle
from plait.cli.links import code, link
from plait.cli.live import collect, source
from plait.cli.map import map_files, suggest
from plait.cli.paths import paths
from plait.cli.people import user
from plait.cli.persons import person
from plait.cli.plainly import JSON, Misuse, Refusal, now, plainly
from plait.cli.process import process
from plait.cli.register import register
from plait.cli.scores import scores
from plait.cli.value import value

if TYPE_CHECKING:
    from plait.measure import Measure, Option

HOME = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="PLAIT_HOME",
    default=Path("plait-home"),
    show_default=True,
    help="Folder that holds everything plait knows.",
)
# The matrices of models are small: threads of linear algebra only wait for each other. Read once, before numpy is.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

MAPPING = click.option(
    "--mapping",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="TOML file that says which columns become which facts (docs/mapping.md); without one, exports that plait "
    "knows by their columns are loaded (docs/exports.md).",
)
AS_OF = click.option("--as-of", metavar="DAY", help="Only what had happened before this day began; or an instant.")
FOLDER = click.argument("folder", type=click.Path(path_type=Path, exists=True))


def _as_of(text: str | None) -> date | datetime | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text) if len(text) <= len("2026-01-31") else datetime.fromisoformat(text)
        known = MINYEAR < day.year < MAXYEAR  # the first and the last year have days that UTC has not
    except ValueError:
        known = False
    if not known or (isinstance(day, datetime) and day.tzinfo is None):
        raise click.BadParameter(
            f"{text!r} is no day; write 2026-01-31, or an instant with its zone: 2026-01-31T10:00+01:00.",
            param_hint="--as-of",
        )
    return day


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="plait")
@HOME
@click.pass_context
def main(context: click.Context, home: Path) -> None:
    """Lay what every department knows about a customer into one timeline, and answer from it."""
    gc.set_threshold(100_000, 20, 20)  # the libraries' many objects live to the end: looking for dead ones costs 0.2 s
    context.obj = home


@main.command()
@FOLDER
@MAPPING
@click.option("--zone", help="On a new home: the IANA time zone in which days begin (default: the mapping's).")
@click.option("--currency", help="On a new home: the ISO 4217 currency to report in (default: each amount in its own).")
@click.option("--accept-drift", is_flag=True, help="Load although an export has changed where it matters.")
@JSON
@click.pass_obj
def load(
    home: Path,
    folder: Path,
    mapping: Path | None,
    *,
    zone: str | None,
    currency: str | None,
    accept_drift: bool,
    as_json: bool,
) -> None:
    """Load the exports in FOLDER (or one file); all of them or, if a file is unfit, nothing."""
    from plait import desk
    from plait.board import print_load
    from plait.settings import Settings, read_settings

    with plainly(), _progress(quiet=as_json) as progress:
        if zone or currency:
            desk.set_up(home, Settings(zone or desk.zone_of(home, mapping), currency or read_settings(home).currency))
        accepts = login_name() if accept_drift else ""
        report = desk.load(home, folder, mapping, now=now(), progress=progress, accepts=accepts)
    print_load(report, as_json=as_json)
    if mapping is None and not as_json:
        suggest(folder, report.not_read)
    if not all(control.agrees for control in report.controls):
        raise Refusal("a control total does not hold; the facts are stored, find what is missing or doubled.")


@main.command()
@FOLDER
@MAPPING
@click.pass_obj
def check(home: Path, folder: Path, mapping: Path | None) -> None:
    """Read FOLDER as `load` would and tell what would be accepted and refused, storing nothing."""
    from plait import desk
    from plait.board import print_trial

    with plainly(), _progress() as progress:
        print_trial(desk.try_out(home, folder, mapping, now=now(), progress=progress))


class Measures(click.Group):
    """One command for each registered measure, with its options."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Name the measures."""
        from plait import desk

        return sorted(desk.measures())

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command:
        """Make the command of a measure from its definition."""
        from plait import desk
        from plait.measure import known_measure

        with plainly():
            desk.measures()
            return _measure_command(known_measure(cmd_name))


@main.command(cls=Measures, subcommand_metavar="MEASURE [OPTIONS]...")
def show() -> None:
    """Answer a measure: a number with its definition, version and query."""


def _measure_command(measure: Measure) -> click.Command:
    own = [_click_option(option) for option in measure.options.values()]
    shared = [
        click.Option(["--as-of"], metavar="DAY", help="Only what had happened before this day began; or an instant."),
        click.Option(["--definition"], type=int, metavar="N", help="By this definition of `plait register show`."),
        click.Option(["--engine"], default="duckdb", show_default=True, help="duckdb, or spark://HOST:PORT."),
        click.Option(["--json", "form"], flag_value="json", help="Print JSON: rows, units, definition, query."),
        click.Option(["--csv", "form"], flag_value="csv", help="Print CSV."),
        click.Option(["--sql", "form"], flag_value="sql", help="Print the query instead of running it."),
    ]

    @click.pass_obj
    def answer(
        home: Path, /, as_of: str | None, engine: str, form: str | None, definition: int | None, **options: object
    ) -> None:
        given = {name: value for name, value in options.items() if value is not None}
        _show(home, measure, given, as_of, engine, form, definition)

    return click.Command(measure.name, callback=answer, params=[*own, *shared], help=measure.means)


def _click_option(option: Option) -> click.Option:
    default = ",".join(option.default) if isinstance(option.default, tuple) else option.default
    said = f"{option.allowed()}; default {'none' if default is None else default}"
    return click.Option(
        [f"--{option.name.replace('_', '-')}", option.name], metavar="VALUE", help=said[0].upper() + said[1:]
    )


def _show(
    home: Path,
    measure: Measure,
    options: dict[str, object],
    as_of: str | None,
    engine: str,
    form: str | None,
    definition: int | None,
) -> None:
    from plait import desk

    with plainly():
        asked: Any = {"now": now(), "as_of": _as_of(as_of), "engine": engine, "definition": definition}
        if form == "sql":
            click.echo(desk.query(home, measure.name, options, **asked))
            return
        table = desk.show(home, measure.name, options, **asked)
    if form:
        from plait import report

        click.echo((report.as_json if form == "json" else report.as_csv)(table).rstrip("\n"))
    else:
        from plait.board import print_table

        print_table(table)


@main.command()
@click.argument("account")
@AS_OF
@click.pass_obj
def story(home: Path, account: str, as_of: str | None) -> None:
    """Tell all that happened with ACCOUNT (id, domain, CRM id or name), every department on one line of time."""
    from plait import desk
    from plait.board import print_story

    with plainly():
        print_story(desk.story(home, account, now=now(), as_of=_as_of(as_of)))


@main.command()
@click.argument("name", required=False)
def measures(name: str | None) -> None:
    """List the measures, or define one."""
    from plait import desk
    from plait.board import print_definition, print_measures
    from plait.measure import known_measure

    with plainly():
        known = desk.measures()
        if name:
            print_definition(known_measure(name))
        else:
            print_measures(known)


@main.command()
@JSON
@click.pass_obj
def sources(home: Path, as_json: bool) -> None:  # noqa: FBT001
    """Show each source: how much, how fresh, how much was refused."""
    from plait import desk, report
    from plait.board import print_table

    with plainly():
        table = desk.show(home, "source_health", now=now())
    if as_json:
        click.echo(report.as_json(table))
    else:
        print_table(table)


@main.group()
def store() -> None:
    """Look after the facts on disk."""


@store.command()
@JSON
@click.pass_obj
def info(home: Path, as_json: bool) -> None:  # noqa: FBT001
    """Count what the home holds."""
    from plait import desk
    from plait.board import print_info

    with plainly():
        print_info(desk.info(home), as_json=as_json)


@store.command()
@click.pass_obj
def compact(home: Path) -> None:
    """Join small files and delete what nothing names any more."""
    from plait import desk

    with plainly():
        click.echo(f"compacted; the facts are at version {desk.compact(home)}")


@store.command()
@click.pass_obj
def verify(home: Path) -> None:
    """Check that every file is there, counts agree and no fact is stored twice."""
    from plait import desk

    with plainly():
        faults = desk.verify(home)
    for fault in faults:
        click.echo(fault)
    if faults:
        raise Refusal(f"{len(faults)} faults; load the sources again, or restore a backup.")
    click.echo("every file is there, the counts agree, no fact is stored twice")


@store.command()
@click.pass_obj
def rebuild(home: Path) -> None:
    """Build identity and timeline anew from the facts."""
    from plait import desk

    with plainly():
        click.echo(f"rebuilt the timeline of {desk.rebuild(home):,} facts")


@main.command()
@click.option("--accounts", type=click.IntRange(10, 1_000_000), default=400, show_default=True, help="Companies.")
@click.option(
    "--seed", type=int, default=7, show_default=True, help="Chance begins here: the same seed, the same firm."
)
@click.option(
    "--exports", type=click.Path(path_type=Path), help="Where to write the exports (default: inside the home)."
)
@click.pass_obj
def demo(home: Path, accounts: int, seed: int, exports: Path | None) -> None:
    """Make a demo company's exports, load them as anyone's data, print its board and who may log in to its desk."""
    from plait import desk
    from plait.board import print_board, print_load, print_people
    from plait.demo import END, write_demo
    from plait.settings import Settings
    from plait.web.serve import seed_demo

    folder = exports or home / "demo"
    with plainly(), _progress() as progress:
        mapping = write_demo(folder, accounts=accounts, seed=seed)
        desk.set_up(home, Settings("Europe/Berlin", "EUR", END))
        report = desk.load(home, folder / "exports", mapping, now=now(), progress=progress)
    print_load(report)
    with plainly():
        print_board(home, now=now())
        print_people(home, *seed_demo(home))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on.")
@click.pass_obj
def serve(home: Path, host: str, port: int) -> None:
    """Serve the desk in the browser, with the worker for long jobs, until it is stopped."""
    from plait.web.serve import serve as serve_home

    with plainly():
        serve_home(home, host=host, port=port, announce=click.echo)


@main.command()
@click.option("--token", envvar="PLAIT_TOKEN", help="A token of the person as whom to read (default: PLAIT_TOKEN).")
@click.pass_obj
def mcp(home: Path, token: str | None) -> None:
    """Let an assistant read under one person's rights, over standard input and output (docs/assistants.md)."""
    from plait.web import boot

    if not token:
        raise Misuse(
            "an assistant needs a token; make one on the page My account, give it with --token or PLAIT_TOKEN."
        )
    with plainly():
        boot.configure(home)
        from plait.web import assistant

        assistant.run(token)


@contextmanager
def _progress(*, quiet: bool = False) -> Iterator[Callable[[str, int, int], None] | None]:
    """Show a bar for each file on a terminal; elsewhere nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def report(file: str, done: int, total: int) -> None:
            if file not in tasks:
                tasks[file] = bar.add_task(file, total=total)
            bar.update(tasks[file], completed=done)

        yield report


for command in (
    benchmarks,
    handoff,
    code,
    identity,
    collect,
    connections,
    contract,
    lifecycle,
    link,
    map_files,
    paths,
    person,
    register,
    process,
    score,
    scores,
    source,
    user,
    value,
):
    main.add_command(command)

if __name__ == "__main__":
    main()
