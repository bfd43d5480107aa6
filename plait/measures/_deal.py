"""Deals: what all facts about a deal say of it together."""

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.measure import Facts
from plait.measures._cohort import UNKNOWN

CLOSED = ("deal.won", "deal.lost")
TOLD = (
    "source", "id", "kind", "occurred_at", "occurred_on", "account", "object_id", "amount", "currency",
    "channel", "campaign", "partner", "product", "owner",
)  # fmt: skip
OWN = ("all", "month", "quarter", "year", "source")  # ways to split deals that need no further column


def deal_facts(facts: Facts) -> ir.Table:
    """Give all facts about deals."""
    return facts.of("deal.opened", "deal.changed", *CLOSED).select(*TOLD)


def deals(facts: Facts, by: str = "all", *, told: ir.Table | None = None) -> ir.Table:
    """Give one row a deal, known by source and object_id: its state, days, amount and, where `by` names one, a column.

    `state` is `deal.won`, `deal.lost` or `deal.opened`: the last of these that was told; closing goes before opening
    at the same instant. A deal opened again is open until it closes again. `amount` is the last one told, so the
    agreed one of a won deal, the last quoted one of a lost deal closed without. `closed_on` is None while it is open;
    `valued_on` is the day that decides the exchange rate: of closing, or today.
    """
    told = deal_facts(facts) if told is None else told
    told = told.mutate(
        closing=told.kind.isin(CLOSED).cast("int8"), deciding=told.kind != "deal.changed", priced=told.amount.notnull()
    )
    told = told.mutate(
        turn=ibis.row_number().over(group_by=["source", "object_id"], order_by=["occurred_at", "closing", "id"])
    )
    columns = () if by in OWN else (by,)
    known = told.group_by("source", "object_id").agg(
        *(told[name].argmax(told.turn, where=told[name].notnull()).name(name) for name in columns),
        state=_.kind.argmax(_.turn, where=_.deciding).fill_null("deal.opened"),
        account=_.account.argmax(_.turn, where=_.account.notnull()),
        opened_on=_.occurred_on.min(where=_.kind == "deal.opened"),
        last_closed_on=_.occurred_on.argmax(_.turn, where=_.closing == 1),
        amount=_.amount.argmax(_.turn, where=_.priced),
        currency=_.currency.fill_null(UNKNOWN).argmax(_.turn, where=_.priced),
    )
    closed_on = ibis.ifelse(_.state.isin(CLOSED), _.last_closed_on, ibis.null("date"))
    return known.mutate(closed_on=closed_on).mutate(valued_on=_.closed_on.fill_null(facts.today))
