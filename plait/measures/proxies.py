"""Proxies: whether the signs that are watched every week go along with revenue at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import ibis
import ibis.expr.types as ir
import numpy as np
from ibis import _

from plait.failure import Said
from plait.measure import Answer, Facts, Solution, measure
from plait.measures._money import MONEY, apart
from plait.measures._month import month_of, running_month
from plait.measures.revenue import Basis, sales_of
from plait.stats.correlation import Correlation, Floats, holm, holm_level, pearson, spearman

if TYPE_CHECKING:
    import pyarrow as pa

COUNTED = (
    "visit.started", "ad.clicked", "form.submitted", "content.downloaded", "event.attended", "trial.started",
    "message.opened", "message.clicked", "lead.created", "lead.mql", "meeting.held", "product.used",
)  # fmt: skip
NPS, CSAT, REVENUE = "nps", "csat", "revenue"
PROMOTER, PASSIVE = 9, 7
LAGS = range(7)
ENOUGH = 24  # months that are known of both
LEVEL = 0.95
VALIDATED, FEW, CHANCE = (
    "validated", "not validated: fewer than 24 months", "not validated: chance would explain it too",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Try:
    """A proxy beside the revenue so many months later."""

    proxy: str
    lag: int
    n: int
    linear: Correlation | None
    ranked: Correlation | None


@measure(
    owner="finance",
    grain="proxy and lag",
    columns={
        "proxy": "text",
        "lag": "lags",
        "n": "observations",
        "effective_n": "expected",
        "pearson": "ratio",
        "pearson_low": "ratio",
        "pearson_high": "ratio",
        "spearman": "ratio",
        "spearman_low": "ratio",
        "spearman_high": "ratio",
        "p_corrected": "ratio",
        "corrected_low": "ratio",
        "corrected_high": "ratio",
        "verdict": "text",
    },
    origin="Fisher 1921, Bretherton et al. 1999 (memory of months), Fieller et al. 1957 (ranks), Holm 1979",
    parent="revenue",
)
def proxy_validation(
    facts: Facts,
    *,
    show: Literal["best", "all"] = "best",
    compared: Literal["levels", "changes"] = "levels",
    basis: Basis | None = None,
) -> Answer:
    """Whether a proxy deserves to be watched: its correlation with the revenue of 0 to 6 months later.

    Proxies are the monthly numbers of visits, clicks, forms, messages, leads, meetings and uses of the product, and
    the month's NPS and mean CSAT. `lag` is how many months later the revenue is, `n` the months known of both; a month
    without answers has no NPS. Only months that are over count, a proxy's from its first fact on. With `compared`
    changes, each month is set against the one before, which takes out what both owe to growth.

    `pearson` and `spearman` (ranks) run from -1 to 1, with 95 % intervals. Months have a memory, so the intervals are
    those of `effective_n` pairs, not of n. Of seven lags of many proxies some look good by chance: `p_corrected` is
    Holm's over all lags with at least 24 months, `corrected_low` and `corrected_high` the interval that goes with it.
    The verdict is not validated with fewer than 24 months, or where the corrected interval of the proxy's best lag
    includes 0. Validated means that the two go along, not that one brings about the other. `show` best is one row a
    proxy.
    """
    sales = sales_of(facts, basis)
    rows = ibis.union(_counts(facts), _scores(facts), _revenue(sales))
    over = running_month(facts)
    told = rows.filter(_.month < over).mutate(last=(over - 1).cast("int64")).order_by("proxy", "currency", "month")
    cautions = (apart(sales, "only the revenue in the currency of most months is compared"),)
    return Answer(told, cautions, partial(_validated, whole=show == "all", changes=compared == "changes"))


def _row(rows: ir.Table, proxy: object, total: ir.Value, n: ir.Value, currency: ir.Value | None = None) -> ir.Table:
    none = ibis.null("string")
    return rows.select(
        proxy=proxy, currency=none if currency is None else currency, month=rows.month, total=total.cast(MONEY),
        n=n.cast("int64"),
    )  # fmt: skip


def _counts(facts: Facts) -> ir.Table:
    told = facts.of(*COUNTED).group_by("kind", month=month_of(_.occurred_on)).agg(count=_.count())
    return _row(told, told.kind, told["count"], ibis.literal(1))


def _scores(facts: Facts) -> ir.Table:
    """Add up the answers of each month; NPS counts who speaks for us less who speaks against."""
    told = facts.of("nps.answered", "csat.answered")
    side = ibis.cases((_.quantity >= PROMOTER, 1), (_.quantity < PASSIVE, -1), else_=0)
    told = told.mutate(points=ibis.ifelse(_.kind == "nps.answered", side.cast("decimal(20,10)"), _.quantity))
    told = told.group_by("kind", month=month_of(_.occurred_on)).agg(points=_.points.sum(), n=_.count())
    return _row(told, ibis.ifelse(told.kind == "nps.answered", NPS, CSAT), told.points, told.n)


def _revenue(sales: ir.Table) -> ir.Table:
    told = sales.filter(_.money.notnull()).mutate(month=month_of(_.occurred_on))
    told = told.group_by("month", "money_currency").agg(money=_.money.sum())
    return _row(told, ibis.literal(REVENUE), told.money, ibis.literal(1), told.money_currency)


# -- the mathematics


def _validated(told: pa.Table, *, whole: bool, changes: bool) -> Solution:
    """Correlate each proxy with the revenue of its month and of those after it."""
    series = _series(told)
    revenue = series.pop(REVENUE, {})
    if not series or not revenue:
        says = "Nothing can be compared: load what is watched (visits, messages, leads, answers) and what was sold."
        return Solution([], [Said(says)])
    tries = [_try(name, lag, _changes(one, changes), _changes(revenue, changes))
             for name, one in series.items() for lag in LAGS]  # fmt: skip
    family = [one for one in tries if one.n >= ENOUGH and one.linear is not None]
    chances = [one.linear.p for one in family if one.linear is not None]
    corrected = dict(zip(map(id, family), holm(chances), strict=True))
    levels = {id(one): holm_level(chances, place, LEVEL) for place, one in enumerate(family)}
    best = [_best([one for one in tries if one.proxy == name]) for name in series]
    shown = tries if whole else best
    verdicts = {one.proxy: _verdict(one, corrected.get(id(one))) for one in best}
    rows = [_cells(one, corrected.get(id(one)), levels.get(id(one)), verdicts[one.proxy]) for one in shown]
    return Solution(rows, _said(verdicts, len(family), changes=changes), _estimates())


def _series(told: pa.Table) -> dict[str, dict[int, float]]:
    """Give each series by month; counts and revenue have a 0 where nothing was, from their first month to the last."""
    found: dict[str, dict[int, float]] = {}
    money: dict[str, dict[int, float]] = {}
    for row in told.to_pylist():
        value = float(row["total"]) / row["n"]
        if row["proxy"] == REVENUE:
            money.setdefault(row["currency"], {})[row["month"]] = value
        else:
            found.setdefault(row["proxy"], {})[row["month"]] = value
    last = max((row["last"] for row in told.to_pylist()), default=0)
    ordered = {name: found[name] for name in (*COUNTED, NPS, CSAT) if name in found}
    if money:
        main = min(money, key=lambda currency: (-len(money[currency]), currency))
        ordered[REVENUE] = money[main]
    return {
        name: months if name in (NPS, CSAT) else {t: months.get(t, 0.0) for t in range(min(months), last + 1)}
        for name, months in ordered.items()
    }


def _changes(months: dict[int, float], changes: bool) -> dict[int, float]:  # noqa: FBT001 - told by the option
    """Give a series as it is, or each month less the one before."""
    if not changes:
        return months
    return {month: value - months[month - 1] for month, value in months.items() if month - 1 in months}


def _try(name: str, lag: int, proxy: dict[int, float], revenue: dict[int, float]) -> Try:
    both = sorted(month for month in proxy if month + lag in revenue)
    x: Floats = np.array([proxy[month] for month in both], np.float64)
    y: Floats = np.array([revenue[month + lag] for month in both], np.float64)
    return Try(name, lag, len(both), pearson(x, y), spearman(x, y))


def _best(tries: Sequence[Try]) -> Try:
    """Give the lag that chance explains least, of those with enough months if there are any."""
    known = [one for one in tries if one.n >= ENOUGH and one.linear is not None]
    some = known or [one for one in tries if one.linear is not None]
    return min(some, key=lambda one: (one.linear.p if one.linear else 1.0, one.lag)) if some else tries[0]


def _verdict(best: Try, corrected: float | None) -> str:
    if best.n < ENOUGH or corrected is None:
        return FEW if best.n < ENOUGH else CHANCE
    return VALIDATED if corrected < 1 - LEVEL else CHANCE


def _cells(one: Try, corrected: float | None, level: float | None, verdict: str) -> tuple[object, ...]:
    linear, ranked = one.linear, one.ranked
    return (
        one.proxy, one.lag, one.n, linear.effective if linear else None, *_three(linear), *_three(ranked), corrected,
        *(linear.interval(level) if linear and level is not None else (None, None)), verdict,
    )  # fmt: skip


def _three(found: Correlation | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if found is None else (found.r, *found.interval(LEVEL))


def _estimates() -> Said:
    return Said("how closely a proxy and later revenue go along, month by month; a correlation, which proves no cause")


def _said(verdicts: dict[str, str], tried: int, *, changes: bool) -> list[Said]:
    """Say which proxies are vanity, and what was corrected for."""
    vanity = [name for name, verdict in verdicts.items() if verdict != VALIDATED]
    said = []
    if vanity:
        says = "{n} of {all} proxies are not validated ({some}): that they move says nothing sure about revenue."
        said.append(Said(says, n=len(vanity), all=len(verdicts), some=", ".join(vanity)))
    if tried:
        said.append(Said("Holm's correction is for {n} tries: each lag of each proxy with 24 months or more.", n=tried))
    if not changes:
        said.append(
            Said("Series that only grow side by side go along too: see whether compared=changes says the same.")
        )
    return said
