"""Attribution: which channels, campaigns, partners and contents earned the milestones that accounts reached."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

from plait.failure import Said, Unfit
from plait.measure import Answer, Bounds, Day, Facts, Solution, measure
from plait.measures._credit import BASELINE, UNTOUCHED, Model, counts, credited, in_order, parts, remarks, sums
from plait.measures._journeys import LED_TO, ROLES, Asked, By, Milestone, Own, Unit, cautions, journeys

if TYPE_CHECKING:
    import pyarrow as pa

SIDE_BY_SIDE: tuple[Model, ...] = (
    "first", "last", "linear", "position", "decay", "equal", "markov", "response",
)  # fmt: skip


@measure(
    owner="marketing",
    parent="channel_return",
    grain="channel",
    columns={
        "channel": "text",
        "credit": "credit",
        "credit_low": "credit",
        "credit_high": "credit",
        "credit_share": "share",
        "value": "money",
        "value_low": "money",
        "value_high": "money",
        "strength": "share",
        "currency": "currency",
    },
    origin="Anderl et al. 2016 (Markov), Shao & Li 2011 (response), Zhao, Mahboobi & Bagheri 2018 (Shapley)",
)
def attribution(
    facts: Facts,
    *,
    model: Model = "response",
    milestone: Milestone = "deal.won",
    by: By = "channel",
    lookback_days: Annotated[int, Bounds(1, 3650)] = 365,
    open_days: Annotated[int | None, Bounds(0, 3650)] = None,
    own_touches: Own = "out",
    unit: Unit = "account",
    known_accounts: bool = False,
    level: Annotated[int, Bounds(50, 99)] = 90,
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Who earned the conversions: each channel's part in them and in their money, with an interval.

    A conversion is a fact of the `milestone`, a deal counts once, as in `bookings`; `expansion` are the deals that an
    account signs after its first. Touches are what the customer did that carries a channel (see `channel_first_last`),
    of all people of the account. Those strictly before the conversion and not older than `lookback_days` count, and a
    conversion closes a journey. A journey without conversion is over when nothing touched the account for `open_days`
    (none: for as long as nine of ten conversions took to follow the touch before them); until then it is left out.
    Meetings with our own sales are left `out`, since they follow from interest; else they are counted `in` the channel
    that they carry, or as a channel of their `own`.

    `credit` counts conversions and adds up to all of them, `value` is their money, to the cent. What no touch came
    before is a row of its own; with `known_accounts` the accounts that nothing ever touched tell how many convert
    anyway. Of 100 such intervals `level` hold what the same model says of all accounts like these (jackknife
    over blocks of accounts): they know chance, not a wrong model. `strength` is the chance of conversion that meeting
    the channel adds (response), or the share of conversions lost without it (Markov). No model proves that a channel
    caused anything; an experiment does. `value` is empty where there is no money, or several currencies. `since` and
    `until` keep the journeys that ended in [since, until).
    """
    asked = Asked(
        milestone, by, unit, lookback_days, open_days, own_touches, since, until,
        marks=tuple(LED_TO) if model in ROLES else (), known=known_accounts and unit == "account",
    )  # fmt: skip
    found = journeys(facts, asked)
    return Answer(
        in_order(counts(found, (model,))), cautions(found.won), partial(_attributed, model=model, level=level / 100)
    )


@measure(
    owner="marketing",
    parent="attribution",
    grain="channel",
    columns={"channel": "text", **dict.fromkeys(SIDE_BY_SIDE, "credit"), "disagreement": "credit"},
)
def attribution_models(
    facts: Facts,
    *,
    milestone: Milestone = "deal.won",
    by: By = "channel",
    lookback_days: Annotated[int, Bounds(1, 3650)] = 365,
    open_days: Annotated[int | None, Bounds(0, 3650)] = None,
    own_touches: Own = "out",
    unit: Unit = "account",
    known_accounts: bool = False,
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Models side by side: how many conversions each gives to a channel, and how far they disagree.

    Conversions, touches and options as in `attribution`; each column adds up to all conversions. `disagreement` is the
    largest credit of the row less the smallest. `equal` is the Shapley value of summed conversions: equal parts to the
    different channels of a journey.
    """
    asked = Asked(
        milestone, by, unit, lookback_days, open_days, own_touches, since, until,
        known=known_accounts and unit == "account",
    )  # fmt: skip
    found = journeys(facts, asked)
    return Answer(in_order(counts(found, SIDE_BY_SIDE)), cautions(found.won), _compared)


def _attributed(counted: pa.Table, *, model: Model, level: float) -> Solution:
    """Share the conversions out by one model."""
    told = sums(counted)
    try:
        made = credited(told, model, level=level)
    except Unfit as because:
        return Solution([], [because.args[0]])
    rows = [
        (
            part.name, part.credit, part.low, part.high, part.credit / told.conversions, part.value, part.value_low,
            part.value_high, part.strength, told.currency,
        )
        for part in parts(told, made)
    ]  # fmt: skip
    return Solution(rows, remarks(made), Said("{model}: {estimates}", model=model, estimates=made.estimates))


def _compared(counted: pa.Table) -> Solution:
    """Share the conversions out by each model."""
    told, found = sums(counted), dict[str, dict[str, float]]()
    try:
        for model in SIDE_BY_SIDE:
            for part in parts(told, credited(told, model)):
                found.setdefault(part.name, {})[model] = part.credit
    except Unfit as because:
        return Solution([], [because.args[0]])
    each = {name: [given.get(model, 0.0) for model in SIDE_BY_SIDE] for name, given in found.items()}
    order = sorted(each, key=lambda name: (name in (BASELINE, UNTOUCHED), -_gap(each[name]), name))
    return Solution([(name, *each[name], _gap(each[name])) for name in order], [_widest(order[0], each[order[0]])])


def _gap(given: Sequence[float]) -> float:
    return max(given) - min(given)


def _widest(name: str, given: Sequence[float]) -> str:
    """Say which models disagree most about a channel."""
    most, least = (SIDE_BY_SIDE[given.index(pick(given))] for pick in (max, min))
    return Said(
        "The models disagree most about {name}: {most} gives it {high} conversions, {least} {low}.",
        name=name, most=most, least=least, high=round(max(given), 1), low=round(min(given), 1),
    )  # fmt: skip
