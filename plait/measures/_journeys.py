"""Journeys: the touches of a unit up to a conversion, and the sums over journeys that attribution reckons with.

Defined as in Anderl et al. 2016 and Shao & Li 2011, for accounts: the touches of all people of the account merge. What
leaves the engine are counts that add up over units and days, so that a model never sees a single journey.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import reduce
from typing import Literal, get_args

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.measure import Caution, Day, Facts
from plait.measures._cohort import during
from plait.measures._deal import deals
from plait.measures._money import apart, in_one_currency
from plait.measures._steps import DAY, seconds

TOUCHES = (
    "visit.started",
    "ad.clicked",
    "link.clicked",
    "subscriber.joined",
    "form.submitted",
    "content.downloaded",
    "event.attended",
    "trial.started",
    "referral.made",
    "message.clicked",
    "lead.created",
)
OWN_TOUCH, OWN = "meeting.held", "(own sales)"
NONE, OTHERS = "(none)", "(others)"
MOST = 40  # channels, campaigns ... that are told apart; a set of them is one number of 64 bits
START, CONVERTED, ENDED = -1, -2, -3
BLOCKS = 64
WHOLE = 2**30  # parts into which one conversion is divided
ENDS, HALF_LIFE = 0.4, 7 * DAY  # of the rules `position` and `decay`
ROLES = {
    "w": (0.3, 0.3, 0.3, 0.0),
    "full_path": (0.225, 0.225, 0.225, 0.225),
}  # first, lead, opportunity, won; rest 0.1
DIRECT = ("direct", "(direct)")  # channels that tell nothing of where somebody came from
LED_TO = {"lead.mql": "lead_at", "deal.opened": "deal_at"}  # milestones of the rules in `ROLES`
CENT = 10_000  # parts of a unit of money

JOURNEY = ("unit", "journey")
ORDER = ("occurred_at", "source", "id")
WITHIN = ibis.window(group_by=JOURNEY)
# At one instant what marks a journey goes before the conversion that closes it, and a touch comes after: it counts only
# when it came strictly before.
TURN = ibis.cases((_.mark.notnull(), 0), (_.converts == 1, 1), else_=2)
ROW = dict.fromkeys(("unit", "source", "id", "channel", "money_currency", "mark"), "string") | {
    "occurred_at": "timestamp", "occurred_on": "date", "converts": "int64", "money": "int64",
}  # fmt: skip

By = Literal["channel", "campaign", "partner", "content"]
Milestone = Literal["lead.mql", "lead.sal", "lead.sql", "deal.opened", "deal.won", "expansion"]
Unit = Literal["account", "person"]
Rule = Literal["first", "last", "last_non_direct", "linear", "position", "decay", "w", "full_path"]
RULES: tuple[Rule, ...] = get_args(Rule)
Own = Literal["own", "in", "out"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which journeys: to what milestone, of whom, over which touches, how far back, and ended when."""

    milestone: Milestone
    by: By
    unit: Unit
    lookback_days: int
    open_days: int | None
    own_touches: Own
    since: Day | None
    until: Day | None
    marks: tuple[str, ...] = ()  # kinds of facts that are no touches, but tell how far a journey has come
    known: bool = False  # whether accounts that nothing touched are to be counted


@dataclass(frozen=True, slots=True)
class Journeys:
    """Journeys in the engine.

    `touches` has a row for each touch that counts: unit, journey, block, occurred_at, source, id, code, place (from 0),
    `of` (how many the journey has), converted_at, money. `ended` has a row for each journey that has ended: unit,
    journey, block, converted (0 or 1), money (in parts of `CENT`; None without an amount), money_currency. `channels`
    names the codes. `running` has a row for each journey that is left out because it may still convert. `won` are the
    conversions, those of nobody that we know too. `known` counts accounts that nothing ever touched, by block, if asked
    for.
    """

    touches: ir.Table
    ended: ir.Table
    channels: ir.Table
    running: ir.Table
    won: ir.Table
    known: ir.Table | None = None


def journeys(facts: Facts, asked: Asked) -> Journeys:
    """Cut the touches of every unit into journeys; a conversion closes one, later touches open the next.

    A touch counts when it came strictly before the conversion and not earlier than the lookback. A journey that has not
    converted is over when nothing has touched the unit for `open_days`, by default for as long as nine of ten
    conversions took to follow the touch before them.
    """
    rows, won = rows_in_order(facts, asked)
    first = {
        name: rows.occurred_at.min(where=rows.mark == mark) for mark, name in LED_TO.items() if mark in asked.marks
    }
    rows = rows.mutate(**{name: at.over(WITHIN) for name, at in first.items()}) if first else rows
    touches, closing = recent(rows, asked), rows.filter(_.converts == 1)
    open_ = _.converted_at.isnull() & (seconds(_.last_at) > over(facts, touches, asked))
    running = touches.filter(open_).select("unit", "journey").distinct()
    touches, channels = coded(during(touches.filter(~open_), asked.since, asked.until, "ended_on"))
    ordered = ibis.window(group_by=JOURNEY, order_by=ORDER)
    touches = touches.mutate(
        place=ibis.row_number().over(ordered),
        of=_.code.count().over(WITHIN),
    )
    lost = touches.filter(_.converted_at.isnull(), _.place == 0)
    told = (*JOURNEY, "block", "money", "money_currency", "converted")
    ended = ibis.union(during(closing, asked.since, asked.until, "ended_on").select(*told), lost.select(*told))
    known = _never_touched(facts, rows) if asked.known else None
    return Journeys(touches, ended, channels, running, won, known)


def rows_in_order(facts: Facts, asked: Asked) -> tuple[ir.Table, ir.Table]:
    """Give touches, conversions and marks, each with its journey and how that ended; and the period's conversions.

    `channel` is None but for touches, `converts` 1 for a conversion, `mark` the kind of a mark.
    """
    won = conversions(facts, asked)
    marks = _marks(facts, asked) if asked.marks else None
    rows = _in_order(_touches(facts, asked), won.filter(_.unit.notnull()), marks)
    return rows, during(won, asked.since, asked.until)


def recent(rows: ir.Table, asked: Asked) -> ir.Table:
    """Keep the touches that are not older than the lookback at the end of their journey."""
    touches = rows.filter(_.channel.notnull())
    ends = ibis.coalesce(touches.converted_at, touches.last_at)
    return touches.filter(seconds(ends) - seconds(touches.occurred_at) <= asked.lookback_days * DAY)


def over(facts: Facts, touches: ir.Table, asked: Asked) -> ir.IntegerValue:
    """Give the second since which a journey without conversion must have been left alone to be over."""
    return seconds(facts.as_of) - _open_seconds(touches, asked)


def _never_touched(facts: Facts, rows: ir.Table) -> ir.Table:
    """Count the accounts that were entered in a system, and that nothing touched and nothing converted, by block."""
    accounts = facts.of("account.created").filter(_.account.notnull()).select(unit=_.account).distinct()
    accounts = accounts.anti_join(rows, "unit")
    return accounts.mutate(block=block(accounts.unit)).group_by("block").agg(n=_.count())


def currencies(won: ir.Table) -> ir.Table:
    """Give the currencies of the money that conversions of known units brought."""
    return _priced(won).select("money_currency").distinct()


def _priced(won: ir.Table) -> ir.Table:
    return won.filter(_.unit.notnull(), _.money.notnull())


def conversions(facts: Facts, asked: Asked) -> ir.Table:
    """Give what reached the milestone, with `unit`, `money` (parts of `CENT`) and `money_currency`."""
    won = _deals_won(facts) if asked.milestone in ("deal.won", "expansion") else facts.of(asked.milestone)
    won = in_one_currency(facts, won)
    if asked.milestone == "expansion":  # what an account signs after its first deal
        turn = ibis.row_number().over(ibis.window(group_by="account", order_by=ORDER))
        won = won.mutate(turn=turn).filter((_.turn > 0) | _.account.isnull())
    return won.select(
        "occurred_at", "occurred_on", "source", "id", "money_currency",
        unit=_unit(won, asked), money=(won.money * CENT).cast("int64"),
    )  # fmt: skip


def _deals_won(facts: Facts) -> ir.Table:
    """Give the fact that won each deal, once, with what is known of the deal: what `bookings` adds up."""
    told = facts.of("deal.won")
    last = ibis.window(group_by=["source", "object_id"], order_by=[ibis.desc("occurred_at"), ibis.desc("id")])
    told = told.mutate(turn=ibis.row_number().over(last)).filter(_.turn == 0)
    told = told.select("occurred_at", "occurred_on", "source", "id", "object_id", "person")
    known = deals(facts).filter(_.state == "deal.won").select("source", "object_id", "account", "amount", "currency")
    return told.join(known, ["source", "object_id"])


def block(unit: ir.StringColumn) -> ir.IntegerColumn:
    """Give one of `BLOCKS` groups of units, told from two digits of the unit's id, which is a hash."""
    digits = ibis.literal("0123456789abcdef")
    one, two = (digits.find(unit.substr(place, 1)) + 1 for place in (1, 2))
    return ((one * 16 + two) % BLOCKS).cast("int64")


def _unit(rows: ir.Table, asked: Asked) -> ir.StringColumn:
    return rows.person if asked.unit == "person" else ibis.coalesce(rows.account, rows.person)


def _touches(facts: Facts, asked: Asked) -> ir.Table:
    """Give what touched a unit, with the name of its channel, campaign, partner or content."""
    told = facts.of(*TOUCHES)
    named = {
        "channel": told.channel,
        "campaign": told.campaign.fill_null(NONE),
        "partner": told.partner.fill_null(NONE),
        # The text of other kinds names people: what somebody read or asked for is the content.
        "content": ibis.ifelse(told.kind.isin(("content.downloaded", "form.submitted")), told.text, None).fill_null(
            NONE
        ),
    }[asked.by]
    told = told.mutate(channel=named).filter(_.channel.notnull())
    columns = ("occurred_at", "occurred_on", "source", "id", "channel")
    told = told.select(*columns, unit=_unit(told, asked))
    if asked.own_touches != "out":
        own = facts.of(OWN_TOUCH)
        name = own.channel.fill_null(OWN) if asked.own_touches == "in" else ibis.literal(OWN)
        told = ibis.union(told, own.mutate(channel=name).select(*columns, unit=_unit(own, asked)))
    return told.filter(_.unit.notnull())


def _marks(facts: Facts, asked: Asked) -> ir.Table:
    """Give when leads, opportunities ... were recorded: no touches, but what some models go by."""
    told = facts.of(*asked.marks)
    told = told.select("occurred_at", "occurred_on", "source", "id", unit=_unit(told, asked), mark=told.kind)
    return told.filter(_.unit.notnull())


def _in_order(touches: ir.Table, won: ir.Table, marks: ir.Table | None) -> ir.Table:
    """Put touches and conversions of a unit in order and tell which journey each belongs to and how that ended."""
    both = ibis.union(_rows(touches, converts=0), _rows(won, converts=1))
    both = both if marks is None else ibis.union(both, _rows(marks, converts=0))
    both = both.mutate(turn=TURN)
    so_far = ibis.cumulative_window(group_by="unit", order_by=["occurred_at", "turn", "source", "id"])
    both = both.mutate(journey=(_.converts.sum().over(so_far) - _.converts).cast("int64"))
    at, touched = both.occurred_at, both.channel.notnull()
    told = {
        "converted_at": at.max(where=both.converts == 1),
        "last_at": at.max(where=touched),
        "won_on": both.occurred_on.max(where=both.converts == 1),
        "last_on": both.occurred_on.max(where=touched),
        "money": both.money.max(),
        "money_currency": both.money_currency.max(),
    }
    both = both.mutate(**{name: value.over(WITHIN) for name, value in told.items()})
    converted = both.converted_at.notnull().cast("int64")
    return both.mutate(ended_on=ibis.coalesce(_.won_on, _.last_on), converted=converted, block=block(both.unit))


def _rows(table: ir.Table, *, converts: int) -> ir.Table:
    """Give rows the same columns, empty where a table has none."""
    empty = {name: ibis.null(kind) for name, kind in ROW.items() if name not in (*table.columns, "converts")}
    return table.mutate(converts=ibis.literal(converts, "int64"), **empty).select(*ROW)


def _open_seconds(touches: ir.Table, asked: Asked) -> ir.IntegerValue:
    """Give for how long a journey may still convert after its last touch."""
    if asked.open_days is not None:
        return ibis.literal(asked.open_days * DAY, "int64")
    lags = touches.filter(_.converted_at.notnull()).group_by(JOURNEY)
    lags = lags.agg(lag=seconds(_.converted_at.max()) - seconds(_.last_at.max()))
    lags = lags.mutate(turn=ibis.row_number().over(order_by="lag") + 1, n=_.lag.count().over(ibis.window()))
    return lags.filter(_.turn * 10 >= _.n * 9).lag.min().fill_null(asked.lookback_days * DAY).as_scalar()


def coded(touches: ir.Table) -> tuple[ir.Table, ir.Table]:
    """Give each channel a code, the most frequent first; beyond `MOST` they are one."""
    counted = touches.group_by("channel").agg(n=_.count())
    counted = counted.mutate(rank=ibis.row_number().over(order_by=[ibis.desc("n"), "channel"]))
    named = counted.select("channel", code=ibis.least(_.rank, MOST).cast("int64"))
    channels = named.mutate(name=ibis.ifelse(_.code == MOST, OTHERS, _.channel)).select("code", "name").distinct()
    return touches.join(named, "channel"), channels


def moves(found: Journeys, *, order: Literal[1, 2]) -> ir.Table:
    """Count how often a channel followed another, began a journey or ended it: block, before, origin, target, n, value.

    `before` is the channel before `origin` for order 2, START where there was none; for order 1 it is always START.
    """
    ordered = ibis.window(group_by=JOURNEY, order_by=ORDER)
    end = ibis.ifelse(_.converted == 1, CONVERTED, ENDED)
    start, nothing = ibis.literal(START, "int64"), ibis.null("int64")
    before = _.code.lag().over(ordered).fill_null(START) if order > 1 else start
    steps = found.touches.mutate(following=_.code.lead().over(ordered), before=before)
    onward = steps.select(
        "block",
        "before",
        origin=_.code,
        target=ibis.coalesce(_.following, end).cast("int64"),
        money=ibis.ifelse(_.following.isnull(), _.money, nothing),
    )
    first = steps.filter(_.place == 0)
    began = first.select("block", before=start, origin=start, target=_.code, money=nothing)
    untouched = found.ended.anti_join(first, JOURNEY)
    at_once = untouched.select("block", "money", before=start, origin=start, target=end.cast("int64"))
    rows = ibis.union(onward, began, at_once.select(*onward.columns))
    counted = rows.group_by("block", "before", "origin", "target")
    return counted.agg(n=_.count(), value=_.money.sum().fill_null(0).cast("int64"))


def sets(found: Journeys) -> ir.Table:
    """Count the journeys by the set of channels that touched them: block, mask (bit c = channel c), n, k, value."""
    once = found.touches.select(*JOURNEY, "code").distinct()
    masks = once.mutate(bit=ibis.literal(1, "int64") << once.code).group_by(JOURNEY).agg(mask=_.bit.sum().cast("int64"))
    ended = found.ended.left_join(masks, JOURNEY)
    ended = ended.select("block", "converted", "money", mask=_.mask.fill_null(0))
    return ended.group_by("block", "mask").agg(
        n=_.count(), k=_.converted.sum().cast("int64"), value=_.money.sum().fill_null(0).cast("int64")
    )


def shares(found: Journeys, rule: Rule) -> ir.Table:
    """Divide each conversion among its touches by a rule: block, code, n (in parts of `WHOLE`), value (of `CENT`).

    Whole parts, by the largest remainder: they add up to the conversion and to its money. A tie goes to the earlier
    touch.
    """
    touches = found.touches.filter(_.converted == 1)
    if rule == "last_non_direct":
        touches = touches.join(found.channels.mutate(direct=_.name.lower().isin(DIRECT)), "code")
    weighted = _in_roles(touches, ROLES[rule]) if rule in ROLES else touches.mutate(weight=_weight(touches, rule))
    weighted = weighted.mutate(share=_.weight / _.weight.sum().over(WITHIN))
    n, value = (_parts(weighted, whole) for whole in (ibis.literal(WHOLE, "int64"), weighted.money.fill_null(0)))
    counted = weighted.select("block", "code", n=n, value=value).group_by("block", "code")
    return counted.agg(n=_.n.sum().cast("int64"), value=_.value.sum().cast("int64"))


def _weight(touches: ir.Table, rule: Rule) -> ir.FloatingValue:
    """Weigh each touch against the others of its journey."""
    first, last = touches.place == 0, touches.place == touches.of - 1
    if rule == "first":
        return first.cast("float64")
    if rule == "last":
        return last.cast("float64")
    if rule == "last_non_direct":
        outside = touches.place.max(where=~touches.direct).over(WITHIN)
        return (touches.place == ibis.coalesce(outside, touches.of - 1)).cast("float64")
    if rule == "linear":
        return ibis.literal(1.0)
    if rule == "position":
        between = (1 - 2 * ENDS) / (touches.of - 2).nullif(0).cast("float64")
        return ibis.cases((touches.of <= 2, 1.0), (first | last, ENDS), else_=between)  # noqa: PLR2004 - both ends
    age = seconds(touches.last_at) - seconds(touches.occurred_at)
    return (2.0 ** (-age / HALF_LIFE)).round(12)  # the same on every engine


def _in_roles(touches: ir.Table, worth: tuple[float, float, float, float]) -> ir.Table:
    """Weigh touches by the milestones that they led to; the touch of a milestone is the last one up to it."""
    up_to = {at: touches.place.max(where=touches.occurred_at <= touches[at]).over(WITHIN) for at in LED_TO.values()}
    told = touches.mutate(**{f"{at}_place": place for at, place in up_to.items()})
    is_role = [told.place == 0, *((told.place == told[f"{at}_place"]).fill_null(False) for at in LED_TO.values())]  # noqa: FBT003
    is_role.append(told.place == told.of - 1)
    parts = [ibis.ifelse(role, share, 0.0) for role, share in zip(is_role, worth, strict=True)]
    told = told.mutate(roles=reduce(operator.add, parts))
    told = told.mutate(others=(_.roles == 0).cast("int64").sum().over(WITHIN))
    rest = (1 - sum(worth)) / told.others.nullif(0).cast("float64")
    return told.mutate(weight=ibis.ifelse(told.roles == 0, rest, told.roles))


def _parts(weighted: ir.Table, whole: ir.IntegerValue) -> ir.IntegerColumn:
    """Divide a whole number of each journey in proportion to the shares of its touches."""
    exact = weighted.share * whole.cast("float64")
    least = exact.floor().cast("int64")
    missing = whole - least.sum().over(WITHIN).cast("int64")
    rest = ibis.window(group_by=JOURNEY, order_by=[ibis.desc(exact - least), weighted.place])
    return least + (ibis.row_number().over(rest) < missing).cast("int64")


def cautions(won: ir.Table) -> tuple[Caution, ...]:
    """Say which conversions are of nobody, and which amounts cannot be added up."""
    nobody = won.filter(_.unit.isnull()).select("id", "source")
    return (
        Caution(nobody, "{n} conversions name no account and are left out: {some}."),
        apart(_priced(won), "the money of conversions is left empty"),
    )
