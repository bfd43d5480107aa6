from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from stories import RECORDED, Story, draw_facts

from plait.facts import KINDS as VOCABULARY
from plait.facts import Fact
from plait.measures._stages import ledger
from plait.measures.lifecycle import stage_flow, stage_stock
from plait.stages import shipped

ORDER = shipped().order
LIFE, ANSWERED, LEAD = (shipped().signal(name).kinds for name in ("alive", "answered", "lead"))
ACCEPTED, RELEASED = shipped().signal("accepted").kinds, shipped().signal("accepted").over
OWN_ACTS = set(VOCABULARY) - set(LIFE)


def stages(story: Story, day: str) -> dict[str, int]:
    """Which stages are not empty when a day begins."""
    rows = story.until(date.fromisoformat(day)).table(stage_stock).rows
    return {str(row[1]): int(str(row[2])) for row in rows if row[2]}


def moves(story: Story) -> list[tuple[str, str, str]]:
    """Every move as (day, from, to), in time."""
    stays = ledger(story.seen())
    name = [*ORDER, "(new)"]
    rows = story.rows(stays.select("from_on", "from_stage", "stage", "from_at").order_by("from_at"))
    return [(str(on), name[-1 if left is None else left], name[entered]) for on, left, entered, _ in rows]


def test_an_account_goes_round_the_cycle(story: Story) -> None:
    """
    acme  2025-01-01  visit.started
    acme  2025-01-02  form.submitted
    acme  2025-01-03  lead.mql
    acme  2025-01-04  lead.sal
    acme  2025-01-05  deal.opened  object_id=d1
    acme  2025-02-01  deal.won     object_id=d1
    """
    assert moves(story.until(date(2025, 3, 1))) == [
        ("2025-01-01", "(new)", "attract"),
        ("2025-01-02", "attract", "capture"),
        ("2025-01-03", "capture", "nurture"),
        ("2025-01-04", "nurture", "convert"),
        ("2025-02-01", "convert", "expand"),
    ]


def test_sales_may_give_a_lead_back_or_close_it_for_good(story: Story) -> None:
    """
    acme  2025-01-01  lead.sal
    acme  2025-01-05  lead.recycled
    bolt  2025-01-01  lead.sal
    bolt  2025-01-05  lead.disqualified
    cole  2025-01-01  lead.disqualified
    cole  2025-01-05  lead.created
    """
    assert stages(story, "2025-02-01") == {"nurture": 2, "disqualified": 1}


def test_a_lost_deal_leads_back_to_nurture_unless_another_is_open(story: Story) -> None:
    """
    acme  2025-01-01  deal.opened  object_id=d1
    acme  2025-01-05  deal.lost    object_id=d1
    bolt  2025-01-01  deal.opened  object_id=d2
    bolt  2025-01-02  deal.opened  object_id=d3
    bolt  2025-01-05  deal.lost    object_id=d2
    """
    assert stages(story, "2025-02-01") == {"nurture": 1, "convert": 1}


def test_a_contract_that_ends_ends_the_customer(story: Story) -> None:
    """
    acme  2025-01-01  deal.won              object_id=d1
    acme  2025-01-10  subscription.started  100 EUR  object_id=c1
    acme  2025-01-10  subscription.started  100 EUR  object_id=c2
    acme  2025-03-01  subscription.ended    object_id=c1
    acme  2025-04-01  subscription.ended    object_id=c2
    acme  2025-04-05  payment.received      100 EUR
    """
    assert stages(story, "2025-03-15") == {"expand": 1}
    assert stages(story, "2025-04-10") == {"former_customer": 1}


def test_an_order_makes_a_customer_for_a_year(story: Story) -> None:
    """
    acme  2025-01-01T08:00  order.placed  100 EUR  object_id=o1
    acme  2025-03-01T08:00  order.placed  100 EUR  object_id=o2
    bolt  2025-03-01T08:00  payment.received  100 EUR
    """
    assert stages(story, "2026-03-01") == {"expand": 2}
    assert stages(story, "2026-03-02") == {"former_customer": 2}


def test_a_former_customer_is_won_back_through_nurture_and_convert(story: Story) -> None:
    """
    acme  2025-01-01  lead.mql
    acme  2025-02-01  subscription.started  100 EUR  object_id=c1
    acme  2025-03-01  lead.created
    acme  2025-04-01  subscription.ended    object_id=c1
    acme  2025-05-01  lead.created
    acme  2025-06-01  deal.opened  object_id=d1
    acme  2025-07-01  deal.won     object_id=d1
    """
    assert moves(story.until(date(2025, 8, 1)))[1:] == [
        ("2025-02-01", "nurture", "expand"),
        ("2025-04-01", "expand", "former_customer"),
        ("2025-05-01", "former_customer", "nurture"),
        ("2025-06-01", "nurture", "convert"),
        ("2025-07-01", "convert", "expand"),
    ]


def test_silence_makes_dormant_and_our_own_messages_do_not_wake(story: Story) -> None:
    """
    acme  2025-01-01  lead.mql
    acme  2025-05-01  message.sent
    acme  2025-12-01  visit.started
    """
    assert moves(story.until(date(2026, 1, 1))) == [
        ("2025-01-01", "(new)", "nurture"),
        ("2025-06-30", "nurture", "dormant"),
        ("2025-12-01", "dormant", "nurture"),
    ]


def test_an_open_deal_and_a_running_contract_never_go_dormant(story: Story) -> None:
    """
    acme  2022-01-01  deal.opened  object_id=d1
    bolt  2022-01-01  subscription.started  100 EUR  object_id=c1
    """
    assert stages(story, "2025-02-01") == {"convert": 1, "expand": 1}


def test_a_correction_holds_until_the_rule_changes_its_mind(story: Story) -> None:
    """
    acme  2025-01-01  lead.mql
    acme  2025-01-05  stage.set  text=Convert
    acme  2025-02-01  lead.mql
    acme  2025-03-01  deal.won  object_id=d1
    bolt  2025-01-01  lead.mql
    bolt  2025-01-05  stage.set  text=hot  id=hot
    """
    assert stages(story, "2025-02-15") == {"convert": 1, "nurture": 1}
    assert stages(story, "2025-03-15") == {"expand": 1, "nurture": 1}
    warnings = story.table(stage_stock).warnings
    assert warnings == ["1 corrections (stage.set) name no stage and are passed over: hot."]


def test_month_ends_are_shown_also_where_nothing_moved(story: Story) -> None:
    """
    acme  2025-01-31T23:00  order.placed  100 EUR  object_id=o1
    bolt  2025-03-01  visit.started
    """
    rows = story.until(date(2025, 3, 20)).table(stage_stock, by="month").rows
    days = [date(2025, 1, 31), date(2025, 2, 28), date(2025, 3, 20)]
    assert [(row[0], row[2], row[3]) for row in rows if row[1] == "expand"] == list(
        zip(days, [1, 1, 1], [1, 1, 0.5], strict=True)
    )
    assert [(row[0], row[2]) for row in rows if row[1] == "attract"] == list(zip(days, [0, 0, 1], strict=True))


def test_moves_are_counted_by_month_and_direction(story: Story) -> None:
    """
    acme  2025-01-01  lead.mql
    acme  2025-02-01  lead.sal
    acme  2025-02-02  lead.recycled
    acme  2025-02-03  lead.sal
    """
    assert story.until(date(2025, 3, 1)).table(stage_flow).rows == [
        ("2025-01", "(new)", "nurture", "forward", 1, 1),
        ("2025-02", "nurture", "convert", "forward", 2, 1),
        ("2025-02", "convert", "nurture", "back", 1, 1),
    ]


def test_what_we_do_ourselves_is_no_sign_of_life() -> None:
    assert not set(LIFE) & set(OWN_ACTS)
    assert {"visit.started", "ticket.opened", "product.used", "order.placed"} <= set(LIFE)
    assert {"spend.paid", "message.sent", "offer.made", "stage.set"} <= set(OWN_ACTS)
    assert {"account.created", "trial.started", "nps.answered"} <= set(ANSWERED)


@pytest.mark.parametrize("seed", range(3))
def test_stays_leave_no_hole_and_two_in_a_row_differ(seed: int) -> None:
    story = Story(draw_facts(seed), as_of=datetime(2027, 1, 1, 12))  # noqa: DTZ001
    stays = ledger(story.seen()).order_by("account", "from_at")
    rows = story.rows(stays.select("account", "stage", "from_stage", "from_at", "to_at", "from_on", "to_on"))
    for one, two in pairwise(rows):
        follows = one[0] == two[0]
        assert (one[4], one[6]) == ((two[3], two[5]) if follows else (None, None))
        assert two[2] == (one[1] if follows else None)
        assert not follows or (one[1] != two[1] and one[3] < two[3])
    assert len({row[0] for row in rows}) == 40


KINDS = (
    *("visit.started", "form.submitted", "message.sent", "meeting.held", "stage.set", "order.placed"),
    *("lead.mql", "lead.sal", "lead.recycled", "lead.disqualified", "deal.opened", "deal.won", "deal.lost"),
    *("subscription.started", "subscription.ended", "payment.received"),
)
unhurried = settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ],  # a query takes half a second: making failures small takes hours
)
HAPPENED = st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 900), st.sampled_from(KINDS), st.sampled_from("12"))


def facts_of(drawn: Iterable[tuple[str, int, str, str]]) -> list[Fact]:
    start = datetime(2023, 1, 1, tzinfo=UTC)
    return [
        Fact(
            source="story",
            id=f"{number:03}",
            kind=kind,
            occurred_at=start + timedelta(days=day),
            recorded_at=RECORDED,
            keys={"account.story": account},
            object_id=f"{kind.split('.', maxsplit=1)[0]}{thing}",
            text="convert" if kind == "stage.set" else None,
        )
        for number, (account, day, kind, thing) in enumerate(drawn)
    ]


@unhurried
@given(drawn=st.lists(HAPPENED, max_size=160), after=st.integers(1, 1_400))
def test_stocks_and_flows_agree(drawn: list[tuple[str, int, str, str]], after: int) -> None:
    """Stock at the end = stock at the start + in - out, for each stage; stocks add up to the accounts seen."""
    story = Story(facts_of(drawn), as_of=datetime(2023, 1, 1) + timedelta(days=after))  # noqa: DTZ001
    change: Counter[tuple[str, str]] = Counter()
    for month, left, entered, _, count, _ in story.table(stage_flow).rows:
        change[str(month), str(entered)] += int(str(count))
        change[str(month), str(left)] -= int(str(count))
    stocks = story.table(stage_stock, by="month").rows
    before = dict.fromkeys(ORDER, 0)
    for day, stage, accounts, _ in stocks:
        assert accounts == before[str(stage)] + change[str(day)[:7], str(stage)]
        before[str(stage)] = int(str(accounts))
    seen = {fact.keys["account.story"] for fact in story.facts if fact.occurred_at.replace(tzinfo=None) < story.as_of}
    assert sum(before.values()) == len(seen)


@unhurried
@given(drawn=st.lists(HAPPENED, max_size=120), after=st.integers(1, 1_400))
def test_the_ledger_agrees_with_a_rule_walked_by_hand(drawn: list[tuple[str, int, str, str]], after: int) -> None:
    """The same rule as plain Python, asked anew every day, finds the same stage."""
    drawn = [one for one in drawn if one[2] != "stage.set"]
    story = Story(facts_of(drawn), as_of=datetime(2023, 1, 1) + timedelta(days=after))  # noqa: DTZ001
    rows = story.rows(ledger(story.seen()).select("account", "stage", "from_at", "to_at"))
    for account in "abcdefgh":
        for day in {0, *range(0, after, 7), after - 1}:
            at = datetime(2023, 1, 1) + timedelta(days=day)  # noqa: DTZ001
            stays = [row for row in rows if row[0] == account and row[2] <= at]
            found = [ORDER[row[1]] for row in stays if row[3] is None or at < row[3]]
            assert found == walk([one[1:] for one in drawn if one[0] == account and one[1] <= day], day)


def walk(steps: list[tuple[int, str, str]], now: int) -> list[str]:
    """Give the stage on day `now` after these steps, or nothing when there are none."""
    if not steps:
        return []
    never, on = -10_000, dict[tuple[str, str], bool]()
    last = dict.fromkeys(("order", "paid", "won", "ended", "lead", "accepted", "answered"), never)
    last["life"] = min(steps)[0]
    accepted = disqualified = contracted = False
    for day, kind, thing in sorted(steps, key=lambda step: step[0]):
        subject, verb = kind.split(".")
        names = {"order.placed": "order", "payment.received": "paid", "deal.won": "won"}
        last |= {names[kind]: day} if kind in names else {}
        last |= {"life": day} if kind not in OWN_ACTS else {}
        last |= {"lead": day} if kind in LEAD else {}
        last |= {"accepted": day} if kind in ACCEPTED else {}
        last |= {"answered": day} if kind in ANSWERED else {}
        if kind == "subscription.ended" and on.get((subject, thing), True):
            last["ended"] = day
        if subject in ("deal", "subscription"):
            on[subject, thing] = verb in ("opened", "started")
        contracted = contracted or subject == "subscription"
        accepted = (accepted or kind in ACCEPTED) and kind not in RELEASED
        disqualified = (disqualified or kind == "lead.disqualified") and kind not in LEAD
    left = max(last["order"] + 365, last["ended"])
    left = max(left, last["won"] + 365) if last["won"] > last["ended"] else left
    left = left if contracted else max(left, last["paid"] + 365)
    awake = last["life"] + 180 > now
    if left > now or any(on[key] for key in on if key[0] == "subscription"):
        return ["expand"]
    if any(on[key] for key in on if key[0] == "deal") or (accepted and awake and last["accepted"] > last["order"]):
        return ["convert"]
    if last["lead"] > never and not disqualified and awake and (left < 0 or last["lead"] >= left):
        return ["nurture"]
    if left >= 0:
        return ["former_customer"]
    if disqualified:
        return ["disqualified"]
    if not awake:
        return ["dormant"]
    return ["capture"] if last["answered"] > never else ["attract"]
