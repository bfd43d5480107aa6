"""The command line: `plait load | show | story | measures | sources | store | demo | check | user`.

Exit codes: 0 done, 1 refused (the data or the home), 2 misuse (the command). Heavy libraries are imported by the
command that needs them, so that `plait --help` answers at once.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plait import __version__
from plait.failure import Misused, Unfit

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
MAPPING = click.option(
    "--mapping",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="TOML file that says which columns become which facts (docs/mapping.md).",
)
AS_OF = click.option("--as-of", metavar="DAY", help="Only what had happened before this day began; or an instant.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
FOLDER = click.argument("folder", type=click.Path(path_type=Path, exists=True))


class Misuse(click.ClickException):
    """A command that cannot be understood."""

    exit_code = 2


class Refusal(click.ClickException):
    """A command that was understood, and data or a home that will not do."""

    exit_code = 1


@contextmanager
def _plainly() -> Iterator[None]:
    """Turn the errors that users can mend into one clear line and an exit code."""
    try:
        yield
    except Misused as error:
        raise Misuse(str(error.args[0])) from error
    except Unfit as error:
        raise Refusal(str(error.args[0])) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise Refusal(
            f"{where}{error.strerror or error}; choose another --home, or make room and rights there."
        ) from error


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the command line is the edge where the clock is read


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
@JSON
@click.pass_obj
def load(home: Path, folder: Path, mapping: Path, zone: str | None, currency: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Load the exports in FOLDER (or one file); all of them or, if a file is unfit, nothing."""
    from plait import desk
    from plait.board import print_load
    from plait.settings import Settings, read_settings

    with _plainly(), _progress(quiet=as_json) as progress:
        if zone or currency:
            desk.set_up(home, Settings(zone or desk.zone_of(home, mapping), currency or read_settings(home).currency))
        report = desk.load(home, folder, mapping, now=_now(), progress=progress)
    print_load(report, as_json=as_json)
    if not all(control.agrees for control in report.controls):
        raise Refusal("a control total does not hold; the facts are stored, find what is missing or doubled.")


@main.command()
@FOLDER
@MAPPING
@click.pass_obj
def check(home: Path, folder: Path, mapping: Path) -> None:
    """Read FOLDER as `load` would and tell what would be accepted and refused, storing nothing."""
    from plait import desk
    from plait.board import print_trial

    with _plainly(), _progress() as progress:
        print_trial(desk.try_out(home, folder, mapping, now=_now(), progress=progress))


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

        with _plainly():
            desk.measures()
            return _measure_command(known_measure(cmd_name))


@main.command(cls=Measures, subcommand_metavar="MEASURE [OPTIONS]...")
def show() -> None:
    """Answer a measure: a number with its definition, version and query."""


def _measure_command(measure: Measure) -> click.Command:
    own = [_click_option(option) for option in measure.options.values()]
    shared = [
        click.Option(["--as-of"], metavar="DAY", help="Only what had happened before this day began; or an instant."),
        click.Option(["--engine"], default="duckdb", show_default=True, help="duckdb, or spark://HOST:PORT."),
        click.Option(["--json", "form"], flag_value="json", help="Print JSON: rows, units, definition, query."),
        click.Option(["--csv", "form"], flag_value="csv", help="Print CSV."),
        click.Option(["--sql", "form"], flag_value="sql", help="Print the query instead of running it."),
    ]

    @click.pass_obj
    def answer(home: Path, /, as_of: str | None, engine: str, form: str | None, **options: object) -> None:
        _show(home, measure, {name: value for name, value in options.items() if value is not None}, as_of, engine, form)

    return click.Command(measure.name, callback=answer, params=[*own, *shared], help=measure.means)


def _click_option(option: Option) -> click.Option:
    default = ",".join(option.default) if isinstance(option.default, tuple) else option.default
    said = f"{option.allowed()}; default {'none' if default is None else default}"
    return click.Option(
        [f"--{option.name.replace('_', '-')}", option.name], metavar="VALUE", help=said[0].upper() + said[1:]
    )


def _show(
    home: Path, measure: Measure, options: dict[str, object], as_of: str | None, engine: str, form: str | None
) -> None:
    from plait import desk

    with _plainly():
        if form == "sql":
            click.echo(desk.query(home, measure.name, options, now=_now(), as_of=_as_of(as_of), engine=engine))
            return
        table = desk.show(home, measure.name, options, now=_now(), as_of=_as_of(as_of), engine=engine)
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

    with _plainly():
        print_story(desk.story(home, account, now=_now(), as_of=_as_of(as_of)))


@main.command()
@click.argument("name", required=False)
def measures(name: str | None) -> None:
    """List the measures, or define one."""
    from plait import desk
    from plait.board import print_definition, print_measures
    from plait.measure import known_measure

    with _plainly():
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

    with _plainly():
        table = desk.show(home, "source_health", now=_now())
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

    with _plainly():
        print_info(desk.info(home), as_json=as_json)


@store.command()
@click.pass_obj
def compact(home: Path) -> None:
    """Join small files and delete what nothing names any more."""
    from plait import desk

    with _plainly():
        click.echo(f"compacted; the facts are at version {desk.compact(home)}")


@store.command()
@click.pass_obj
def verify(home: Path) -> None:
    """Check that every file is there, counts agree and no fact is stored twice."""
    from plait import desk

    with _plainly():
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

    with _plainly():
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
    with _plainly(), _progress() as progress:
        mapping = write_demo(folder, accounts=accounts, seed=seed)
        desk.set_up(home, Settings("Europe/Berlin", "EUR", END))
        report = desk.load(home, folder / "exports", mapping, now=_now(), progress=progress)
    print_load(report)
    with _plainly():
        print_board(home, now=_now())
        print_people(home, *seed_demo(home))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on.")
@click.pass_obj
def serve(home: Path, host: str, port: int) -> None:
    """Serve the desk in the browser, with the worker for long jobs, until it is stopped."""
    from plait.web.serve import serve as serve_home

    with _plainly():
        serve_home(home, host=host, port=port, announce=click.echo)


@main.group()
def user() -> None:
    """Look after the people of the desk, where nobody can come in by the browser yet."""


@user.command("add")
@click.argument("email")
@click.option("--name", required=True, help="The name that others see.")
@click.option("--department", default="", help="One of plait's departments.")
@click.option("--role", "roles", multiple=True, help="A role; several times for several.")
@click.option("--outside", is_flag=True, help="Somebody who does not work for the firm.")
@click.option("--partner", "partners", multiple=True, help="With --outside: a partner code whose rows they see.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of the input.")
@click.pass_obj
def user_add(
    home: Path,
    /,
    email: str,
    name: str,
    department: str,
    roles: tuple[str, ...],
    outside: bool,  # noqa: FBT001
    partners: tuple[str, ...],
    password_stdin: bool,  # noqa: FBT001
) -> None:
    """Make somebody with the address EMAIL, who can log in at once; the first of a home looks after the others."""
    _people_of(home)
    from plait.web.people import accounts
    from plait.web.people.care import Details

    with _plainly():
        details = accounts.check_account(email, Details(name, department, roles, outside, partners))
        made = accounts.add_user(email, details, _new_password(from_input=password_stdin))
    if details.roles != roles:
        click.echo(f"the first person of this home gets the roles {' and '.join(details.roles)}")
    click.echo(f"{made.email} can log in")


@user.command("list")
@click.pass_obj
def user_list(home: Path) -> None:
    """List the people of the desk, a line each."""
    _people_of(home)
    from plait.web.people import accounts

    for line in accounts.listed():
        click.echo(line)


@user.command("reset")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of the input.")
@click.pass_obj
def user_reset(home: Path, email: str, password_stdin: bool) -> None:  # noqa: FBT001
    """Give the person EMAIL a new password; their sessions end."""
    _people_of(home)
    from plait.web.people import accounts

    with _plainly():
        accounts.find_user(email)
        accounts.set_password(email, _new_password(from_input=password_stdin))
    click.echo(f"{email.lower()} has a new password; all sessions have ended")


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
    with _plainly():
        boot.configure(home)
        from plait.web import assistant

        assistant.run(token)


def _people_of(home: Path) -> None:
    """Prepare the desk's database of a home, on a fresh one too."""
    from plait.web import boot

    with _plainly():
        boot.configure(home, local=True)
        boot.prepare()


def _new_password(*, from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = click.prompt("Password", type=str, hide_input=True, confirmation_prompt=True)
    return password


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


if __name__ == "__main__":
    main()
