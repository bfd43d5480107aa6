"""Points of accounts as the engine adds them up: in whole billionths, so that every order and engine gives the same."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_, or_

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.measure import Facts
from plait.measures._cohort import UNKNOWN
from plait.measures._steps import DAY, seconds
from plait.points.rules import NANO, ActRule, Rules, Trait, Where

FACT = ("account", "person", "occurred_on", "source", "id", "kind")
NUMBER = r"^-?[0-9]{1,15}([.][0-9]{1,9})?$"


def fit_points(facts: Facts, rules: Rules) -> ir.Table:
    """Give a row for each trait that brings an account points: the fact that tells it, rule, value and nano."""
    rows = [_trait(facts, trait) for trait in rules.traits]
    if not rows:
        none = facts.of("account.created").filter(ibis.literal(False))  # noqa: FBT003 - ibis takes it by position
        return none.select(*FACT, rule=none.kind, value=none.kind, nano=ibis.literal(0, "int64"))
    return reduce(lambda one, other: one.union(other), rows)


def _trait(facts: Facts, trait: Trait) -> ir.Table:
    told = facts.of(*trait.kinds)
    told = told.mutate(value=_value(told, trait.field)).filter(_.account.notnull())
    if trait.field.field:
        told = told.filter(told.value.notnull())
    newest = [told.occurred_at.desc(), told.source.desc(), told.id.desc()]
    last = told.mutate(turn=ibis.row_number().over(group_by="account", order_by=newest)).filter(_.turn == 0)
    points = [
        (_holds(last.value, rule.where), ibis.literal(round(rule.points * NANO), "int64")) for rule in trait.rules
    ]
    last = last.mutate(nano=ibis.cases(*points, else_=ibis.null("int64")))
    known = last.filter(last.nano.notnull())
    return known.select(*FACT, rule=ibis.literal(trait.name), value=known.value, nano=known.nano)


def act_points(facts: Facts, rules: Rules, account: str | None = None) -> ir.Table:
    """Give a row for each fact that brings engagement: whose it is, when, by which rule (its place), and raw points.

    Facts without a person count together as one. A fact that a machine is known or suspected to have made counts none.
    """
    told = facts.of(*dict.fromkeys(kind for act in rules.acts for kind in act.kinds))
    told = told.filter(told.account.notnull(), _human(told))
    if account is not None:
        told = told.filter(told.account == account)
    tests = [(_act_holds(told, act), ibis.literal(place, "int64")) for place, act in enumerate(rules.acts)]
    told = told.mutate(rule=ibis.cases(*tests, else_=ibis.null("int64")), person=told.person.fill_null(UNKNOWN))
    told = told.filter(told.rule.notnull())
    order = ["occurred_at", "source", "id"]
    told = told.mutate(
        ever=ibis.row_number().over(group_by=["account", "person", "rule"], order_by=order),
        daily=ibis.row_number().over(group_by=["account", "person", "rule", "occurred_on"], order_by=order),
    )
    once, day = (_places(rules.acts, repeat) for repeat in ("once", "day"))
    told = told.filter(~told.rule.isin(once) | (told.ever == 0), ~told.rule.isin(day) | (told.daily == 0))
    group = {one.name: place for place, one in enumerate(rules.groups)}
    return told.select(
        *FACT,
        "rule",
        at=told.occurred_at,
        group=_by(told.rule, [ibis.literal(group[act.group], "int64") for act in rules.acts]),
        raw=_by(told.rule, [ibis.literal(float(act.points), "float64") for act in rules.acts]),
    )


def faded(points: ir.Table, rules: Rules, at: ir.TimestampValue) -> ir.Table:
    """Give what is left of points at an instant: `age` in days and `nano`."""
    half_life = _by(points.group, [ibis.literal(float(one.half_life_days), "float64") for one in rules.groups])
    age = (seconds(at) - seconds(points["at"])).cast("float64") / DAY
    left = points.raw * ibis.literal(2.0) ** (-age / half_life) * float(NANO)
    return points.mutate(age=age, nano=left.round().cast("int64"))


def grouped(points: ir.Table, rules: Rules, by: Sequence[str]) -> ir.Table:
    """Add points up by group: `nano`, and `counted`, which is at most the group's cap."""
    groups = points.group_by([*by, "person", "group"]).agg(nano=_.nano.sum().cast("int64"))
    cap = _by(groups.group, [ibis.literal(round(one.cap * NANO), "int64") for one in rules.groups])
    return groups.mutate(counted=ibis.least(groups.nano, cap))


def by_person(groups: ir.Table, rules: Rules, by: Sequence[str]) -> ir.Table:
    """Add groups up by person: `weak` and what is `borne` of it, `nano`, `counted` (at most a person's cap), `place`.

    `place` is 0 for the person of an account with the most points.
    """
    weak = groups.group.isin([place for place, one in enumerate(rules.groups) if one.weak] or [-1])
    people = groups.group_by([*by, "person"]).agg(
        strong=groups.counted.sum(where=~weak).fill_null(0).cast("int64"),
        weak=groups.counted.sum(where=weak).fill_null(0).cast("int64"),
    )
    people = people.mutate(borne=ibis.least(people.weak, ibis.greatest(people.strong, 0)))
    people = people.mutate(nano=people.strong + people.borne)
    people = people.mutate(counted=ibis.least(people.nano, round(rules.most_a_person * NANO)))
    best = ibis.window(group_by=list(by), order_by=[people.counted.desc(), people.person])
    return people.mutate(place=ibis.row_number().over(best))


def by_account(people: ir.Table, rules: Rules, by: Sequence[str]) -> ir.Table:
    """Add up the persons with the most points: `engagement` in billionths, and how many `people` have any."""
    return people.group_by(list(by)).agg(
        engagement=people.counted.sum(where=people.place < rules.top).cast("int64"), people=_.count().cast("int64")
    )


def held(points: ir.Table, now: ir.Table, rules: Rules) -> ir.Table:
    """Give the accounts below the threshold, but not below where one leaves, that reached it and have not left since.

    Only accounts between the two are looked at, at the instants of their own facts: between these points only fade.
    """
    enter, leave = round(rules.threshold * NANO), round(rules.leaves_below * NANO)
    between = now.filter(now.engagement < enter, now.engagement >= leave)
    mine = points.semi_join(between, "account")
    moments = mine.select("account", moment=mine["at"]).distinct()
    told = moments.join(mine, "account").select(*mine.columns, "moment")
    told = faded(told.filter(told["at"] <= told.moment), rules, told.moment)
    after = _engagement_at(told, rules).select("account", "moment", after=_.engagement)
    before = _engagement_at(told.filter(told["at"] < told.moment), rules).select(
        "account", "moment", before=_.engagement
    )
    both = after.left_join(before, ["account", "moment"]).drop("account_right", "moment_right")
    both = both.mutate(before=both.before.fill_null(0))
    turns = both.group_by("account").agg(
        up=both.moment.max(where=both.after >= enter), down=both.moment.max(where=both.before < leave)
    )
    return turns.filter(turns.up.notnull(), turns.down.isnull() | (turns.down <= turns.up)).select("account")


def _engagement_at(told: ir.Table, rules: Rules) -> ir.Table:
    by = ("account", "moment")
    return by_account(by_person(grouped(told, rules, by), rules, by), rules, by)


def _act_holds(told: ir.Table, act: ActRule) -> ir.BooleanValue:
    return told.kind.isin(act.kinds) & _holds(_value(told, act.where), act.where)


def _holds(value: ir.StringValue, where: Where) -> ir.BooleanValue:
    """Tell whether the value of a field is one that a rule wants."""
    if not where.field:
        return ibis.literal(True)  # noqa: FBT003 - ibis takes it by position
    tests: list[ir.BooleanValue] = [value.notnull()]
    if where.one_of:
        tests.append(value.isin(where.one_of))
    if where.contains:
        tests.append(reduce(or_, (value.contains(word) for word in where.contains)))
    number = ibis.ifelse(value.re_search(NUMBER), value, ibis.null("string")).cast("float64")
    if where.at_least is not None:
        tests.append(number >= where.at_least)
    if where.below is not None:
        tests.append(number < where.below)
    return reduce(and_, tests).fill_null(False)  # noqa: FBT003 - ibis takes it by position


def _value(told: ir.Table, where: Where) -> ir.StringValue:
    """Give the value of a field as lower-case text, null where it is not told."""
    if where.column:
        return told[where.column].strip().lower().nullif("")
    return detail(told, where.detail).strip().lower().nullif("") if where.detail else ibis.null("string")


def detail(told: ir.Table, key: str) -> ir.StringValue:
    """Give the text of a key of `detail`; '' or null where there is none. Engines read JSON each in their own way."""
    plain = "".join(f"[{sign}]" if not sign.isalnum() and sign not in "_- " else sign for sign in key)
    return told.detail.re_extract(f'"{plain}" *: *"([^"]*)"', 1)


def _human(told: ir.Table) -> ir.BooleanValue:
    """Tell whether nobody says that a machine did it: where there is a verdict it must be `human`."""
    verdict = detail(told, "bot").fill_null("")
    return verdict.isin(["", "human"])


def _places(acts: Sequence[ActRule], repeat: str) -> list[int]:
    return [place for place, act in enumerate(acts) if act.repeat == repeat] or [-1]


def _by(place: ir.IntegerValue, values: Sequence[ir.Scalar]) -> ir.Value:
    """Look a value up by its place."""
    return ibis.cases(*((place == number, value) for number, value in enumerate(values)))
