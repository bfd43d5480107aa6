"""How well the sources feed the timeline."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from plait.facts import KINDS, SPEND, WORK
from plait.measure import Facts, measure

WITHOUT_CUSTOMER = tuple(kind.name for kind in KINDS.values() if kind.stage in (SPEND, WORK))
DEALS = tuple(name for name in KINDS if name.startswith("deal."))


@measure(
    owner="it",
    grain="source",
    columns={
        "source": "text",
        "facts": "facts",
        "first_on": "day",
        "last_on": "day",
        "last_recorded_on": "day",
        "days_since": "days",
        "without_account": "facts",
        "deals_without_account": "deals",
        "refused": "rows",
    },
)
def source_health(facts: Facts) -> ir.Table:
    """Each source: what it delivered, how fresh it is, and what of it cannot be used.

    Facts, deals and refused rows. `first_on` and `last_on` are the local days of the earliest and the latest fact
    that had happened by the day asked for, `last_recorded_on` the UTC day on which one of them was last loaded,
    `days_since` the days from `last_on` to the day asked for. `without_account`: facts that should concern an account
    and whose account is unknown; spend, costs, rates and our own projects concern none and are not counted here.
    `deals_without_account`: deals none of whose facts names a known account; they are missing in every answer by
    account. `refused`: rows that broke a rule and gave no fact. A refused row has no day, so all of them are shown
    whatever day is asked for; a source that has nothing else stands here too, with empty days.
    """
    table, rejects = facts.every(), facts.rejects
    lost = table.account.isnull() & table.kind.notin(WITHOUT_CUSTOMER)
    loaded = table.group_by("source").agg(
        facts=table.count().cast("int64"),
        first_on=table.occurred_on.min(),
        last_on=table.occurred_on.max(),
        last_recorded_on=table.recorded_at.max().date(),
        without_account=lost.cast("int64").sum().cast("int64"),
    )
    deals = facts.of(*DEALS).group_by("source", "object_id").agg(known=lambda t: t.account.count())
    deals = deals.group_by("source").agg(deals_without_account=(deals.known == 0).cast("int64").sum().cast("int64"))
    refused = rejects.group_by("source").agg(refused=rejects.count().cast("int64"))
    every = ibis.union(loaded.select("source"), refused.select("source"), distinct=True)
    for part in (loaded, deals, refused):
        every = every.left_join(part, "source").drop("source_right")
    waited = (_seconds(facts.today) - _seconds(every.last_on)) / 86_400
    return (
        every.select(
            "source",
            "first_on",
            "last_on",
            "last_recorded_on",
            days_since=waited,
            **{
                name: every[name].fill_null(0)
                for name in ("facts", "without_account", "deals_without_account", "refused")
            },
        )
        .select(*source_health.columns)
        .order_by("source")
    )


def _seconds(day: ir.DateValue) -> ir.IntegerValue:
    """Count the seconds from 1970 to the beginning of a day."""
    return day.cast("timestamp").epoch_seconds().cast("int64")
