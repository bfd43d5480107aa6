"""Process: the steps of cases in the order in which they came, and what a map of them shows.

A step directly follows another when it is the next one of the same case. Only `log` and `amounts` know facts, so that
any log of cases, steps and instants gives the same numbers.
"""

from __future__ import annotations

from typing import Literal

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.facts import KINDS
from plait.measure import Caution, Day, Facts
from plait.measures._cohort import during
from plait.measures._money import alone, each, in_one_currency, only, share
from plait.measures._steps import DAY, seconds

Case = Literal["ticket", "deal", "account", "handoff"]
THING = {"ticket": "ticket.", "deal": "deal.", "handoff": "handoff."}
LEAD_TO_CASH = (
    "form.submitted", "event.attended", "trial.started", "referral.made", "lead.created", "lead.mql", "lead.sal",
    "lead.sql", "lead.recycled", "lead.disqualified", "meeting.held", "deal.opened", "deal.won", "deal.lost",
    "subscription.started", "subscription.changed", "subscription.ended", "order.placed", "invoice.issued",
    "payment.received", "payment.refunded",
)  # fmt: skip
TEXTED = ("ticket.changed", "deal.changed")  # their text names the step
PRICED = tuple(kind for kind in KINDS if kind.startswith(("deal.", "handoff.")))
OTHERS = "(others)"
YEAR = 365 * DAY


def kinds_of(case: Case, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Give the kinds of facts that are steps of a case: those named, else the usual ones."""
    if kinds:
        return kinds
    return LEAD_TO_CASH if case == "account" else tuple(kind for kind in KINDS if kind.startswith(THING[case]))


def log(
    facts: Facts, case: Case, kinds: tuple[str, ...], since: Day | None = None, until: Day | None = None
) -> ir.Table:
    """Give `case`, `step`, `at`, `source`, `id` of each step, of the cases whose first step lies in [since, until)."""
    told = facts.of(*kinds_of(case, kinds))
    told = told.mutate(case=_case(told, case))
    told = told.filter(_.case.notnull())
    if since is not None or until is not None:
        begun = told.group_by("case").agg(occurred_on=_.occurred_on.min())
        told = told.semi_join(during(begun, since, until), "case")
    step = ibis.ifelse(told.kind.isin(TEXTED) & told.text.notnull(), told.text, told.kind)
    return told.select("case", "source", "id", step=step, at=told.occurred_at)


def caseless(facts: Facts, case: Case, kinds: tuple[str, ...]) -> Caution:
    """Warn of the facts that belong to no case."""
    told = facts.of(*kinds_of(case, kinds))
    lost = told.filter(_case(told, case).isnull()).select("id", "source").order_by("source", "id")
    return Caution(lost, "{n} facts name no {unit} and are left out: {some}.", {"unit": case})


def amounts(facts: Facts, case: Case) -> ir.Table:
    """Give `case`, `money` and `money_currency`: the last amount that a fact of a deal or a hand-off told."""
    told = facts.of(*PRICED).filter(_.amount.notnull())
    told = told.mutate(case=_case(told, case), kept=told.kind.isin(kinds_of(case, ())) | (case == "account"))
    newest_first = [_.occurred_at.desc(), _.source.desc(), _.id.desc()]
    told = told.filter(_.case.notnull(), _.kept).mutate(
        turn=ibis.row_number().over(group_by="case", order_by=newest_first)
    )
    return in_one_currency(facts, told.filter(_.turn == 0)).select("case", "money", "money_currency")


def in_order(steps: ir.Table) -> ir.Table:
    """Add to each step its `turn` in the case, from 0, the `next` step and the seconds until then, its `wait`."""
    over = ibis.window(group_by="case", order_by=["at", "source", "id"])
    steps = steps.mutate(
        turn=ibis.row_number().over(over), next=_.step.lead().over(over), next_at=_.at.lead().over(over)
    )
    return steps.mutate(wait=(seconds(_.next_at) - seconds(_.at)).cast("int64"))


def edges(ordered: ir.Table, money: ir.Table | None = None, yearly_percent: int = 0) -> ir.Table:
    """Give a row for each two steps of which one followed the other directly.

    The median is the exact one, the mean of the two middle waits where their number is even; `wait_p90_days` the
    smallest wait that nine of ten do not exceed. With `money`, see `amounts`, also what the waits cost.
    """
    pairs = ordered.filter(_.next.notnull()).select("case", "step", "next", "wait")
    priced = {"cost": ibis.null("decimal(18,4)"), "money_currency": ibis.null("string")}
    if money is not None:
        pairs = pairs.left_join(money, "case").drop("case_right")
        cost = each(_.money, ibis.literal(100 * YEAR, "int64"), times=_.wait * yearly_percent)
        priced = {"cost": cost, "money_currency": _.money_currency}
    pairs = pairs.mutate(**priced, place=ibis.row_number().over(group_by=["step", "next"], order_by=["wait", "case"]))
    pairs = pairs.mutate(of=_.wait.count().over(ibis.window(group_by=["step", "next"])))
    nine_tenths = ((pairs.of * 9 + 9) / 10).floor().cast("int64") - 1
    rows = pairs.group_by(from_step="step", to_step="next").agg(
        cases=_.case.nunique().cast("int64"),
        times=_.count(),
        wait_days=_.wait.median().cast("float64") / DAY,
        wait_p90_days=_.wait.max(where=pairs.place == nine_tenths).cast("float64") / DAY,
        waiting_days=_.wait.sum().cast("float64") / DAY,
        cost=_.cost.sum(),
        currency=alone(_.money_currency),
    )
    cost = only(rows.cost, rows.currency)
    rows = rows.mutate(waiting_cost=cost).drop("cost").relocate("waiting_cost", before="currency")
    return rows.order_by(ibis.desc("times"), "from_step", "to_step")


def counted(ordered: ir.Table) -> ir.Table:
    """Give a row for each step: how often, in how many cases, how often again, first and last, and where in a case."""
    before = ibis.window(group_by="case", order_by=["turn"])
    told = ordered.mutate(
        place=ibis.row_number().over(group_by=["case", "step"], order_by=["turn"]), waited=_.wait.lag().over(before)
    )
    rows = told.group_by("step").agg(
        cases=(_.place == 0).sum().cast("int64"),
        times=_.count(),
        repeated=(_.place > 0).sum().cast("int64"),
        repeated_cases=(_.place == 1).sum().cast("int64"),
        loops=(_.next == _.step).fill_null(False).sum().cast("int64"),  # noqa: FBT003 - ibis takes it by position only
        starts=(_.turn == 0).sum().cast("int64"),
        ends=_.next.isnull().sum().cast("int64"),
        turns=((_.turn + 1) * (_.place == 0).cast("int64")).sum(),
        waited_days=_.waited.median().cast("float64") / DAY,
    )
    rows = rows.mutate(rework=share(_.repeated, _.times), place=share(_.turns, _.cases)).drop("turns")
    rows = rows.relocate("rework", after="repeated_cases").relocate("place", after="ends")
    return rows.order_by(ibis.desc("times"), "step")


def variants(ordered: ir.Table, least_percent: int) -> ir.Table:
    """Give a row for each way that cases took from the first step to the last, and one for all that are too seldom."""
    marked = ordered.mutate(marked=_.turn.cast("string").lpad(9, "0") + _.step)
    cases = marked.group_by("case").agg(
        marks=_.marked.collect(), steps=_.count(), first_at=_.at.min(), last_at=_.at.max()
    )
    cases = cases.mutate(
        path=ibis.literal(" > ").join(cases.marks.sort().map(lambda mark: mark.substr(9))),
        days=(seconds(_.last_at) - seconds(_.first_at)).cast("float64") / DAY,
    )
    rows = cases.group_by("path", "steps").agg(cases=_.count(), days=_.days.median())
    whole = ibis.window()
    rows = rows.mutate(all=_.cases.sum().over(whole))
    rows = rows.mutate(often=_.cases * 100 >= _.all * least_percent)
    ranked = rows.mutate(variant=ibis.row_number().over(order_by=[ibis.desc("cases"), "path"]) + 1)
    shown = ranked.filter(_.often).select(
        variant=_.variant.cast("int64"), path=_.path, steps=_.steps.cast("int64"), cases=_.cases.cast("int64"),
        share=share(_.cases, _.all), days=_.days,
    )  # fmt: skip
    seldom = ranked.filter(~_.often).agg(n=_.count(), cases=_.cases.sum().cast("int64"), all=_.all.max())
    rest = seldom.filter(_.n > 0).select(
        variant=ibis.null("int64"), path=ibis.literal(OTHERS), steps=ibis.null("int64"), cases=_.cases,
        share=share(_.cases, _.all), days=ibis.null("float64"),
    )  # fmt: skip
    return ibis.union(shown, rest).order_by(_.variant.isnull(), "variant")


def _case(told: ir.Table, case: Case) -> ir.StringValue:
    """Name the case of each fact: an account, or a thing by source and object_id."""
    return told.account if case == "account" else told.source + " " + told.object_id
