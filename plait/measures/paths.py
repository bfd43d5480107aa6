"""Paths: on which ways accounts came to a milestone, how long these were, and how long they took."""

from __future__ import annotations

from typing import Annotated, Literal

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.measure import Answer, Bounds, Day, Facts, measure
from plait.measures._journeys import (
    CENT,
    JOURNEY,
    ORDER,
    Asked,
    By,
    Journeys,
    Milestone,
    Own,
    Unit,
    cautions,
    journeys,
)  # fmt: skip
from plait.measures._money import MONEY, alone, only, share
from plait.measures._steps import DAY, seconds

SHOWN = 6  # channels of a path that are told by name
LAGS = ((0, "0 days"), (7, "1-7 days"), (30, "8-30 days"), (90, "31-90 days"), (180, "91-180 days"))
LONGEST_LAG, UNTOUCHED = "over 180 days", "(no touch)"
LENGTHS = 10  # touches beyond which lengths are one row


@measure(
    owner="marketing",
    parent="attribution",
    grain="path",
    columns={
        "path": "text",
        "journeys": "journeys",
        "converted": "conversions",
        "conversion_rate": "share",
        "value": "money",
        "mean_touches": "touches",
        "mean_days": "days",
        "currency": "currency",
    },
)
def paths(
    facts: Facts,
    *,
    show: Literal["path", "length", "lag"] = "path",
    milestone: Milestone = "deal.won",
    by: By = "channel",
    most: Annotated[int, Bounds(1, 1000)] = 20,
    lookback_days: Annotated[int, Bounds(1, 3650)] = 365,
    open_days: Annotated[int | None, Bounds(0, 3650)] = None,
    own_touches: Own = "out",
    unit: Unit = "account",
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Ways to a conversion: the most frequent paths, how many touches they had, or how long they took.

    Journeys, touches and options as in `attribution`. A path names the channels in the order in which they were met,
    one met again at once only once; of more than six the first six. `show` splits the journeys by `path` (the `most`
    frequent, those that converted first), by `length` (number of touches) or by `lag` (days from the first touch to the
    conversion, or to the last touch where there was none). `conversion_rate` = `converted` / `journeys` that have
    ended. `mean_days` and `mean_touches` are means over the journeys of the row.
    """
    asked = Asked(milestone, by, unit, lookback_days, open_days, own_touches, since, until)
    found = journeys(facts, asked)
    told = _told(found)
    named = {"path": _named(found, told), "length": _by_length(told), "lag": _by_lag(told)}[show]
    rows = named.group_by("place", "path").agg(
        journeys=_.count(),
        converted=_.converted.sum().cast("int64"),
        money=_.money.sum(),
        mean_touches=_.touches.mean(),
        mean_days=_.lag.mean() / DAY,
        currency=alone(_.money_currency),
    )
    order = [ibis.desc("converted"), ibis.desc("journeys"), "path"] if show == "path" else ["place", "path"]
    value = only((rows.money / CENT).cast(MONEY), rows.currency)
    rows = rows.mutate(conversion_rate=share(_.converted, _.journeys), value=value).order_by(order)
    return Answer((rows.limit(most) if show == "path" else rows).select(*paths.columns), cautions(found.won))


def _told(found: Journeys) -> ir.Table:
    """Give each journey how many touches it had and how many seconds it took; both 0 and None where nothing touched."""
    touched = found.touches.group_by(JOURNEY).agg(
        touches=_.count(),
        first_at=_.occurred_at.min(),
        end_at=ibis.coalesce(found.touches.converted_at, found.touches.last_at).max(),
    )
    lag = seconds(touched.end_at) - seconds(touched.first_at)
    told = found.ended.left_join(touched.select(*JOURNEY, "touches", lag=lag), JOURNEY)
    columns = (*JOURNEY, "converted", "money", "money_currency", "lag")
    return told.select(*columns, touches=told.touches.fill_null(0))


def _named(found: Journeys, told: ir.Table) -> ir.Table:
    """Name each journey by the channels it met."""
    ordered = ibis.window(group_by=JOURNEY, order_by=ORDER)
    steps = found.touches.mutate(before=_.code.lag().over(ordered))
    steps = steps.filter(_.before.isnull() | (_.before != _.code)).join(found.channels, "code")
    steps = steps.mutate(step=ibis.row_number().over(ordered))
    names = {f"name_{step}": _.name.max(where=_.step == step) for step in range(SHOWN)}
    met = steps.group_by(JOURNEY).agg(**names, steps=_.count())
    path = met.name_0
    for step in range(1, SHOWN):
        path = path + (" > " + met[f"name_{step}"]).fill_null("")
    path = path + ibis.ifelse(met.steps > SHOWN, " > ...", "")
    both = told.left_join(met.select(*JOURNEY, path=path), JOURNEY)
    return both.mutate(path=both.path.fill_null(UNTOUCHED), place=ibis.literal(0, "int64"))


def _by_length(told: ir.Table) -> ir.Table:
    place = ibis.least(told.touches, LENGTHS + 1).cast("int64")
    name = ibis.ifelse(place > LENGTHS, f"over {LENGTHS}", place.cast("string"))
    return told.mutate(place=place, path=ibis.ifelse(place == 0, UNTOUCHED, name))


def _by_lag(told: ir.Table) -> ir.Table:
    days = (told.lag / DAY).ceil()
    found = [(days <= most, place) for place, (most, _name) in enumerate(LAGS)]
    place = ibis.ifelse(told.lag.isnull(), -1, ibis.cases(*found, else_=len(LAGS))).cast("int64")
    names = [(place == number, name) for number, (_most, name) in enumerate(LAGS)]
    return told.mutate(place=place, path=ibis.ifelse(place < 0, UNTOUCHED, ibis.cases(*names, else_=LONGEST_LAG)))
