"""Attribution over a home's facts: which touches count, nothing is lost, and the engine counts as numpy does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, get_args

import numpy as np
import pytest
from stories import Story, draw_facts

from plait.facts import Fact
from plait.measure import Measure, Table
from plait.measures._credit import BASELINE, UNTOUCHED, Model
from plait.measures._journeys import OWN, TOUCHES, Milestone
from plait.measures.attribution import SIDE_BY_SIDE, attribution, attribution_models
from plait.measures.channel_return import channel_return
from plait.measures.paths import paths
from plait.measures.pipeline import bookings
from plait.measures.spend import spend
from plait.stats.paths.counting import counted
from plait.stats.paths.credit import credit
from plait.stats.paths.journeys import Conversions, Touches, from_touches

AS_OF = datetime(2025, 6, 1)  # noqa: DTZ001 - measures see naive UTC
MODELS = get_args(Model)


def records(table: Table) -> list[dict[str, Any]]:
    """Give the rows by the names of their columns."""
    return list(table.records())


def credits_of(table: Table) -> dict[str, float]:
    """Give each channel's conversions."""
    return {str(row["channel"]): float(str(row["credit"])) for row in records(table)}


@pytest.fixture(scope="module")
def drawn() -> Story:
    """Facts of forty accounts over three years, those of nobody left out but spend; all seen up to `AS_OF`."""
    drawn = draw_facts(11, count=4_000)
    return Story([f for f in drawn if f.keys or f.kind in ("spend.paid", "payout.paid")], as_of=AS_OF)


def ledger_of(drawn: Story, measure: Measure, count: str, amount: str) -> tuple[int, Decimal]:
    """Add up what a measure of the ledger says."""
    rows = records(drawn.table(measure, by="all"))
    return sum(int(str(row.get(count) or 0)) for row in rows), Decimal(sum(row[amount] or 0 for row in rows))


# -- which touches count


def test_touches_strictly_before_a_conversion_share_it_and_later_ones_open_the_next(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked       channel=search
    acme  2026-01-05  visit.started    channel=mail
    acme  2026-01-05  deal.won         100.00 EUR object_id=d1
    acme  2026-01-06  visit.started    channel=social
    acme  2026-01-09  deal.won         50.00 EUR object_id=d2
    """
    told = story.table(attribution, model="linear")
    assert [(row["channel"], row["credit"], row["value"]) for row in records(told)] == [
        ("search", 1.0, 100),
        ("mail", 0.5, 25),
        ("social", 0.5, 25),
    ]


def test_all_people_of_an_account_are_one_journey(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked     channel=search person=ana
    acme  2026-01-05  visit.started  channel=mail person=bo
    acme  2026-01-09  deal.won       100.00 EUR object_id=d1 person=bo
    """
    assert credits_of(story.table(attribution, model="first")) == {"search": 1.0, "mail": 0.0}
    assert credits_of(story.table(attribution, model="first", unit="person")) == {"mail": 1.0, "search": 0.0}


def test_touches_beyond_the_lookback_do_not_count(story: Story) -> None:
    """
    acme  2026-01-01T12:00  ad.clicked     channel=search
    acme  2026-01-11T11:59  visit.started  channel=mail
    acme  2026-01-11T12:00  visit.started  channel=social
    acme  2026-01-21T12:00  deal.won       object_id=d1
    """
    assert credits_of(story.table(attribution, model="first", lookback_days=10)) == {"social": 1.0}
    assert credits_of(story.table(attribution, model="first", lookback_days=20))["search"] == 1.0


def test_a_journey_that_may_still_convert_is_left_out(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked     channel=search
    acme  2026-01-05  deal.won       object_id=d1
    bolt  2026-05-01  ad.clicked     channel=search
    cole  2026-01-02  ad.clicked     channel=search
    """
    table = story.until(datetime(2026, 5, 8)).table(attribution, model="markov", open_days=10)  # noqa: DTZ001
    assert any("1 journeys may still convert" in warning for warning in table.warnings)
    assert story.until(datetime(2026, 5, 8)).table(paths, open_days=10).rows[0][1] == 2  # noqa: DTZ001


def test_what_no_touch_came_before_stands_apart(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked  channel=search
    acme  2026-01-05  deal.won    70.10 EUR object_id=d1
    bolt  2026-01-05  deal.won    29.90 EUR object_id=d2
    """
    told = story.table(attribution, model="linear")
    assert [(row[0], row[1], row[5]) for row in told.rows] == [
        ("search", 1.0, Decimal("70.10")), (UNTOUCHED, 1.0, Decimal("29.90")),
    ]  # fmt: skip


def test_meetings_with_sales_count_only_where_asked_for(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked    channel=search
    acme  2026-01-05  meeting.held  channel=referral
    acme  2026-01-09  deal.won      object_id=d1
    """
    assert credits_of(story.table(attribution, model="last")) == {"search": 1.0}
    assert credits_of(story.table(attribution, model="last", own_touches="own")) == {OWN: 1.0, "search": 0.0}
    assert credits_of(story.table(attribution, model="last", own_touches="in")) == {"referral": 1.0, "search": 0.0}


def test_an_expansion_is_a_deal_after_the_first(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked     channel=search
    acme  2026-01-05  deal.won       object_id=d1
    acme  2026-02-01  visit.started  channel=mail
    acme  2026-02-05  deal.won       object_id=d2
    """
    table = story.table(attribution, model="linear", milestone="expansion", lookback_days=20)
    assert credits_of(table) == {"mail": 1.0}


def test_the_w_rule_weighs_the_touches_that_led_to_milestones(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked          channel=search
    acme  2026-01-02  visit.started       channel=direct
    acme  2026-01-03  content.downloaded  channel=mail
    acme  2026-01-03  lead.mql
    acme  2026-01-05  event.attended      channel=event
    acme  2026-01-06  deal.opened         object_id=d1
    acme  2026-01-07  visit.started       channel=social
    acme  2026-01-09  deal.won            200.00 EUR object_id=d1
    """
    told = {str(row["channel"]): row["value"] for row in records(story.table(attribution, model="w"))}
    assert told == {"search": 60, "mail": 60, "event": 60, "direct": 10, "social": 10}
    told = {str(row["channel"]): row["value"] for row in records(story.table(attribution, model="full_path"))}
    assert told == {"search": 45, "mail": 45, "event": 45, "social": 45, "direct": 20}


def test_a_milestone_at_the_instant_of_the_win_belongs_to_the_journey_that_it_closes(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked     channel=search
    acme  2026-01-03  visit.started  channel=mail
    acme  2026-01-05  deal.won       200.00 EUR object_id=d1
    acme  2026-01-05  deal.opened    object_id=d1
    """
    told = {str(row["channel"]): row["value"] for row in records(story.table(attribution, model="w"))}
    assert told == {"search": 100, "mail": 100}


def test_by_partner_the_touches_of_nobody_are_a_row(story: Story) -> None:
    """
    acme  2026-01-01  link.clicked   channel=partner partner=pat
    acme  2026-01-02  visit.started  channel=direct
    acme  2026-01-09  deal.won       object_id=d1
    """
    assert credits_of(story.table(attribution, model="linear", by="partner")) == {"pat": 0.5, "(none)": 0.5}


# -- nothing is lost


@pytest.mark.parametrize(("model", "by"), [*((model, "channel") for model in MODELS), ("linear", "campaign")])
def test_credit_adds_up_to_the_conversions_and_money_to_the_cent(model: str, by: str, drawn: Story) -> None:
    table = drawn.table(attribution, model=model, by=by)
    deals, amount = ledger_of(drawn, bookings, "deals", "amount")
    assert sum(float(str(row["credit"])) for row in records(table)) == pytest.approx(deals, abs=1e-9)
    assert sum(Decimal(str(row["value"])) for row in records(table)) == amount
    assert all(
        row["credit_low"] <= row["credit"] <= row["credit_high"]
        for row in records(table)
        if row["credit_low"] is not None
    )


@pytest.mark.parametrize("milestone", get_args(Milestone))
def test_every_milestone_is_shared_out(milestone: str, drawn: Story) -> None:
    table = drawn.table(attribution, model="markov", milestone=milestone)
    if milestone in ("deal.won", "expansion"):
        deals, _ = ledger_of(drawn, bookings, "deals", "amount")
        shared = round(sum(credits_of(table).values()), 6)
        assert shared == deals if milestone == "deal.won" else 0 < shared < deals
        return
    won = [
        fact
        for fact in drawn.facts
        if fact.kind == milestone and fact.keys and fact.occurred_at.replace(tzinfo=None) < AS_OF
    ]
    assert sum(credits_of(table).values()) == pytest.approx(len(won))


def test_renaming_channels_renames_rows_and_nothing_else(drawn: Story) -> None:
    names = {"mail": "zz", "search": "mm", "social": "aa"}
    renamed = Story([replace(f, channel=names.get(f.channel or "", f.channel)) for f in drawn.facts], as_of=AS_OF)
    for model in ("response", "markov", "decay"):
        one, two = (credits_of(told.table(attribution, model=model)) for told in (drawn, renamed))
        assert {names.get(name, name): given for name, given in one.items()} == pytest.approx(two, abs=1e-9)


def test_models_side_by_side_are_the_models_alone(drawn: Story) -> None:
    table = drawn.table(attribution_models)
    assert set(table.columns) == {"channel", *SIDE_BY_SIDE, "disagreement"}
    for model in ("last", "markov", "response"):
        alone = credits_of(drawn.table(attribution, model=model))
        assert {str(row["channel"]): row[model] for row in records(table)} == pytest.approx(alone)
    assert any("disagree most" in warning for warning in table.warnings)


# -- the engine counts as numpy does


def logs(facts: list[Fact], kind: str) -> tuple[tuple[str, ...], Touches, Conversions]:
    """Take touches and conversions out of facts in plain Python."""
    known = [f for f in facts if f.keys and f.occurred_at.replace(tzinfo=None) < AS_OF]
    unit = {id(f): f.keys.get("account.story") or f.keys["person.story"] for f in known}
    units = {name: number for number, name in enumerate(sorted(set(unit.values())))}
    order = sorted(known, key=lambda f: (units[unit[id(f)]], f.occurred_at, f.source, f.id))
    told = [f for f in order if f.kind in TOUCHES and f.channel]
    won = [f for f in order if f.kind == kind]
    names = tuple(sorted({str(f.channel) for f in told}))

    def columns(rows: list[Fact]) -> tuple[Any, Any]:
        at = [int(f.occurred_at.timestamp()) for f in rows]
        return np.array([units[unit[id(f)]] for f in rows]), np.array(at)

    money = np.array([int((f.amount or 0) * 100) for f in won])
    codes = np.array([names.index(str(f.channel)) for f in told])
    return names, Touches(*columns(told), codes), Conversions(*columns(won), money)


@pytest.mark.parametrize("model", [model for model in MODELS if model not in ("w", "full_path", "response")])
def test_the_engine_counts_journeys_as_numpy_does(model: str, drawn: Story) -> None:
    names, touches, won = logs(list(drawn.facts), "lead.mql")
    as_of = int((AS_OF - datetime(1970, 1, 1)).total_seconds())  # noqa: DTZ001
    cut = from_touches(names, touches, won, lookback=200, open_days=30, as_of=as_of)
    made = credit(counted(cut), model, interval="none")
    expected = dict(zip(names, made.credit, strict=True))
    table = drawn.table(attribution, model=model, milestone="lead.mql", lookback_days=200, open_days=30)
    assert {name: given for name, given in credits_of(table).items() if name != UNTOUCHED} == pytest.approx(expected)


def test_accounts_that_nothing_touched_tell_what_comes_anyway(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked       channel=search
    acme  2026-01-05  deal.won         object_id=d1
    bolt  2026-01-01  ad.clicked       channel=search
    bird  2026-01-05  deal.won         object_id=d2
    cole  2026-01-01  account.created
    dora  2026-01-01  account.created
    """
    later = story.until(datetime(2027, 1, 1))  # noqa: DTZ001
    alone, known = (credits_of(later.table(attribution, known_accounts=known)) for known in (False, True))
    assert alone == {"search": 1.0, UNTOUCHED: 1.0}
    assert known[BASELINE] > 1.0  # one of three untouched accounts converted
    assert sum(known.values()) == pytest.approx(2.0)


# -- what cannot be said


@pytest.mark.parametrize("measure", [attribution, attribution_models, channel_return])
def test_without_a_conversion_there_is_a_reason_and_no_row(measure: Any, story: Story) -> None:  # noqa: ANN401
    """
    acme  2026-01-01  ad.clicked  channel=search
    """
    table = story.table(measure)
    assert table.rows == []
    assert "nothing converted" in table.warnings[0]


def test_without_a_journey_that_ended_otherwise_the_response_model_refuses(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked  channel=search
    acme  2026-01-05  deal.won    100.00 EUR object_id=d1
    """
    table = story.table(attribution)
    assert table.rows == []
    assert "both are needed" in table.warnings[0]


@pytest.mark.parametrize("model", [model for model in MODELS if model != "response"])
def test_one_channel_and_one_account_give_all_credit_to_it(model: str, story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked  channel=search
    acme  2026-01-05  deal.won    100.00 EUR object_id=d1
    """
    (row,) = records(story.table(attribution, model=model))
    assert (row["channel"], row["credit"], row["value"]) == ("search", 1.0, Decimal(100))


def test_money_in_several_currencies_is_no_money(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked  channel=search
    acme  2026-01-05  deal.won    100.00 EUR object_id=d1
    bolt  2026-01-01  ad.clicked  channel=search
    bolt  2026-01-05  deal.won    100.00 USD object_id=d2
    """
    table = story.table(attribution, model="last")
    (row,) = records(table)
    assert (row["credit"], row["value"], row["currency"]) == (2.0, None, None)
    assert any("cannot be added up" in warning for warning in table.warnings)


# -- return and paths


def test_return_adds_up_to_spend_and_bookings(drawn: Story) -> None:
    table = drawn.table(channel_return, model="linear")
    cost, value = (sum(row[name] or 0 for row in records(table)) for name in ("cost", "value"))
    assert cost == ledger_of(drawn, spend, "", "spend")[1]
    assert value == ledger_of(drawn, bookings, "deals", "amount")[1]


def test_return_is_profit_over_cost(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked     channel=search
    acme  2026-01-02  visit.started  channel=direct
    acme  2026-01-09  deal.won       1200.00 EUR object_id=d1
    -     2026-01-01  spend.paid     240.00 EUR channel=search
    -     2026-01-01  spend.paid     60.00 EUR channel=fair
    """
    told = {str(row["channel"]): row for row in records(story.table(channel_return, model="linear", margin=0.8))}
    search = told["search"]
    assert (search["cost"], search["profit"], search["roi"]) == (240, 240, pytest.approx(1.0))
    assert (search["cost_per_conversion"], search["payback_months"]) == (480, pytest.approx(6.0))
    assert (told["direct"]["cost"], told["direct"]["roi"]) == (None, None)
    assert (told["fair"]["credit"], told["fair"]["cost"]) == (None, 60)


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        ("path", [("search > mail > search", 1, 1), ("search", 1, 0)]),
        ("length", [("1", 1, 0), ("4", 1, 1)]),
        ("lag", [("0 days", 1, 0), ("1-7 days", 1, 1)]),
    ],
)
def test_paths_name_channels_in_order(show: str, expected: list[Any], story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked     channel=search
    acme  2026-01-02  visit.started  channel=search
    acme  2026-01-03  visit.started  channel=mail
    acme  2026-01-04  visit.started  channel=search
    acme  2026-01-06  deal.won       object_id=d1
    bolt  2026-01-01  ad.clicked     channel=search
    """
    assert [tuple(row.values())[:3] for row in records(story.table(paths, show=show))] == expected


def test_every_journey_is_in_each_view_of_paths(drawn: Story) -> None:
    answers: Callable[[str], int] = lambda show: sum(  # noqa: E731
        int(str(row["journeys"])) for row in records(drawn.table(paths, show=show, most=1000))
    )
    assert answers("path") == answers("length") == answers("lag") > 40
