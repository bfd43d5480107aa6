"""Stage credit: who brought won deals in, who moved them on and who closed them."""

from __future__ import annotations

from functools import partial, reduce
from typing import TYPE_CHECKING, Annotated

import ibis
import ibis.expr.types as ir
import numpy as np
from ibis import _

from plait.failure import Said, Unfit
from plait.measure import Answer, Bounds, Day, Facts, Solution, measure
from plait.measures._cohort import during
from plait.measures._credit import BASELINE, Columns, columns_of, counted_rows, in_minor_units, in_order
from plait.measures._journeys import (
    BLOCKS,
    JOURNEY,
    Asked,
    By,
    Own,
    Unit,
    cautions,
    coded,
    currencies,
    over,
    recent,
    rows_in_order,
)
from plait.measures._steps import seconds

if TYPE_CHECKING:
    import pyarrow as pa

    from plait.stats.paths.milestones import Stage, StageCredit

MARKS = ("lead.mql", "lead.sal", "lead.sql", "deal.opened")
STAGES = ("engaged", *MARKS)  # each lasts until the next one is reached; the last one until the deal is won
STAGE = (*JOURNEY, "stage")
ESTIMATES = Said(
    "stage response: extra won deals, by the stage in which a channel moved accounts on, if who meets a channel does "
    "not depend on intent"
)


@measure(
    owner="marketing",
    parent="attribution",
    grain="channel",
    columns={
        "channel": "text",
        "credit": "credit",
        "credit_low": "credit",
        "credit_high": "credit",
        "value": "money",
        "introduce": "money",
        "influence": "money",
        "close": "money",
        "currency": "currency",
    },
    origin="Shao & Li 2011 (response), at each stage of the funnel",
)
def stage_credit(
    facts: Facts,
    *,
    by: By = "channel",
    unit: Unit = "account",
    lookback_days: Annotated[int, Bounds(1, 3650)] = 365,
    open_days: Annotated[int | None, Bounds(0, 3650)] = None,
    own_touches: Own = "out",
    level: Annotated[int, Bounds(50, 99)] = 90,
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Who brought won deals in, who moved them on, who closed them: each channel's part in them and in their money.

    Journeys, touches and options as in `attribution`. A journey passes the stages engaged (first touch), `lead.mql`,
    `lead.sal`, `lead.sql`, `deal.opened`, each from the first such fact in it to the next stage, the last one to the
    won deal (a deal counts once, as in `bookings`). A stage that was skipped counts as reached together with the next
    one that was; a touch at the instant of a milestone belongs to the stage that begins there. An entry counts once it
    has advanced, or the journey is over: nothing touched it, and none of these facts came, for `open_days`. A lead that
    nothing touched enters at its first milestone, a won deal always at the first stage.

    A stage earns of each won deal by how much it raises the chance of being won (the share that advances in all stages
    from there on), and the response model shares that among the channels met in it. What remains is the chance at the
    first touch, and what advanced without a channel: it would have come anyway and is a row of its own. `credit` adds
    up to the won deals, `value` to their money, to the cent; `introduce` (engaged), `influence` (the stages between)
    and `close` (`deal.opened`) add up to `value`. Of 100 such intervals `level` hold what the model says of all
    accounts like these (jackknife over blocks of accounts). Lost deals earn nothing. No model proves that a channel
    caused anything; an experiment does. Money is empty where there is none, or several currencies. `since` and `until`
    keep the journeys that ended in [since, until).
    """
    asked = Asked("deal.won", by, unit, lookback_days, open_days, own_touches, since, until, marks=MARKS)
    rows, won = rows_in_order(facts, asked)
    rows = _staged(rows)
    found = _found(facts, rows, asked)
    counted = [
        *_stage_sets(found, recent(rows, asked)),
        counted_rows("currency", currencies(won), name="money_currency"),
        counted_rows("running", found.filter(_.running).aggregate(n=_.count())),
    ]
    return Answer(in_order(reduce(ibis.union, counted)), cautions(won), partial(_traced, level=level / 100))


def _staged(rows: ir.Table) -> ir.Table:
    """Tell of each row in which stage its journey is then: the furthest milestone up to that instant."""
    step = ibis.cases(*((rows.mark == mark, place) for place, mark in enumerate(MARKS, 1)), else_=0).cast("int64")
    so_far = ibis.cumulative_window(group_by=JOURNEY, order_by=["occurred_at", "turn", "source", "id"])
    return rows.mutate(stage=step.max().over(so_far))


def _found(facts: Facts, rows: ir.Table, asked: Asked) -> ir.Table:
    """Give each journey that ended in the time asked for: how far it came, what it brought, whether it still goes on.

    The entries of the stages `first` to `last` count, both included; there may be none.
    """
    found = rows.group_by(*JOURNEY, "block", "converted").agg(
        furthest=_.stage.max(),
        touched=_.channel.notnull().cast("int64").max(),
        last_at=_.occurred_at.max(),
        ended_on=ibis.coalesce(_.won_on.max(), _.occurred_on.max()),
        money=_.money.max(),
        money_currency=_.money_currency.max(),
    )
    found = during(found, asked.since, asked.until, "ended_on")
    won = found.converted == 1
    found = found.mutate(
        running=~won & (seconds(found.last_at) > over(facts, recent(rows, asked), asked)),
        first=ibis.ifelse(won | (found.touched == 1), 0, 1).cast("int64"),
        reached=ibis.ifelse(won, len(STAGES), found.furthest).cast("int64"),
    )
    return found.mutate(last=ibis.ifelse(won | found.running, found.reached - 1, found.reached).cast("int64"))


def _stage_sets(found: ir.Table, touches: ir.Table) -> tuple[ir.Table, ir.Table]:
    """Count entries by stage (`b`) and the set of channels (`a`) met in it; `c` counts won deals, `value` is theirs.

    A won deal has entered every stage, also those that it skipped, so that each stage holds all of them.
    """
    entries = found.filter(_.first <= _.last)
    entries = entries.mutate(stage=ibis.range(entries["first"], entries["last"] + 1, 1).unnest())
    met, channels = coded(touches.select(*STAGE, "channel").semi_join(entries, STAGE))
    once = met.select(*STAGE, "code").distinct()
    masks = once.mutate(bit=ibis.literal(1, "int64") << once.code).group_by(STAGE).agg(mask=_.bit.sum().cast("int64"))
    entries = entries.left_join(masks, STAGE).mutate(mask=_.mask.fill_null(0))
    sets = entries.group_by("stage", "block", "mask").agg(
        n=_.count(),
        k=(_.stage < _.reached).cast("int64").sum(),
        won=_.converted.sum(),
        value=_.money.sum().fill_null(0).cast("int64"),
    )
    named = counted_rows("channel", channels, a="code", name="name")
    return named, counted_rows("set", sets, a="mask", b="stage", c="won")


def _traced(counted: pa.Table, *, level: float) -> Solution:
    """Trace the won deals back through their stages."""
    from plait.stats.paths import milestones  # scipy, which only an answer needs
    from plait.stats.paths.models import MODELS

    told = {what: columns_of(counted, what) for what in ("channel", "set", "currency", "running")}
    names = told["channel"]["name"][np.argsort(told["channel"]["a"])]
    try:
        made = milestones.stage_credit([str(name) for name in names], _stages(told["set"]), level=level)
    except Unfit as because:
        return Solution([], [because.args[0]])
    currencies = told["currency"]["name"]
    rows = _rows(made, str(currencies[0]) if len(currencies) == 1 else None)
    remarks = [MODELS["response"].caution, *_remarks(made, int(told["running"]["n"].sum()))]
    return Solution(rows, remarks, ESTIMATES)


def _stages(sets: Columns) -> list[Stage]:
    """Read what the engine has counted of each stage."""
    from plait.stats.paths.milestones import Stage
    from plait.stats.paths.statistics import Sets

    def read(place: int, name: str) -> Stage:
        mine = sets["b"] == place
        masks, column = np.unique(sets["a"][mine], return_inverse=True)
        n, k, won, value = (np.zeros((BLOCKS, len(masks)), np.int64) for _ in range(4))
        for table, count in ((n, "n"), (k, "k"), (won, "c"), (value, "value")):
            np.add.at(table, (sets["block"][mine], column), sets[count][mine])
        return Stage(name, Sets(masks.astype(np.uint64)[:, None], n, k, value), won)

    return [read(place, name) for place, name in enumerate(STAGES)]


def _rows(made: StageCredit, currency: str | None) -> list[tuple[object, ...]]:
    """Give what each channel earned, most first, and last what would have come anyway; together it is all there is."""
    parts = made.roles()
    size = len(made.channels)
    cells = in_minor_units([*(part for role in parts.values() for part in role), made.baseline_value], currency)
    low, high = ([None] * size if side is None else side.tolist() for side in (made.low, made.high))
    rows: list[tuple[object, ...]] = []
    for place, (name, credit) in enumerate(zip(made.channels, made.credit.sum(0).tolist(), strict=True)):
        roles = [cells[place + size * number] for number in range(len(parts))]
        value = None if currency is None else sum(part for part in roles if part is not None)
        rows.append((name, credit, low[place], high[place], value, *roles, currency))
    rows.sort(key=lambda row: (-float(str(row[1])), str(row[0])))
    return [*rows, (BASELINE, made.baseline, None, None, cells[-1], None, None, None, currency)]


def _remarks(made: StageCredit, running: int) -> list[str]:
    """Say how many came how far, and with what chance from there."""
    said: list[str] = [
        Said(
            "Stage {stage}: {entered} entered, {advanced} of them advanced; the chance of being won was {chance} %.",
            stage=name, entered=int(made.entered[place]), advanced=int(made.advanced[place]),
            chance=round(100 * float(made.reach[place]), 1),
        )
        for place, name in enumerate(made.stages)
    ]  # fmt: skip
    if running:
        said.append(Said("{count} journeys may still go on; the stage where they are is not counted.", count=running))
    said.append(Said("Intervals: {how}.", how=Said("jackknife over {size} blocks of customers", size=BLOCKS)))
    return said
