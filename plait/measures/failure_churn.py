"""Churn after a failure: how many customers leave once our service failed them, and how many leave anyway."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import ibis
import ibis.expr.types as ir
import numpy as np
from ibis import _

from plait.failure import Said
from plait.measure import Answer, Bounds, Caution, Facts, Solution, measure
from plait.measures._contract import contract_facts, contract_months
from plait.measures._failures import Priority, failures, nameless, unjudged
from plait.measures._month import month_of, running_month
from plait.stats.rates import Estimate, Strata, risk_difference, risk_ratio, standardised, wilson

if TYPE_CHECKING:
    import pyarrow as pa

FEWEST = 5  # customers with a failure
ENOUGH = 30  # of them, for rates to be read without a warning
TENURES = (6, 12, 24)  # months with a contract at which a band begins
FAILED, MATCHED, PUBLISHED = "with a failure", "alike, without a failure", "published: up to"
UP_TO = 0.75
SOURCE = "guest article by Matt Preschern, CMO of HCL Technologies, published 2022-05-31"


@measure(
    owner="service",
    parent="retention",
    grain="group",
    columns={
        "group": "text",
        "cases": "cases",
        "left": "cases",
        "churn_rate": "share",
        "low": "share",
        "high": "share",
        "difference": "score",
        "difference_low": "score",
        "difference_high": "score",
        "risk_ratio": "ratio",
        "ratio_low": "ratio",
        "ratio_high": "ratio",
    },
    origin="Greenland & Robins 1985 (ratio), Sato 1989 (difference), Wilson 1927 and Kish 1965 (rates)",
)
def failure_churn(
    facts: Facts,
    *,
    within_months: Annotated[int, Bounds(1, 24)] = 3,
    priority: Priority = "high",
    slow_days: Annotated[int, Bounds(1, 365)] = 5,
    major_hours: Annotated[int, Bounds(1, 168)] = 8,
) -> Answer:
    """Churn after a failure of service: the customers who left, beside customers alike that had no failure.

    A failure is a request for help left without an answer for more than `slow_days`, dated on the day it had waited so
    long, or an incident that hit the account and lasted longer than `major_hours`. With `priority` high only requests
    count whose detail `priority` is critical, urgent, highest, high or p1.

    A case is an account at the end of a month with a contract that pays. `with a failure`: the account's first failure
    as a customer lay in that month, so an account is one case at most. `alike, without a failure`: the accounts of the
    same month and the same time since their first contract (under 6, 12, 24 months, longer) that had none so far; such
    an account is a case in each month in which it is compared. A case has left when no contract pays at the end of the
    month `within_months` later; one that came back by then has not. Left out are cases of which that is not known yet,
    and customers who left in the very month of the failure: what came first is not always known.

    `churn_rate` is the share that left; that of the others is weighted as if they were spread over months and times as
    the failures are. `difference` and `risk_ratio` (how many times as many) are those of Mantel and Haenszel and may
    differ a little from what the two rates give. All intervals are 95 %; in them a case without failure counts only
    1 / `within_months`, since one departure is seen from so many months. Accounts with failures may differ in other
    ways, such as size or use: this does not prove that a failure makes customers leave. Refused with fewer than 5
    failures that have anybody to be compared to.
    """
    paid = _paying(facts)
    failed = _first_failures(paid, failures(facts, priority=priority, slow_days=slow_days, major_hours=major_hours))
    cases = _cases(facts, paid, failed, within_months)
    cautions = (_left_at_once(facts, paid, failed), unjudged(facts, priority), nameless(facts))
    return Answer(_counted(cases), cautions, partial(_compared, within_months=within_months))


def _paying(facts: Facts) -> ir.Table:
    """Give `account`, `month` for each month at whose end an account pays, and `first`, its first one."""
    return contract_months(facts, contract_facts(facts)).select("account", "first", "month").distinct()


def _first_failures(paid: ir.Table, failed: ir.Table) -> ir.Table:
    """Give `account` and `failed`, the month of its first failure since it was a customer."""
    begun = paid.group_by("account").agg(begun=_.first.min())
    met = failed.select("account", failed=month_of(failed.failed_on)).distinct().join(begun, "account")
    return met.filter(_.failed >= _.begun).group_by("account").agg(failed=_.failed.min())


def _cases(facts: Facts, paid: ir.Table, failed: ir.Table, within_months: int) -> ir.Table:
    """Give `month`, `tenure` (a band) of each case, and as 0 or 1 `exposed`, `known` (the time is over) and `left`."""
    later = paid.select("account", month=_.month - within_months, stayed=ibis.literal(1, "int64"))
    cases = paid.left_join(failed, "account").drop("account_right")
    cases = cases.filter(_.failed.isnull() | (_.failed >= _.month))
    cases = cases.left_join(later, ["account", "month"]).drop("account_right", "month_right")
    bands = [(_.month - _.first < months, band) for band, months in enumerate(TENURES)]
    return cases.select(
        "month",
        tenure=ibis.cases(*bands, else_=len(TENURES)).cast("int64"),
        exposed=ibis.ifelse(_.failed == _.month, 1, 0).cast("int64"),
        known=(_.month + within_months < running_month(facts)).cast("int64"),
        left=_.stayed.isnull().cast("int64"),
    )


def _counted(cases: ir.Table) -> ir.Table:
    """Count cases and those that left by stratum, of the exposed and of the others; all that the mathematics needs."""
    strata = cases.group_by("month", "tenure", "known").agg(
        cases=_.exposed.sum().cast("int64"),
        events=(_.exposed * _.left).sum().cast("int64"),
        other_cases=(1 - _.exposed).sum().cast("int64"),
        other_events=((1 - _.exposed) * _.left).sum().cast("int64"),
    )
    return strata.filter(_.cases > 0).order_by("month", "tenure")


def _left_at_once(facts: Facts, paid: ir.Table, failed: ir.Table) -> Caution:
    """Warn of customers who paid before the month of their failure and not at its end."""
    before = paid.select("account", failed=_.month + 1)
    after = paid.select("account", failed=_.month)
    over = failed.filter(_.failed < running_month(facts))
    gone = over.semi_join(before, ["account", "failed"]).anti_join(after, ["account", "failed"])
    return Caution(
        gone.select("account").order_by("account"),
        "{n} more customers left in the very month of their failure, before or after it, and are in no row: {some}.",
    )


def _compared(counted: pa.Table, *, within_months: int) -> Solution:
    """Compare those who met a failure with others alike."""
    told = {name: np.array(counted.column(name).to_pylist(), np.int64) for name in counted.column_names}
    strata, open_cases = _strata(told), int(told["cases"][told["known"] == 0].sum())
    both = strata.matched
    failed = int(both.cases.sum())
    alone = int(strata.cases.sum()) - failed
    if failed < FEWEST:
        return Solution([], [_too_few(failed, alone, open_cases, within_months)])
    thin = both.thinned(within_months)
    own, others = wilson(float(both.events.sum()), failed), standardised(thin)
    difference, ratio = risk_difference(thin), risk_ratio(thin)
    rows = [
        (FAILED, failed, int(both.events.sum()), *_cells(own), *_cells(difference), *_cells(ratio)),
        (MATCHED, int(both.other_cases.sum()), int(both.other_events.sum()), *_cells(others), *(None,) * 6),
        (PUBLISHED, None, None, UP_TO, *(None,) * 8),
    ]
    return Solution(rows, [*_said(ratio, within_months), *_few(failed), *_left_out(alone, open_cases)], _estimates())


def _strata(told: dict[str, np.ndarray]) -> Strata:
    """Give the strata whose time is over."""
    over = told["known"] == 1
    names = ("cases", "events", "other_cases", "other_events")
    return Strata(*(told[name][over].astype(np.float64) for name in names))


def _cells(found: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if found is None else (found.value, found.low, found.high)


def _estimates() -> Said:
    return Said(
        "the share of customers who leave after a first failure, and by how much it exceeds that of customers of the "
        "same month and the same time with us; accounts with failures may differ in other ways too"
    )


def _said(ratio: Estimate | None, within_months: int) -> list[Said]:
    """Say what the numbers mean, and what others have published."""
    found = Said(
        "No ratio: in one group nobody left within {months} months, or in both everybody.", months=within_months
    )
    if ratio is not None:
        found = Said(
            "After a failure {times} times as many left within {months} months as of customers alike (95 % interval "
            "{low} to {high}).",
            times=_digits(ratio.value), months=within_months, low=_digits(ratio.low), high=_digits(ratio.high),
        )  # fmt: skip
    return [
        found,
        Said("Accounts with failures may differ in other ways: this is no proof that a failure makes them leave."),
        Said(
            "Published: service failures can drive away up to {percent} % of customers ({source}; the study, of "
            "2022 or before, is not named). Population, time and method are not stated: it is context, and no target.",
            percent=round(100 * UP_TO), source=SOURCE,
        ),
    ]  # fmt: skip


def _digits(number: float) -> str:
    return f"{number:.2g}" if number < 10 else f"{number:,.0f}"  # noqa: PLR2004 - below ten a digit behind the point


def _few(failed: int) -> list[Said]:
    """Warn of small numbers."""
    says = "Only {n} customers with a failure are compared: read the intervals, not the rates."
    return [Said(says, n=failed)] if failed < ENOUGH else []


def _left_out(alone: int, open_cases: int) -> list[Said]:
    """Say which failures are in no row."""
    said = []
    if alone:
        says = "{n} customers with a failure are left out: nobody alike without one paid in the same month."
        said.append(Said(says, n=alone))
    if open_cases:
        said.append(
            Said("{n} customers with a failure are left out: what became of them is not known yet.", n=open_cases)
        )
    return said


def _too_few(failed: int, alone: int, open_cases: int, within_months: int) -> Said:
    return Said(
        "Too few failures to say anything: {n} customers had a first failure at least {months} months ago and others "
        "alike without one, {fewest} are needed ({alone} have nobody to be compared to, of {open} it is not known yet "
        "who left). Load requests for help with their priority, incidents with the accounts they hit, and contracts.",
        n=failed, months=within_months, fewest=FEWEST, alone=alone, open=open_cases,
    )  # fmt: skip
