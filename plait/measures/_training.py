"""Training: learn from the firm's own wins what foretells one, and prove it on later months before it may be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.failure import Misused, Said
from plait.measure import Measure
from plait.measures._chance import FEATURES, SHORT, WON, columns_of, known_at, stacked
from plait.stats.chance.back_test import back_test, gate
from plait.stats.chance.fit import Model, NotEnough, fit
from plait.stats.chance.leaks import Whole, can_look, find_leaks
from plait.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plait.stats.chance.design import Array, Columns

MOST_CUTS, LEAST_CUTS = 24, 3
JUDGED_BY = 0.3  # of the days at which is looked back: the latest
POINTS = "points of fit and engagement"
NO_CUTS = (
    "not enough: the facts go back {days} days, it takes {least} periods of {within} days and a month before them."
)
BULK = (
    "Most facts were recorded long after they happened, so what was known on a past day cannot be told: what had "
    "happened by then is taken for known."
)
LATE = (
    "{n} facts that had happened were recorded only after a day that is looked back from; they are not counted there."
)
UNLOOKED = "Too few wins to look for columns that know the outcome; every column is of what had happened before."


class LeakFound(Misused, ValueError):
    """Something that is learned from knows the outcome."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshots:
    """What was known of accounts on past days, whether each was won within so many days, and what must be said."""

    columns: Columns
    happened: Array
    cut: Whole  # the number of each row's day, 0 the earliest
    days: tuple[datetime, ...]
    remarks: tuple[str, ...]


def train(
    timeline: Timeline, *, within_days: int = 90, in_force: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Train a model of being won within so many days and prove it; gives it as `plait.points.kept` keeps it.

    Refused with too few wins (`NotEnough`) or where a column knows the outcome (`LeakFound`).
    """
    rules = timeline.scoring.newest
    seen = _looked_back(timeline, within_days)
    judged_from = max(1, round(len(seen.days) * (1 - JUDGED_BY)))
    split = int(np.searchsorted(seen.cut, judged_from))
    names = _affordable(seen, split)
    columns = {name: seen.columns[name] for name in names}
    leaks = find_leaks(columns, seen.happened, seen.cut, cut=split)
    looked = () if can_look(seen.happened, split) else (Said(UNLOOKED),)
    if leaks:
        raise LeakFound(Said("{all}", all=" ".join(leak.says for leak in leaks)))
    scores = {POINTS: np.asarray(seen.columns["engagement"] + seen.columns["fit"], np.float64)}
    if in_force:
        old = Model.of(_told(in_force["model"]))
        scores[Said("model {n} in force", n=in_force["number"])] = old.chance(seen.columns)
    test, _early = back_test(columns, seen.happened, cut=split, scores=scores)
    model = fit(columns, seen.happened)
    return {
        "within_days": within_days, "rules": rules.number, "columns": list(names), "model": model.told(),
        "test": test.told(), "against_it": [_kept(one) for one in gate(test, beaten=(POINTS,))],
        "remarks": [_kept(one) for one in (*seen.remarks, *looked)], "days": [day.isoformat() for day in seen.days],
        "as_of": timeline.as_of.isoformat(), "facts_version": timeline.version,
    }  # fmt: skip


def _affordable(seen: Snapshots, split: int) -> tuple[str, ...]:
    """Give as many columns as the wins allow, ten for each; refused below the four that say most."""
    events = int(min(seen.happened[:split].sum(), (1 - seen.happened[:split]).sum()))
    for names in (FEATURES, SHORT):
        if events >= 10 * len(names):
            return names
    says = "not enough: {events} wins to learn from; it takes {least}, ten for each of {n} columns. The points go on."
    raise NotEnough(Said(says, events=events, least=10 * len(SHORT), n=len(SHORT)))


def _looked_back(timeline: Timeline, within_days: int) -> Snapshots:
    """Look back from days that lie `within_days` apart, so that no win is counted twice."""
    first = timeline.engine.run(timeline.facts().table.aggregate(at=timeline.facts().table.occurred_at.min()))
    begun = first.column("at")[0].as_py()
    length = (timeline.as_of - begun).days if begun else 0
    count = min(MOST_CUTS, (length - 30) // within_days)
    if count < LEAST_CUTS:
        raise NotEnough(Said(NO_CUTS, days=length, least=LEAST_CUTS, within=within_days))
    days = tuple(timeline.as_of - timedelta(days=within_days * back) for back in range(count, 0, -1))
    strict, remarks = _strictly(timeline, days)
    wins, known = _wins(timeline), _known(timeline, days, strict=strict)
    tables, happened, places = [], [], []
    for place, (day, told) in enumerate(zip(days, known, strict=True)):
        won = wins.filter(_between(wins, day, day + timedelta(days=within_days))).column("account")
        tables.append(columns_of(told))
        happened.append(np.asarray(pc.is_in(told.column("account"), value_set=won.combine_chunks()), np.float64))
        places.append(np.full(told.num_rows, place))
    return Snapshots(stacked(tables), np.concatenate(happened), np.concatenate(places), days, remarks)


def _known(timeline: Timeline, days: tuple[datetime, ...], *, strict: bool) -> Iterator[pa.Table]:
    """Give what was known of accounts on each of some past days; the query is made once where it may be."""
    rules = timeline.scoring.newest
    asked = Measure("known", "sales", "account", {}, "", "", 1, {}, lambda facts: known_at(facts, rules))
    sql = None if strict else timeline.ask(asked, {}).sql
    for day in days:
        before = timeline.until(day.replace(tzinfo=UTC))
        if sql is None:
            before = before.known_at(day.replace(tzinfo=UTC))
            yield before.engine.run(known_at(before.facts(), rules))
        else:
            yield before.engine.run_sql(before.query(sql, {}))


def _wins(timeline: Timeline) -> pa.Table:
    won = timeline.facts().of(WON)
    return timeline.engine.run(won.filter(won.account.notnull()).select("account", "occurred_at"))


def _between(wins: pa.Table, since: datetime, until: datetime) -> pa.Array:
    at = wins.column("occurred_at")
    since_at, until_at = (pa.scalar(one, at.type) for one in (since, until))
    return pc.and_(pc.greater_equal(at, since_at), pc.less(at, until_at))


def _strictly(timeline: Timeline, days: tuple[datetime, ...]) -> tuple[bool, tuple[str, ...]]:
    """Tell whether what was recorded by a past day can be told, and what must be said of it."""
    facts = timeline.facts().table
    last = days[-1]
    counted = facts.aggregate(
        happened=(facts.occurred_at < last).cast("int64").sum(),
        known=((facts.occurred_at < last) & (facts.recorded_at < last)).cast("int64").sum(),
    )
    row = timeline.engine.run(counted).to_pylist()[0]
    happened, known = int(row["happened"] or 0), int(row["known"] or 0)
    if 2 * known < happened:
        return False, (Said(BULK),)
    return True, (Said(LATE, n=happened - known),) if known < happened else ()


def _kept(says: str) -> object:
    return says.told() if isinstance(says, Said) else says


def _told(told: object) -> Mapping[str, object]:
    assert isinstance(told, dict)  # noqa: S101 - as it was kept
    return told
