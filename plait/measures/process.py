"""The process as it runs: which step follows which, how long the way between them takes, and what comes back."""

from typing import Annotated

from plait.measure import Answer, Bounds, Day, Facts, known_kind, measure
from plait.measures._process import Case, amounts, caseless, counted, edges, in_order, log, variants


def _known(kinds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(known_kind(kind).name for kind in kinds)


@measure(
    owner="it",
    parent="stage_velocity",
    grain="step and step that follows",
    columns={
        "from_step": "text",
        "to_step": "text",
        "cases": "cases",
        "times": "times",
        "wait_days": "days",
        "wait_p90_days": "days",
        "waiting_days": "days",
        "waiting_cost": "money",
        "currency": "currency",
    },
    origin="van der Aalst, Process Mining, 2016 (directly-follows graph)",
)
def process_map(
    facts: Facts,
    *,
    case: Case = "account",
    kinds: tuple[str, ...] = (),
    yearly_percent: Annotated[int, Bounds(0, 100)] = 10,
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Where time goes: for each step which ones followed it directly, how often, and how long it took.

    A case is an account from its first answer to what it pays, or a request for help, a deal or a hand-off (source and
    object_id). Its steps are its facts in the order (occurred_at, source, id); a step is named by the kind, a change of
    a request or a deal by its text. `kinds` names other kinds of facts to look at. Only cases whose first step lies in
    [since, until) count, with all their steps.

    `times` counts the two steps in a row, `cases` the cases in which that happened. Waits are calendar time, in days of
    24 hours: `wait_days` is the exact median, `wait_p90_days` the smallest wait that nine of ten do not exceed,
    `waiting_days` the sum. `waiting_cost` is the case's amount (the last one told of its deals or of the hand-off)
    times the wait in years times `yearly_percent`, what money bound for a year costs; empty where no case has an amount
    or they have several currencies. It prices the wait alone, not the work nor what is lost meanwhile.
    """
    ordered = in_order(log(facts, case, _known(kinds), since, until))
    return Answer(edges(ordered, amounts(facts, case), yearly_percent), (caseless(facts, case, _known(kinds)),))


@measure(
    owner="it",
    parent="process_map",
    grain="step",
    columns={
        "step": "text",
        "cases": "cases",
        "times": "times",
        "repeated": "times",
        "repeated_cases": "cases",
        "rework": "share",
        "loops": "times",
        "starts": "cases",
        "ends": "cases",
        "place": "touches",
        "waited_days": "days",
    },
)
def process_steps(
    facts: Facts,
    *,
    case: Case = "account",
    kinds: tuple[str, ...] = (),
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """How often each step of the process was taken, and how often it was taken again.

    Cases and steps as in `process_map`. `repeated` counts the times after the first in the same case: rework, or a step
    that comes back by its nature, such as an invoice; `repeated_cases` the cases in which that happened, `rework` =
    `repeated` / `times`. `loops` counts the times it followed itself directly. `starts` and `ends` count the cases that
    begin and so far end with it, `place` is how many steps in a case came up to its first time, on average.
    `waited_days` is the median wait before it; empty for a step that only begins cases.
    """
    ordered = in_order(log(facts, case, _known(kinds), since, until))
    return Answer(counted(ordered), (caseless(facts, case, _known(kinds)),))


@measure(
    owner="it",
    parent="process_map",
    grain="variant",
    columns={
        "variant": "rank",
        "path": "text",
        "steps": "steps",
        "cases": "cases",
        "share": "share",
        "days": "days",
    },
)
def process_variants(
    facts: Facts,
    *,
    case: Case = "account",
    kinds: tuple[str, ...] = (),
    least_percent: Annotated[int, Bounds(0, 100)] = 1,
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Ways through the process: which steps cases took from first to last, the most frequent way first.

    Cases and steps as in `process_map`. `share` is the part of all cases that went this way; ways taken by less than
    `least_percent` percent of the cases are one row, `(others)`, so that shares add up to 1. `days` is the median time
    from the first step to the last. A case that goes on may still change its way.
    """
    ordered = in_order(log(facts, case, _known(kinds), since, until))
    return Answer(variants(ordered, least_percent), (caseless(facts, case, _known(kinds)),))
