"""Commands of matching: who is probably one, in a home and in a file, and what people say about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plait.cli.deciding import naive, say, steward
from plait.cli.plainly import JSON, Misuse, plainly

if TYPE_CHECKING:
    from plait.matching.files import Same
    from plait.matching.kept import Proposal, Setting
    from plait.matching.quality import Quality

SCOPE = click.option("--scope", type=click.Choice(["person", "account"]), help="Only people, or only companies.")
MOST_SHOWN = 20


@click.command()
@click.option("--scope", type=click.Choice(["person", "account"]), default="person", show_default=True)
@click.option("--train", "anew", is_flag=True, help="Learn a model anew from today's records.")
@click.option("--upper", type=float, help="From this probability on a pair is sure.")
@click.option("--lower", type=float, help="From this probability on people look at a pair.")
@click.option("--automatic/--by-hand", default=None, help="Merge what is sure without asking anybody, or do not.")
@click.option(
    "--labels",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV of pairs that somebody has judged: left, right (keys or ids) and same (1 or 0); measures on them.",
)
@click.option("--by", metavar="NAME", help="Who changes how it is matched.")
@click.option("--why", metavar="TEXT", help="Why it is changed.")
@JSON
@click.pass_obj
def match(
    home: Path, scope: str, *, anew: bool, upper: float | None, lower: float | None, automatic: bool | None,
    labels: Path | None, by: str | None, why: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Find people (or companies) who are probably one, and put them into the queue; needs the extra `fuzzy`."""
    with plainly():
        from plait.matching import kept
        from plait.matching.labels import measure_labels
        from plait.matching.model import require_splink
        from plait.matching.proposing import propose
        from plait.matching.review import measure

        require_splink()
        if any(option is not None for option in (upper, lower, automatic)):
            if not by or not why:
                raise Misuse("to change how it is matched, say who does and why: --by NAME --why TEXT.")
            kept.keep_setting(home, scope, _setting(home, scope, (upper, lower, automatic), by, why))
        found = propose(home, scope, now=naive(), anew=anew)
        setting = kept.read_setting(home, scope)
        seen, unknown = measure_labels(home, scope, labels) if labels else (measure(home, scope, setting.upper), 0)
    trained = found.trained
    if as_json:
        told = asdict(found) | {"trained": {"rules": trained.model.rules, "remarks": trained.model.remarks}}
        click.echo(json.dumps(told | {"measured": asdict(seen)}, indent=2, default=str))
        return
    click.echo(f"{found.records:,} {'people' if scope == 'person' else 'companies'} compared.")
    click.echo(f"Model of {trained.trained_at:%Y-%m-%d}, trained on {trained.model.records:,} records by:")
    for rule in trained.model.rules:
        click.echo(f"  {rule}")
    for remark in trained.model.remarks:
        click.echo(f"  not learnt: {remark}")
    click.echo(f"Sure ({setting.upper:g} and more): {found.sure:,}, of these merged: {found.merged:,}.")
    click.echo(f"For review ({setting.lower:g} to {setting.upper:g}): {found.to_review:,}.")
    click.echo(f"Precision at {setting.upper:g}: {_share(trained.precision)} by the model's own estimate", nl=False)
    judged = "labelled" if labels else "reviewed"
    click.echo(f", {_within(seen.precision, seen.precision_within)} on {judged} pairs." if seen.reviewed else ".")
    click.echo(f"Recall at {setting.upper:g}: {_share(trained.recall)} by the model's own estimate", nl=False)
    click.echo(f", {_within(seen.recall, seen.recall_within)} on {judged} pairs." if seen.reviewed else ".")
    click.echo(f"{seen.reviewed:,} pairs are {judged}, {seen.same:,} of them one.")
    if unknown:
        click.echo(f"{unknown:,} labels name somebody who is not known here.")


@click.command()
@SCOPE
@click.option("--most", type=int, default=MOST_SHOWN, show_default=True, help="How many pairs to show.")
@click.option("--same", metavar="PAIR", help="Decide that a pair is one.")
@click.option("--not-same", "two", metavar="PAIR", help="Decide that a pair is two.")
@click.option("--by", metavar="NAME", help="Who decides.")
@click.option("--why", metavar="TEXT", default="reviewed", show_default=True, help="Why.")
@JSON
@click.pass_obj
def review(
    home: Path, scope: str | None, *, most: int, same: str | None, two: str | None, by: str | None, why: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Show the pairs that wait for somebody, the likeliest first, or decide on one."""
    with plainly():
        from plait.matching.review import answer, waiting

        if same or two:
            if not by:
                raise Misuse("say who decides: --by NAME.")
            say(answer(home, str(same or two), same=bool(same), steward=steward(by, why)), "decided")
            return
        pairs = waiting(home, (scope,) if scope else ("person", "account"))
    if as_json:
        click.echo(json.dumps([asdict(one) | {"number": one.number} for one in pairs], indent=2, ensure_ascii=False))
        return
    click.echo(f"{len(pairs):,} pairs wait." if pairs else "No pair waits. Find some: plait identity match.")
    for pair in pairs[:most]:
        click.echo(f"\n{pair.number}  {_pair(pair)}")
        for one in pair.fields:
            click.echo(f"  {one.field:<10} {one.left or '-':<36} {one.right or '-':<36} {one.level}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@SCOPE
@click.option("--truth", metavar="COLUMN", help="Column that says who is one; it is measured by, never compared.")
@click.option("--truth-pattern", metavar="REGEX", help="What counts of it: the first group of a regular expression.")
@click.option("--column", "columns", multiple=True, metavar="SORT=COLUMN", help="Which column is what; repeat.")
@click.option("--sure", type=float, default=0.95, show_default=True, help="Probability from which two are one.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the rows with their cluster: CSV.")
@JSON
def dedupe(
    file: Path, *, scope: str | None, truth: str | None, truth_pattern: str | None, columns: Sequence[str],
    sure: float, out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Find the rows of FILE (CSV or Parquet) that are one person or one company; nothing is loaded."""
    with plainly():
        from plait.matching.files import find_same, write_clusters

        if not 0.5 <= sure < 1:  # noqa: PLR2004 - even odds
            raise Misuse(f"--sure {sure:g} is no probability to go by; allowed: 0.5 up to, not including, 1.")
        told = _columns(columns)
        found = find_same(file, truth=truth, pattern=truth_pattern, told=told, scope=scope, sure=sure)
        if out is not None:
            write_clusters(file, found, out)
    if as_json:
        click.echo(json.dumps(_same_json(found), indent=2))
        return
    _print_same(found, sure)


def _columns(given: Sequence[str]) -> Mapping[str, str]:
    told = dict(one.partition("=")[::2] for one in given)
    for sort, column in told.items():
        if not column:
            raise Misuse(f"--column {sort} says no column; write it as {sort}=COLUMN.")
    return told


def _setting(
    home: Path, scope: str, given: tuple[float | None, float | None, bool | None], by: str, why: str
) -> Setting:
    from plait.matching.kept import Setting, read_setting

    before, (upper, lower, automatic) = read_setting(home, scope), given
    return Setting(
        before.upper if upper is None else upper, before.lower if lower is None else lower,
        before.automatic if automatic is None else automatic, by, why, naive().isoformat(),
    )  # fmt: skip


def _pair(pair: Proposal) -> str:
    if pair.probability is None:
        return f"{pair.scope}: a system said that {pair.left[1]} and {pair.right[1]} are one; two known users"
    return f"{pair.scope}: probability {pair.probability:.3f}{', sure' if pair.sure else ''}"


def _share(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.3f}"


def _within(share: float | None, within: tuple[float, float] | None) -> str:
    """Say a share with the interval that holds the truth in 95 of 100 cases."""
    return _share(share) + (f" ({within[0]:.3f} to {within[1]:.3f})" if within else "")


def _quality(name: str, quality: Quality | None) -> str:
    if quality is None:
        return ""
    shares = "  ".join(f"{_share(one):>9}" for one in (quality.precision, quality.recall, quality.f))
    return f"{name:<22}{shares}  {quality.found:>9,.0f}"


def _print_same(found: Same, sure: float) -> None:
    told = ", ".join(f"{sort}={column}" for sort, column in found.layout.columns.items())
    what = "people" if found.layout.scope == "person" else "companies"
    clusters = len(set(found.clusters.tolist()))
    click.echo(f"{found.rows:,} rows are {clusters:,} {what} (one from {sure:g} on).")
    click.echo(f"Compared: {told}")
    click.echo(f"Trained by: {'; '.join(found.model.rules) or 'nothing, too little is alike'}")
    for remark in found.model.remarks:
        click.echo(f"  not learnt: {remark}")
    click.echo(f"\n{'':<22}precision     recall          F      pairs")
    click.echo(_quality("the model's estimate", found.estimate))
    if found.quality is not None:
        click.echo(_quality("measured", found.quality))
        click.echo(_quality("equal rows only", found.exact))
        click.echo(f"\n{found.quality.all:,.0f} pairs are one in truth.")


def _same_json(found: Same) -> dict[str, object]:
    def told(quality: Quality | None) -> dict[str, float | None] | None:
        if quality is None:
            return None
        shares = {"precision": quality.precision, "recall": quality.recall, "f": quality.f}
        return {**shares, "found": quality.found, "true": quality.all}

    return {
        "rows": found.rows, "clusters": len(set(found.clusters.tolist())), "scope": found.layout.scope,
        "columns": dict(found.layout.columns), "rules": list(found.model.rules), "remarks": list(found.model.remarks),
        "estimated": told(found.estimate), "measured": told(found.quality), "exact": told(found.exact),
        "seconds": dict(found.seconds),
    }  # fmt: skip
