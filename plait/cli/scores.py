"""`plait scores`: the rules of points, their versions, and the model of chance with its proof."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plait.cli.plainly import JSON, Misuse, Refusal, now, plainly

if TYPE_CHECKING:
    from plait.measures._adoption import Moves
    from plait.points.rules import Kept, Rules, Where

FILE = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
BY = click.option("--by", required=True, metavar="NAME", help="Who does it; it is kept beside it for ever.")


@click.group()
def scores() -> None:
    """Scores of accounts: rules that give points, and a model of the chance to win, each with its versions."""


@scores.command()
@click.option("--version", "number", type=click.IntRange(0), help="Which version (default: the one in force).")
@click.option("--toml", "as_toml", is_flag=True, help="Print the file itself, to edit a copy of it.")
@click.pass_obj
def rules(home: Path, number: int | None, *, as_toml: bool) -> None:
    """Say the score rules in words, or as the file."""
    with plainly():
        from plait.points.kept import read_scoring, rules_of

        scoring = read_scoring(home)
        found = rules_of(scoring, number)
    kept = scoring.versions[found.number]
    if as_toml:
        click.echo(kept.text, nl=False)
        return
    for line in _in_words(kept, len(scoring.versions)):
        click.echo(line)


@scores.command()
@FILE
def check(file: Path) -> None:
    """Say everything that is wrong with the score rules in FILE, or that they can be adopted; needs no home."""
    _text, found = _read(file)
    click.echo(
        f"{file} is fit: {len(found.traits)} traits of fit, {len(found.acts)} rules of engagement; "
        f"qualified from {found.threshold:g} points on, until below {found.leaves_below:g}."
    )


@scores.command()
@FILE
@BY
@click.option("--why", required=True, metavar="TEXT", help="Why: it stands beside the version for ever.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def adopt(home: Path, file: Path, by: str, why: str, *, yes: bool) -> None:
    """Put the score rules in FILE in force, after saying how many accounts they move."""
    text, found = _read(file)
    with plainly():
        from plait import desk
        from plait.measures._adoption import moves

        for line in _moved(moves(desk.open_home(home, now=now()), found)):
            click.echo(line)
        if not yes and not click.confirm("Adopt them?"):
            raise Refusal("nothing was adopted.")
        kept = desk.adopt_scores(home, text, by=by, why=why, now=now())
    click.echo(f"Version {kept.rules.number} is in force: {kept.rules.title}.")


@scores.command()
@click.option("--within-days", type=click.IntRange(7, 730), default=90, show_default=True, help="A win within ...")
@BY
@JSON
@click.pass_obj
def train(home: Path, within_days: int, by: str, *, as_json: bool) -> None:
    """Learn from the home's own wins, prove it on later months and keep the model; it is not in force by that."""
    with plainly():
        from plait import desk
        from plait.measures._training import train as learn
        from plait.points.kept import keep_model

        at = now()
        opened = desk.open_home(home, now=at)
        told = {**learn(opened, within_days=within_days, in_force=opened.scoring.model), "by": by, "at": at.isoformat()}
        told["number"] = keep_model(home, told)
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for line in model_in_words(told):
        click.echo(line)


@scores.command()
@JSON
@click.pass_obj
def models(home: Path, *, as_json: bool) -> None:
    """List the models that were trained, what they were worth and which is in force."""
    with plainly():
        from plait.points.kept import models as kept_models
        from plait.points.kept import read_scoring

        found, active = kept_models(home), read_scoring(home).model
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    if not found:
        click.echo("No model was trained yet: plait scores train --by NAME.")
    for one in found:
        force = "  in force" if active and active["number"] == one["number"] else ""
        click.echo(f"{next(model_in_words(one))}{force}")


@scores.command()
@click.argument("number", type=click.IntRange(0))
@BY
@click.pass_obj
def activate(home: Path, number: int, by: str) -> None:
    """Put model NUMBER in force, if its proof allows it; 0 puts none in force."""
    with plainly():
        from plait.points.kept import put_in_force, read_model

        against = _said(read_model(home, number)["against_it"]) if number else []
        if against:
            raise Refusal(f"model {number} may not be put in force: {' '.join(against)} Train another one.")
        put_in_force(home, number or None, by=by, at=now())
    click.echo(f"Model {number} is in force." if number else "No model is in force.")


def _read(file: Path) -> tuple[str, Rules]:
    """Read a file of rules; all that is wrong with it stands in lines of their own."""
    from plait.points.reading import BadRules, read_rules

    try:
        text = file.read_text("utf-8")
        return text, read_rules(text, 0)
    except UnicodeDecodeError as error:
        raise Misuse(f"{file} is no text in UTF-8: {error}.") from error
    except BadRules as error:
        raise Refusal("\n".join((f"{file}: {len(error.problems)} problems", *map(str, error.problems)))) from error


def _in_words(kept: Kept, versions: int) -> Iterator[str]:
    found = kept.rules
    if kept.at is None:
        yield f"Version 0 of {versions - 1}, as it came with plait: {found.title}"
    else:
        yield f"Version {found.number}, in force since {kept.at.date()} by {kept.by}: {kept.why}"
    letters = ", ".join(f"{letter} from {least:g}" for letter, least in zip("ABC", found.fit_grid, strict=True))
    yield f"\nFit, which does not fade: {letters}, D below"
    for trait in found.traits:
        yield f"  {trait.name} ({', '.join(trait.kinds)})"
        yield from (f"    {rule.points:+g}  {_where(rule.where)}".rstrip() for rule in trait.rules)
    numbers = ", ".join(f"{place} from {least:g}" for place, least in enumerate(found.engagement_grid, 1))
    yield f"\nEngagement, which fades: {numbers}, 4 below"
    yield f"  qualified from {found.threshold:g} points on, until below {found.leaves_below:g}"
    yield f"  the {found.top} persons with the most points count, each up to {found.most_a_person:g}"
    for group in found.groups:
        weak = ", only as far as other points bear it out" if group.weak else ""
        yield f"  {group.name}: halves in {group.half_life_days:g} days, up to {group.cap:g} points{weak}"
        for act in found.acts:
            if act.group == group.name:
                said = f"    {act.points:+g}  {act.name} ({', '.join(act.kinds)}; {act.repeat}) {_where(act.where)}"
                yield said.rstrip()


def _where(where: Where) -> str:
    parts = []
    if where.one_of:
        parts.append(f"is {', '.join(where.one_of)}")
    if where.contains:
        parts.append(f"has {', '.join(where.contains)}")
    if where.at_least is not None:
        parts.append(f"from {where.at_least:g}")
    if where.below is not None:
        parts.append(f"below {where.below:g}")
    return f"{where.field} {' and '.join(parts)}" if parts else where.field


def _moved(found: Moves) -> Iterator[str]:
    yield f"{'cell':<12}{'now':>8}{'then':>8}"
    for cell in sorted({*found.before, *found.after}):
        yield f"{cell:<12}{found.before.get(cell, 0):>8,}{found.after.get(cell, 0):>8,}"
    yield f"{'qualified':<12}{found.qualified_before:>8,}{found.qualified_after:>8,}"
    yield f"{found.moved:,} of {found.accounts:,} accounts change their cell"


def model_in_words(told: Mapping[str, Any]) -> Iterator[str]:
    """Say what a model was worth; the first line is the summary."""
    from plait.cli.chance_file import figures_in_words
    from plait.stats.chance.back_test import BackTest

    test = BackTest.of(told["test"])
    figures, against = test.model, _said(told["against_it"])
    yield (
        f"model {told['number']}, {str(told['at'])[:10]} by {told['by']}: a win within {told['within_days']} days, "
        f"AUC {figures.auc:.3f}, lift {figures.lift:.2f}, {'may' if not against else 'may not'} be put in force"
    )
    yield ""
    yield (
        f"learned from {test.learned_from:,} accounts and days, judged by {figures.rows:,} later ones with "
        f"{figures.events:,} wins"
    )
    yield f"columns: {', '.join(told['columns'])}"
    yield ""
    yield from figures_in_words(test)
    yield ""
    yield from (f"! {one}" for one in _said(told["remarks"]))
    yield from (f"! stands against it: {one}" for one in against)
    if not against:
        yield f"put it in force: plait scores activate {told['number']} --by NAME"


def _said(kept: object) -> list[str]:
    from plait.failure import Said

    assert isinstance(kept, list)  # noqa: S101 - as it was kept
    return [str(Said.of(one)) if isinstance(one, dict) else str(one) for one in kept]
