"""`plait source` and `plait collect`: sources that send events as they happen."""

from __future__ import annotations

import json
from pathlib import Path

import click

from plait.cli.plainly import JSON, desk_of, plainly

KINDS = ("collector",)  # how a source's facts come in; files need no more than `plait load`


@click.group()
def source() -> None:
    """Look after live sources: their write keys and how their events are read."""


@source.command("add")
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), default="collector", show_default=True, help="How its facts come in.")
@click.option("--server", is_flag=True, help="A secret key for servers, instead of a public one for pages.")
@click.option("--origin", "origins", multiple=True, metavar="URL", help="A page that may use the key (default: any).")
@click.option("--quota", type=click.IntRange(0, 1_000_000), default=0, help="Events a second, 0 for any number.")
@JSON
@click.pass_obj
def source_add(
    home: Path,
    name: str,
    *,
    kind: str,
    server: bool,
    origins: tuple[str, ...],
    quota: int,
    as_json: bool,
) -> None:
    """Add a live source NAME, or another key to one that is there; prints the write key."""
    desk_of(home)
    from plait.web.collector import sources

    with plainly():
        key = sources.add(name, sort="server" if server else "web", origins=origins, quota=quota)
    if as_json:
        click.echo(json.dumps({"source": name, "kind": kind, "key_kind": key.sort, "write_key": key.text}))
    else:
        click.echo(f"{name} takes events with the {key.sort} key {key.text}")


@source.command("list")
@JSON
@click.pass_obj
def source_list(home: Path, as_json: bool) -> None:  # noqa: FBT001
    """List the live sources and the keys that work."""
    desk_of(home)
    from plait.web.collector import sources

    listed = sources.listed()
    if as_json:
        click.echo(json.dumps(listed))
    for told in [] if as_json else listed:
        click.echo(f"{told['source']}\t{told['key_kind']}\t{told['key']}\t{' '.join(told['origins']) or 'any page'}")


@source.command("revoke")
@click.argument("key")
@click.pass_obj
def source_revoke(home: Path, key: str) -> None:
    """End the write key KEY (the key, or its first signs as `list` shows them); what it sends is refused in seconds."""
    desk_of(home)
    from plait.web.collector import sources

    with plainly():
        click.echo(f"the key {sources.revoke(key).shown} has ended")


@source.command("map")
@click.argument("name")
@click.argument("mapping", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_obj
def source_map(home: Path, name: str, mapping: Path) -> None:
    """Let the events of source NAME be read by the file MAPPING (docs/collector.md)."""
    from plait import live

    with plainly():
        tracks = live.map_events(home, name, mapping.read_text("utf-8"))
    click.echo(f"{name} is read by {mapping.name}: {tracks} track calls have a kind of their own")


@source.command("replay")
@click.argument("name")
@click.pass_obj
def source_replay(home: Path, name: str) -> None:
    """Read the events of source NAME again by its present mapping, so that it holds for the past too.

    Refused events are read again as well: those that are facts now come in.
    """
    from plait import live

    with plainly():
        done = live.replay(home, name)
    if not done.events and not done.quarantined:
        click.echo(f"nothing that {name} has sent is stored; `plait sources` shows what is")
    if done.events:
        click.echo(f"{done.events} events were read again: {done.changed} changed")
    if done.unfit:
        click.echo(f"{done.unfit} stay as they were: their new kind needs a field that they do not have")
    if done.quarantined:
        said = f"{done.quarantined} events had been refused: {done.admitted} came in, {done.refused} stay refused"
        click.echo(f"{said}, {done.lost} of them kept too little to be read again" if done.lost else said)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8001, show_default=True, help="Port to listen on.")
@click.option("--fd", "descriptor", type=click.IntRange(3), help="A socket that listens already (socket activation).")
@click.pass_obj
def collect(home: Path, host: str, port: int, descriptor: int | None) -> None:
    """Take live events, without the desk, until it is stopped."""
    from plait.web import serve

    with plainly():
        serve.collect(home, host=host, port=port, descriptor=descriptor, announce=click.echo)
