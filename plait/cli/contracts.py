"""`plait contract`: what sources promise, who stands for them, and how their loads kept to it."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plait.cli.plainly import JSON, Misuse, now, plainly

if TYPE_CHECKING:
    from plait.sources.contract import Contract
    from plait.sources.contract.scorecard import Card

FILE = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
SOURCE = click.argument("source")


@click.group()
def contract() -> None:
    """Agree with each source on what it promises, and see how its loads kept to it (data contracts)."""


@contract.command()
@FILE
def check(file: Path) -> None:
    """Say everything that is wrong with the contract in FILE, or what it asks; needs no home."""
    with plainly():
        found = _read(file)
    click.echo(f"{file} is fit.")
    for line in _in_words(found):
        click.echo(line)


@contract.command()
@FILE
@click.option("--why", required=True, metavar="TEXT", help="Why: it stands beside the version for ever.")
@click.option("--by", metavar="NAME", help="Who adopts it (default: who is logged in).")
@click.pass_obj
def adopt(home: Path, file: Path, *, why: str, by: str | None) -> None:
    """Let the contract in FILE hold from now on; older versions stay readable."""
    with plainly():
        from plait.sources.contract.home import adopt as keep

        found = _read(file)
        version = keep(home, found.text, by=by or login_name(), why=why, now=now())
    held = "holds now" if version.contract.in_force else "is kept; nothing is judged by a retired one"
    click.echo(f"Version {version.number} of the contract of {found.source} {held}.")
    if found.not_judged:
        click.echo(f"Not judged by plait: {', '.join(f'{key} ({where})' for where, key in found.not_judged)}.")


@contract.command()
@SOURCE
@click.option("--version", "number", type=click.IntRange(1), help="Which version (default: the one that holds).")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print the file itself, to edit a copy of it.")
@click.pass_obj
def show(home: Path, source: str, *, number: int | None, as_yaml: bool) -> None:
    """Say the contract of SOURCE in words, with its versions and how its loads kept to it."""
    with plainly():
        from plait.sources.contract.home import read_versions, version_of
        from plait.sources.contract.scorecard import card_of

        version = version_of(home, source, number)
        if as_yaml:
            click.echo(version.contract.text, nl=False)
            return
        versions, card = read_versions(home, source), card_of(home, source, now=now())
    click.echo(f"Version {version.number} of {len(versions)}, adopted {version.adopted_at:%Y-%m-%d} by {version.by}: "
               f"{version.why}")  # fmt: skip
    for line in (*_in_words(version.contract), "", *_card(card)):
        click.echo(line)


@contract.command("list")
@JSON
@click.pass_obj
def list_(home: Path, *, as_json: bool) -> None:
    """List the sources with their contracts and how the last load kept to them."""
    with plainly():
        from plait.sources.contract.scorecard import cards

        found = cards(home, now=now())
    if as_json:
        click.echo(json.dumps([card.told() for card in found], indent=2, ensure_ascii=False))
        return
    if not found:
        click.echo("no source has a contract yet; `plait contract propose SOURCE FOLDER` writes one.")
    for card in found:
        click.echo(f"{card.source}: {card.summary()}")


@contract.command()
@SOURCE
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), help="Where to write it (default: SOURCE.odcs.yaml).")
@click.option("--it-owner", default="", metavar="NAME", help="Who stands for the source in IT.")
@click.option("--owner", default="", metavar="NAME", help="Who stands for it in the department.")
@click.option("--department", default="", metavar="NAME", help="Which department that is.")
def propose(source: str, folder: Path, *, out: Path | None, it_owner: str, owner: str, department: str) -> None:
    """Write a contract of SOURCE from what the exports in FOLDER look like, for its owners to agree on."""
    with plainly():
        from plait.sources.contract.proposal import Owners
        from plait.sources.contract.proposal import propose as made

        text = made(folder, source, Owners(it_owner, owner, department))
    path = out or Path(f"{source}.odcs.yaml")
    if path.exists():
        raise Misuse(f"{path} is there already; name another file with --out.")
    path.write_text(text, "utf-8")
    click.echo(f"wrote {path}: read it with the owners, then `plait contract adopt {path} --why ...`")


def login_name() -> str:
    """Give the name of who is logged in on this machine, as far as it is known."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "command line"


def _read(file: Path) -> Contract:
    from plait.failure import Said
    from plait.sources.contract import BadContract, read_contract

    try:
        return read_contract(file.read_text("utf-8-sig"), file.name)
    except UnicodeDecodeError as error:
        raise BadContract(file.name, [Said("is not UTF-8 (byte {n}): save it as UTF-8", n=error.start)]) from error


def _in_words(found: Contract) -> list[str]:
    lines = [
        f"Contract of {found.source}: {found.name}, version {found.version}, {found.status}",
        f"Owner in IT: {found.it.name}; owner in {found.department.department}: {found.department.name}",
    ]
    for shape in found.shapes:
        within = "each export" if shape.whole else "all exports"
        lines += ["", f"{shape.name} ({shape.pattern}), {len(shape.columns)} columns:"]
        lines += [f"  - {rule.words()}{f' in {within}' if rule.asks == 'unique' else ''}" for rule in shape.rules]
        lines += [f"  - a load has {limit.words()}" for limit in shape.volume]
    promised = [
        f"the newest {one.column[1] if one.column else 'event'} is at most {one.said} old" for one in found.latency
    ]
    promised += [f"a load comes every {found.frequency.said}"] if found.frequency else []
    promised += [f"control total of {total.kind}" for total in found.totals]
    lines += ["", "Promised:", *(f"  - {said}" for said in promised)] if promised else []
    broken = "refuses the whole load" if found.refuses else "puts the rows in quarantine"
    lines += ["", f"A breach {broken}."]
    if found.not_judged:
        lines.append(f"Not judged by plait: {', '.join(f'{key} ({where})' for where, key in found.not_judged)}.")
    return lines


def _card(card: Card) -> list[str]:
    lines = [f"Last load: {card.summary()}"]
    lines += [f"  - broken: {line.rule}: {line.found}" for line in card.lines if line.kept is False]
    lines += [f"Drift: {drift.said} ({drift.state})" for drift in card.drifts]
    return lines
