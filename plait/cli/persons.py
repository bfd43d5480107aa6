"""`plait person`: all that is kept of somebody, for them to have, and to be erased (docs/personal-data.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plait.cli.plainly import JSON, Misuse, desk_of, now, plainly

if TYPE_CHECKING:
    from plait.web.erasing.acts import Found

KEY = click.argument("key")
WHY = click.option("--why", required=True, help="The reason, in a sentence; it is kept with the request.")
DOES = {"erase": "erased", "strip": "stays without the person"}


@click.group()
def person() -> None:
    """Find, hand out and erase what is kept of a person.

    KEY is an e-mail address, or NAME=VALUE such as user_id=u-17, person.crm=1234, phone=+49301234567.
    """


@person.command()
@KEY
@JSON
@click.pass_obj
def find(home: Path, key: str, as_json: bool) -> None:  # noqa: FBT001
    """List what is kept of the person whom KEY names, table by table, and what an erasure would do to it."""
    desk_of(home)
    from plait.web.erasing import acts

    with plainly():
        found = acts.look(home, key)
    if as_json:
        told = [{"table": one.name, "count": one.count, "becomes": one.becomes} for one in found.sections]
        keys = [{"name": name, "value": value} for name, value in found.subject.keys]
        click.echo(json.dumps({"keys": keys, "kept": told, "kept_out": found.kept_out}, ensure_ascii=False, indent=2))
        return
    _print(found)


@person.command()
@KEY
@click.option("--to", "file", required=True, type=click.Path(path_type=Path, dir_okay=False), help="A .zip to write.")
@click.pass_obj
def export(home: Path, key: str, file: Path) -> None:
    """Write all that is kept of the person whom KEY names to a .zip for them: JSON, CSV and a page to read."""
    desk_of(home)
    from plait.web.erasing import acts

    if file.exists():
        raise Misuse(f"{file} is there already; name a file that is not.")
    with plainly():
        archive = acts.hand_out(home, key, by=None, now=now())
        file.touch(mode=0o600)
        file.write_bytes(archive)
    click.echo(f"{file} holds what is kept of them; give it to nobody else. The request is written down as done")


@person.command()
@KEY
@WHY
@click.option("--yes", is_flag=True, help="Do not ask again.")
@click.pass_obj
def erase(home: Path, key: str, why: str, *, yes: bool) -> None:
    """Erase the person whom KEY names, for good, and keep them out of every later load."""
    desk_of(home)
    from plait.web.erasing import acts

    with plainly():
        acts.finish(home, by=None)  # what a kill has left
        found = acts.look(home, key)
    _print(found)
    if not yes:
        click.confirm("Erase this for good? Nothing brings it back", abort=True)
    with plainly():
        acts.begin(home, key, why=why, by=None, now=now())
        counts = acts.finish(home, by=None)
    for name, count in counts.items():
        click.echo(f"{count:>9,}  {acts.title_of(name)}")
    click.echo("erased; their keys are kept out of every later load")


@person.command()
@click.pass_obj
def resume(home: Path) -> None:
    """Go on with erasures that were begun and ended in between."""
    desk_of(home)
    from plait.erasure.plan import unfinished
    from plait.web.erasing import acts

    with plainly():
        waiting = len(unfinished(home))
        acts.finish(home, by=None)
    click.echo(f"{waiting} finished" if waiting else "no erasure waits to be finished")


@person.command()
@KEY
@WHY
@click.pass_obj
def allow(home: Path, key: str, why: str) -> None:
    """Let the person whom KEY names in again: they have come back as a customer, and agree."""
    desk_of(home)
    from plait.web.erasing import acts

    with plainly():
        keys = acts.allow(home, key, why=why, by=None, now=now())
    click.echo(f"let in again, with {keys} keys; what comes from now on is stored")


@person.command()
@click.pass_obj
def requests(home: Path) -> None:
    """List what persons have asked for, and by when it is due; who they are is kept nowhere."""
    desk_of(home)
    from plait.web.erasing.models import PersonRequest

    for one in PersonRequest.objects.all():
        done = f"done {one.done_at:%Y-%m-%d}" if one.done_at else f"due {one.due_on}"
        click.echo(f"{one.pk:>5}  {one.sort:<8}  {one.state:<9}  asked {one.received_on}  {done}  {one.why}".rstrip())


def _print(found: Found) -> None:
    keys = ", ".join(f"{name}={value}" for name, value in found.subject.keys)
    click.echo(f"known by {keys}")
    if found.colleague:
        click.echo(f"{found.colleague} uses the desk by one of these addresses: that account stays")
    if found.kept_out:
        click.echo("this person was erased and is kept out of every load")
    from plait.web.erasing.acts import title_of

    for one in found.sections:
        click.echo(f"{one.count:>9,}  {title_of(one.name)}: {DOES[one.becomes]}")
    if not found.sections:
        click.echo("nothing is kept of them")
