"""Commands of identity: why two are one, merges and splits that can be undone, matching and its review."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plait.cli.deciding import say, steward
from plait.cli.matching import dedupe, match, review
from plait.cli.plainly import JSON, plainly

if TYPE_CHECKING:
    from plait.identity import Join
    from plait.stewardship import Decision

BY = click.option("--by", required=True, metavar="NAME", help="Who decides.")
WHY = click.option("--why", required=True, metavar="TEXT", help="Why: it stands beside the decision for ever.")


@click.group()
def identity() -> None:
    """Say why two records are one; merge, split and undo; find who is probably the same."""


@identity.command()
@click.argument("who")
@click.argument("other", required=False)
@JSON
@click.pass_obj
def why(home: Path, who: str, other: str | None, *, as_json: bool) -> None:
    """Say why the keys of WHO are one; with OTHER, why these two are one or are not.

    WHO is an id, a key such as email=jane@acme.com, or a value such as acme.com.
    """
    with plainly():
        from plait.identity import joins_of
        from plait.matching.who import opened
        from plait.matching.who import who as find
        from plait.stewardship import read_decisions

        with opened(home) as db:
            found = find(db, who)
            second = find(db, other) if other else found
            joins = joins_of(db, found.id, read_decisions(home))
    if found.id != second.id:
        click.echo(f"{who} is {found.id} and {other} is {second.id}: they are two. No fact and no decision joins them.")
        return
    if as_json:
        click.echo(json.dumps([_join_json(join) for join in joins], indent=2, ensure_ascii=False))
        return
    click.echo(f"{found.id} ({found.scope}) is known by {len(found.keys)} keys:")
    for name, value in found.keys:
        click.echo(f"  {name} {value}")
    click.echo("They are one because:" if joins else "Nothing had to be joined.")
    for join in joins:
        click.echo(f"  {_because(join)}")


@identity.command()
@click.argument("who")
@click.pass_obj
def history(home: Path, who: str) -> None:
    """Tell what happened to an id: which keys came to it or left it, when, by which fact or decision."""
    with plainly():
        from plait.matching.history import history as told

        today, changes = told(home, who)
    click.echo(f"{who} is {today} today.")
    for change in changes:
        keys = ", ".join(" ".join(key) for key in change.keys[:5]) + (", ..." if len(change.keys) > 5 else "")  # noqa: PLR2004
        came = f"{change.before} -> {change.after}" if change.before and change.after else change.after or "nobody"
        by = f", decision {change.decision.number} by {change.decision.by}" if change.decision else ""
        click.echo(f"{change.at:%Y-%m-%d %H:%M}  {came}: {keys}{by}")


@identity.command()
@click.argument("one")
@click.argument("other")
@BY
@WHY
@click.pass_obj
def merge(home: Path, one: str, other: str, *, by: str, why: str) -> None:
    """Decide that ONE and OTHER are the same person, or the same company. The older id stays."""
    with plainly():
        from plait.matching import acts

        say(acts.merge(home, one, other, steward(by, why)), f"{one} and {other} are one")


@identity.command()
@click.argument("who")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@BY
@WHY
@click.pass_obj
def split(home: Path, who: str, keys: tuple[str, ...], *, by: str, why: str) -> None:
    """Decide that each KEY (name=value) of WHO is of somebody else, apart from the other keys."""
    with plainly():
        from plait.matching import acts

        say(acts.part(home, who, keys, steward(by, why)), f"{', '.join(keys)} stand apart from the rest of {who}")


@identity.command()
@click.argument("one")
@click.argument("other")
@BY
@WHY
@click.pass_obj
def apart(home: Path, one: str, other: str, *, by: str, why: str) -> None:
    """Decide that ONE and OTHER look alike and are two: never proposed again, never joined by matching."""
    with plainly():
        from plait.matching import acts

        say(acts.apart(home, one, other, steward(by, why)), f"{one} and {other} are two")


@identity.command()
@click.argument("key")
@BY
@WHY
@click.pass_obj
def block(home: Path, key: str, *, by: str, why: str) -> None:
    """Decide that KEY (name=value) joins nobody, such as an address that a whole office uses."""
    with plainly():
        from plait.matching import acts

        say(acts.block(home, key, steward(by, why)), f"{key} joins nobody")


@identity.command()
@click.argument("key")
@BY
@WHY
@click.pass_obj
def allow(home: Path, key: str, *, by: str, why: str) -> None:
    """Decide that KEY (name=value) joins although a rule bars it, such as info@ of a firm of one."""
    with plainly():
        from plait.matching import acts

        say(acts.allow(home, key, steward(by, why)), f"{key} joins")


@identity.command()
@click.argument("name")
@click.argument("most", type=int)
@BY
@WHY
@click.pass_obj
def limit(home: Path, name: str, most: int, *, by: str, why: str) -> None:
    """Decide that an identifier NAME (such as phone) that meets more than MOST others is shared and joins nobody."""
    with plainly():
        from plait.matching import acts

        say(acts.limit(home, name, most, steward(by, why)), f"a {name} of more than {most} joins nobody")


@identity.command()
@click.argument("number", type=int)
@BY
@WHY
@click.pass_obj
def undo(home: Path, number: int, *, by: str, why: str) -> None:
    """Take the decision with this NUMBER back: everything is again as if it had not been made."""
    with plainly():
        from plait.matching import acts

        say(acts.undo(home, number, steward(by, why)), f"decision {number} is taken back")


@identity.command()
@click.option("--all", "everything", is_flag=True, help="Those that were taken back, too.")
@JSON
@click.pass_obj
def decisions(home: Path, *, everything: bool, as_json: bool) -> None:
    """List the decisions in force, the newest first."""
    with plainly():
        from plait.stewardship import read_decisions

        held = read_decisions(home)
    shown = (held.all if everything else held.in_force)[::-1]
    if as_json:
        click.echo(json.dumps([json.loads(one.line()) for one in shown], indent=2, ensure_ascii=False))
        return
    click.echo(f"{len(held.in_force)} decisions in force, of {len(held.all)}.")
    for one in shown:
        click.echo(f"{one.number:>4}  {one.at:%Y-%m-%d}  {_in_words(one)}  ({one.by}: {one.why})")


def _because(join: Join) -> str:
    """Say in words why two keys are one."""
    left, right = join.left[1], join.right[1]
    day = f"{join.recorded_at.day} {join.recorded_at:%B %Y}"
    if join.decision is None:
        return f"{left} and {right} were in one row of {join.source} on {day}: {join.because}"
    one = join.decision
    if "probability" in one.evidence:
        matched = f"matched: {one.evidence['alike']}: probability {float(one.evidence['probability']):.2f} "
        matched += f"(threshold {one.evidence['threshold']})"
        return f"{left} and {right}: {matched}; {one.by} merged them on {day}, decision {one.number}: {one.why}"
    return f"{one.by} merged {left} and {right} on {day}, because {one.why} (decision {one.number})"


def _join_json(join: Join) -> dict[str, object]:
    told = asdict(join) | {"recorded_at": join.recorded_at.isoformat(), "says": _because(join)}
    told["decision"] = join.decision.number if join.decision else None
    return told


def _in_words(one: Decision) -> str:
    keys = [" ".join(filter(None, key)) for key in one.keys]
    if one.kind == "undo":
        return f"took decision {one.undoes} back"
    if one.kind == "limit":
        return f"limit of {keys[0]}: {one.most}"
    return f"{one.kind} {', '.join(keys)}" + (f" from {len(one.rest)} others" if one.rest else "")


for command in (match, review, dedupe):
    identity.add_command(command)
