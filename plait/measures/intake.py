"""How what sources send as it happens comes in."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.measure import Day, Facts, measure
from plait.measures._cohort import during
from plait.measures._steps import DAY, seconds
from plait.store import LIVE


@measure(
    owner="it",
    parent="source_health",
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
    This is what became of events when they came: what a replay takes in later stays refused on its day, and no longer
    counts as refused in `source_health`.
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


@measure(
    owner="it",
    parent="source_health",
    grain="day and source",
    columns={"day": "day", "source": "text", "most_waiting": "events", "longest_wait": "seconds"},
)
def live_backlog(facts: Facts, *, since: Day | None = None, until: Day | None = None) -> ir.Table:
    """Live events that were taken and not stored yet, by day and source: the most at once, and the longest wait.

    Events; days are UTC days. Events come in batches: one waits from the arrival of its first event until all of it is
    in the facts, and is counted whole for that time. `most_waiting` is the highest number of events that waited at one
    instant of the day, `longest_wait` the longest time that one of the batches waiting on that day waited in all, to a
    second. A batch that waited over midnight stands on each of its days. Days on which nothing waited have no row.
    What waits now is known when it is stored: until then the page of live sources tells it. Stored means sealed, as
    facts or refused; files are not live and are left out. `since` and `until` keep the days in [since, until).
    """
    loads = facts.loads
    sealed = loads.filter(loads.file.startswith(LIVE), loads.received_at.notnull())
    waits = sealed.select(
        "source",
        events=sealed.rows,
        begun=sealed.received_at,
        ended=ibis.greatest(sealed.received_at, sealed.recorded_at),
    )
    waits = waits.mutate(waited=(seconds(waits.ended) - seconds(waits.begun)).cast("float64"))
    waiting = _changes(waits).group_by("source", "at").agg(change=_.change.sum(), waited=_.waited.max())
    so_far = ibis.cumulative_window(group_by="source", order_by="at")
    waiting = waiting.mutate(day=waiting["at"].date(), events=waiting.change.sum().over(so_far))
    told = during(waiting, since, until, "day").group_by("day", "source")
    rows = told.agg(most_waiting=_.events.max().cast("int64"), longest_wait=_.waited.max())
    rows = rows.filter(rows.most_waiting > 0)
    return rows.select(*live_backlog.columns).order_by(ibis.desc("day"), "source")


def _changes(waits: ir.Table) -> ir.Table:
    """Give each change of what waits: batches that come and go, and a mark where a day begins while one waits."""
    midnights = _day_of(waits.ended) - _day_of(waits.begun)
    over = waits.mutate(midnight=ibis.range(1, midnights + 1).unnest())
    day = over.begun.truncate("D") + over.midnight.as_interval("D")
    return ibis.union(
        waits.select("source", "waited", at=waits.begun, change=waits.events),
        waits.select("source", "waited", at=waits.ended, change=-waits.events),
        over.select("source", "waited", at=day.cast(waits.begun.type()), change=ibis.literal(0, "int64")),
    )


def _day_of(at: ir.TimestampValue) -> ir.IntegerValue:
    """Count the days since 1970."""
    return (seconds(at) / DAY).floor().cast("int64")
