"""First entries: when a unit reached a step for the first time, and how long it took from one step to the next."""

from __future__ import annotations

from typing import Literal

import ibis
import ibis.expr.types as ir

from plait.measure import Caution, Day, Facts
from plait.measures._cohort import By, cohort, during

Unit = Literal["account", "person", "object"]
UNIT_COLUMN = {"account": "account", "person": "person", "object": "object_id"}
DAY = 86_400


def first_entries(facts: Facts, kinds: tuple[str, ...], unit: Unit) -> ir.Table:
    """Give the first fact of every unit and kind, in the total order (occurred_at, source, id), as `unit`."""
    steps = facts.of(*kinds)
    steps = steps.mutate(unit=steps[UNIT_COLUMN[unit]])
    steps = steps.filter(steps.unit.notnull())
    # The few facts of each first instant are found without sorting; only they are put in order.
    begun = steps.group_by("unit", "kind").agg(occurred_at=steps.occurred_at.min())
    steps = steps.semi_join(begun, ["unit", "kind", "occurred_at"])
    order = ibis.window(group_by=["unit", "kind"], order_by=["source", "id"])
    return steps.mutate(place=ibis.row_number().over(order)).filter(lambda t: t.place == 0).drop("place")


def entered_during(entries: ir.Table, first: str, since: Day | None, until: Day | None) -> ir.Table:
    """Keep the first entries of the units that reached the step `first` in [since, until)."""
    if since is None and until is None:
        return entries
    return entries.semi_join(during(entries.filter(entries.kind == first), since, until), "unit")


def nobody(
    facts: Facts, kinds: tuple[str, ...], unit: Unit, since: Day | None = None, until: Day | None = None
) -> Caution:
    """Warn of the facts in [since, until) that name no unit."""
    steps = during(facts.of(*kinds), since, until)
    lost = steps.filter(steps[UNIT_COLUMN[unit]].isnull()).select("id", "source").order_by("source", "id")
    return Caution(lost, "{n} facts name no {unit} and are left out: {some}.", {"unit": unit})


def seconds(at: ir.TimestampValue) -> ir.IntegerValue:
    """Give whole seconds since 1970, the same on every engine: one of them rounds what another cuts off."""
    return at.truncate("s").epoch_seconds().cast("int64")


def _units(facts: Facts, kind: str, unit: Unit) -> ir.Table:
    facts_of_kind = facts.of(kind)
    return facts_of_kind.filter(facts_of_kind[UNIT_COLUMN[unit]].notnull()).select(
        "occurred_at", "occurred_on", unit=facts_of_kind[UNIT_COLUMN[unit]]
    )


def waits(
    facts: Facts, start: str, to: str, unit: Unit, by: By, since: Day | None = None, until: Day | None = None
) -> ir.Table:
    """Give every unit that reached `start`: cohort, entered_at, reached_at, happened (0 or 1) and `seconds`.

    `seconds` runs from the first `start` to the first `to`; without one, to the instant asked for: by then it had not
    happened, and what comes later is unknown (right-censored). Negative where `to` came first. Only units that reached
    `start` in [since, until).
    """
    ended = _units(facts, to, unit)
    ended = ended.group_by("unit").agg(reached_at=ended.occurred_at.min())
    begun = _units(facts, start, unit)
    if by in ("all", "month", "quarter", "year"):  # the same day for all facts of an instant: nothing to put in order
        day = begun.occurred_on.argmin(begun.occurred_at)
        begun = begun.group_by("unit").agg(occurred_on=day, occurred_at=begun.occurred_at.min())
    else:
        begun = first_entries(facts, (start,), unit)
    begun = during(begun, since, until)
    begun = begun.select("unit", cohort=cohort(begun, by), entered_at=begun.occurred_at)
    both = begun.left_join(ended, "unit").select("cohort", "entered_at", "reached_at")
    until = ibis.coalesce(seconds(both.reached_at), seconds(facts.as_of))
    return both.mutate(
        happened=both.reached_at.notnull().cast("int64"), seconds=(until - seconds(both.entered_at)).cast("int64")
    )


def survival(waits: ir.Table) -> ir.Table:
    """Give the share that had still not happened just after each number of seconds: cohort, seconds, survival.

    Kaplan and Meier: the product of (1 - d_i / n_i) over the times t_i at which something happened, d_i of n_i that had
    waited as long. Rounded to 9 digits, so that engines whose logarithms differ in the last bit give the same number.
    """
    times = waits.group_by("cohort", "seconds").agg(
        units=waits.count().cast("int64"), events=waits.happened.sum().cast("int64")
    )
    longest_first = ibis.cumulative_window(group_by="cohort", order_by=ibis.desc("seconds"))
    times = times.mutate(at_risk=times.units.sum().over(longest_first).cast("int64"))
    times = times.filter(times.events > 0)
    left = (times.at_risk - times.events).nullif(0)
    times = times.mutate(log=(left / times.at_risk).ln(), all_gone=left.isnull().cast("int64"))
    so_far = ibis.cumulative_window(group_by="cohort", order_by="seconds")
    share = times.log.sum().over(so_far).exp().round(9)
    gone = times.all_gone.max().over(so_far) == 1
    return times.select("cohort", "seconds", survival=ibis.cases((gone, ibis.literal(0.0)), else_=share))
