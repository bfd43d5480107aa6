"""Cohorts: the groups a measure's rows are split by, as text that sorts in time."""

from typing import Literal

import ibis
import ibis.expr.types as ir

from plait.measure import Day

By = Literal["all", "month", "quarter", "year", "channel", "campaign", "partner", "product", "owner", "source"]
UNKNOWN = "(unknown)"


def during(rows: ir.Table, since: Day | None, until: Day | None, day: str = "occurred_on") -> ir.Table:
    """Keep the rows whose local day lies in [since, until); None leaves an end open. `day` names the column of days.

    A row without a day is kept only where both ends are open.
    """
    if since is not None:
        rows = rows.filter(rows[day] >= since)
    return rows if until is None else rows.filter(rows[day] < until)


def cohort(facts: ir.Table, by: str, day: str = "occurred_on") -> ir.StringValue:
    """Give each row's group: `all`, `2026-03`, `2026-Q1`, `2026`, or a column's value.

    An empty value is `(unknown)`. `day` names the column of local days that decides the period.
    """
    if by == "all":
        return ibis.literal("all")
    if by not in ("month", "quarter", "year"):
        return facts[by].fill_null(UNKNOWN)
    year = facts[day].year().cast("string")
    if by == "year":
        return year
    if by == "quarter":
        return year + "-Q" + facts[day].quarter().cast("string")
    return year + "-" + facts[day].month().cast("string").lpad(2, "0")
