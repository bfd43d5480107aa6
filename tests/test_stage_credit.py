"""Stage credit: each won deal is traced back through its stages, and nothing of it is lost on the way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from stories import Story, draw_facts

from plait.facts import Fact
from plait.measure import Table
from plait.measures._credit import BASELINE
from plait.measures._journeys import TOUCHES, Asked, conversions
from plait.measures.pipeline import bookings
from plait.measures.stage_credit import MARKS, STAGES, stage_credit

AS_OF = datetime(2025, 6, 1)  # noqa: DTZ001 - measures see naive UTC
LATER = datetime(2026, 6, 1)  # noqa: DTZ001
ROLES = ("introduce", "influence", "close")


def told(table: Table) -> dict[str, dict[str, Any]]:
    """Give each channel's row."""
    return {str(row["channel"]): row for row in table.records()}


def credits_of(table: Table) -> dict[str, Any]:
    """Give each channel's won deals, without the last digits."""
    return {name: pytest.approx(row["credit"], abs=1e-7) for name, row in told(table).items()}


def stages_of(table: Table) -> list[tuple[int, int]]:
    """Give how many entered each stage and how many of them advanced, as the remarks say."""
    found = [re.search(r"^Stage .*: (\d+) entered, (\d+) of them advanced", remark) for remark in table.warnings]
    return [(int(one[1]), int(one[2])) for one in found if one]


# -- what a stage earns


def test_a_stage_earns_by_how_much_it_raises_the_chance_of_being_won(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked     channel=search
    acme  2026-01-03  lead.mql
    acme  2026-01-05  visit.started  channel=mail
    acme  2026-01-09  deal.won       100.01 EUR object_id=d1
    bolt  2026-01-01  ad.clicked     channel=search
    bolt  2026-01-03  lead.mql
    bolt  2026-01-05  visit.started  channel=mail
    cole  2026-01-01  ad.clicked     channel=search
    dora  2026-01-01  ad.clicked     channel=search
    """
    # Two of four become a lead and one of these is won: 1/4 anyway, from there to 1/2 by search, from 1/2 to 1 by mail.
    table = story.until(LATER).table(stage_credit)
    assert stages_of(table) == [(4, 2), (2, 1), (1, 1), (1, 1), (1, 1)]
    assert credits_of(table) == {"mail": 0.5, "search": 0.25, BASELINE: 0.25}
    quarter, half = Decimal("25.00"), Decimal("50.01")
    assert [(row["channel"], row["value"], *(row[role] for role in ROLES)) for row in table.records()] == [
        ("mail", half, 0, half, 0),
        ("search", quarter, quarter, 0, 0),
        (BASELINE, quarter, None, None, None),
    ]


def test_a_skipped_milestone_is_reached_with_the_next(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked     channel=search
    acme  2026-01-03  deal.opened    object_id=d1
    acme  2026-01-05  visit.started  channel=mail
    acme  2026-01-09  deal.won       300.00 EUR object_id=d1
    bolt  2026-01-01  ad.clicked     channel=search
    bolt  2026-01-03  deal.opened    object_id=d2
    bolt  2026-01-04  lead.sal
    bolt  2026-01-05  visit.started  channel=mail
    cole  2026-01-01  ad.clicked     channel=search
    """
    # The lead that sales accepted late changes nothing: it had come further by then.
    table = story.until(LATER).table(stage_credit)
    assert stages_of(table) == [(3, 2), (2, 2), (2, 2), (2, 2), (2, 1)]
    assert credits_of(table) == {"mail": 1 / 2, "search": 1 / 6, BASELINE: 1 / 3}
    assert told(table)["mail"]["close"] == 150
    assert told(table)["search"]["introduce"] == 50


def test_a_touch_at_the_instant_of_a_milestone_belongs_to_the_next_stage(story: Story) -> None:
    """
    acme  2026-01-01T09:00  ad.clicked     channel=search
    acme  2026-01-03T09:00  visit.started  channel=mail id=0
    acme  2026-01-03T09:00  deal.opened    object_id=d1 id=1
    acme  2026-01-09T09:00  deal.won       100.00 EUR object_id=d1
    bolt  2026-01-01T09:00  ad.clicked     channel=search
    bolt  2026-01-03T09:00  deal.opened    object_id=d2
    cole  2026-01-01T09:00  ad.clicked     channel=search
    """
    row = told(story.until(LATER).table(stage_credit))["mail"]
    assert (row["introduce"], row["influence"], row["close"]) == (0, 0, 50)


def test_a_milestone_at_the_instant_of_the_win_belongs_to_the_journey_that_it_closes(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked   channel=search
    acme  2026-01-09  deal.won     100.00 EUR object_id=d1
    acme  2026-01-09  deal.opened  object_id=d1
    bolt  2026-01-01  ad.clicked   channel=search
    """
    assert stages_of(story.until(LATER).table(stage_credit)) == [(2, 1), *[(1, 1)] * 4]


def test_what_advances_without_a_touch_tells_what_comes_anyway(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked     channel=search
    acme  2026-01-03  lead.mql
    acme  2026-01-05  visit.started  channel=mail
    acme  2026-01-09  deal.won       100.00 EUR object_id=d1
    bolt  2026-01-03  lead.mql
    bolt  2026-01-09  deal.won       100.00 EUR object_id=d2
    cole  2026-01-03  lead.mql
    dora  2026-01-09  deal.won       100.00 EUR object_id=d3
    """
    # Leads: of three without a touch two were won (dora's passed in an instant), of one with mail one. All three wins
    # were touched, or not, at once (3 of 3); a lead is won with a chance of 3/4, and of the quarter that its stage adds
    # to acme's deal mail has what the two of three do not explain: 1/3.
    table = story.until(LATER).table(stage_credit)
    assert stages_of(table) == [(3, 3), (4, 3), *[(3, 3)] * 3]
    assert credits_of(table) == {"mail": 1 / 4 * 1 / 3, "search": 0, BASELINE: 3 - 1 / 12}


def test_the_second_deal_of_an_account_is_a_journey_of_its_own(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked     channel=search
    acme  2026-01-05  deal.won       100.00 EUR object_id=d1
    acme  2026-01-05  visit.started  channel=mail
    acme  2026-01-07  deal.opened    object_id=d2
    acme  2026-01-09  deal.won       50.00 EUR object_id=d2
    bolt  2026-01-01  ad.clicked     channel=search
    cole  2026-01-01  ad.clicked     channel=mail
    """
    # Two of four: each channel half of what was won by it, and half would have come anyway.
    table = story.until(LATER).table(stage_credit)
    assert stages_of(table)[0] == (4, 2)
    assert {name: row["value"] for name, row in told(table).items()} == {"search": 50, "mail": 25, BASELINE: 75}


# -- what counts


def test_a_journey_that_may_go_on_counts_where_it_has_advanced_only(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked  channel=search
    acme  2026-01-05  deal.won    100.00 EUR object_id=d1
    bolt  2026-01-01  ad.clicked  channel=search
    cole  2026-01-01  ad.clicked  channel=search
    cole  2026-04-28  lead.mql
    dora  2026-04-29  ad.clicked  channel=search
    """
    young = story.until(datetime(2026, 5, 1)).table(stage_credit, open_days=10)  # noqa: DTZ001
    assert stages_of(young) == [(3, 2), *[(1, 1)] * 4]
    assert any("2 journeys may still go on" in warning for warning in young.warnings)
    old = story.until(LATER).table(stage_credit, open_days=10)
    assert stages_of(old) == [(4, 2), (2, 1), *[(1, 1)] * 3]
    assert not any("may still go on" in warning for warning in old.warnings)


def test_touches_beyond_the_lookback_earn_nothing(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked     channel=search
    acme  2026-01-15  visit.started  channel=mail
    acme  2026-01-20  deal.won       100.00 EUR object_id=d1
    bolt  2026-01-15  visit.started  channel=mail
    """
    assert credits_of(story.until(LATER).table(stage_credit, lookback_days=10)) == {"mail": 0.5, BASELINE: 0.5}


def test_a_period_keeps_the_journeys_that_ended_in_it(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked  channel=search
    acme  2026-01-05  deal.won    100.00 EUR object_id=d1
    bolt  2026-01-02  ad.clicked  channel=search
    cole  2026-02-01  ad.clicked  channel=mail
    cole  2026-02-05  deal.won    700.00 EUR object_id=d2
    dora  2025-12-30  ad.clicked  channel=mail
    """
    table = story.until(LATER).table(stage_credit, since="2026-01-01", until="2026-02-01")
    assert {name: row["value"] for name, row in told(table).items()} == {"search": 50, BASELINE: 50}


# -- nothing is lost


@pytest.fixture(scope="module")
def drawn() -> Story:
    """Facts of forty accounts over three years, those of nobody left out; all seen up to `AS_OF`."""
    return Story([fact for fact in draw_facts(11, count=4_000) if fact.keys], as_of=AS_OF)


@pytest.mark.parametrize("by", ["channel", "partner"])
def test_credit_adds_up_to_the_won_deals_and_money_to_the_cent(by: str, drawn: Story) -> None:
    table, ledger = drawn.table(stage_credit, by=by), drawn.table(bookings, by="all").records()
    rows = table.records()
    assert len(rows) > 2
    assert sum(float(str(row["credit"])) for row in rows) == pytest.approx(
        sum(int(str(row["deals"])) for row in ledger)
    )
    assert sum(row["value"] for row in rows) == sum(row["amount"] or 0 for row in ledger) > 0  # type: ignore[misc]
    for row in rows[:-1]:
        assert sum(row[role] for role in ROLES) == row["value"]  # type: ignore[misc]
        assert 0 <= row["credit_low"] <= row["credit"] <= row["credit_high"]  # type: ignore[operator]
    assert rows[-1]["channel"] == BASELINE


def test_renaming_channels_renames_rows_and_nothing_else(drawn: Story) -> None:
    names = {"mail": "zz", "search": "mm", "social": "aa"}
    renamed = Story([replace(f, channel=names.get(f.channel or "", f.channel)) for f in drawn.facts], as_of=AS_OF)
    one, two = drawn.table(stage_credit), renamed.table(stage_credit)
    assert {names.get(name, name): given for name, given in credits_of(one).items()} == credits_of(two)
    assert stages_of(one) == stages_of(two)


# -- the engine counts as plain Python does


def journeys_of(drawn: Story, asked: Asked) -> Iterator[list[tuple[datetime, int, str]]]:
    """Cut what happened to each unit at its won deals: instant, order at one instant, and a channel or a milestone."""
    won = conversions(drawn.seen(), asked)
    happened: dict[str, list[tuple[datetime, int, str]]] = {}
    for unit, at in drawn.rows(won.select("unit", "occurred_at")):
        happened.setdefault(unit, []).append((at, 1, "deal.won"))
    for fact in drawn.facts:
        at, unit = fact.occurred_at.replace(tzinfo=None), _unit_of(fact)
        if at < AS_OF and fact.kind in MARKS:
            happened.setdefault(unit, []).append((at, 0, fact.kind))
        elif at < AS_OF and fact.kind in TOUCHES and fact.channel:
            happened.setdefault(unit, []).append((at, 2, fact.channel))
    for steps in happened.values():
        journey: list[tuple[datetime, int, str]] = []
        for step in sorted(steps):
            journey.append(step)
            if step[2] == "deal.won":
                yield journey
                journey = []
        if journey:
            yield journey


def _unit_of(fact: Fact) -> str:
    return fact.keys.get("account.story") or fact.keys["person.story"]


def entries_of(journey: list[tuple[datetime, int, str]], asked: Asked) -> Iterator[tuple[str, frozenset[str], bool]]:
    """Give the stages that a journey entered: stage, channels met in it, and whether it advanced."""
    order = (*MARKS, "deal.won")
    won = journey[-1][2] == "deal.won"
    touched = [at for at, turn, _ in journey if turn == 2]
    end = journey[-1][0] if won else max(touched, default=AS_OF)
    touches = [(at, name) for at, turn, name in journey if turn == 2 and end - at <= timedelta(asked.lookback_days)]
    first = {name: min(at for at, _, told in journey if told == name) for _, turn, name in journey if turn < 2}
    reached = [min((first[name] for name in order[place:] if name in first), default=None) for place in range(5)]
    begun = [min((at for at, _ in touches), default=end if won else None), *reached[:-1]]
    over = won or AS_OF - max(at for at, *_ in journey) >= timedelta(asked.open_days or 0)
    for stage, since, until in zip(STAGES, begun, reached, strict=True):
        if since is not None and (until is not None or over):
            met = frozenset(name for at, name in touches if since <= at and (until is None or at < until))
            yield stage, met, until is not None


def test_the_engine_counts_stages_as_plain_python_does(drawn: Story) -> None:
    asked = Asked("deal.won", "channel", "account", 100, 30, "out", None, None)
    entries = [entry for journey in journeys_of(drawn, asked) for entry in entries_of(journey, asked)]
    expected, advanced = Counter(entry[:2] for entry in entries), Counter(entry[:2] for entry in entries if entry[2])
    rows = stage_credit.answer(drawn.seen(), stage_credit.read_options({"lookback_days": 100, "open_days": 30})).rows
    counted = drawn.con.to_pyarrow(rows).to_pylist()
    names = {row["a"]: row["name"] for row in counted if row["what"] == "channel"}
    n, k = Counter[Any](), Counter[Any]()
    for row in counted:
        if row["what"] == "set":
            key = STAGES[row["b"]], frozenset(name for code, name in names.items() if row["a"] >> code & 1)
            n[key] += row["n"]
            k[key] += row["k"]
    assert len(n) > 12
    assert n == expected
    assert +k == advanced


# -- what cannot be said


def test_without_a_won_deal_there_is_a_reason_and_no_row(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked  channel=search
    acme  2026-01-03  lead.mql
    """
    table = story.table(stage_credit)
    assert table.rows == []
    assert "no deal was won" in table.warnings[0]


def test_without_a_journey_that_was_not_won_there_is_a_reason_and_no_row(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked  channel=search
    acme  2026-01-05  deal.won    100.00 EUR object_id=d1
    """
    table = story.table(stage_credit)
    assert table.rows == []
    assert "were won" in table.warnings[0]


def test_without_any_touch_all_would_have_come_anyway(story: Story) -> None:
    """
    acme  2026-01-05  deal.won  100.00 EUR object_id=d1
    bolt  2026-01-05  lead.mql
    """
    table = story.table(stage_credit, open_days=10)
    assert [row[:5] for row in table.rows] == [(BASELINE, 1.0, None, None, Decimal(100))]


def test_money_in_several_currencies_is_no_money(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked  channel=search
    acme  2026-01-05  deal.won    100.00 EUR object_id=d1
    bolt  2026-01-01  ad.clicked  channel=search
    bolt  2026-01-05  deal.won    100.00 USD object_id=d2
    cole  2026-01-01  ad.clicked  channel=search
    """
    table = story.table(stage_credit)
    assert credits_of(table) == {"search": pytest.approx(2 / 3), BASELINE: pytest.approx(4 / 3)}
    assert all(row[4:] == (None,) * 5 for row in table.rows)
    assert any("cannot be added up" in warning for warning in table.warnings)


def test_deals_without_an_amount_are_credited_without_money(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked  channel=search
    acme  2026-01-05  deal.won    object_id=d1
    bolt  2026-01-01  ad.clicked  channel=search
    """
    (search, anyway) = story.table(stage_credit).rows
    assert (search[:2], anyway[:2]) == (("search", 0.5), (BASELINE, 0.5))
    assert search[4:] == anyway[4:] == (None,) * 5


def test_by_campaign_the_touches_of_none_are_a_row(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked     channel=search campaign=spring
    acme  2026-01-02  visit.started  channel=direct
    acme  2026-01-05  deal.won       object_id=d1
    bolt  2026-01-01  ad.clicked     channel=search campaign=spring
    """
    assert set(told(story.table(stage_credit, by="campaign"))) == {"spring", "(none)", BASELINE}
