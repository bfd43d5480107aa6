"""`plait lifecycle`: the firm's stage rules, their versions, and where accounts stand by them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plait.cli.plainly import JSON, Misuse, now, plainly

if TYPE_CHECKING:
    from plait.stages import RuleSet, Signal, Stage, Version

FILE = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
MOST_MOVES = 12


@click.group()
def lifecycle() -> None:
    """Stages of the cycle: the firm's rules, their versions and owners, and where accounts stand."""


@lifecycle.command()
@click.option("--version", "number", type=click.IntRange(0), help="Which version (default: the one that holds).")
@click.option("--toml", "as_toml", is_flag=True, help="Print the file itself, to edit a copy of it.")
@click.pass_obj
def rules(home: Path, number: int | None, *, as_toml: bool) -> None:
    """Say the stage rules in words: who leads the cycle, who owns each stage, and when an account is in it."""
    with plainly():
        from plait.stages import read_versions

        versions = read_versions(home)
    if number is not None and number >= len(versions):
        raise Misuse(f"there is no version {number}; allowed: 0 to {len(versions) - 1}.")
    version = versions[-1 if number is None else number]
    if as_toml:
        click.echo(version.rules.text, nl=False)
        return
    for line in (*_about(version, len(versions)), "", *_in_words(version.rules)):
        click.echo(line)


@lifecycle.command()
@FILE
def check(file: Path) -> None:
    """Say everything that is wrong with the stage rules in FILE, or that they can be adopted; needs no home."""
    with plainly():
        found = _read(file)
    click.echo(f"{file} is fit: {len(found.stages)} stages, led by {found.lead}.")


@lifecycle.command()
@FILE
@click.option("--by", required=True, metavar="NAME", help="Who adopts them.")
@click.option("--why", required=True, metavar="TEXT", help="Why: it stands beside the version for ever.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def adopt(home: Path, file: Path, *, by: str, why: str, yes: bool) -> None:
    """Let the stage rules in FILE hold from now on; first shows what they change. Older versions stay readable."""
    with plainly():
        from plait import desk
        from plait.ledger import try_rules

        found = _read(file)
        trial = try_rules(home, found, _until(home, None))
    total = sum(trial.before.values())
    _print_stocks({"before": trial.before, "after": trial.after})
    click.echo(f"{trial.elsewhere:,} of {total:,} accounts would stand elsewhere.")
    for left, entered, accounts in [move for move in trial.moves if move[0] != move[1]][:MOST_MOVES]:
        click.echo(f"  {left} -> {entered}: {accounts:,}")
    if not yes:
        click.confirm("Adopt these rules?", abort=True)
    with plainly():
        version = desk.adopt_rules(home, found.text, by=by, why=why, now=now())
    click.echo(f"Version {version.number} of the stage rules holds now.")


@lifecycle.command()
@click.pass_obj
def replay(home: Path) -> None:
    """Work the kept ledger out anew from all facts, by the rules that hold."""
    with plainly():
        from plait.ledger import bring_up

        brought = bring_up(home, everything=True)
    click.echo(f"{brought.stays:,} stays of {brought.accounts:,} accounts, by version {brought.rules.number}.")


@lifecycle.command()
@click.argument("account")
@JSON
@click.pass_obj
def stays(home: Path, account: str, *, as_json: bool) -> None:
    """Tell where ACCOUNT (an id, a domain, a CRM id or its name) stood, from its first fact on, and why."""
    with plainly():
        from plait.ledger import stays_of
        from plait.store import Store
        from plait.timeline import find_account

        found = stays_of(home, find_account(Store.open(home), account), _until(home, None))
    if as_json:
        rows = [
            {"stage": stay.stage, "from_stage": stay.from_stage, "from_at": stay.from_at.isoformat(),
             "to_on": stay.to_on and stay.to_on.isoformat(), "why": stay.why, "corrected": stay.corrected}
            for stay in found
        ]  # fmt: skip
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for stay in found:
        why = "a person set it" if stay.corrected else stay.why
        click.echo(f"{stay.from_on}  {stay.to_on or 'now':<10}  {stay.stage:<16}  {why}")


@lifecycle.command()
@click.argument("day")
@JSON
@click.pass_obj
def on(home: Path, day: str, *, as_json: bool) -> None:
    """Count the accounts that stood in each stage at the end of DAY (2026-01-31, in the home's zone)."""
    try:
        asked = date.fromisoformat(day)
        after = asked + timedelta(days=1)
    except (ValueError, OverflowError):
        raise Misuse(f"{day!r} is no day; write one such as 2026-01-31.") from None
    with plainly():
        from plait.ledger import stocks

        found = stocks(home, _until(home, after))
    if as_json:
        click.echo(json.dumps({"day": asked.isoformat(), "stocks": found}, indent=2))
    else:
        _print_stocks({asked.isoformat(): found})


def _read(file: Path) -> RuleSet:
    from plait.stages import BadRules, Problem, read_rules

    try:
        return read_rules(file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        from plait.failure import Said

        raise BadRules([Problem("file", Said("no text in UTF-8: {error}.", error=str(error)))]) from error


def _until(home: Path, day: date | None) -> datetime:
    """Give the first instant not seen, naive UTC: the beginning of a day, or as the home looks."""
    from plait.settings import read_settings

    settings = read_settings(home)
    return settings.newest(now()) if day is None else settings.midnight(day)


def _print_stocks(columns: Mapping[str, Mapping[str, int]]) -> None:
    names = list(dict.fromkeys(name for stocks in columns.values() for name in stocks))
    click.echo("  ".join((f"{'stage':<18}", *(f"{head:>12}" for head in columns))))
    for name in names:
        cells = (f"{stocks[name]:>12,}" if name in stocks else f"{'-':>12}" for stocks in columns.values())
        click.echo("  ".join((f"{name:<18}", *cells)))
    click.echo("  ".join((f"{'all':<18}", *(f"{sum(stocks.values()):>12,}" for stocks in columns.values()))))


def _about(version: Version, versions: int) -> list[str]:
    if version.adopted_at is None:
        return [f"Version 0 of {versions}: as plait comes."]
    day = version.adopted_at.replace(tzinfo=UTC).date()
    return [f"Version {version.number} of {versions}, adopted {day} by {version.by}: {version.why}"]


def _in_words(found: RuleSet) -> list[str]:
    lines = [f"Lead of the cycle: {found.lead}", f"The ring: {' > '.join(found.ring)}", ""]
    lines.append("The first stage of which one line holds is the stage of the account:")
    for stage in found.stages:
        lines += ["", f"{stage.title} ({stage.name}), owned by {_owners(stage)}"]
        for way in stage.when:
            asks = [found.signal(name).called() for name in way.all]
            asks += [f"not: {found.signal(name).called()}" for name in way.none]
            asks += [f"{way.left} was left"] if way.left else []
            lines.append(f"  - {way.name}" + (f": {'; '.join(asks)}" if asks else ""))
    return [*lines, "", "Signals:", *(f"  {_signal(signal)}" for signal in found.signals)]


def _owners(stage: Stage) -> str:
    return ", ".join(
        owner.called
        + (f" ({owner.department})" if owner.person else "")
        + (f" since {owner.since}" if owner.since else "")
        for owner in stage.owners
    )


def _signal(signal: Signal) -> str:
    over = f"; taken back by {', '.join(signal.over)}" if signal.over else ""
    return f"{signal.name}: {signal.called()} - {signal.told()}: {', '.join(signal.kinds)}{over}"
