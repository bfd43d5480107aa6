"""How what sources send as it happens comes in."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.measure import Day, Facts, measure
from plait.measures._cohort import during
from plait.measures._steps import seconds
from plait.store import LIVE


@measure(
    owner="it",
    grain="day and source",
    columns={
        "day": "day",
        "source": "text",
        "received": "events",
        "stored": "facts",
        "repeats": "events",
        "refused": "events",
        "delay": "seconds",
        "longest_delay": "seconds",
    },
)
def live_intake(facts: Facts, *, since: Day | None = None, until: Day | None = None) -> ir.Table:
    """Live events by day and source: what came, what became of it, and how long it took until it was stored.

    Events and facts; days are UTC days of storing. Every event is stored as a fact, known already (a repeat, which
    libraries send when an answer was lost), or refused with its reason: `received` = `stored` + `repeats` + `refused`.
    Events wait in the inbox until they are sealed, all that came within a second or so together: `delay` is the mean
    and `longest_delay` the longest time from the arrival of the first event of such a batch until all of it was in the
    facts, to a second. Files are not live and are left out. `since` and `until` keep the days in [since, until).
    """
    loads = facts.loads
    sealed = loads.filter(loads.file.startswith(LIVE)).mutate(
        day=loads.recorded_at.date(),
        waited=(seconds(loads.recorded_at) - seconds(loads.received_at)).cast("float64"),
    )
    told = during(sealed, since, until, "day").group_by("day", "source")
    rows = told.agg(
        received=_.rows.sum().cast("int64"),
        stored=_.added.sum().cast("int64"),
        repeats=_.known.sum().cast("int64"),
        refused=_.refused.sum().cast("int64"),
        delay=_.waited.mean(),
        longest_delay=_.waited.max(),
    )
    return rows.select(*live_intake.columns).order_by(ibis.desc("day"), "source")
