"""Merges, splits and blocked values: decided, felt everywhere, and undone without a trace."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from homes import NOW, stored
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait import desk, identity
from plait.derived import TIMELINE, Derived, refresh
from plait.facts import Fact
from plait.ledger import bring_up, stays_of
from plait.matching import acts
from plait.matching.acts import Steward
from plait.matching.who import Unknown, find_who
from plait.measure import Cell
from plait.stewardship import (
    ALLOW,
    APART,
    BLOCK,
    LIMIT,
    MERGE,
    PART,
    UNDO,
    Contradiction,
    Decisions,
    Draft,
    Key,
    decide,
    forget,
    read_decisions,
)
from plait.stewardship.decision import Decision
from plait.stewardship.log import BadDecision, BrokenLog
from plait.store import Store, view_sql
from plait.timeline import Question, find_account, open_timeline

DAY = datetime(2026, 1, 1, tzinfo=UTC)
SEQUENCES = int(os.environ.get("PLAIT_SEQUENCES", "5"))
EVERY = SEQUENCES > 100
ANSWERED = ("stage_stock", "win_rate")
QUESTIONS: dict[str, Question] = {}
Keys = Mapping[str, str]
MARA = Steward("Mara Lind", "she told me", NOW)
RULE = Steward("matching", "alike", NOW)


def fact(number: int, day: int, keys: Keys, kind: str = "contact.created", **more: object) -> Fact:
    at = DAY + timedelta(days=day)
    return Fact(source="crm", id=f"f{number}", kind=kind, occurred_at=at, recorded_at=at, keys=keys, **more)  # type: ignore[arg-type]


def home_of(path: Path, *sets: Keys) -> Path:
    stored(path, [fact(number, number, keys) for number, keys in enumerate(sets)])
    refresh(Store.open(path), Derived.open(path))
    return path


def tables(home: Path) -> str:
    """Hash identity, nodes and timeline, row by row in a total order."""
    derived, told = Derived.open(home), hashlib.sha256()
    with duckdb.connect() as db:
        for name, table, schema in (
            ("identity", derived.identity, identity.IDENTITY),
            ("nodes", derived.nodes, identity.NODES),
            ("timeline", derived.timeline, TIMELINE),
        ):
            db.execute(view_sql(name, table.snapshot(), schema))
            for row in db.execute(f"select * from {name} order by all").fetchall():
                told.update(repr(row).encode())
    return told.hexdigest()


def answers(home: Path) -> list[list[tuple[Cell, ...]]]:
    """Answer some measures of accounts and money; in the long form every registered one."""
    timeline = open_timeline(Store.open(home), now=NOW)
    asked = [measure for name, measure in sorted(desk.measures().items()) if EVERY or name in ANSWERED]
    assert len(asked) >= len(ANSWERED)
    told = []
    for measure in asked:
        options = measure.read_options({})
        question = QUESTIONS.get(measure.name) or timeline.ask(measure, options)
        QUESTIONS[measure.name] = question  # making it costs most, and it is the same for all days
        told.append(timeline.answer(question, options).rows)
    return told


def owner(home: Path, key: str) -> str:
    return find_who(home, key).id


# -- what each decision does


def test_two_accounts_become_one_and_two_again(tmp_path: Path) -> None:
    """The older id stays, the younger finds the same account; stages, scores and measures follow, and come back."""
    home = tmp_path / "home"
    deals = [
        fact(1, 1, {"account.crm": "A1"}, "account.created", text="Acme"),
        fact(2, 2, {"account.crm": "A1"}, "deal.won", object_id="d1", amount=Decimal(900), currency="EUR"),
        fact(3, 3, {"account.billing": "B7"}, "account.created", text="ACME Inc"),
        fact(4, 4, {"account.billing": "B7"}, "payment.received", object_id="i1", amount=Decimal(50), currency="EUR"),
        fact(5, 5, {"account.crm": "A2", "domain": "other.example"}, "account.created", text="Other"),
    ]
    for number, some in enumerate((deals[:2], deals[2:])):
        desk.add(home, some, name=str(number), now=NOW + timedelta(hours=number))
    bring_up(home)
    old, young = owner(home, "account.crm=A1"), owner(home, "account.billing=B7")
    until, before, answered = datetime(2026, 6, 1), tables(home), answers(home)  # noqa: DTZ001 - naive UTC
    stays = [stays_of(home, one, until) for one in (old, young)]
    merged = acts.merge(home, "account.crm=A1", "account.billing=B7", MARA)
    brought = bring_up(home)
    assert (brought.whole, brought.accounts) == (False, 2), "only those concerned are worked out anew"
    assert find_account(Store.open(home), young) == find_account(Store.open(home), old) == old
    assert stays_of(home, young, until) == []
    assert tables(home) != before
    assert answers(home) != answered
    acts.undo(home, merged.number, Steward("Sol", "two firms after all", NOW))
    assert (tables(home), answers(home)) == (before, answered)
    assert [stays_of(home, one, until) for one in (old, young)] == stays
    desk.rebuild(home)
    assert tables(home) == before


def test_only_the_buckets_concerned_are_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plait.derived.bucket_digits", lambda _: 2)
    home = home_of(tmp_path / "home", *({"account.crm": f"A{number}"} for number in range(40)))
    files = set(Derived.open(home).timeline.snapshot().files)
    acts.merge(home, "account.crm=A1", "account.crm=A2", MARA)
    assert len(files - set(Derived.open(home).timeline.snapshot().files)) in (1, 2)


PETS = (  # ann and bob at one address of mail, as a CRM has it
    {"person.crm": "P1", "email": "home@fam.example", "phone": "1"},
    {"person.crm": "P1", "user_id": "ann"},
    {"user_id": "bob", "email": "home@fam.example"},
    {"user_id": "bob", "anonymous_id": "c9"},
    {"anonymous_id": "c9"},
)


def test_who_is_parted_takes_what_comes_along_later(tmp_path: Path) -> None:
    """A fact with keys of both goes to its strongest key; new keys go with the strongest of their first fact."""
    home = home_of(tmp_path / "home", *PETS)
    assert owner(home, "user_id=ann") == owner(home, "user_id=bob")
    before = tables(home)
    split = acts.part(home, "user_id=bob", ["user_id=bob", "anonymous_id=c9"], MARA)
    ann, bob = owner(home, "user_id=ann"), owner(home, "user_id=bob")
    assert (owner(home, "email=home@fam.example"), bob != ann) == (ann, True)
    assert owner(home, "anonymous_id=c9") == bob
    with duckdb.connect() as db:
        db.execute(view_sql("timeline", Derived.open(home).timeline.snapshot(), TIMELINE))
        assert [row[0] for row in db.execute("select person from timeline order by id").fetchall()] == [
            ann, ann, bob, bob, bob,
        ]  # fmt: skip
    later = [
        fact(10, 10, {"user_id": "bob", "email": "home@fam.example", "phone": "2"}),
        fact(11, 11, {"phone": "2", "email": "home@fam.example"}),
    ]
    for one in later:
        desk.add(home, [one], name=one.id, now=NOW + timedelta(hours=int(one.id[1:])))
    assert (owner(home, "phone=2"), owner(home, "email=home@fam.example")) == (bob, ann), "never joined again"
    acts.undo(home, split.number, MARA)
    assert owner(home, "user_id=bob") == owner(home, "user_id=ann")
    fresh = home_of(tmp_path / "fresh", *PETS)
    assert tables(fresh) == before


def test_a_blocked_value_joins_nobody_and_an_allowed_one_does(tmp_path: Path) -> None:
    home = home_of(
        tmp_path / "home", {"email": "x@a.example", "user_id": "1"}, {"email": "x@a.example", "person.crm": "2"},
        {"email": "info@a.example", "user_id": "1"}, {"email": "info@a.example", "person.crm": "9"},
    )  # fmt: skip
    before = tables(home)
    acts.block(home, "email=x@a.example", MARA)
    assert owner(home, "user_id=1") != owner(home, "person.crm=2")
    with pytest.raises(Unknown, match=r"joins nobody \(blocked\)"):
        find_who(home, "email=x@a.example")
    acts.allow(home, "email=info@a.example", MARA)
    assert owner(home, "user_id=1") == owner(home, "person.crm=9")
    with pytest.raises(Contradiction, match="undo that first: plait identity undo 1"):
        acts.allow(home, "email=x@a.example", MARA)
    for number in (1, 2):
        acts.undo(home, number, MARA)
    assert tables(home) == before


def test_a_limit_is_one_for_each_name_of_an_identifier(tmp_path: Path) -> None:
    home = home_of(tmp_path / "home", *({"phone": "30", "email": f"p{number}@a.example"} for number in range(3)))
    assert owner(home, "email=p0@a.example") == owner(home, "email=p2@a.example")
    made = acts.limit(home, "phone", 2, MARA)
    assert owner(home, "email=p0@a.example") != owner(home, "email=p2@a.example")
    acts.undo(home, made.number, MARA)
    assert owner(home, "email=p0@a.example") == owner(home, "email=p2@a.example")


def test_matching_never_joins_over_a_line_that_people_drew(tmp_path: Path) -> None:
    """a and c are reviewed as two: matching may join a and b, or b and c, never all three. Facts alone do."""
    home = home_of(tmp_path / "home", *({"person.crm": name} for name in "abc"))
    acts.apart(home, "person.crm=a", "person.crm=c", MARA)
    keys = {name: ("person.crm", name) for name in "abc"}
    pairs: list[tuple[Key, Key, Mapping[str, str]]] = [(keys["a"], keys["b"], {}), (keys["b"], keys["c"], {})]
    assert len(acts.merge_all(home, pairs, RULE)) == 2
    assert owner(home, "person.crm=a") == owner(home, "person.crm=b") != owner(home, "person.crm=c")
    assert acts.merge_all(home, [(keys["a"], keys["c"], {})], RULE) == []
    with pytest.raises(Contradiction, match="contradicts decision 1"):
        acts.merge(home, "person.crm=b", "person.crm=c", MARA)
    stored(home, [fact(9, 9, {"person.crm": "a", "email": "z@a.example"})], "one")
    stored(home, [fact(8, 9, {"person.crm": "c", "email": "z@a.example"})], "two")
    assert owner(home, "person.crm=a") == owner(home, "person.crm=c")


def test_contradictions_and_careless_decisions_are_refused(tmp_path: Path) -> None:
    home = home_of(tmp_path / "home", *PETS, {"account.crm": "A1"}, {"person.crm": "P5"})
    acts.part(home, "user_id=bob", ["user_id=bob"], MARA)
    with pytest.raises(Contradiction, match="undo that first"):
        acts.merge(home, "user_id=bob", "phone=1", MARA)
    with pytest.raises(BadDecision, match="a person and a company are never one"):
        acts.merge(home, "account.crm=A1", "user_id=bob", MARA)
    with pytest.raises(Contradiction, match="are one already"):
        acts.merge(home, "user_id=ann", "phone=1", MARA)
    with pytest.raises(Unknown, match="is no key of"):
        acts.part(home, "user_id=bob", ["user_id=ann"], MARA)
    with pytest.raises(BadDecision, match="at least one other key"):
        acts.part(home, "person.crm=P5", ["person.crm=P5"], MARA)
    with pytest.raises(BadDecision, match="who makes it and why"):
        acts.block(home, "email=home@fam.example", Steward("Mara", " ", NOW))
    with pytest.raises(Unknown, match="no key; write its name and value"):
        acts.block(home, "mail=home@fam.example", MARA)
    with pytest.raises(BadDecision, match="there is no decision 7"):
        acts.undo(home, 7, MARA)
    with pytest.raises(BadDecision, match="from 1 to 1,000,000"):
        acts.limit(home, "email", 0, MARA)
    acts.undo(home, 1, MARA)
    with pytest.raises(Contradiction, match="decision 2 took decision 1 back"):
        acts.undo(home, 2, MARA)
    assert len(read_decisions(home).all) == 2


# -- the log


def test_the_same_decision_is_made_once_and_a_torn_line_never(tmp_path: Path) -> None:
    drafts = [Draft(kind=MERGE, keys=(("email", "a"), ("email", "b")))]
    now = datetime(2026, 5, 3)  # noqa: DTZ001 - naive UTC
    one = decide(tmp_path, drafts, by="Mara", why="same", now=now)
    other = decide(tmp_path, [Draft(kind=MERGE, keys=(("email", "b"), ("email", "a")))], by="Sol", why="so", now=now)
    assert one == other
    log = tmp_path / "stewardship" / "decisions.jsonl"
    log.write_text(log.read_text() + '{"number": 2, "at": "2026-')
    assert len(read_decisions(tmp_path).all) == 1
    decide(tmp_path, [Draft(kind=UNDO, undoes=1)], by="Sol", why="no", now=now)
    assert [json.loads(line)["number"] for line in log.read_text().splitlines()] == [1, 2]
    assert read_decisions(tmp_path).stamp == ""
    log.write_text(log.read_text().partition("\n")[2])
    with pytest.raises(BrokenLog, match="has the number 2"):
        read_decisions(tmp_path)


def test_an_erased_person_leaves_the_log_and_numbers_stay(tmp_path: Path) -> None:
    now = datetime(2026, 5, 3)  # noqa: DTZ001 - naive UTC
    pair = Draft(kind=MERGE, keys=(("email", "a@x.y"), ("user_id", "7")), evidence={"says": "a@x.y is 7"})
    decide(tmp_path, [pair, Draft(kind=BLOCK, keys=(("phone", "1"),))], by="Mara", why="same", now=now)
    assert forget(tmp_path, [("email", "a@x.y")]) == 1
    assert "a@x.y" not in (tmp_path / "stewardship" / "decisions.jsonl").read_text()
    assert [(one.number, one.keys) for one in read_decisions(tmp_path).all] == [(1, ()), (2, (("phone", "1"),))]


# -- any sequence


def seen(db: duckdb.DuckDBPyConnection, sets: Sequence[Keys]) -> None:
    db.execute(
        "create table facts (source varchar, id varchar, keys varchar, recorded_at timestamp, occurred_at timestamp)"
    )
    rows = [
        ("crm", str(number), json.dumps(keys, sort_keys=True, separators=(",", ":")), day, day)
        for number, keys in enumerate(sets)
        for day in [DAY.replace(tzinfo=None) + timedelta(days=number // 2)]
    ]
    db.executemany("insert into facts values (?, ?, ?, ?, ?)", rows)


def built(db: duckdb.DuckDBPyConnection, decisions: Decisions) -> list[list[tuple[object, ...]]]:
    identity.build(db, decisions)
    return [db.execute(f"select * from {name} order by all").fetchall() for name in ("identity", "nodes")]


names = st.sampled_from(("email", "phone", "user_id", "anonymous_id"))
keys = st.tuples(names, st.sampled_from("abcd"))
key_sets = st.lists(st.dictionaries(names, st.sampled_from("abcd"), min_size=1, max_size=3), min_size=3, max_size=14)
pairs = st.lists(keys, min_size=2, max_size=2, unique=True).map(tuple)
groups = st.lists(keys, min_size=2, max_size=6, unique=True)
drafts = st.one_of(
    st.builds(Draft, kind=st.sampled_from((MERGE, APART)), keys=pairs),
    groups.map(lambda found: Draft(kind=PART, keys=tuple(found[:1]), rest=tuple(found[1:]))),
    st.builds(lambda kind, key: Draft(kind=kind, keys=(key,)), st.sampled_from((BLOCK, ALLOW)), keys),
    st.builds(lambda name, most: Draft(kind=LIMIT, keys=((name, ""),), most=most), names, st.integers(1, 4)),
)


def numbered(wanted: Sequence[Draft], undone: Sequence[int]) -> Iterator[Decisions]:
    """Give the decisions after all drafts, and once all are taken back in some order."""
    now = DAY.replace(tzinfo=None)
    made = [
        Decision(number=n, at=now, by="m", why="w", kind=one.kind, keys=one.keys, rest=one.rest, most=one.most)
        for n, one in enumerate(wanted, 1)
    ]
    yield Decisions(tuple(made))
    for number in undone:
        made.append(Decision(number=len(made) + 1, at=now, by="m", why="w", kind=UNDO, undoes=number))
        yield Decisions(tuple(made))


@settings(max_examples=SEQUENCES, deadline=None, suppress_health_check=list(HealthCheck))
@given(sets=key_sets, wanted=st.lists(drafts, min_size=1, max_size=5), data=st.data())
def test_any_sequence_of_decisions_all_undone_gives_the_tables_before(
    sets: list[Keys], wanted: list[Draft], data: st.DataObject
) -> None:
    """And while they hold: nobody who was parted is one with the rest, and what is blocked is nobody's."""
    order = data.draw(st.permutations(range(1, len(wanted) + 1)))
    with duckdb.connect() as db:
        seen(db, sets)
        before = built(db, Decisions())
        for decisions in numbered(wanted, order):
            told = built(db, decisions)
            owners = {(name, value): who for _, name, value, who, *_ in told[1]}
            for one in decisions.of(PART):
                sides = [{owners.get(key) for key in side} - {None} for side in (one.keys, one.rest)]
                assert not sides[0] & sides[1]
            assert all(owners.get(key) is None for key, kind in decisions.verdicts().items() if kind == BLOCK)
        assert told == before
