"""`plait connections`: systems whose data plait fetches itself."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plait.cli.plainly import JSON, Misuse, desk_of, now, plainly

if TYPE_CHECKING:
    from plait.sources.pull.description import Setting
    from plait.web.connections.models import Run
    from plait.web.connections.reaching import Sort
    from plait.web.people.models import User

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
EVERY = re.compile(r"(\d{1,5})\s*(m|min|minutes?|h|hours?|d|days?)")
MINUTES = {"m": 1, "h": 60, "d": 1440}
NAME = click.argument("name")


@click.group()
def connections() -> None:
    """Fetch what other systems hold, without exports."""


@connections.command("systems")
@JSON
@click.pass_obj
def show_systems(home: Path, as_json: bool) -> None:  # noqa: FBT001
    """List the systems that can be connected, and what each must be told."""
    desk_of(home)
    from plait.web.connections.reaching import sorts

    told = [_sort_told(sort) for sort in sorts().values()]
    if as_json:
        click.echo(json.dumps(told))
    for one in [] if as_json else told:
        click.echo(f"{one['system']}\t{one['title']}: {one['about']}")
        for name, says in one["settings"].items():
            click.echo(f"\t--set {name}=...\t{says}")
        for way, secrets in one["logins"].items():
            named = ", ".join(f"{_variable(name)} ({title})" for name, title in secrets.items())
            if named:
                click.echo(f"\t--login {way}\t{named}" if way else f"\tsecret\t{named}")


@connections.command("list")
@JSON
@click.pass_obj
def list_all(home: Path, as_json: bool) -> None:  # noqa: FBT001
    """List the connections: how each fares, when it is asked next."""
    desk_of(home)
    from plait.web.connections import running, schedule
    from plait.web.connections.models import Connection

    running.settle()
    following = schedule.next_runs()
    told = [
        {
            "name": one.name, "system": one.system, "every_minutes": one.every, "paused": one.paused,
            "failures": one.failures, "last": _run_told(one.runs.first()),
            "next": following[one.pk].isoformat() if one.pk in following else None,
        }
        for one in Connection.objects.all()
    ]  # fmt: skip
    if as_json:
        click.echo(json.dumps(told))
        return
    for one in told:
        last: Any = one["last"]
        state = "paused" if one["paused"] else (last["state"] if last else "never asked")
        rows = f"{last['rows']:,} rows, {last['added']:,} facts added" if last else ""
        click.echo(
            "\t".join(str(part or "") for part in (one["name"], one["system"], state, rows, one["next"])).rstrip()
        )
        if last and last["problem"]:
            click.echo(f"\t{last['problem']}")
    if not told:
        click.echo("there are no connections; plait connections systems lists what can be connected")


@connections.command("add")
@NAME
@click.argument("system")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="A setting, such as subdomain=company.")
@click.option("--login", default="", help="Which way to log in, where a system has several.")
@click.option("--description", type=FILE, help="TOML: one's own system, or what to read of a database.")
@click.option("--mapping", type=FILE, help="TOML mapping, where plait does not know the files (docs/mapping.md).")
@click.option("--every", metavar="TIME", help="How often it is asked: 30m, 2h, 1d (default: only by hand).")
@click.option("--owner", metavar="EMAIL", help="Who answers for it on the desk (default: the first who may).")
@click.option("--untested", is_flag=True, help="Add it even where it cannot be reached now.")
@click.pass_obj
def add(
    home: Path, /, name: str, *, system: str, given: tuple[str, ...], login: str, every: str | None, owner: str | None,
    untested: bool, **files: Path | None,
) -> None:  # fmt: skip
    """Connect SYSTEM under NAME. Secrets are asked for, or read from the environment; they are never arguments."""
    desk_of(home)
    from plait.sources.pull.asking import Pace
    from plait.web.connections import changing, reaching

    with plainly():
        text = _text(files["description"])
        sort = reaching.sort_of(system, text)
        reaching.checked_settings(sort, _pairs(given))  # before a secret is asked for
        mapping = files["mapping"]
        wanted = changing.Wanted(
            name, system, _pairs(given), _secrets(sort, login), login, text,
            (mapping.name, _text(mapping)) if mapping else None, _minutes(every),
        )  # fmt: skip
        if not untested:
            for works in reaching.test(changing.draft(wanted), pace=Pace()):
                click.echo(works)
        made = changing.add(wanted, actor=_owner(owner))
    click.echo(f"{made.name} is connected; plait connections run {made.name} asks it now")
    if made.every and made.owner is None:
        click.echo("nobody on the desk answers for it, so no schedule asks it; add somebody with plait user add")


@connections.command("test")
@NAME
@click.pass_obj
def test(home: Path, name: str) -> None:
    """Ask once whether NAME can be reached and lets us in; nothing is stored."""
    desk_of(home)
    from plait.sources.pull.asking import Pace
    from plait.web.connections import changing, reaching

    with plainly():
        for works in reaching.test(changing.find(name), pace=Pace()):
            click.echo(works)


@connections.command("run")
@NAME
@click.option("--full", is_flag=True, help="Read all of it again; what is known adds nothing.")
@JSON
@click.pass_obj
def run(home: Path, name: str, full: bool, as_json: bool) -> None:  # noqa: FBT001
    """Ask NAME now for what is new, and load it."""
    desk_of(home)
    from plait.web.connections import changing, running

    quiet = as_json or not sys.stderr.isatty()

    def tell(what: str, count: int, total: int) -> None:
        if not quiet and not total:
            click.echo(f"\r{what}: {count:,}   ", nl=False, err=True)

    with plainly():
        done = running.run_now(changing.find(name), full=full, now=now(), tell=tell)
    if as_json:
        click.echo(json.dumps(_run_told(done)))
        return
    if not quiet:
        click.echo(err=True)
    for file, rows in sorted(done.read.items()):
        note = "\tnot read: give the connection a mapping for it" if file in done.not_read else ""
        click.echo(f"{file}\t{rows:,}{note}")
    click.echo(f"{done.added:,} facts added, {done.refused:,} rows refused" if done.read else "nothing is new")


@connections.command("secret")
@NAME
@click.pass_obj
def secret(home: Path, name: str) -> None:
    """Change the secret of NAME; it is asked for, or read from the environment."""
    desk_of(home)
    from plait.web.connections import changing, reaching

    with plainly():
        found = changing.find(name)
        given = _secrets(reaching.sort_of(found.system, found.description), found.login)
        changing.change_secrets(found, given, actor=None)
    click.echo(f"the secret of {name} is changed")


@connections.command("pause")
@NAME
@click.pass_obj
def pause(home: Path, name: str) -> None:
    """Have NAME asked no more until it is resumed."""
    desk_of(home)
    from plait.web.connections import changing

    with plainly():
        changing.pause(changing.find(name), actor=None)
    click.echo(f"{name} is paused")


@connections.command("resume")
@NAME
@click.pass_obj
def resume(home: Path, name: str) -> None:
    """Go on with NAME."""
    desk_of(home)
    from plait.web.connections import changing

    with plainly():
        changing.resume(changing.find(name), actor=None)
    click.echo(f"{name} is asked again")


@connections.command("every")
@NAME
@click.argument("time")
@click.pass_obj
def every(home: Path, name: str, time: str) -> None:
    """Have NAME asked every TIME: 30m, 2h, 1d, or never (only by hand)."""
    desk_of(home)
    from plait.web.connections import changing

    with plainly():
        changing.reschedule(changing.find(name), None if time == "never" else _minutes(time), actor=None)
    click.echo(f"{name} is asked only by hand" if time == "never" else f"{name} is asked every {time}")


@connections.command("remove")
@NAME
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(home: Path, name: str, yes: bool) -> None:  # noqa: FBT001
    """Remove NAME, its secret and the history of its runs; its facts stay."""
    desk_of(home)
    from plait.web.connections import changing

    with plainly():
        found = changing.find(name)
        if not yes:
            click.confirm(f"remove {name}? its facts stay", abort=True)
        changing.remove(found, actor=None)
    click.echo(f"{name} is removed; its facts stay")


@connections.command("rotate-key")
@click.pass_obj
def rotate_key(home: Path) -> None:
    """Make a new key and encrypt every secret with it."""
    desk_of(home)
    from plait.web.connections import sealed

    with plainly():
        count = sealed.rotate()
    click.echo(f"a new key is in force; secrets encrypted anew: {count}")


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Misuse(f"{path.name} is not UTF-8; save it as UTF-8.") from error


def _secrets(sort: Sort, login: str) -> dict[str, str]:
    way = next((one for one in sort.logins if one.name == login), sort.logins[0])
    found = {}
    for name, title in way.secrets.items():
        from_outside = os.environ.get(_variable(name))
        found[name] = from_outside if from_outside is not None else click.prompt(title, hide_input=True, default="")
    return found


def _variable(name: str) -> str:
    return f"PLAIT_SECRET_{name.upper()}"


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for name, mark, _value in pairs:
        if not mark or not name:
            raise Misuse(f"--set {name} says nothing; write --set name=value.")
    return {name.strip(): value.strip() for name, _mark, value in pairs}


def _minutes(text: str | None) -> int | None:
    if text is None:
        return None
    found = EVERY.fullmatch(text.strip().lower())
    if found is None:
        raise Misuse(f"--every cannot be {text!r}; write 30m, 2h or 1d.")
    return int(found[1]) * MINUTES[found[2][0]]


def _owner(email: str | None) -> User | None:
    from plait.web.people.models import User
    from plait.web.people.rights import may

    people = User.objects.filter(is_active=True, outside=False).order_by("pk")
    if email is not None:
        found = people.filter(email=email.strip().lower()).first()
        if found is None or not may(found, "data.work").allowed:
            raise Misuse(f"{email} is nobody who may work on data; plait user list shows who there is.")
        return found
    return next((user for user in people if may(user, "data.work").allowed), None)


def _sort_told(sort: Sort) -> dict[str, Any]:
    settings = {one.name: _setting_told(one) for one in sort.settings}
    logins: Mapping[str, Any] = {way.name: dict(way.secrets) for way in sort.logins}
    return {"system": sort.name, "title": sort.title, "about": sort.about, "settings": settings, "logins": logins}


def _setting_told(one: Setting) -> str:
    example = f", such as {one.example}" if one.example else ""
    return f"{one.title}{example}{'' if one.default is None else ' (optional)'}"


def _run_told(run: Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "state": run.state, "full": run.full, "began": run.began_at.isoformat(),
        "ended": run.ended_at.isoformat() if run.ended_at else None, "rows": run.rows, "read": run.read,
        "added": run.added, "refused": run.refused, "not_read": run.not_read, "requests": run.requests,
        "problem": run.says,
    }  # fmt: skip
