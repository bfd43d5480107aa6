"""Deals: how many are won, what they are worth, what is still open and how fast it moves."""

from typing import Annotated, Literal

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.measure import Answer, Bounds, Caution, Day, Facts, measure
from plait.measures._cohort import UNKNOWN, By, cohort, during
from plait.measures._deal import CLOSED, deal_facts, deals
from plait.measures._money import MONEY, alone, apart, each, in_one_currency, only, share

Now = Literal["all", "channel", "campaign", "partner", "product", "owner", "source"]  # what can split a moment


@measure(
    owner="sales",
    parent="bookings",
    grain="cohort",
    columns={
        "cohort": "cohort",
        "won": "deals",
        "lost": "deals",
        "open": "deals",
        "win_rate": "share",
        "won_amount": "money",
        "lost_amount": "money",
        "win_rate_amount": "share",
        "currency": "currency",
    },
)
def win_rate(
    facts: Facts,
    *,
    by: By = "all",
    denominator: Literal["closed", "created"] = "closed",
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Share of deals that were won, by count and by amount.

    With `closed` (the usual one) a deal belongs to the period in which it closed, and the rate is won / (won + lost);
    deals still open do not count and `open` is empty. With `created` it belongs to the period in which it was opened,
    and the rate is won / all opened, the open ones included: it starts low and rises until all have closed.

    A deal counts once, by its last closing: lost, reopened and won is won. The amount of a won deal is what was
    agreed, of a lost one what it was lost at, else what was last quoted. A deal without an amount counts in
    `win_rate`, not in `win_rate_amount`; where none of the won or none of the lost ones has an amount, that rate is
    unknown. Amounts are empty where a row has several currencies. `since` and `until` keep the deals that closed (or
    were opened) in [since, until).
    """
    day = "closed_on" if denominator == "closed" else "opened_on"
    found = deals(facts, by)
    found = found.filter(_.state.isin(CLOSED)) if denominator == "closed" else found
    found = during(found, since, until, day)
    split = cohort(found, by, day).fill_null(UNKNOWN)
    found = in_one_currency(facts, found.mutate(cohort=split), day="valued_on")
    won, lost, is_open = (_.state == state for state in ("deal.won", "deal.lost", "deal.opened"))
    rows = found.group_by("cohort").agg(
        won=won.sum().cast("int64"),
        lost=lost.sum().cast("int64"),
        open=is_open.sum().cast("int64"),
        won_amount=_.money.sum(where=won),
        lost_amount=_.money.sum(where=lost),
        open_amount=_.money.sum(where=is_open),
        currency=alone(_.money_currency),
    )
    rows = rows.mutate(
        won_amount=only(_known(_.won_amount, _.won), _.currency),
        lost_amount=only(_known(_.lost_amount, _.lost), _.currency),
        open_amount=only(_known(_.open_amount, _.open), _.currency),
    )
    rows = rows.mutate(
        open=ibis.null("int64") if denominator == "closed" else _.open,
        win_rate=share(_.won, _.won + _.lost + _.open),
        win_rate_amount=share(_.won_amount, _.won_amount + _.lost_amount + _.open_amount),
    )
    states = CLOSED if denominator == "closed" else (*CLOSED, "deal.opened")
    cautions = [
        _unpriced(facts, *states, period=(day, since, until)),
        _apart(facts, "amounts are left empty where a row has several"),
    ]
    if denominator == "created":
        early = rows.filter(_.open * 5 > _.won + _.lost + _.open).order_by("cohort").select("cohort")
        cautions.append(Caution(early, "{n} rows are provisional ({some}): over a fifth of their deals is still open."))
    return Answer(rows.select(*win_rate.columns).order_by("cohort"), tuple(cautions))


@measure(
    owner="sales",
    parent="revenue",
    grain="cohort and currency",
    columns={"cohort": "cohort", "deals": "deals", "amount": "money", "average": "money", "currency": "currency"},
)
def bookings(facts: Facts, *, by: By = "month", since: Day | None = None, until: Day | None = None) -> Answer:
    """Deals won and what was agreed, by the day they were won.

    A deal counts once, on its last win; one that was lost afterwards does not count. `average` is per deal with an
    amount; deals without an amount stand in a row without currency. Each currency that cannot be converted has rows of
    its own. `since` and `until` keep the deals won in [since, until).
    """
    won = during(deals(facts, by).filter(_.state == "deal.won"), since, until, "closed_on")
    won = in_one_currency(facts, won.mutate(cohort=cohort(won, by, "closed_on")), day="closed_on")
    rows = won.group_by("cohort", currency=_.money_currency).agg(deals=_.count(), amount=_.money.sum())
    rows = rows.mutate(average=each(_.amount, _.deals)).select(*bookings.columns).order_by("cohort", "currency")
    unpriced = _unpriced(facts, "deal.won", period=("closed_on", since, until))
    return Answer(rows, (unpriced, _apart(facts, "each has rows of its own")))


@measure(
    owner="sales",
    parent="bookings",
    grain="cohort",
    columns={
        "cohort": "cohort",
        "open": "deals",
        "without_amount": "deals",
        "amount": "money",
        "closed": "deals",
        "win_rate": "share",
        "expected": "money",
        "coverage_needed": "ratio",
        "currency": "currency",
    },
)
def pipeline(facts: Facts, *, by: Now = "all", trailing_days: Annotated[int, Bounds(1, 3660)] = 365) -> Answer:
    """Deals that are open on the day asked for, what was last quoted for them, and what may come of it.

    `expected` is the amount times the win rate (by count) of the row's deals closed in the last `trailing_days` days:
    past luck, not a calibrated forecast. `coverage_needed` = 1 / win rate says how many times the target must be open
    to meet it; both are empty where nothing closed. A deal without an amount counts in `open` and `without_amount`, and
    adds nothing to `amount`. Other currencies are converted at the rate of this month's first day.
    """
    found = deals(facts, by)
    found = in_one_currency(facts, found.mutate(cohort=cohort(found, by)), day="valued_on")
    is_open = _.state == "deal.opened"
    recent = ~is_open & (_.closed_on >= facts.today - ibis.interval(days=trailing_days))
    rows = found.group_by("cohort").agg(
        open=is_open.sum().cast("int64"),
        without_amount=(is_open & _.money.isnull()).sum().cast("int64"),
        amount=_.money.sum(where=is_open),
        closed=recent.sum().cast("int64"),
        won=(recent & (_.state == "deal.won")).sum().cast("int64"),
        currency=alone(ibis.ifelse(is_open, _.money_currency, ibis.null("string"))),
    )
    rows = rows.mutate(
        win_rate=share(_.won, _.closed), coverage_needed=share(_.closed, _.won), amount=only(_.amount, _.currency)
    )
    rows = rows.mutate(expected=each(_.amount, _.closed, times=_.won)).filter(_.open + _.closed > 0)
    cautions = (_unpriced(facts, "deal.opened"), _apart(facts, "amounts are left empty where a row has several"))
    return Answer(rows.select(*pipeline.columns).order_by("cohort"), cautions)


@measure(
    owner="sales",
    parent="bookings",
    grain="cohort",
    columns={
        "cohort": "cohort",
        "open": "deals",
        "win_rate": "share",
        "average_won": "money",
        "cycle_days": "days",
        "velocity": "money",
        "currency": "currency",
    },
)
def pipeline_velocity(facts: Facts, *, by: Now = "all", trailing_days: Annotated[int, Bounds(1, 3660)] = 365) -> Answer:
    """Money that the open pipeline turns into won deals per day: open deals x win rate x average won deal / cycle.

    Win rate (by count), average won deal and cycle are those of the row's deals that closed in the last
    `trailing_days` days; the cycle is the median of the days from opening to winning. A deal won before it was opened
    counts as won and has no cycle. Empty where one of the four is unknown, or the cycle is shorter than a day.
    """
    found = deals(facts, by)
    found = in_one_currency(facts, found.mutate(cohort=cohort(found, by)), day="valued_on")
    is_open = _.state == "deal.opened"
    recent = ~is_open & (_.closed_on >= facts.today - ibis.interval(days=trailing_days))
    won = recent & (_.state == "deal.won")
    days = found.closed_on.delta(found.opened_on, unit="day")
    found = found.mutate(recent=recent, won=won, days=days).mutate(
        cycle=ibis.ifelse(_.won & (_.days >= 0), _.days, ibis.null("int64"))  # Spark takes no filter in a median
    )
    rows = found.group_by("cohort").agg(
        open=is_open.sum().cast("int64"),
        closed=_.recent.sum().cast("int64"),
        wins=_.won.sum().cast("int64"),
        priced=(_.won & _.money.notnull()).sum().cast("int64"),
        amount=_.money.sum(where=_.won),
        cycle_days=_.cycle.median().cast("float64"),
        currency=alone(ibis.ifelse(_.won, _.money_currency, ibis.null("string"))),
    )
    rows = rows.mutate(win_rate=share(_.wins, _.closed), amount=only(_.amount, _.currency)).mutate(
        average_won=each(_.amount, _.priced),
        velocity=each(_.amount, _.closed * _.priced * _.cycle_days, times=_.open * _.wins),
    )
    rows = rows.filter(_.open + _.closed > 0).select(*pipeline_velocity.columns).order_by("cohort")
    backward = found.filter(_.won, _.days < 0).order_by("source", "object_id").select("object_id")
    backward_says = "{n} deals were won before they were opened ({some}): they have no cycle."
    several = _apart(facts, "amounts are left empty where a row has several")
    return Answer(rows, (_unpriced(facts, "deal.won"), several, Caution(backward, backward_says)))


def _known(amount: ir.DecimalValue, deals: ir.IntegerValue) -> ir.DecimalValue:
    """Give 0 for no deals; the sum over some deals that all have no amount stays None."""
    return ibis.ifelse(deals == 0, ibis.literal(0).cast(MONEY), amount)


def _unpriced(
    facts: Facts, *states: str, period: tuple[str, Day | None, Day | None] = ("opened_on", None, None)
) -> Caution:
    """Warn of deals in these states that have no amount; those with one are left out before anything is sorted."""
    told = deal_facts(facts)
    bare = told.anti_join(told.filter(_.amount.notnull()), ["source", "object_id"])
    day, since, until = period
    unpriced = during(deals(facts, told=bare).filter(_.state.isin(states)), since, until, day)
    unpriced = unpriced.order_by("source", "object_id").select("object_id")
    return Caution(unpriced, "{n} deals have no amount ({some}): they count as deals and add nothing to the amounts.")


def _apart(facts: Facts, what: str) -> Caution:
    return apart(in_one_currency(facts, deal_facts(facts)), what)
