"""The stage ledger: where an account stands in the cycle and every move it made, derived from its facts by the rules.

The rules are a firm's own data, see `plait/stages`; this makes one query of them. All facts of one instant count
together; within it the order is that of (source, id). A person's correction (`stage.set`, its text names the stage)
holds until the rules' own answer changes next. Stages end in both directions, also by time alone: a signal that lasts
ends when its days are over.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Literal, TypeAlias

import ibis
import ibis.expr.types as ir

from plait.facts import OFTEN
from plait.measure import Facts
from plait.measures._plan import Plan
from plait.stages import Alternative, RuleSet, Signal
from plait.stages.judging import ending

Unit: TypeAlias = Literal["account", "person"]

STRETCH = 180  # days, where no signal lasts shorter


def ledger(facts: Facts, *, unit: Unit = "account", rules: RuleSet | None = None, only: str | None = None) -> ir.Table:
    """Give every stay: account, stage, from_stage, from_at, from_on, to_at, to_on, why, corrected.

    Stages are codes, see `stage_name`. A stay is [from_at, to_at); `to_at` is null while it lasts, `from_stage` null at
    the first. `_on` is the local day. Stays of an account leave no hole and do not overlap, and two that follow each
    other differ. `why` is the number of the line of the rules that held at its beginning, `corrected` (0 or 1) tells
    that a person set the stage. With `unit="person"` the column `account` holds persons; `only` is the id of the one
    account or person wanted.
    """
    plan = Plan.of(rules or facts.stages)
    known = known_of(facts, unit, only)
    moments = _corrected(_derived(_carried(facts, known, plan), plan))
    over, so_far = (
        ibis.window(group_by="account", order_by="at"),
        ibis.cumulative_window(group_by="account", order_by="at"),
    )
    stays = moments.mutate(from_stage=moments.stage.lag().over(over))
    stays = stays.filter(stays.from_stage.isnull() | (stays.from_stage != stays.stage))
    # 365 days of 24 hours may end a local day early where the clock changed between: days never run backwards
    stays = stays.mutate(from_on=stays["on"].max().over(so_far))
    return stays.select(
        "account",
        "stage",
        "from_stage",
        "from_on",
        "why",
        "corrected",
        from_at=stays["at"],
        to_at=stays["at"].lead().over(over),
        to_on=stays.from_on.lead().over(over),
    )


def known_of(facts: Facts, unit: Unit, only: str | None = None) -> ir.Table:
    """Give the facts that concern an account or a person, or one of them, whose id the column `account` then has."""
    known = facts.every()
    if only is None:
        return known.filter(known[unit].notnull()).mutate(account=known[unit])
    if unit == "account" and "bucket" in known.columns:  # facts lie in the bucket of their account
        known = known.filter(known.bucket.isin(["b" + only[1 : 1 + digits] for digits in range(3)]))
    return known.filter(known[unit] == only).mutate(account=known[unit])


def stage_name(code: ir.IntegerValue, rules: RuleSet) -> ir.StringValue:
    """Give a stage's name for its code in a rule set."""
    return ibis.cases(*((code == number, name) for number, name in enumerate(rules.order)))


def stage_code(name: ir.StringValue, rules: RuleSet) -> ir.IntegerValue:
    """Give a stage's code for its name, null for a name that is no stage."""
    return ibis.cases(*((name == text, ibis.literal(number, "int64")) for number, text in enumerate(rules.order)))


def misnamed(facts: Facts, rules: RuleSet) -> ir.Table:
    """Give the corrections that name no stage; the rule passes over them."""
    corrections = facts.of("stage.set").filter(lambda t: t.account.notnull())
    named = stage_code(corrections.text.strip().lower(), rules)
    return corrections.filter(named.isnull()).select("id", "source").order_by("source", "id")


def _carried(facts: Facts, known: ir.Table, plan: Plan) -> ir.Table:
    """Give each account's moments with all that is known by then: counts added up, of instants the last so far."""
    stretches = _stretches(known, plan)
    parts = [*_firsts(stretches, plan)]
    for signal in plan.sorts.values():
        if signal.sort == "lasts":
            parts += _spells(stretches, signal, plan)
    parts += [_steps(known, plan), *_cut(known, plan), *_things(known, plan)]
    moments = ibis.union(*parts)
    m = moments.filter(moments["at"] < facts.as_of)  # what time alone will do later
    sides: dict[str, ir.Value] = {}
    for number in range(len(plan.pairs)):
        side = m[f"side{number}"]
        sides |= {f"yes{number}": m.word.max(where=side == 1), f"no{number}": m.word.max(where=side == 0)}
    instants = m.group_by("account", "at").agg(
        m["on"].max().name("on"),
        *(m[name].sum().cast("int64").name(name) for name in plan.columns),
        *(m["at"].max(where=m.mark == mark).name(f"{mark}_mark") for mark in plan.marks),
        correction=m.correction.argmax(m.word, where=m.correction.notnull()),
        **sides,
    )
    so_far = ibis.cumulative_window(group_by="account", order_by="at")
    last = {f"{mark}_mark": instants[f"{mark}_mark"] for mark in plan.marks}
    for number in range(len(plan.pairs)):
        yes, no = f"yes{number}", f"no{number}"
        for one, other in ((yes, no), (no, yes)):
            later = instants[one].notnull() & (instants[other].isnull() | (instants[one] > instants[other]))
            last[f"{one}_at"] = ibis.cases((later, instants["at"]))
    return instants.select(
        "account",
        "at",
        "on",
        "correction",
        **{name: instants[name].sum().over(so_far).cast("int64") for name in plan.columns},
        **{name: at.max().over(so_far) for name, at in last.items()},
    )


def _stretches(facts: ir.Table, plan: Plan) -> ir.Table:
    """Give each account's first and last facts of each `sort` in every stretch of days, in one pass.

    No signal lasts shorter than a stretch. So inside of one no spell can end, and its first and its last fact are
    enough. This makes few rows of many before anything is sorted. `sort` tells of a fact which signals it is for.
    """
    days = min((signal.days or STRETCH for signal in plan.sorts.values() if signal.sort == "lasts"), default=STRETCH)
    bits = (facts.kind.isin(one.kinds).cast("int64") * 2**bit for bit, one in enumerate(plan.sorts.values()))
    stretch = (facts.occurred_at.epoch_seconds() // (days * 86_400)).cast("int64")
    return facts.group_by("account", stretch=stretch, sort=reduce(add, bits, ibis.literal(0, "int64"))).agg(
        first_at=facts.occurred_at.min(),
        first_on=facts.occurred_on.min(),
        last_at=facts.occurred_at.max(),
        last_on=facts.occurred_on.max(),
    )


def _of_sort(stretches: ir.Table, signal: str, plan: Plan) -> ir.Table:
    bit = 2 ** list(plan.sorts).index(signal)
    return stretches.filter(stretches.sort % (2 * bit) >= bit)


def _firsts(stretches: ir.Table, plan: Plan) -> list[ir.Table]:
    """Give each account's first fact, and its first of each signal that is `ever`."""

    def first(rows: ir.Table) -> ir.Table:
        return rows.group_by("account").agg(at=rows.first_at.min(), on=rows.first_on.min())

    seen = first(stretches)
    found = [plan.moment(seen, seen["at"], seen["on"])]  # an account stands somewhere from its first fact on
    for signal in plan.sorts.values():
        if signal.first:
            over = ibis.interval(days=signal.days or 0)
            found.append(plan.moment(seen, seen["at"], seen["on"], **plan.change(signal.name, 1)))
            until = (seen["on"] + over).cast("date")
            found.append(plan.moment(seen, seen["at"] + over, until, **plan.change(signal.name, -1)))
        if signal.sort == "ever":
            told = first(_of_sort(stretches, signal.name, plan))
            found.append(plan.moment(told, told["at"], told["on"], **plan.change(signal.name, 1)))
    return found[1:] if any(signal.first for signal in plan.sorts.values()) else found


def _spells(stretches: ir.Table, signal: Signal, plan: Plan) -> list[ir.Table]:
    """Give the moments at which a spell begins and ends that each fact of a signal keeps up for its days."""
    mine = _of_sort(stretches, signal.name, plan)
    ends = mine.group_by("account", "stretch").agg(
        first_at=mine.first_at.min(),
        first_on=mine.first_on.min(),
        last_at=mine.last_at.max(),
        last_on=mine.last_on.max(),
    )
    over, order = ibis.interval(days=signal.days or 0), ibis.window(group_by="account", order_by="stretch")
    ends = ends.mutate(before_at=ends.last_at.lag().over(order), next_at=ends.first_at.lead().over(order))
    begun = ends.filter(ends.before_at.isnull() | (ends.before_at + over <= ends.first_at))
    ended = ends.filter(ends.next_at.isnull() | (ends.next_at >= ends.last_at + over))
    until, until_on = ended.last_at + over, (ended.last_on + over).cast("date")
    return [
        plan.moment(begun, begun.first_at, begun.first_on, **plan.change(signal.name, 1)),
        plan.moment(ended, until, until_on, mark=signal.name, **plan.change(signal.name, -1)),
    ]


def _steps(facts: ir.Table, plan: Plan) -> ir.Table:
    """Give the steps of leads and people's corrections. `word` orders the steps of one instant as (source, id) does."""
    both = [kind for pair in plan.pairs for side in pair for kind in side]
    steps = _of_kinds(facts, (*both, "stage.set"))
    kind, word = steps.kind, steps.source + " " + steps.id  # a blank comes before every sign that a source may have
    named = ibis.cases((kind == "stage.set", stage_code(steps.text.strip().lower(), plan.rules)))
    sides = {
        f"side{number}": ibis.cases((kind.isin(yes), 1), (kind.isin(no), 0))
        for number, (yes, no) in enumerate(plan.pairs)
    }
    return plan.moment(steps, steps.occurred_at, steps.occurred_on, word=word, correction=named, **sides)


def _of_kinds(facts: ir.Table, kinds: tuple[str, ...]) -> ir.Table:
    """Give the facts of some kinds; kinds that are never written by the million lie in files of their own."""
    told = facts.filter(facts.kind.isin(tuple(dict.fromkeys(kinds))))
    return told if set(kinds) & OFTEN else told.filter(told.often == "n")


def _cut(facts: ir.Table, plan: Plan) -> list[ir.Table]:
    """Give the moments of signals that another one may cut short, and those at which a step's days are over."""
    found = []
    for signal in plan.rules.signals:
        if signal.cut_by or (signal.sort == "latest" and signal.days):
            told, over = _of_kinds(facts, signal.kinds), ibis.interval(days=signal.days or 0)
            if signal.cut_by:
                found.append(plan.moment(told, told.occurred_at, told.occurred_on, mark=signal.name))
            until = (told.occurred_on + over).cast("date")
            found.append(plan.moment(told, told.occurred_at + over, until))
    return found


def _things(facts: ir.Table, plan: Plan) -> list[ir.Table]:
    """Give the moments at which a deal or a contract begins or ends to be on, all those at once that share no kind."""
    groups: list[list[Signal]] = []
    for signal in (one for one in plan.rules.signals if one.sort == "runs"):
        mine = {*signal.kinds, *signal.over}
        apart = [group for group in groups if not any(mine & {*other.kinds, *other.over} for other in group)]
        if apart:
            apart[0].append(signal)
        else:
            groups.append([signal])
    return [_things_of(facts, group, plan) for group in groups]


def _things_of(facts: ir.Table, signals: list[Signal], plan: Plan) -> ir.Table:
    begins = tuple(kind for signal in signals for kind in signal.kinds)
    ends = tuple(kind for signal in signals for kind in signal.over)
    things = _of_kinds(facts, (*begins, *ends))
    whose = ibis.cases(*((things.kind.isin((*one.kinds, *one.over)), n) for n, one in enumerate(signals)))
    things = things.select(
        *("account", "occurred_at", "occurred_on", "source", "id", "object_id"),
        signal=whose.cast("int64"),
        on_now=things.kind.isin(begins).cast("int64"),
    )
    same = ibis.window(group_by=["account", "signal", "object_id"], order_by=["occurred_at", "source", "id"])
    things = things.mutate(on_before=things.on_now.lag().over(same))
    change = things.on_now - things.on_before.fill_null(0)
    ended = (things.on_now == 0) & (things.on_before.fill_null(1) == 1)  # also of a thing whose beginning is unknown
    marked = [(ended & (things.signal == n), one.name) for n, one in enumerate(signals) if one.name in plan.marks]
    mark = ibis.cases(*marked) if marked else ibis.null("string")
    told = things.select("account", "occurred_at", "occurred_on", "signal", change=change, mark=mark)
    told = told.filter((told.change != 0) | told.mark.notnull())
    changes = {}
    for column in plan.columns:
        weights = [(told.signal == n, place.weight) for n, one in enumerate(signals)
                   if (place := plan.digits[one.name]).column == column]  # fmt: skip
        if weights:
            weight = ibis.cases(*((test, ibis.literal(number, "int64")) for test, number in weights))
            changes[column] = (told.change * weight).cast("int64")
    return plan.moment(told, told.occurred_at, told.occurred_on, mark=told.mark, **changes)


def _holds(test: ir.BooleanValue) -> ir.BooleanValue:
    return test.fill_null(False)  # noqa: FBT003 - ibis takes it by position only


class Signs:
    """What the signals say at each moment."""

    def __init__(self, moments: ir.Table, plan: Plan) -> None:
        self.m, self.plan, self.rules = moments, plan, plan.rules

    def mark(self, signal: str) -> ir.TimestampValue:
        """Give the last instant that is kept of a signal: its end, or of one that may be cut its last fact."""
        return self.m[f"{signal}_mark"]

    def until(self, signal: Signal) -> ir.TimestampValue:
        """Give the instant at which a signal ended, or will end; null where it never was."""
        if not signal.cut_by:
            return self.mark(signal.name)
        told, ended = self.mark(signal.name), self.mark(signal.cut_by)
        return ibis.cases((ended.isnull() | _holds(told > ended), told + ibis.interval(days=signal.days)))

    def left_at(self, stage: str) -> ir.TimestampValue:
        """Give the instant at which the last of what kept an account in a stage ended."""
        ends = []
        for way in self.rules.stage(stage).when:
            end = ending(self.rules, way)
            if end:
                gates = [self.holds(name) for name in way.all if name != end.name]
                gates += [~self.holds(name) for name in way.none]
                ends.append(ibis.cases((_every(gates), self.until(end))) if gates else self.until(end))
        return ibis.greatest(*ends) if len(ends) > 1 else ends[0]

    def holds(self, name: str) -> ir.BooleanValue:
        """Tell whether a signal holds."""
        signal = self.rules.signal(name)
        if signal.sort == "latest":
            return self._latest(signal)
        if signal.cut_by:
            return _holds(self.until(signal) > self.m["at"])
        return self.plan.digits[name].on(self.m)

    def _latest(self, signal: Signal) -> ir.BooleanValue:
        number, turned = self.plan.sides[signal.name]
        yes, no = ("no", "yes") if turned else ("yes", "no")
        at, over = self.m[f"{yes}{number}_at"], self.m[f"{no}{number}_at"]
        tests = [at.notnull() & (over.isnull() | _holds(at > over))]
        if signal.days:
            tests.append(_holds(at + ibis.interval(days=signal.days) > self.m["at"]))
        if signal.newer_than:
            other, until = self.rules.signal(signal.newer_than), self.mark(signal.newer_than)
            tests.append(until.isnull() | _holds(at > until - ibis.interval(days=other.days)))
        if signal.after_leaving:
            left = self.left_at(signal.after_leaving)
            tests.append(left.isnull() | _holds(at >= left))
        return _every(tests)

    def way(self, way: Alternative) -> ir.BooleanValue:
        """Tell whether a line of the rules holds."""
        tests = [self.holds(name) for name in way.all] + [~self.holds(name) for name in way.none]
        return _every([*tests, self.left_at(way.left).notnull()] if way.left else tests)


def _every(tests: list[ir.BooleanValue]) -> ir.BooleanValue:
    return reduce(lambda one, other: one & other, tests)


def _derived(moments: ir.Table, plan: Plan) -> ir.Table:
    """Give the line of the rules that holds at each moment, and its stage: the first line that does."""
    said, lines = Signs(moments, plan), plan.rules.alternatives
    asked = [(said.way(way), number) for number, (_, way) in enumerate(lines) if not way.always]
    last = next(number for number, (_, way) in enumerate(lines) if way.always)
    why = ibis.cases(*asked, else_=last) if asked else ibis.literal(last)
    told = moments.select("account", "at", "on", "correction", why=why.cast("int64"))
    codes = [(told.why == number, plan.rules.code(stage.name)) for number, (stage, _) in enumerate(lines)]
    return told.mutate(stage=ibis.cases(*codes).cast("int64"))


def _corrected(moments: ir.Table) -> ir.Table:
    """Put a person's correction in place of the rule's stage, until the rule's own answer changes."""
    over = ibis.window(group_by="account", order_by="at")
    moments = moments.mutate(before=moments.stage.lag().over(over))
    changed = moments.before.isnull() | (moments.before != moments.stage)
    moments = moments.filter(changed | moments.correction.notnull())  # each row that stays decides anew
    stage = ibis.coalesce(moments.correction, moments.stage)
    corrected = moments.correction.notnull().cast("int64")
    return moments.select("account", "at", "on", "why", stage=stage.cast("int64"), corrected=corrected)
