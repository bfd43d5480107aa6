"""Stage rules as data: what may be said, what is refused and why, and that versions are kept for ever."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from homes import NOW, stored
from stories import Story, told

from plait import desk
from plait.ledger import stays_of, stocks, try_rules
from plait.measure import Cell
from plait.measures._stages import ledger, stage_name
from plait.measures.lifecycle import stage_ledger, stage_stock
from plait.stages import BadRules, RuleSet, keep_version, read_rules, read_versions, shipped
from plait.stages.versions import Unfounded

LEAD = told("acme  2025-01-01  lead.mql")
SMALL = """
[cycle]
lead = "Mara Lind"
ring = ["seen", "tries", "buys"]
outside = ["left"]

[signals.orders]
is = "lasts"
days = 30
kinds = ["order.placed"]

[signals.quiet]
is = "lasts"
days = 90
kinds = ["order.placed", "visit.started"]

[signals.trial]
is = "runs"
begins = ["trial.started"]
ends = ["trial.ended"]

[signals.asked]
is = "latest"
kinds = ["lead.*"]
over = ["deal.lost"]
days = 10
after_leaving = "buys"

[[stage]]
name = "buys"
owners = [{ department = "sales", person = "Sol", until = 2026-01-01 }, { department = "service", since = 2026-01-01 }]
when = [{ name = "it orders", all = ["orders"] }]

[[stage]]
name = "tries"
owners = [{ department = "product" }]
when = [{ name = "it tries", all = ["trial"] }, { name = "it asks", all = ["asked"] }]

[[stage]]
name = "left"
owners = [{ department = "service" }]
when = [{ name = "it bought once", left = "buys" }]

[[stage]]
name = "seen"
owners = [{ department = "marketing" }]
when = [{ name = "it was seen" }]
"""


def problems(text: str) -> list[str]:
    """Everything that is said against rules."""
    with pytest.raises(BadRules) as refused:
        read_rules(text)
    return [str(problem) for problem in refused.value.problems]


def test_rules_of_a_firm_s_own_place_accounts(story: Story) -> None:
    """
    acme  2025-01-01  visit.started
    acme  2025-01-05  trial.started  object_id=t1
    acme  2025-01-08  trial.ended    object_id=t1
    acme  2025-02-01  lead.created
    acme  2025-03-01  order.placed  100 EUR  object_id=o1
    acme  2025-03-02  lead.created
    acme  2025-03-20  order.placed  100 EUR  object_id=o2
    acme  2025-06-01  lead.created
    """
    then, rules = story.until(date(2025, 12, 1)), read_rules(SMALL)
    stays = ledger(then.seen(), rules=rules)
    named = stays.select("from_on", stage=stage_name(stays.stage, rules)).order_by("from_on")
    assert [(str(on)[5:], stage) for on, stage in then.rows(named)] == [
        ("01-01", "seen"), ("01-05", "tries"), ("01-08", "seen"), ("02-01", "tries"), ("02-11", "seen"),
        ("03-01", "buys"), ("04-19", "left"), ("06-01", "tries"), ("06-11", "left"),
    ]  # fmt: skip


def broken(*changes: tuple[str, str]) -> str:
    text = SMALL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


SALES = '{ department = "sales", person = "Sol", until = 2026-01-01 }'
REFUSED: dict[str, tuple[str, str]] = {
    "toml": (SMALL.replace('lead = "Mara Lind"', "lead = Mara"), r"no valid TOML: .*line 3"),
    "no lead": (broken(('"Mara Lind"', '""')), "cycle: nobody leads the cycle; write one person"),
    "two leads": (broken(('"Mara Lind"', '["Mara", "Sol"]')), "cycle: 2 leads; one person or role leads"),
    "unknown kind": (broken(('"visit.started"', '"visit.startd"')), "no kind 'visit.startd'; did you mean"),
    "unknown signal": (broken(('all = ["trial"]', 'all = ["trail"]')), "no signal 'trail'; did you mean 'trial'"),
    "unknown stage": (broken(('left = "buys"', 'left = "buy"')), "no stage 'buy'; did you mean 'buys'"),
    "unknown word": (broken(('is = "runs"', 'is = "runs"\ndays = 3')), "'days' means nothing here; .*begins"),
    "sort": (broken(('is = "runs"', 'is = "run"')), "is = 'run' is no sort of signal; did you mean 'runs'"),
    "no days": (broken(("days = 30\n", "")), "a signal that is 'lasts' needs days"),
    "days": (broken(("days = 30\n", "days = 0\n")), "days = 0; write a whole number from 1 to 3660"),
    "two names": (broken(('name = "tries"', 'name = "buys"')), "stage buys: two stages have this name"),
    "place": (broken(('["seen", "tries", "buys"]', '["seen", "buys"]')), "stage tries: it stands neither in ring"),
    "no owner": (broken(('owners = [{ department = "product" }]', "")), "stage tries: nobody answers for it"),
    "empty owner": (broken(('[{ department = "product" }]', "[]")), "stage tries: nobody answers for it; name"),
    "department": (broken(('"product" }]', '"produce" }]')), "'produce' is no department; did you mean 'product'"),
    "two owners": (broken(("until = 2026-01-01 }", "until = 2026-02-01 }")), "Sol and service own it at one time"),
    "two at once": (broken((SALES, '{ department = "sales" }, { department = "hr" }')), "sales and hr own it at one"),
    "hole": (broken(("until = 2026-01-01 }", "until = 2025-12-01 }")), "nobody owns it from 2025-12-01 to 2026-01-01"),
    "hole before": (broken(('"product" }', '"product", since = 2026-01-01 }')), "nobody owns it before 2026-01-01"),
    "hole after": (broken(('"product" }', '"product", until = 2026-01-01 }')), "nobody owns it from 2026-01-01 on"),
    "cycle": (
        broken(('all = ["orders"] }', 'all = ["orders"] }, { name = "again", left = "left" }')),
        "stage buys: a cycle: buys -> left -> buys",
    ),
    "cycle of itself": (broken(('all = ["orders"] }', 'left = "buys" }')), "stage buys: a cycle: buys -> buys"),
    "asked too early": (
        broken(('all = ["orders"] }', 'all = ["orders"] }, { name = "b", left = "tries" }'),
               ('left = "buys" }', 'all = ["quiet"] }')),
        "left = 'tries' needs to know when 'tries' was left, which is asked after it; move",
    ),
    "never ends": (broken(('all = ["orders"] }', 'none = ["orders"] }')), "each of its lines needs exactly one signal"),
    "unreachable": (
        broken(('all = ["trial"] }, { name = "it asks", all = ["asked"] }', 'all = ["orders", "trial"] }')),
        "stage tries: unreachable: whenever one of its lines holds",
    ),
    "after always": (broken(('name = "it tries", all = ["trial"]', 'name = "it tries"')), "stage left: unreachable"),
    "implied": (
        broken(('all = ["orders"] }', 'all = ["quiet"] }'), ('all = ["trial"] }, { name = "it asks", all = ["asked"] }',
               'all = ["orders"] }')),
        "stage tries: unreachable",
    ),
    "contradicts itself": (broken(('all = ["trial"]', 'all = ["trial"], none = ["trial"]')), "'it tries' contradicts"),
    "contradicts by what it means": (
        broken(('all = ["trial"]', 'all = ["orders"], none = ["quiet"]')), "'it tries' contradicts itself"
    ),
    "no last": (broken(('{ name = "it was seen" }', '{ name = "it was seen", all = ["quiet"] }')), "in no stage"),
    "both sides": (broken(('["deal.lost"]', '["lead.mql"]')), "lead.mql stands on both sides"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_rules_that_will_not_do_are_refused_with_the_reason(name: str) -> None:
    text, says = REFUSED[name]
    said = problems(text)
    assert any(re.search(says, one) for one in said), said


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = broken(('"Mara Lind"', '""'), ('"order.placed", "visit.started"', '"order.place"'), ('"product" }', '"x" }'))
    assert [one.partition(":")[0] for one in problems(text)] == ["signals.quiet", "stage tries, owners", "cycle"]


def test_the_rules_that_plait_comes_with_are_fit_and_every_day_has_one_owner() -> None:
    rules: RuleSet = shipped()
    assert rules.order[:5] == ("attract", "capture", "nurture", "convert", "expand")
    for stage in (*rules.stages, *read_rules(SMALL).stages):
        for day in (date(1990, 1, 1) + timedelta(days=37 * n) for n in range(500)):
            holding = [o for o in stage.owners if (o.since or day) <= day and (o.until or date.max) > day]
            assert holding == [stage.owner_on(day)]


def test_versions_are_kept_and_change_every_answer(tmp_path: Path) -> None:
    home = tmp_path / "home"
    stored(home, LEAD)
    before, stamp = desk.show(home, "stage_stock", as_of=date(2025, 5, 15), now=NOW), desk.stamp(home)
    text = shipped().text.replace("days = 180", "days = 120", 1)
    version = desk.adopt_rules(home, text, by="Mara Lind", why="we are quicker", now=NOW)
    assert (version.number, desk.stamp(home) != stamp) == (1, True)
    after = desk.show(home, "stage_stock", as_of=date(2025, 5, 15), now=NOW)
    assert stood(before.rows) == {"nurture"}
    assert stood(after.rows) == {"dormant"}
    assert after.warnings == ["Stages are those of version 1 of the stage rules; there are 2 versions."]
    old = desk.show(home, "stage_stock", {"rules": 0}, as_of=date(2025, 5, 15), now=NOW)
    assert (old.rows, stood(old.rows)) == (before.rows, {"nurture"})
    adopted = desk.open_home(home, now=NOW).facts().of("lifecycle.changed")
    facts = desk.open_home(home, now=NOW).engine.run(adopted.select("text", "owner")).to_pylist()
    assert facts == [{"text": "stage rules, version 1: we are quicker", "owner": "Mara Lind"}]
    with pytest.raises(Unfounded, match="hold already"):
        keep_version(home, text, by="Sol", why="again", now=NOW)
    with pytest.raises(Unfounded, match="who adopts it and why"):
        keep_version(home, SMALL, by=" ", why="", now=NOW)
    assert [one.by for one in read_versions(home)] == ["", "Mara Lind"]


def stood(rows: Sequence[tuple[Cell, ...]]) -> set[str]:
    return {str(row[1]) for row in rows if row[2]}


def test_a_stay_names_why_who_and_which_facts(story: Story) -> None:
    """
    acme  2025-01-01T10:00  lead.mql        id=offered
    acme  2025-01-05T10:00  deal.opened     id=opened  object_id=d1
    acme  2025-01-09T10:00  owner.assigned  owner=sue  text=convert
    acme  2025-02-01T10:00  deal.lost       id=lost    object_id=d1
    acme  2025-02-03T10:00  deal.opened     id=again   object_id=d2
    acme  2025-02-04T10:00  stage.set       id=byhand  text=capture  owner=mara
    bolt  2025-01-01T10:00  visit.started   id=seen
    """
    columns = ("to_stage", "direction", "why", "actor", "evidence", "owner_at_entry", "owner")
    records = story.until(date(2025, 9, 1)).table(stage_ledger).records()
    assert [tuple(row[name] for name in columns) for row in reversed(records)] == [
        ("attract", "forward", "it was seen", "rule", "story/seen", "marketing", "marketing"),
        ("nurture", "forward", "there is a lead", "rule", "story/offered", "marketing", "marketing"),
        ("convert", "forward", "a deal is open", "rule", "story/opened", "sales", "sue"),
        ("nurture", "back", "there is a lead", "rule", "story/lost", "marketing", "marketing"),
        ("convert", "loop", "a deal is open", "rule", "story/again", "sue", "sue"),
        ("capture", "back", "a person set it", "mara", "story/byhand", "marketing", "marketing"),
        ("dormant", "back", "it is silent", "rule", "story/seen", "marketing", "marketing"),
    ]
    two = story.until(date(2025, 9, 1)).table(stage_ledger, account="acme", until=date(2025, 2, 4), most=2)
    assert [(row[0], row[2]) for row in two.rows] == [("acme", "convert"), ("acme", "nurture")]
    assert "; 2 older ones are left out" in two.warnings[0]


def test_persons_have_a_ledger_of_their_own(story: Story) -> None:
    """
    acme  2025-01-01  visit.started   person=ann
    acme  2025-01-02  form.submitted  person=ann
    acme  2025-01-02  visit.started   person=bob
    acme  2025-01-03  deal.opened     object_id=d1
    """
    rows = story.until(date(2025, 2, 1)).table(stage_stock, unit="person").rows
    assert {row[1]: row[2] for row in rows if row[2]} == {"capture": 1, "attract": 1}


def test_the_ledger_of_a_home_is_open_to_the_day(tmp_path: Path) -> None:
    store = stored(tmp_path / "home", LEAD)
    day = datetime(2025, 3, 1, tzinfo=UTC).replace(tzinfo=None)
    assert stocks(store.home, day)["nurture"] == 1
    assert sum(stocks(store.home, datetime(2024, 1, 1)).values()) == 0  # noqa: DTZ001
    trial = try_rules(store.home, read_rules(SMALL), day)
    assert (trial.before["nurture"], trial.after["seen"], trial.elsewhere) == (1, 1, 1)
    (account,) = desk.account_keys(store.home)
    assert [(stay.stage, stay.why) for stay in stays_of(store.home, account, day)] == [("nurture", "there is a lead")]
