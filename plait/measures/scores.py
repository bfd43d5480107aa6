"""Scores: how well each account fits, how much its people act, and the points that add up to both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import ibis
import ibis.expr.types as ir
import numpy as np
from ibis import _

from plait.failure import Said
from plait.measure import Answer, BadOption, Bounds, Facts, Solution, measure
from plait.measures._chance import columns_of, first, known_at
from plait.measures._scores import act_points, by_account, by_person, faded, fit_points, grouped, held
from plait.points.decay import Sums, days_above
from plait.points.kept import NoVersion, rules_of
from plait.points.rules import NANO, Rules

if TYPE_CHECKING:
    import pyarrow as pa

Version = Annotated[int | None, Bounds(0, 9999)]
BY = ("account",)


@measure(
    owner="marketing",
    parent="win_rate",
    proxy=True,
    grain="account",
    columns={
        "account": "id",
        "cell": "text",
        "fit": "points",
        "engagement": "points",
        "qualified": "text",
        "people": "people",
        "top_people": "text",
        "below_on": "day",
        "leaves_on": "day",
        "rules": "version",
    },
)
def lead_score(facts: Facts, *, rules: Version = None) -> Answer:
    """Score of each account: how well it fits (A to D) and how much its people act (1 to 4), kept apart.

    `fit` adds up the points of the account's traits, as its last facts tell them; it does not fade. `engagement` adds
    up what its people did: each point halves every half-life of its group, a group counts up to its cap, points that
    machines could have made only as far as the person's others go, a person up to a part of the threshold, and of an
    account the three persons with the most points. Caps are applied when the score is read, so the order in which facts
    arrive changes nothing. `rules` is the version of the score rules; without one those in force.

    `qualified` is yes from the threshold on, and stays so until the score falls below a part of it (0.8 unless the
    rules say otherwise). `below_on` is the first day on which, asked at the same time of day, the account is below the
    threshold if nothing more happens; `leaves_on` the first on which it is no longer qualified. Every account with a
    fact has a row; who did nothing that counts has 0 points. `score_points` gives every point.
    """
    by = _rules(facts, rules)
    points = faded(act_points(facts, by), by, facts.as_of)
    groups = grouped(points, by, BY)
    people = by_person(groups, by, BY)
    accounts = _accounts(facts, by, points, by_account(people, by, BY))
    best = people.filter(people.place < by.top)
    high = accounts.filter(accounts.engagement >= round(by.leaves_below * NANO))
    rows = [
        _row(accounts, "account", nano=accounts.engagement, fit=accounts.fit, held=accounts.held, n=accounts.people),
        _row(best, "person", person=best.person, nano=best.counted, n=best.place),
        _row(groups.semi_join(high, "account"), "group", person=_.person, nano=_.nano, n=_.group),
    ]
    told = rows[0].union(rows[1]).union(rows[2]).mutate(today=facts.today)
    return Answer(told.order_by("account", "sort", "person", "n"), (), partial(_scored, rules=by))


def _rules(facts: Facts, number: int | None) -> Rules:
    """Give a version of the rules; one that the firm has not is refused as an option."""
    try:
        return rules_of(facts.scoring, number)
    except NoVersion as unknown:
        raise BadOption(unknown.args[0]) from unknown


def _accounts(facts: Facts, rules: Rules, points: ir.Table, engagement: ir.Table) -> ir.Table:
    """Give every account with its fit, its engagement and whether it is still qualified below the threshold."""
    known = facts.every().filter(_.account.notnull()).select("account").distinct()
    fit = fit_points(facts, rules).group_by("account").agg(fit=_.nano.sum().cast("int64"))
    still = held(points, engagement, rules).mutate(held=ibis.literal(1, "int64"))
    for part in (fit, engagement, still):
        known = known.left_join(part, "account").drop("account_right")
    filled = {name: known[name].fill_null(0) for name in ("fit", "engagement", "people", "held")}
    return known.mutate(**filled)


def _row(of: ir.Table, sort: str, **columns: ir.Value) -> ir.Table:
    """Bring what is told of accounts, persons and groups into one shape."""
    empty = {"fit": ibis.literal(0, "int64"), "held": ibis.literal(0, "int64"), "person": ibis.null("string")}
    told = {**empty, **columns}
    order = ("person", "nano", "fit", "held", "n")
    typed = {name: told[name] if name == "person" else told[name].cast("int64") for name in order}
    return of.select("account", sort=ibis.literal(sort), **typed)


def _scored(told: pa.Table, *, rules: Rules) -> Solution:
    """Make the rows: the cell, the persons who count, and the days on which the points will be too few."""
    found: dict[str, list[dict[str, object]]] = {"account": [], "person": [], "group": []}
    for row in told.to_pylist():
        found[row["sort"]].append(row)
    below, leaves = _falls(found["group"], rules)
    people: dict[str, list[tuple[int, str]]] = {}
    for row in found["person"]:
        shown = f"{row['person']} {_points(row['nano']):.1f}"
        people.setdefault(str(row["account"]), []).append((int(str(row["n"])), shown))
    rows = []
    for row in sorted(found["account"], key=lambda row: str(row["account"])):
        account, fit, engagement = str(row["account"]), _points(row["fit"]), _points(row["nano"])
        qualified = engagement >= rules.threshold or bool(row["held"])
        today = row["today"]
        assert isinstance(today, date)  # noqa: S101 - as selected
        rows.append(
            (
                account, rules.cell(fit, engagement), fit, engagement, "yes" if qualified else "no", row["n"],
                " · ".join(shown for _place, shown in sorted(people.get(account, []))) or None,
                _after(today, below.get(account)) if engagement >= rules.threshold else None,
                _after(today, leaves.get(account)) if qualified else None, rules.number,
            )
        )  # fmt: skip
    return Solution(rows, _remarks(rules) if rows else ())


def _points(nano: object) -> float:
    return int(str(nano)) / NANO


def _after(today: date, days: int | None) -> date | None:
    return None if days is None else today + timedelta(days)


def _falls(groups: list[dict[str, object]], rules: Rules) -> tuple[dict[str, int | None], dict[str, int | None]]:
    """Give the days after which accounts are below the threshold, and below where one leaves."""
    accounts, account = np.unique([str(row["account"]) for row in groups], return_inverse=True)
    _names, person = np.unique([f"{row['account']} {row['person']}" for row in groups], return_inverse=True)
    numbers = [np.array([int(str(row[name])) for row in groups], np.int64) for name in ("n", "nano")]
    sums = Sums(account.astype(np.int64), person.astype(np.int64), *numbers)
    below, leaves = (
        dict(zip((str(one) for one in accounts), days_above(sums, rules, least), strict=True))
        for least in (rules.threshold, rules.leaves_below)
    )
    return below, leaves


def _remarks(rules: Rules) -> list[str]:
    """Say which rules these are; those that came with plait nobody has adopted."""
    says = Said("By version {n} of the score rules: {title}.", n=rules.number, title=rules.title)
    if rules.number:
        return [says]
    return [says, Said("Nobody has adopted score rules yet; these came with plait: read, edit and adopt them.")]


@measure(
    owner="marketing",
    parent="lead_score",
    proxy=True,
    grain="account",
    columns={
        "account": "id",
        "score": "text",
        "part": "text",
        "person": "id",
        "day": "day",
        "kind": "text",
        "source": "text",
        "fact": "id",
        "rule": "text",
        "value": "text",
        "raw": "points",
        "age_days": "days",
        "points": "points",
        "rules": "version",
    },
)
def score_points(facts: Facts, *, account: str | None = None, rules: Version = None) -> ir.Table:
    """Every point of every account, or of one: the fact, the rule and what is left of it; they add up to the scores.

    `part` says what a row is: `point`, what is left today (`points`) of the `raw` points of a fact; and what is taken
    off again: `group cap`, more than the group of the rule counts; `weak`, what machines could have made and the
    person's other points do not bear out; `person cap`, more than one person counts; `other persons`, those beyond the
    persons with the most points. The rows of an account and a `score` (fit or engagement) add up to that score in
    `lead_score`, to the billionth. `account` is an id as in `account_health`; `value` is the trait's value in a row of
    fit. Points of which less than a billionth is left are left out.
    """
    by = _rules(facts, rules)
    points = faded(act_points(facts, by, account), by, facts.as_of)
    groups = grouped(points, by, BY)
    people = by_person(groups, by, BY)
    fit = fit_points(facts, by)
    fit = fit if account is None else fit.filter(fit.account == account)
    acts, names = [ibis.literal(act.name) for act in by.acts], [ibis.literal(one.name) for one in by.groups]
    beyond = people.filter(people.place >= by.top)
    most = round(by.most_a_person * NANO)
    capped = groups.filter(groups.nano != groups.counted)
    parts = [
        _part(fit, "fit", 0, "point", rule=fit.rule, value=fit.value, raw=fit.nano / NANO, nano=fit.nano, fact=fit.id,
              **_of_fact(fit)),
        _part(points, "engagement", 0, "point", rule=_named(points.rule, acts), raw=points.raw, age=points.age,
              nano=points.nano, fact=points.id, **_of_fact(points)),
        _part(capped, "engagement", 1, "group cap", person=capped.person, rule=_named(capped.group, names),
              nano=capped.counted - capped.nano),
        _part(people, "engagement", 2, "weak", person=people.person, nano=people.borne - people.weak),
        _part(people, "engagement", 3, "person cap", person=people.person, nano=ibis.least(most - people.nano, 0)),
        _part(beyond, "engagement", 4, "other persons", person=beyond.person, nano=-beyond.counted),
    ]  # fmt: skip
    rows = parts[0]
    for part in parts[1:]:
        rows = rows.union(part)
    rows = rows.filter(rows.nano != 0).mutate(points=_.nano / NANO, rules=ibis.literal(by.number, "int64"))
    order = ["account", "score", "person", "place", "day", "source", "fact", "rule"]
    return rows.order_by([_[name].asc(nulls_first=True) for name in order]).select(*score_points.columns)


def _named(place: ir.IntegerValue, names: list[ir.StringScalar]) -> ir.StringValue:
    return ibis.cases(*((place == number, name) for number, name in enumerate(names)))


def _of_fact(of: ir.Table) -> dict[str, ir.Value]:
    return {"person": of.person, "day": of.occurred_on, "kind": of.kind, "source": of.source}


def _part(of: ir.Table, score: str, place: int, part: str, **columns: ir.Value) -> ir.Table:
    """Bring one part of the points into the shape that all have."""
    texts = {name: columns.get(name, ibis.null("string")) for name in
             ("person", "kind", "source", "fact", "rule", "value")}  # fmt: skip
    return of.select(
        "account",
        score=ibis.literal(score),
        part=ibis.literal(part),
        place=ibis.literal(place, "int64"),
        day=columns.get("day", ibis.null("date")),
        raw=columns.get("raw", ibis.null("float64")).cast("float64"),
        age_days=columns.get("age", ibis.null("float64")),
        nano=columns["nano"].cast("int64"),
        **texts,
    )


@measure(
    owner="sales",
    parent="win_rate",
    proxy=True,
    grain="account",
    columns={
        "account": "id",
        "chance": "share",
        "chance_low": "share",
        "chance_high": "share",
        "reasons": "text",
        "model": "version",
    },
    origin="logistic regression, calibrated by Platt 1999",
)
def win_chance(facts: Facts) -> Answer:
    """Chance of each account that was never won to be won soon, by the model in force, with what it follows from.

    The model was trained on the firm's own wins, proved on later months and put in force by somebody
    (`plait scores`, page Scores): within how many days, by which columns and how well it foretold stands there.
    `chance_low` to `chance_high` hold `chance` in 95 of 100 cases by the width of the coefficients alone.
    `reasons` are the three columns that move the log-odds of this account most against the average account, with how
    far. Accounts of which no act of a customer is known are left out. Without a model in force there is no row, and the
    remark says why: no chance is better than one that nobody has proved.
    """
    model = facts.scoring.model
    if model is None:
        none = facts.of("deal.won").limit(0).select("account")
        return Answer(none, (), _no_model)
    rules = rules_of(facts.scoring, int(str(model["rules"])))
    return Answer(known_at(facts, rules), (), partial(_chances, told_model=model))


def _no_model(_told: pa.Table) -> Solution:
    says = "No model of chance is in force: `plait scores train` makes one and says what it is worth."
    return Solution([], [Said(says)])


def _chances(told: pa.Table, *, told_model: Mapping[str, object]) -> Solution:
    """Foretell by the model in force."""
    from plait.stats.chance.fit import Model

    kept, names, within = told_model["model"], told_model["columns"], int(str(told_model["within_days"]))
    assert isinstance(kept, dict) and isinstance(names, list)  # noqa: S101, PT018 - as it was kept
    if not told.num_rows:
        return Solution([])
    model, columns = Model.of(kept), columns_of(told, names)
    chance, (low, high), parts = model.chance(columns), model.interval(columns), model.contributions(columns)
    number = int(str(told_model["number"]))
    rows = [
        (
            account, float(chance[row]), float(low[row]), float(high[row]),
            " · ".join(f"{name} {size:+.2f}" for name, size in first(parts, row)), number,
        )
        for row, account in enumerate(told.column("account").to_pylist())
    ]  # fmt: skip
    rows.sort(key=lambda row: (-row[1], row[0]))
    says = "the chance of being won within {days} days if accounts go on as they did; by model {n}."
    return Solution(rows, (), Said(says, days=within, n=number))
