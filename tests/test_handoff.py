"""Hand-offs: the acts that each state allows, what is due when, who gets them, and that none is ever lost.

The long form: `PLAIT_HANDOFF_STEPS=100000 pytest tests/test_handoff.py`.
"""

import os
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from handing import CARD, MONDAY, at, played, started, two_policies

from plait import desk
from plait.failure import Unfit
from plait.handoff.policy import Policy, adopt_policy, read_policy, with_mode
from plait.handoff.routing import Assignment, Colleague, route
from plait.handoff.state import (
    OPEN,
    STATES,
    HandOff,
    IncompleteAct,
    NotAllowedNow,
    TimeIsOver,
    WrongPolicy,
    accept,
    allowed,
    assign,
    balance,
    create,
    escalations,
    escalations_due,
    expire,
    facts_of,
    pause,
    reject,
    resume,
    touch,
    withdraw,
)

STEPS = int(os.environ.get("PLAIT_HANDOFF_STEPS", "1500"))
SEED = int(os.environ.get("PLAIT_SEED", "6"))


JOINED = MONDAY + timedelta(days=63)


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return read_policy(tmp_path)


def made(policy: Policy, now: datetime = MONDAY, **changes: object) -> HandOff:
    """A hand-off that Sol got 30 minutes after it was made."""
    new = create(started(**changes), policy, now=now).handoff
    return assign(new, policy, to="sol@x.eu", by="plait", now=now + timedelta(minutes=30)).handoff


# ------------------------------------------------------------------------------------------------ one hand-off


def test_a_hand_off_is_due_in_the_receivers_working_time(policy: Policy) -> None:
    """240 minutes from 09:30: three hours till lunch, one hour after; a touch is owed within 480."""
    handoff = made(policy)
    assert (handoff.state, handoff.sender, handoff.receiver) == ("open", "marketing", "sales")
    assert (handoff.due_at, handoff.touch_due_at) == (at("2026-11-23 14:30"), at("2026-11-24 09:30"))
    assert handoff.completeness == 0.75


def test_system_delay_and_human_delay_are_told_apart(policy: Policy) -> None:
    """Captured on Sunday, made on Monday at 9, assigned at 9:30, touched at 10:15."""
    new = create(started(captured_at=at("2026-11-22 09:00")), policy, now=MONDAY)
    given = assign(new.handoff, policy, to="sol@x.eu", by="plait", now=at("2026-11-23 09:30"))
    touched = touch(given.handoff, policy, by="sol@x.eu", now=at("2026-11-23 10:15"))
    assert (given.steps[0].minutes, touched.steps[0].minutes) == (Decimal("1470.00"), Decimal("45.00"))


def test_a_second_assignment_leaves_what_is_due(policy: Policy) -> None:
    handoff = made(policy)
    again = assign(handoff, policy, to="sam@x.eu", by="head@x.eu", now=at("2026-11-23 11:00")).handoff
    assert (again.assignee, again.due_at, again.assigned_at) == ("sam@x.eu", handoff.due_at, handoff.assigned_at)


def test_who_accepts_what_nobody_had_gets_it(policy: Policy) -> None:
    new = create(started(), policy, now=MONDAY).handoff
    change = accept(new, policy, by="sol@x.eu", now=at("2026-11-23 09:10"))
    assert [step.act for step in change.steps] == ["assigned", "accepted"]
    assert (change.handoff.state, change.handoff.assignee, change.handoff.answered_by) == (
        "accepted",
        "sol@x.eu",
        "sol@x.eu",
    )


def test_a_pause_moves_what_is_due_and_nothing_expires_in_it(policy: Policy) -> None:
    stopped = pause(
        made(policy), policy, by="sol@x.eu", why="waits for the address", now=at("2026-11-23 10:00")
    ).handoff
    assert (stopped.due_at, stopped.paused, escalations(stopped, policy)) == (None, True, ())
    with pytest.raises(NotAllowedNow, match="does not expire before"):
        expire(stopped, policy, now=at("2026-12-23 10:00"))
    runs = resume(stopped, policy, by="sol@x.eu", now=at("2026-11-24 10:00")).handoff
    assert (runs.due_at, runs.paused) == (at("2026-11-24 14:30"), False)


def test_accepting_while_the_clock_is_stopped_lets_it_run_and_counts_no_pause(policy: Policy) -> None:
    stopped = pause(made(policy), policy, by="sol@x.eu", why="holiday", now=at("2026-11-23 10:00")).handoff
    done = accept(stopped, policy, by="sol@x.eu", now=at("2026-11-25 10:00"))
    assert done.steps[-1].minutes == Decimal("30.00")
    assert done.handoff.pauses[-1].ends == at("2026-11-25 10:00")


def test_a_machines_message_and_a_strangers_call_are_no_touch(policy: Policy) -> None:
    with pytest.raises(NotAllowedNow, match="a machine sent is no touch"):
        touch(made(policy), policy, by="sol@x.eu", now=MONDAY, automatic=True)
    with pytest.raises(NotAllowedNow, match=r"only sol@x.eu can note a touch"):
        touch(made(policy), policy, by="sam@x.eu", now=MONDAY)


@pytest.mark.parametrize(
    ("reason", "target", "wakes"),
    [("no_budget", "nurture", 90), ("no_fit", "disqualify", None), ("duplicate", "merge", None)],
)
def test_a_reason_says_what_becomes_of_the_account(policy: Policy, reason: str, target: str, wakes: int | None) -> None:
    now = at("2026-11-23 10:00")
    handoff = reject(made(policy), policy, by="sol@x.eu", reason=reason, now=now, note="asked").handoff
    assert (handoff.state, handoff.reason, handoff.recycle_to, handoff.note) == ("rejected", reason, target, "asked")
    assert handoff.wake_at == (now + timedelta(days=wakes) if wakes else None)


def test_a_rerouted_hand_off_opens_a_successor(policy: Policy) -> None:
    change = reject(made(policy), policy, by="sol@x.eu", reason="out_of_territory", now=at("2026-11-23 10:00"))
    assert change.successor is not None
    assert (change.successor.previous, change.successor.state) == (change.handoff.id, "open")
    assert (change.successor.assignee, change.successor.value) == (None, Decimal(12000))


@pytest.mark.parametrize("act", ["expire", "reroute"])
def test_what_nobody_answered_is_not_buried_when_two_departments_become_one_team(policy: Policy, act: str) -> None:
    """Sol did not answer, or must not have it: the successor waits for somebody, and both sides are told."""
    joined, handoff = two_policies()[1], made(policy, JOINED)
    change = (
        expire(handoff, policy, now=JOINED + timedelta(days=2), latest=joined)
        if act == "expire"
        else reject(handoff, policy, by="sol@x.eu", reason="wrong_person", now=JOINED, latest=joined)
    )
    assert change.successor is not None
    assert (change.successor.state, change.successor.mode, change.successor.assignee) == ("open", "joint", None)


def test_nobody_is_unreachable_whom_nobody_tried_to_reach(policy: Policy) -> None:
    handoff = made(policy)
    for hour in range(10, 14):
        handoff = touch(handoff, policy, by="sol@x.eu", now=at(f"2026-11-23 {hour}:00")).handoff
    with pytest.raises(IncompleteAct, match="after 5 attempts within 14 days; so far there are 4"):
        reject(handoff, policy, by="sol@x.eu", reason="unreachable", now=at("2026-11-23 14:10"))
    handoff = touch(handoff, policy, by="sol@x.eu", now=at("2026-11-23 14:05")).handoff
    done = reject(handoff, policy, by="sol@x.eu", reason="unreachable", now=at("2026-11-23 14:10")).handoff
    assert (done.reason, len(done.touches)) == ("unreachable", 5)


def test_a_hand_off_that_nobody_answered_expires_for_good_and_has_a_successor(policy: Policy) -> None:
    """In time at the very instant; a second later it is over, whoever comes then."""
    handoff = made(policy)
    with pytest.raises(NotAllowedNow, match="due at 2026-11-23 14:30 UTC and does not expire before"):
        expire(handoff, policy, now=at("2026-11-23 14:30"))
    assert accept(handoff, policy, by="sol@x.eu", now=at("2026-11-23 14:30")).handoff.state == "accepted"
    late = at("2026-11-23 14:30:01")
    for act in (accept, withdraw):
        with pytest.raises(TimeIsOver, match="the time to answer was over at 2026-11-23 14:30 UTC"):
            act(handoff, policy, by="sol@x.eu", now=late)
    with pytest.raises(TimeIsOver):
        assign(handoff, policy, to="sam@x.eu", by="head@x.eu", now=late)
    change = expire(handoff, policy, now=late)
    assert (change.handoff.state, change.handoff.answered_at) == ("expired", None)
    assert change.successor is not None
    assert (change.successor.previous, change.successor.fallback_used) == (handoff.id, True)
    with pytest.raises(NotAllowedNow, match="the hand-off is expired; allowed now: nothing"):
        accept(change.handoff, policy, by="sol@x.eu", now=late)
    assert allowed(change.handoff, late) == ()


def test_what_came_to_the_fallback_stays_open_and_overdue_until_it_is_answered(policy: Policy) -> None:
    follows = expire(made(policy), policy, now=at("2026-11-24 09:00")).successor
    assert follows is not None
    taken = assign(follows, policy, to="head@x.eu", by="plait", now=at("2026-11-24 09:05"), fallback=True).handoff
    much_later = at("2026-12-24 09:00")
    with pytest.raises(NotAllowedNow, match="fallback hand-offs never do"):
        expire(taken, policy, now=much_later)
    assert accept(taken, policy, by="head@x.eu", now=much_later).handoff.due_at == at("2026-11-24 14:05")


def test_shares_of_the_time_are_told_once_each(policy: Policy) -> None:
    """Half of 240 minutes from 09:30 is 11:30, 80 % is 13:42 after lunch, all is 14:30."""
    handoff = made(policy)
    shares = escalations(handoff, policy)
    assert shares == ((50, at("2026-11-23 11:30")), (80, at("2026-11-23 13:42")), (100, at("2026-11-23 14:30")))
    assert escalations_due(handoff, policy, now=at("2026-11-23 11:29")).steps == ()
    told = escalations_due(handoff, policy, now=at("2026-11-23 14:00"))
    assert [step.minutes for step in told.steps] == [50, 80]
    assert len({step.id for step in told.steps}) == 2
    assert [share for share, _ in escalations(told.handoff, policy)] == [100]


def test_order_stays_right_when_the_clock_jumps_back(policy: Policy) -> None:
    handoff = made(policy)
    an_hour_before = MONDAY - timedelta(hours=1)
    done = accept(handoff, policy, by="sol@x.eu", now=an_hour_before).handoff
    assert done.answered_at == handoff.changed_at + timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"account": " "}, "a hand-off needs account"),
        ({"currency": None}, "needs its currency"),
        ({"currency": "EURO"}, "needs its currency"),
        ({"value": Decimal(-1)}, "the value at stake is -1; give 0 or more"),
        ({"value": Decimal("1e14")}, "below 100000000000000"),
        ({"captured_at": datetime(2026, 11, 23, 9)}, "has no time zone"),  # noqa: DTZ001 - that is what is refused
        ({"type": "leads"}, "no type of hand-off 'leads'; did you mean 'lead'"),
    ],
)
def test_a_hand_off_that_nobody_could_answer_is_refused(policy: Policy, changes: dict[str, object], says: str) -> None:
    with pytest.raises((Unfit, LookupError), match=says):
        create(started(**changes), policy, now=MONDAY)


def test_acts_without_what_they_need_are_refused(policy: Policy) -> None:
    handoff, now = made(policy), at("2026-11-23 10:00")
    with pytest.raises(IncompleteAct, match="name one of: no_fit, "):
        reject(handoff, policy, by="sol@x.eu", reason="", now=now)
    with pytest.raises(IncompleteAct, match="name one of: no_fit, "):
        reject(handoff, policy, by="sol@x.eu", reason="withdrawn", now=now)
    with pytest.raises(LookupError, match="no reason 'no_fits'; did you mean 'no_fit'"):
        reject(handoff, policy, by="sol@x.eu", reason="no_fits", now=now)
    with pytest.raises(IncompleteAct, match="a pause needs a reason"):
        pause(handoff, policy, by="sol@x.eu", why=" ", now=now)
    with pytest.raises(NotAllowedNow, match="resume is not allowed: the hand-off is open; allowed now: accept"):
        resume(handoff, policy, by="sol@x.eu", now=now)


# ------------------------------------------------------------------------------------------------ over time


def test_a_later_policy_never_changes_what_was_due(tmp_path: Path) -> None:
    """The firm shortens its answers to 60 minutes: what was handed over before keeps its 240."""
    old = read_policy(tmp_path)
    handoff = made(old)
    text = old.text.replace("answer_minutes = 240", "answer_minutes = 60")
    new = adopt_policy(tmp_path, text, by="mara@x.eu", why="faster", now=MONDAY)
    with pytest.raises(WrongPolicy, match="made under version 0 of the policy and is judged by it, not by version 1"):
        accept(handoff, new, by="sol@x.eu", now=at("2026-11-23 10:00"))
    stopped = pause(handoff, read_policy(tmp_path, 0), by="sol@x.eu", why="x", now=at("2026-11-23 10:00")).handoff
    runs = resume(stopped, read_policy(tmp_path, 0), by="sol@x.eu", now=at("2026-11-23 10:30")).handoff
    assert runs.due_at == at("2026-11-23 15:00")
    follows = expire(runs, old, now=at("2026-11-23 16:00"), latest=new).successor
    assert follows is not None
    assert (follows.policy_version, follows.due_at) == (1, at("2026-11-23 17:00"))


def test_one_team_waits_for_nothing_and_the_same_owner_goes_on(tmp_path: Path) -> None:
    text = with_mode(read_policy(tmp_path), ("sales", "marketing"), "one_team", MONDAY)
    policy = adopt_policy(tmp_path, text, by="ceo@x.eu", why="one team", now=MONDAY)
    before = create(started(), policy, now=MONDAY - timedelta(minutes=1)).handoff
    change = create(started(key="crm-2", owner="mia@x.eu"), policy, now=MONDAY)
    assert (before.state, before.mode) == ("open", "separate")
    assert [step.act for step in change.steps] == ["created", "assigned", "accepted"]
    done = change.handoff
    assert (done.state, done.answered_by, done.assignee, done.due_at) == ("accepted", "one team", "mia@x.eu", None)


def test_switching_the_mode_loses_nothing_and_rewrites_nothing(tmp_path: Path) -> None:
    """separate, joint, one team, separate again: what was open stays open and is answered by its own policy."""
    kept: list[HandOff] = []
    policy = read_policy(tmp_path)
    for week, mode in enumerate(("separate", "joint", "one_team", "separate")):
        now = MONDAY + timedelta(weeks=week)
        policy = adopt_policy(
            tmp_path, with_mode(policy, ("marketing", "sales"), mode, now), by="ceo@x.eu", why=mode, now=now
        )
        new = create(started(key=f"crm-{week}", owner="mia@x.eu"), policy, now=now).handoff
        kept.append(new)
    assert [one.mode for one in kept] == ["separate", "joint", "one_team", "separate"]
    assert balance(kept) == {"open": 3, "accepted": 1, "rejected": 0, "expired": 0}
    history = [read_policy(tmp_path, 4).mode("sales", "marketing", MONDAY + timedelta(weeks=n)) for n in range(4)]
    assert history == [one.mode for one in kept]
    answered = [
        accept(one, read_policy(tmp_path, one.policy_version), by="sol@x.eu", now=one.changed_at).handoff
        for one in kept
        if one.state == OPEN
    ]
    assert balance(answered)["accepted"] == 3


def test_where_both_sides_agreed_both_are_told(tmp_path: Path) -> None:
    joint = with_mode(read_policy(tmp_path), ("sales", "marketing"), "joint", MONDAY)
    policy = adopt_policy(tmp_path, joint, by="ceo@x.eu", why="agreed", now=MONDAY)
    told = escalations_due(made(policy), policy, now=at("2026-11-23 12:00")).steps
    assert [step.detail["told"] for step in told] == ["sender, receiver"]


def test_no_hand_off_is_lost_whatever_is_done() -> None:
    """Random acts, most of them refused; after each: created = accepted + rejected + expired + open."""
    handoffs: dict[str, HandOff] = {}
    steps: set[str] = set()
    counted, created = dict.fromkeys(STATES, 0), 0
    for number, change in played(STEPS, SEED):
        for one in filter(None, (change.handoff, change.successor)):
            if one.id in handoffs:
                counted[handoffs[one.id].state] -= 1
            counted[one.state] += 1
            handoffs[one.id] = one
        created += sum(step.act == "created" for step in change.steps)
        assert created == len(handoffs) == sum(counted.values()), (SEED, number)
        assert not steps & {step.id for step in change.steps}, (SEED, number)
        steps |= {step.id for step in change.steps}
    assert dict(balance(list(handoffs.values()))) == counted
    assert all(counted.values()) or STEPS < 1000, counted


# ------------------------------------------------------------------------------------------------ facts


def test_steps_become_facts_that_are_the_same_when_told_twice(tmp_path: Path, policy: Policy) -> None:
    """Handed over, rejected for want of budget: seven facts, the last sends the lead back to nurture."""
    home, keys = tmp_path / "home", {"domain": "acme.com"}
    new = create(started(), policy, now=MONDAY)
    given = assign(new.handoff, policy, to="sol@x.eu", by="plait", now=MONDAY)
    done = reject(given.handoff, policy, by="sol@x.eu", reason="no_budget", now=at("2026-11-23 10:00"))
    steps = [*new.steps, *given.steps, *done.steps]
    facts = [fact for step in steps for fact in facts_of(step, done.handoff, policy, keys)]
    for _ in range(2):
        loaded = desk.add(home, facts, name="handoffs", now=at("2026-11-24 00:00"))
    assert (loaded[0].added, loaded[0].known) == (0, 4)
    told = [(fact.kind, fact.owner, fact.text, fact.amount, fact.quantity) for fact in facts]
    assert told == [
        ("handoff.created", None, "lead", Decimal(12000), None),
        ("handoff.assigned", "sol@x.eu", None, None, Decimal("0.00")),
        ("handoff.rejected", "sol@x.eu", "no_budget", None, Decimal("60.00")),
        ("lead.recycled", "sol@x.eu", "no_budget", None, None),
    ]
    detail = {name: facts[0].detail[name] for name in ("type", "sender", "receiver", "due", "completeness", "by")}
    assert detail == {"type": "lead", "sender": "marketing", "receiver": "sales", "due": "2026-11-23 14:00:00",
                      "completeness": "0.7500", "by": "mara@x.eu"}  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "act", "kind"),
    [("lead", "accepted", "lead.sal"), ("lead", "no_fit", "lead.disqualified"), ("lead", "duplicate", None),
     ("onboarding", "accepted", None)],
)  # fmt: skip
def test_an_answer_is_a_fact_of_the_stage_where_the_policy_says_so(
    policy: Policy, type_: str, act: str, kind: str | None
) -> None:
    handoff, now = made(policy, type=type_), at("2026-11-23 10:00")
    done = (
        accept(handoff, policy, by="sol@x.eu", now=now)
        if act == "accepted"
        else reject(handoff, policy, by="sol@x.eu", reason=act, now=now)
    )
    facts = facts_of(done.steps[-1], done.handoff, policy, {"domain": "acme.com"})
    assert [fact.kind for fact in facts[1:]] == ([kind] if kind else [])


# ------------------------------------------------------------------------------------------------ who gets it

SOL, SAM = "sol@x.eu", "sam@x.eu"
TEAM = (
    Colleague(name=SOL, department="sales", last_assigned_at=at("2026-11-20 10:00")),
    Colleague(name=SAM, department="sales", last_assigned_at=at("2026-11-19 10:00")),
    Colleague(name="head@x.eu", department="sales", last_assigned_at=at("2026-11-21 10:00")),
    Colleague(name="mara@x.eu", department="marketing"),
)
LARGE = """
[[routes]]
name = "Large"
types = ["lead"]
where = { segment = ["enterprise"] }
at_least = 10000
to = ["big@x.eu", "sol@x.eu"]
"""


def found(policy: Policy, *team: Colleague, owner: str | None = None, **changes: object) -> Assignment:
    known = {one.name: one for one in (*TEAM, *team)}
    handoff = create(started(**changes), policy, now=MONDAY).handoff
    return route(handoff, policy, list(known.values()), owner=owner, head="head@x.eu")


def test_whoever_was_served_longest_ago_gets_it(policy: Policy) -> None:
    assert found(policy) == Assignment(SAM, "served longest ago in sales")
    newcomer = Colleague(name="new@x.eu", department="sales")
    assert found(policy, newcomer).assignee == "new@x.eu"


def test_the_first_rule_that_fits_comes_before_the_owner(tmp_path: Path) -> None:
    policy = adopt_policy(tmp_path, read_policy(tmp_path).text + LARGE, by="x", why="x", now=MONDAY)
    large = {**CARD, "segment": "Enterprise"}
    assert found(policy, owner=SAM, context=large).because == "rule 'Large'"
    assert found(policy, owner=SAM, context=large).passed_over == ("big@x.eu: nobody of this name has an account here",)
    assert found(policy, owner=SAM, context=large, value=Decimal(9999)).because == "owner of the account"
    assert found(policy, owner=SAM, context=large, value=None, currency=None).assignee == SAM
    assert found(policy, owner=SAM).assignee == SAM


def test_somebody_without_room_is_passed_over(policy: Policy) -> None:
    full = Colleague(name=SAM, department="sales", capacity=3, open=3)
    assert found(policy, full, owner=SAM) == Assignment(
        SOL, "served longest ago in sales", ("sam@x.eu: has 3 open hand-offs, and room for 3",)
    )


@pytest.mark.parametrize(
    ("gone", "why"),
    [
        (Colleague(name=SAM, department="sales", active=False), "sam@x.eu: has left"),
        (
            Colleague(name=SAM, department="sales", away_until=date(2026, 12, 1)),
            "sam@x.eu: is away until 2026-12-01",
        ),
    ],
)
def test_a_leavers_accounts_go_to_the_fallback_with_an_alert(policy: Policy, gone: Colleague, why: str) -> None:
    got = found(policy, gone, owner=SAM)
    assert (got.assignee, got.fallback, got.passed_over) == ("head@x.eu", True, (why,))
    assert got.because == "fallback: the account's owner sam@x.eu is not there"
    assert found(policy, gone).assignee == SOL  # without owner only the colleague is passed over


def test_where_nobody_is_left_it_is_said(policy: Policy) -> None:
    gone = [replace(one, active=False) for one in TEAM]
    assert found(policy, *gone) == Assignment(
        None,
        "nobody, not even a fallback: nobody of sales is there with room for it",
        ("sol@x.eu: has left", "sam@x.eu: has left", "head@x.eu: has left"),
        fallback=True,
    )
