"""Which channels stand at the beginning and at the end of the way to a win."""

from __future__ import annotations

from typing import Annotated, Literal

import ibis
import ibis.expr.types as ir

from plait.measure import Answer, Bounds, Day, Facts, measure
from plait.measures._cohort import UNKNOWN, during
from plait.measures._journeys import TOUCHES
from plait.measures._steps import first_entries, nobody


@measure(
    owner="marketing",
    parent="attribution",
    grain="channel",
    columns={
        "channel": "text",
        "first_touch": "accounts",
        "last_touch": "accounts",
        "first_share": "share",
        "last_share": "share",
    },
)
def channel_first_last(
    facts: Facts,
    *,
    won: Literal["deal.won", "order.placed", "subscription.started"] = "deal.won",
    lookback_days: Annotated[int | None, Bounds(1, 3650)] = None,
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """How many won accounts each channel began, and how many it was the last to touch before the win.

    Accounts, each counted once at its first win; shares 0..1 of all won accounts. A touch is something the customer
    did that carries a channel: a visit, a click on an advertisement, a partner's link or a message, a subscription to
    news, a form, a download, an event, a trial, a referral, or the record of a lead. It counts when it came before
    the win, and not earlier than `lookback_days` days before it (none: however early). An account without such a
    touch stands under `(unknown)`, so that both columns add up to the won accounts. Neither column says that a
    channel caused the win. Wins without an account are left out and counted in a warning. `since` and `until` keep
    the accounts first won in [since, until).
    """
    wins = during(first_entries(facts, (won,), "account"), since, until)
    wins = wins.select("account", won_at=wins.occurred_at, won_source=wins.source, won_id=wins.id)
    both = wins.left_join(_ends(facts, wins, lookback_days), "account")
    both = both.select(
        first=both["first"].fill_null(UNKNOWN),
        last=both["last"].fill_null(UNKNOWN),
    )
    one, none = ibis.literal(1, "int64"), ibis.literal(0, "int64")
    counted = ibis.union(
        both.select(channel=both["first"], first=one, last=none),
        both.select(channel=both["last"], first=none, last=one),
    )
    rows = counted.group_by("channel").agg(
        first_touch=counted["first"].sum().cast("int64"), last_touch=counted["last"].sum().cast("int64")
    )
    everything = ibis.window()
    rows = rows.mutate(
        first_share=rows.first_touch / rows.first_touch.sum().over(everything).cast("int64").nullif(0),
        last_share=rows.last_touch / rows.last_touch.sum().over(everything).cast("int64").nullif(0),
    )
    return Answer(rows.order_by(ibis.desc("last_touch"), "channel"), (nobody(facts, (won,), "account", since, until),))


def _ends(facts: Facts, wins: ir.Table, lookback_days: int | None) -> ir.Table:
    """Give each won account's first and last channel before its win, in the total order (occurred_at, source, id)."""
    touches = facts.of(*TOUCHES)
    touches = touches.filter(touches.channel.notnull()).select("account", "occurred_at", "source", "id", "channel")
    t = touches.join(wins, "account")
    tie = (t.source < t.won_source) | ((t.source == t.won_source) & (t.id < t.won_id))
    t = t.filter((t.occurred_at < t.won_at) | ((t.occurred_at == t.won_at) & tie))
    if lookback_days is not None:
        t = t.filter(t.occurred_at >= t.won_at - ibis.interval(days=lookback_days))
    order = ["occurred_at", "source", "id"]
    t = t.mutate(
        from_start=ibis.row_number().over(ibis.window(group_by="account", order_by=order)),
        from_end=ibis.row_number().over(ibis.window(group_by="account", order_by=[ibis.desc(name) for name in order])),
    )
    return t.group_by("account").agg(
        first=t.channel.max(where=t.from_start == 0), last=t.channel.max(where=t.from_end == 0)
    )
