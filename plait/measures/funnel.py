"""How many of those that entered a step reached the next one, and how long it took."""

from __future__ import annotations

from functools import reduce
from operator import and_, or_
from typing import Annotated

import ibis
import ibis.expr.types as ir

from plait.failure import Said
from plait.measure import Answer, BadOption, Bounds, Caution, Day, Facts, measure
from plait.measures._cohort import By, cohort
from plait.measures._steps import DAY, Unit, entered_during, first_entries, nobody, seconds, survival, waits


@measure(
    owner="sales",
    parent="win_rate",
    grain="cohort and step",
    columns={
        "cohort": "cohort",
        "step": "text",
        "entered": "units",
        "rate": "share",
        "rate_of_first": "share",
        "open": "units",
        "expired": "units",
        "mature_rate": "share",
    },
)
def funnel(
    facts: Facts,
    *,
    chain: tuple[str, ...] = ("lead.mql", "lead.sal", "lead.sql", "deal.opened", "deal.won"),
    within_days: Annotated[int | None, Bounds(1, 3650)] = 90,
    by: By = "all",
    unit: Unit = "account",
    strict: bool = False,
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Of the units that entered the first step, how many reached each later one in time.

    Units (accounts, persons or objects such as deals) and shares 0..1. A unit belongs to the cohort of its first fact
    of the first step, and counts once. It reached a step when its first fact of that kind lies in [entered, entered +
    `within_days`), counted from entering the FIRST step; without `within_days`, at any time. A step that came before
    the first one counts too and is named in a warning. A unit that skipped a step but reached a later one passed it,
    so that no win is lost for want of a record in between; `strict` asks for a fact of every earlier step instead.

    `rate` is entered / entered the previous step, `rate_of_first` entered / entered the first one; the first step has
    no previous one and so no rate. `open`: of those that entered the previous step, the ones that have not reached
    this one and whose time is not over at the instant asked for; `expired`: those whose time is over. `mature_rate`
    is the rate of the units whose time is over: the newest are left out, as they had less time. A lost deal is open
    until its time is over. Facts without a unit are left out and counted in a warning. `since` and `until` keep the
    units that entered the first step in [since, until), local days.
    """
    if len(chain) < 2 or len(set(chain)) < len(chain):  # noqa: PLR2004 - two steps make a funnel
        says = Said("option chain cannot be {given!r}; allowed: two or more kinds, each once.", given=",".join(chain))
        raise BadOption(says)
    entries = entered_during(first_entries(facts, chain, unit), chain[0], since, until)
    rows = _by_step(_counts(_passed(_units(entries, chain, by), chain, within_days, strict), facts, within_days), chain)
    waiting = rows.filter(rows.open > (rows.open + rows.expired + rows.entered) / 5)
    provisional = "{n} rows are provisional, more than a fifth of their units are still open: {some}."
    return Answer(
        rows.order_by("cohort", _place(rows.step, chain)),
        (
            nobody(facts, chain, unit, since, until),
            _warn_early(_early(entries, chain[0]), chain),
            Caution(waiting.select("cohort", "step").order_by("cohort", _place(waiting.step, chain)), provisional),
        ),
    )


def _place(step: ir.StringValue, chain: tuple[str, ...]) -> ir.IntegerValue:
    return ibis.cases(*((step == kind, number) for number, kind in enumerate(chain)))


def _units(entries: ir.Table, chain: tuple[str, ...], by: By) -> ir.Table:
    """Give one row per unit that entered the first step: cohort, and when it reached each step as at_0, at_1, ..."""
    entries = entries.mutate(cohort=cohort(entries, by))
    units = entries.group_by("unit").agg(
        entries.cohort.max(where=entries.kind == chain[0]).name("cohort"),
        *(entries.occurred_at.max(where=entries.kind == kind).name(f"at_{k}") for k, kind in enumerate(chain)),
    )
    return units.filter(units.at_0.notnull())


def _passed(units: ir.Table, chain: tuple[str, ...], within_days: int | None, strict: bool) -> ir.Table:  # noqa: FBT001
    """Add in_0, in_1, ...: whether a unit passed each step in time."""
    steps = range(len(chain))
    until = None if within_days is None else units.at_0 + ibis.interval(days=within_days)
    reached = [
        units[f"at_{k}"].notnull() if until is None else (units[f"at_{k}"] < until).fill_null(False)  # noqa: FBT003
        for k in steps
    ]
    passed = [reduce(and_, reached[: k + 1]) if strict else reduce(or_, reached[k:]) for k in steps]
    return units.mutate(**{f"in_{k}": passed[k] for k in steps})


def _counts(units: ir.Table, facts: Facts, within_days: int | None) -> ir.Table:
    """Count per cohort: entered_k, open_k of those of the step before, mature_k whose time is over."""
    over: ir.BooleanValue = ibis.literal(value=False)
    if within_days is not None:
        over = units.at_0 + ibis.interval(days=within_days) <= facts.as_of
    units = units.mutate(over=over)
    steps = [k for k in range(units.columns.__len__()) if f"in_{k}" in units.columns]
    inside = [units[f"in_{k}"] for k in steps]
    before = [inside[0], *inside[:-1]]
    return units.group_by("cohort").agg(
        *(units.count(where=inside[k]).name(f"entered_{k}") for k in steps),
        *(units.count(where=before[k] & ~inside[k] & ~units.over).name(f"open_{k}") for k in steps),
        *(units.count(where=inside[k] & units.over).name(f"mature_{k}") for k in steps),
    )


def _by_step(counts: ir.Table, chain: tuple[str, ...]) -> ir.Table:
    """Turn one row per cohort into one per cohort and step."""
    steps = range(len(chain))
    long = counts.mutate(k=ibis.range(0, len(chain)).unnest())

    def pick(name: str, back: int = 0) -> ir.IntegerValue:
        return ibis.cases(*((long.k == k, long[f"{name}_{k - back}"]) for k in steps if k >= back)).cast("int64")

    entered, before, opened = pick("entered"), pick("entered", 1), pick("open")
    return long.select(
        "cohort",
        step=ibis.cases(*((long.k == k, kind) for k, kind in enumerate(chain))),
        entered=entered,
        rate=entered / before.nullif(0),
        rate_of_first=entered / long.entered_0.cast("int64").nullif(0),
        open=opened,
        expired=(before - entered - opened).fill_null(0).cast("int64"),
        mature_rate=ibis.cases((long.k > 0, pick("mature"))) / pick("mature", 1).nullif(0),
    )


def _early(entries: ir.Table, first: str) -> ir.Table:
    """Give the later steps that came before their unit's first step."""
    begun = entries.filter(entries.kind == first)
    begun = begun.select("unit", entered_at=begun.occurred_at)
    both = entries.join(begun, "unit")
    return both.filter(both.occurred_at < both.entered_at).select("id", "source").order_by("source", "id")


@measure(
    owner="sales",
    parent="win_rate",
    grain="cohort",
    columns={
        "cohort": "cohort",
        "entered": "units",
        "converted": "units",
        "open": "units",
        "expired": "units",
        "observed": "share",
        "mature": "share",
        "kaplan_meier": "share",
    },
    origin="Kaplan and Meier 1958",
)
def conversion_estimate(
    facts: Facts,
    *,
    start: str = "lead.mql",
    to: str = "deal.won",
    within_days: Annotated[int, Bounds(1, 3650)] = 90,
    by: By = "all",
    unit: Unit = "account",
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Share of the units that entered a step that will reach another within `within_days`, estimated three ways.

    Units and shares 0..1. `observed` is converted / entered, too low while some are open. `mature` looks only at
    units whose time is over at the instant asked for: fair, but late. `kaplan_meier` uses every unit for as long as
    it was watched: fair and early; it is empty where no unit was watched that long. `converted` reached `to` in
    [entered, entered + `within_days`); `open` did not and has time left, `expired` has none left. First entries
    count. Who reached `to` before `start` counts as converted after 0 days and is named in a warning; facts without a
    unit are left out and counted in a warning. `since` and `until` keep the units that entered in [since, until).
    """
    known = waits(facts, start, to, unit, by, since, until)
    window = within_days * DAY
    over = seconds(known.entered_at) + window <= seconds(facts.as_of)
    inside = (known.happened == 1) & (known.seconds < window)
    known = known.mutate(inside=inside, over=over, seconds=ibis.greatest(known.seconds, 0).cast("int64"))
    counts = known.group_by("cohort").agg(
        entered=known.count(),
        converted=known.count(where=known.inside),
        open=known.count(where=~known.inside & ~known.over),
        mature_units=known.count(where=known.over),
        mature_converted=known.count(where=known.inside & known.over),
        watched=known.seconds.max(),
    )
    curve = survival(known)
    curve = curve.filter(curve.seconds < window)
    left = curve.group_by("cohort").agg(left=curve.survival.min())
    both = counts.left_join(left, "cohort").drop("cohort_right")
    share = 1.0 - both.left.fill_null(1.0)
    rows = both.select(
        "cohort",
        entered=both.entered.cast("int64"),
        converted=both.converted.cast("int64"),
        open=both.open.cast("int64"),
        expired=(both.entered - both.converted - both.open).cast("int64"),
        observed=both.converted / both.entered.nullif(0),
        mature=both.mature_converted / both.mature_units.nullif(0),
        kaplan_meier=ibis.cases(((both.watched >= window) | (both.left == 0), share.round(9))),
    )
    return Answer(rows.order_by("cohort"), _cautions(facts, (start, to), unit, since, until))


@measure(
    owner="sales",
    parent="pipeline_velocity",
    grain="cohort",
    columns={
        "cohort": "cohort",
        "entered": "units",
        "converted": "units",
        "open": "units",
        "median": "days",
        "median_of_converted": "days",
    },
    origin="Kaplan and Meier 1958",
)
def stage_velocity(
    facts: Facts,
    *,
    start: str = "lead.mql",
    to: str = "deal.won",
    by: By = "all",
    unit: Unit = "account",
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """How many days it takes from one step to another: the time after which half of the units are there.

    Days of 24 hours. `median` counts the open units too, each for as long as it has waited by the instant asked for
    (right- censored, Kaplan-Meier): without them the newest cohorts look fast, since only their fast ones are done.
    It is empty where fewer than half convert. `median_of_converted` is the plain median of those that are there, and
    too short while some are open. First entries count. `converted` reached `to`, `open` did not yet; a lost deal is
    open, it may come back. Who reached `to` before `start` is converted, is left out of both medians and named in a
    warning. Facts without a unit are left out and counted in a warning. `since` and `until` keep the units that
    entered in [since, until).
    """
    known = waits(facts, start, to, unit, by, since, until)
    counts = known.group_by("cohort").agg(
        entered=known.count().cast("int64"), converted=known.happened.sum().cast("int64")
    )
    timed = known.filter(known.seconds >= 0)
    curve = survival(timed)
    half = curve.filter(curve.survival <= 0.5).group_by("cohort").agg(half=lambda t: t.seconds.min())  # noqa: PLR2004
    middle = _middle(timed.filter(timed.happened == 1))
    both = counts.left_join(half, "cohort").drop("cohort_right").left_join(middle, "cohort").drop("cohort_right")
    rows = both.select(
        "cohort",
        "entered",
        "converted",
        open=both.entered - both.converted,
        median=both.half / DAY,
        median_of_converted=both.middle / DAY,
    )
    return Answer(rows.order_by("cohort"), _cautions(facts, (start, to), unit, since, until))


def _middle(times: ir.Table) -> ir.Table:
    """Give each cohort's median in seconds; the mean of the two middle ones where their number is even."""
    place = ibis.row_number().over(ibis.window(group_by="cohort", order_by="seconds")).cast("int64")
    times = times.mutate(place=place, units=times.count().over(ibis.window(group_by="cohort")).cast("int64"))
    times = times.filter((times.place * 2 - times.units + 1).abs() <= 1)
    return times.group_by("cohort").agg(middle=times.seconds.sum().cast("int64") / times.count().nullif(0))


def _cautions(
    facts: Facts, steps: tuple[str, str], unit: Unit, since: Day | None, until: Day | None
) -> tuple[Caution, ...]:
    start, _ = steps
    early = _early(entered_during(first_entries(facts, steps, unit), start, since, until), start)
    return nobody(facts, steps, unit, since, until), _warn_early(early, steps)


def _warn_early(early: ir.Table, chain: tuple[str, ...]) -> Caution:
    """Name the facts that came before the first step of their unit."""
    step = chain[1] if len(chain) == 2 else "steps"  # noqa: PLR2004 - of two, the later one can be named
    return Caution(early, "{n} {step} before its first {start}: {some}.", {"step": step, "start": chain[0]})
