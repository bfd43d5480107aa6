"""Commands of identity: why two are one, merges and splits that can be undone, matching and its review."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plait.cli.plainly import JSON, Misuse, now, plainly

if TYPE_CHECKING:
    from plait.identity import Join
    from plait.matching.acts import Steward
    from plait.matching.files import Same
    from plait.matching.kept import Proposal, Setting
    from plait.matching.quality import Quality
    from plait.stewardship import Decision

BY = click.option("--by", required=True, metavar="NAME", help="Who decides.")
WHY = click.option("--why", required=True, metavar="TEXT", help="Why: it stands beside the decision for ever.")
SCOPE = click.option("--scope", type=click.Choice(["person", "account"]), help="Only people, or only companies.")
MOST_SHOWN = 20


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

        _told(acts.merge(home, one, other, _steward(by, why)), f"{one} and {other} are one")


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

        _told(acts.part(home, who, keys, _steward(by, why)), f"{', '.join(keys)} stand apart from the rest of {who}")


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

        _told(acts.apart(home, one, other, _steward(by, why)), f"{one} and {other} are two")


@identity.command()
@click.argument("key")
@BY
@WHY
@click.pass_obj
def block(home: Path, key: str, *, by: str, why: str) -> None:
    """Decide that KEY (name=value) joins nobody, such as an address that a whole office uses."""
    with plainly():
        from plait.matching import acts

        _told(acts.block(home, key, _steward(by, why)), f"{key} joins nobody")


@identity.command()
@click.argument("key")
@BY
@WHY
@click.pass_obj
def allow(home: Path, key: str, *, by: str, why: str) -> None:
    """Decide that KEY (name=value) joins although a rule bars it, such as info@ of a firm of one."""
    with plainly():
        from plait.matching import acts

        _told(acts.allow(home, key, _steward(by, why)), f"{key} joins")


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

        _told(acts.limit(home, name, most, _steward(by, why)), f"a {name} of more than {most} joins nobody")


@identity.command()
@click.argument("number", type=int)
@BY
@WHY
@click.pass_obj
def undo(home: Path, number: int, *, by: str, why: str) -> None:
    """Take the decision with this NUMBER back: everything is again as if it had not been made."""
    with plainly():
        from plait.matching import acts

        _told(acts.undo(home, number, _steward(by, why)), f"decision {number} is taken back")


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


@identity.command()
@click.option("--scope", type=click.Choice(["person", "account"]), default="person", show_default=True)
@click.option("--train", "anew", is_flag=True, help="Learn a model anew from today's records.")
@click.option("--upper", type=float, help="From this probability on a pair is sure.")
@click.option("--lower", type=float, help="From this probability on people look at a pair.")
@click.option("--automatic/--by-hand", default=None, help="Merge what is sure without asking anybody, or do not.")
@click.option("--by", metavar="NAME", help="Who changes how it is matched.")
@click.option("--why", metavar="TEXT", help="Why it is changed.")
@JSON
@click.pass_obj
def match(
    home: Path, scope: str, *, anew: bool, upper: float | None, lower: float | None, automatic: bool | None,
    by: str | None, why: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Find people (or companies) who are probably one, and put them into the queue; needs the extra `fuzzy`."""
    with plainly():
        from plait.matching import kept
        from plait.matching.model import require_splink
        from plait.matching.proposing import propose
        from plait.matching.review import measure

        require_splink()
        if any(option is not None for option in (upper, lower, automatic)):
            if not by or not why:
                raise Misuse("to change how it is matched, say who does and why: --by NAME --why TEXT.")
            kept.keep_setting(home, scope, _setting(home, scope, (upper, lower, automatic), by, why))
        found = propose(home, scope, now=_naive(), anew=anew)
        setting = kept.read_setting(home, scope)
        seen = measure(home, scope, setting.upper)
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
    click.echo(
        f", {_share(seen.precision)} of {seen.reviewed} reviewed pairs." if seen.reviewed else "; none reviewed."
    )
    click.echo(f"Recall at {setting.upper:g}: {_share(trained.recall)} by the model's own estimate.")


@identity.command()
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
            _told(answer(home, str(same or two), same=bool(same), steward=_steward(by, why)), "decided")
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


@identity.command()
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
        before.automatic if automatic is None else automatic, by, why, _naive().isoformat(),
    )  # fmt: skip


def _steward(by: str, why: str) -> Steward:
    from plait.matching.acts import Steward

    return Steward(by, why, now())


def _naive() -> datetime:
    return now().replace(tzinfo=None)


def _told(decision: Decision, says: str) -> None:
    back = "" if decision.undoes else f" To take it back: plait identity undo {decision.number}."
    click.echo(f"Decision {decision.number}: {says}.{back}")


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


def _pair(pair: Proposal) -> str:
    if pair.probability is None:
        return f"{pair.scope}: a system said that {pair.left[1]} and {pair.right[1]} are one; two known users"
    return f"{pair.scope}: probability {pair.probability:.3f}{', sure' if pair.sure else ''}"


def _share(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.3f}"


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
