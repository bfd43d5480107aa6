"""Erasure: a person is found by any key, erased without a trace and never brought back; all else stays as it was."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plait import derived, desk, inbox, ledger, live, stewardship, suppression
from plait.delta import locked
from plait.derived import TIMELINE, Derived
from plait.erasure import erasing, facts, finding, plan, rejects
from plait.erasure.rules import SORTS, rule_of_column, rule_of_file
from plait.erasure.subject import SeveralPersons, UnknownKey, find_subject
from plait.erasure.texts import replaced, replaced_sql
from plait.facts import KINDS, Fact
from plait.identity import IDENTITY, NODES
from plait.ledger import STAYS
from plait.matching import kept
from plait.store import ERASING, FACTS, LOADS, REJECTS, Store, view_sql

NOW = datetime(2027, 1, 1, tzinfo=UTC)
JANE, COOKIE, USER = "jane.doe@acme.example", "cook-aaaa-1111", "user-7001"
VALUES = (JANE, COOKIE, USER, "C-10017", "Jane Doe", "+49 30 555 0199")
MAPPING = """
source = "crm"
timezone = "UTC"
currency = "EUR"
[[file]]
pattern = "contacts*.csv"
[[file.fact]]
kind = "contact.created"
id = "{id}"
occurred_at = "{day}"
text = "{name}"
keys = { email = "{mail}", phone = "{phone}", "person.crm" = "{id}", domain = "{domain}", "account.crm" = "{account}" }
[[file]]
pattern = "deals*.csv"
[[file.fact]]
kind = "deal.won"
id = "{mail}-{id}"
occurred_at = "{day}"
object_id = "{id}"
amount = "{amount}"
owner = "{owner}"
text = "{note}"
keys = { email = "{mail}" }
[[file]]
pattern = "visits*.csv"
source = "web"
[[file.fact]]
kind = "page.viewed"
id = "{id}"
occurred_at = "{day}"
keys = { anonymous_id = "{cookie}", email = "{mail}" }
"""
FILES = {
    "contacts.csv": f"""id,day,name,mail,phone,domain,account
C-10017,2025-01-02,Jane Doe,{JANE},+49 30 555 0199,acme.example,A1
C-10018,2025-01-03,Bob Ray,bob@acme.example,,,A1
C-10019,2025-01-03,Mary Jane Doe,mary.jane.doe@acme.example,,,A1
C-10020,2025-01-04,Jim,jim@bolt.example,,bolt.example,B1
""",
    f"deals {JANE}.csv": f"""id,day,amount,owner,note,mail
1,2025-02-02,100.50,sol,signed by {JANE},{JANE}
2,2025-03-02,50.25,sol,Jane Doe was there,bob@acme.example
3,never,70,sol,,{JANE}
4,2025-03-05,8,sol,"{JANE.title()}, and mary.{JANE}",jim@bolt.example
""",
    "visits.csv": f"""id,day,cookie,mail
v1,2025-01-01,{COOKIE},
v2,2025-01-05,{COOKIE},{JANE.upper()}
v3,2025-01-06,cook-bbbb-2222,bob@acme.example
""",
}
MORE = {
    "contacts.csv": "C-10021,2025-01-04,Kim,kim@bolt.example,,,B1",
    f"deals {JANE}.csv": "9,2025-03-05,8,sol,,jim@bolt.example",
    "visits.csv": "v9,2025-01-06,cook-bbbb-2222,bob@acme.example",
}
EVENTS: list[dict[str, Any]] = [
    {"type": "identify", "userId": USER, "anonymousId": "live-cccc-33", "traits": {"email": JANE, "name": "Jane Doe"}},
    {"type": "track", "event": "Report Opened", "anonymousId": "live-cccc-33"},
    {"type": "track", "event": "Report Opened", "userId": "user-7002"},
    {"type": "track", "userId": USER},  # refused: it has no name
]


def sent(home: Path, number: int, events: list[dict[str, Any]]) -> None:
    """Put live events into the inbox as a collector has left them."""
    folder = inbox.folder_of(home)
    folder.mkdir(parents=True, exist_ok=True)
    at = int(datetime(2026, 11, 25, 11, tzinfo=UTC).timestamp() * 1e6)
    named = [{"messageId": f"m{n}", "timestamp": "2026-11-01T10:00:00Z", **one} for n, one in enumerate(events)]
    told = {"at": at, "source": "app", "key": "server", "events": named}
    (folder / f"boot-{number:09d}.jsonl").write_text(json.dumps(told) + "\n")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A firm of two customers with files and live events, and the exports beside it."""
    folder = tmp_path_factory.mktemp("erasure")
    (folder / "in").mkdir()
    for name, text in FILES.items():
        (folder / "in" / name).write_text(text)
    (folder / "mapping.toml").write_text(MAPPING)
    desk.load(folder / "home", folder / "in", folder / "mapping.toml", now=NOW)
    sent(folder / "home", 1, EVENTS)
    live.seal(folder / "home", now=NOW)
    mary = ("email", f"mary.{JANE}")
    apart = stewardship.Draft(kind=stewardship.APART, keys=(("email", JANE), mary), evidence={"name": "Jane Doe"})
    stewardship.decide(folder / "home", [apart], by="mara", why="sisters", now=NOW.replace(tzinfo=None))
    pair = kept.Proposal("person", mary, ("person.crm", "C-10017"), "p1", "p2", 0.9)
    others = kept.Proposal("person", mary, ("email", "bob@acme.example"), "p1", "p3", 0.6)
    kept.keep_proposals(folder / "home", "person", [pair, others])
    ledger.bring_up(folder / "home")
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "home", tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture(scope="module")
def erased(made: Path) -> Path:
    """The same home without Jane, nothing having come in between."""
    shutil.copytree(made / "home", made / "erased")
    erase(made / "erased")
    return made / "erased"


def erase(home: Path, key: str = JANE) -> plan.Plan:
    """Erase somebody from the tables and files of a home."""
    begun = erasing.prepare(home, find_subject(home, key), number=1, now=NOW)
    done = erasing.carry_out(begun, now=NOW)
    done.finish()
    return done


def held(home: Path, name: str, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
    store, made = Store.open(home), Derived.open(home)
    tables = {
        "facts": (store.facts, FACTS), "rejects": (store.rejects, REJECTS), "loads": (store.loads, LOADS),
        "timeline": (made.timeline, TIMELINE), "nodes": (made.nodes, NODES),
    }  # fmt: skip
    with duckdb.connect() as db:
        table, schema = tables[name]
        db.execute(view_sql(name, table.snapshot(), schema))
        return db.execute(f"select {columns} from {name} where {where} order by all").fetchall()


def texts_in(path: Path) -> Iterator[bytes]:
    """Give a file as it lies on the disk, and the cells that it holds where they are packed."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        table = pq.ParquetFile(path).read()
        yield json.dumps([column.to_pylist() for column in table.columns], default=str, ensure_ascii=False).encode()


def found_in(home: Path, *values: str) -> set[tuple[str, str]]:
    """Look for values, and for no longer ones that they are a part of, in every file of a home."""
    hits = set()
    for path in (one for one in home.rglob("*") if one.is_file()):
        for text in texts_in(path):
            lower = text.lower().replace(b"mary.jane.doe@", b"").replace(b"mary jane doe", b"")
            hits |= {(path.relative_to(home).as_posix(), value) for value in values if value.lower().encode() in lower}
    return hits


def test_a_person_is_found_by_every_key_with_all_that_is_kept(made: Path) -> None:
    home = made / "home"
    subject = find_subject(home, JANE)
    assert {name for name, _ in subject.keys} == {"email", "phone", "person.crm", "anonymous_id", "user_id"}
    for key in ("C-10017", f"user_id={USER}", COOKIE, "person.crm=C-10017", JANE.upper(), *subject.ids):
        assert find_subject(home, key) == subject
    sections = {one.name: one for one in finding.sections(home, subject)}
    assert {name: one.count for name, one in sections.items()} == {
        "facts_of_a_person": 5,  # the contact, two visits, an identify and a track call
        "facts_of_an_account": 1, "facts_naming": 2, "refused_rows": 2, "keys": 6, "timeline": 6,
        "decisions": 1, "proposals": 1,
    }  # fmt: skip
    assert all("owner" not in row for row in sections["facts_of_an_account"].rows), "a colleague's name is not theirs"
    everything = json.dumps([list(one.rows) for one in sections.values()], default=str)
    assert "bob@" not in everything
    assert "mary" not in everything


def test_what_nobody_or_several_are_known_by_is_refused_with_a_next_step(home: Path) -> None:
    with pytest.raises(UnknownKey, match="say what it is, such as phone=nobody"):
        find_subject(home, "nobody")
    with pytest.raises(UnknownKey, match="'domain' names no person"):
        find_subject(home, "domain=acme.example")
    assert find_subject(home, "zoe@new.example").ids == ()
    many = [fact(str(n), {"anonymous_id": "kiosk-1", "email": f"p{n}@a.example"}) for n in range(9)]
    many += [fact("desk1", {"email": "info@a.example", "user_id": "u-100001"}), fact("two", {"person.shop": USER})]
    desk.add(home, many, name="test", now=NOW)
    for key in ("kiosk-1", "info@a.example"):
        with pytest.raises(SeveralPersons, match="shared by several people"):
            find_subject(home, key)
    with pytest.raises(SeveralPersons, match=f"which one: person.shop={USER}, user_id={USER}"):
        find_subject(home, USER)


def fact(id_: str, keys: dict[str, str], kind: str = "page.viewed", **more: Any) -> Fact:  # noqa: ANN401 - any field
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Fact(source="kiosk", id=id_, kind=kind, occurred_at=at, recorded_at=at, keys=keys, **more)


def test_no_file_of_the_home_holds_a_value_of_theirs(made: Path, erased: Path) -> None:
    assert len(found_in(made / "home", *VALUES)) > len(VALUES)
    assert found_in(erased, *VALUES, "live-cccc-33") == set()
    assert list((erased / plan.FOLDER).iterdir()) == []
    assert [one.number for one in stewardship.read_decisions(erased).all] == [1]
    assert len(kept.read_proposals(erased, "person")) == 1
    assert (erased / "suppression" / "key").stat().st_mode & 0o077 == 0


def test_an_account_keeps_its_money_its_id_and_everybody_elses_facts(made: Path, erased: Path) -> None:
    home = made / "home"
    sums = "account, sum(amount)::decimal(18, 2)", "account is not null group by account"
    assert held(home, "timeline", *sums) == held(erased, "timeline", *sums)
    assert Decimal("150.75") in {row[1] for row in held(erased, "timeline", *sums)}
    others = "keys not like '%jane.doe@acme%' and keys not like '%cook-aaaa%' and keys not like '%live-cccc%'"
    others += " and keys not like '%mary%' and source <> 'desk' and keys <> '{\"account.crm\":\"A1\"}'"
    untouched = set(held(home, "facts", "id, kind, keys, text", others))
    assert {row for row in untouched if row[3] is None or "jane" not in row[3].lower()} <= set(
        held(erased, "facts", "id, kind, keys, text")
    )
    (deal,) = held(erased, "facts", "id, keys, object_id, amount, owner, text, detail", "object_id = '1'")
    assert deal[0].startswith("erased:")
    assert deal[1:] == ('{"domain":"acme.example"}', "1", Decimal("100.5"), "sol", None, suppression.BLANK)
    said = dict(held(erased, "facts", "object_id, text", "kind = 'deal.won'"))
    assert said["2"] == "[erased] was there", "a name is taken out of what others say in the same account"
    assert said["4"] == f"[erased], and mary.{JANE}", "an address that theirs is a part of is somebody else's"
    assert held(erased, "facts", "text", "keys like '%mary%'") == [("Mary Jane Doe",)]
    assert desk.verify(erased) == []
    assert desk.story(erased, "acme.example", now=NOW).account == desk.story(home, "acme.example", now=NOW).account


def test_refused_rows_say_nothing_and_are_still_counted(made: Path, erased: Path) -> None:
    counted = "source, line, field, rule"
    assert held(erased, "rejects", counted) == held(made / "home", "rejects", counted)
    assert "deals [erased].csv" in {file for (file,) in held(erased, "loads", "file")}
    assert set(held(erased, "rejects", "value, row")) == {(None, suppression.BLANK)}
    for file, rows, accepted, refused in held(erased, "loads", "file, rows, accepted, refused"):
        assert rows == accepted + refused, file


def test_the_same_exports_again_bring_nothing_back(made: Path, home: Path, tmp_path: Path) -> None:
    erase(home)
    before = held(home, "facts", "*")
    again = tmp_path / "again"
    again.mkdir()
    for name, text in FILES.items():  # one more row, so that no file is known as a whole
        (again / name.replace(f" {JANE}", "")).write_text(text + MORE[name] + "\n")
    report = desk.load(home, again, made / "mapping.toml", now=NOW)
    assert sum(one.added for one in report.files) == 3, "what others did since"
    for one in report.files:
        assert one.rows == one.accepted + one.refused
    since = "id not in ('v9', 'jim@bolt.example-9', 'C-10021')"
    assert held(home, "facts", "*", since) == before
    assert found_in(home, *VALUES) == set()
    said = {(one.rule, one.value) for one in report.refused}
    assert (suppression.PERSON_RULE, None) in said
    assert JANE not in str(report).lower()
    trial = desk.try_out(home, again, made / "mapping.toml", now=NOW)
    shown = str([*trial.facts, *trial.refused])
    assert replaced(shown, [JANE, COOKIE]) == shown
    sent(home, 2, EVENTS)
    (sealed,) = live.seal(home, now=NOW)
    assert (sealed.rows, sealed.added, sealed.known, sealed.refused) == (4, 0, 1, 3)
    new = [{**one, "messageId": f"new{number}"} for number, one in enumerate(EVENTS)]
    sent(home, 3, new)
    (sealed,) = live.seal(home, now=NOW)
    assert (sealed.rows, sealed.added, sealed.refused) == (4, 1, 3)
    live.map_events(home, "app", 'account_key = "account.app"\n')
    replayed = live.replay(home, "app")
    assert (replayed.admitted, replayed.lost) == (0, replayed.quarantined)
    assert found_in(home, *VALUES, "live-cccc-33") == set()
    assert desk.verify(home) == []


def test_what_comes_while_the_erasure_begins_goes_with_it(home: Path) -> None:
    """Between asking and the list another browser became hers, and was stored before anybody was kept out."""
    begun = plan.Plan(home, 1, find_subject(home, JANE), NOW, {})
    desk.add(home, [fact("new1", {"email": JANE, "anonymous_id": "late-dddd-44"})], name="late", now=NOW)
    desk.add(home, [fact("new2", {"anonymous_id": "late-dddd-44"})], name="late", now=NOW)
    begun.keep()
    erasing.carry_out(begun, now=NOW).finish()
    assert found_in(home, *VALUES, "late-dddd-44") == set()
    assert desk.add(home, [fact("new3", {"anonymous_id": "late-dddd-44"})], name="later", now=NOW)[0].refused == 1


def test_only_the_buckets_that_held_the_person_are_made_anew(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen buckets, some other companies; what is left is what building all of it anew gives."""
    monkeypatch.setattr(derived, "FACTS_A_BUCKET", 8)
    firms = [fact(f"f{n}", {"domain": f"firm{n}.example"}, "order.placed", object_id="o", amount=Decimal(1),
                  currency="EUR") for n in range(20)]  # fmt: skip
    desk.add(home, [*firms, fact("lone", {"email": JANE.replace("acme", "gmail")})], name="firms", now=NOW)
    desk.rebuild(home)
    before = set(Derived.open(home).timeline.snapshot().files)
    erase(home)
    assert 0 < len(before & set(Derived.open(home).timeline.snapshot().files)) < len(before)
    left = held(home, "timeline", "*"), held(home, "nodes", "*")
    assert desk.verify(home) == []
    desk.rebuild(home)
    assert left == (held(home, "timeline", "*"), held(home, "nodes", "*"))


def test_loads_wait_while_a_person_is_erased(home: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        with locked(home / "locks" / ERASING):
            loading = pool.submit(desk.add, home, [fact("late", {"user_id": "user-7009"})], name="late", now=NOW)
            assert wait([loading], timeout=0.5).done == set()
        assert loading.result()[0].added == 1


def test_a_refused_event_that_is_one_now_is_not_let_in_once_its_person_is_erased(home: Path) -> None:
    """Its row did not tell that it is theirs: what the mapping takes it for is known when it is read again."""
    sent(home, 5, [{"type": "track", "event": "Grown", "userId": "user-8000", "properties": {"notes": "x" * 40_000}}])
    live.seal(home, now=NOW)
    suppression.suppress(home, [("user_id", "user-8000")], number=2, now=NOW)
    live.map_events(home, "app", "most_kib = 64\n")
    replayed = live.replay(home, "app")
    assert replayed.admitted == 0
    assert held(home, "rejects", "row", f"rule = '{suppression.PERSON_RULE}'") == [(suppression.BLANK,)]
    assert "user-8000" not in str([held(home, name, "*") for name in ("facts", "rejects", "timeline")])


def test_what_somebody_did_at_a_shared_browser_goes_and_stays_away(tmp_path: Path) -> None:
    home, at = tmp_path / "home", datetime(2026, 1, 1, tzinfo=UTC)
    visits = [
        Fact(source="web", id=f"{who}{n}", kind="page.viewed", occurred_at=at.replace(day=1 + n), recorded_at=at,
             keys={"anonymous_id": "shared-1", **({"user_id": who} if signs_in else {})})
        for n, (who, signs_in) in enumerate([("user-ann", True), ("user-ann", False), ("user-ben", True),
                                             ("user-ben", False)])
    ]  # fmt: skip
    desk.add(home, visits, name="first", now=NOW)
    erase(home, "user-ann")
    assert [row[0] for row in held(home, "facts", "id")] == ["user-ben2", "user-ben3"]
    assert desk.add(home, visits, name="again", now=NOW)[0].refused == 2
    assert [row[0] for row in held(home, "facts", "id")] == ["user-ben2", "user-ben3"]


def test_who_comes_back_and_agrees_is_stored_again_and_nothing_twice(made: Path, home: Path, tmp_path: Path) -> None:
    erase(home)
    assert suppression.allow(home, [("email", JANE.upper())]) == 6, "all their keys, by any of them"
    assert suppression.allow(home, [("email", JANE)]) == 0
    again = tmp_path / "again"
    again.mkdir()
    (again / f"deals {JANE}.csv").write_text(FILES[f"deals {JANE}.csv"] + f"5,2025-06-01,9,sol,,{JANE}\n")
    (report,) = desk.load(home, again, made / "mapping.toml", now=NOW).files
    assert (report.added, report.known) == (1, 3), "the deal that lost its person is known, with its money counted once"
    assert held(home, "facts", "sum(amount)") == [(Decimal("167.75"),)]
    assert find_subject(home, JANE).ids


STEPS = [  # where it ends, before or after the step
    (facts, "rewrite", "after"), (rejects, "blank", "before"), (stewardship, "forget", "after"),
    (erasing, "refresh", "after"), (erasing, "_remove_left", "before"),
]  # fmt: skip


@pytest.mark.parametrize(("owner", "name", "when"), STEPS)
def test_an_erasure_that_ends_anywhere_is_gone_on_with(
    owner: ModuleType, name: str, when: str, home: Path, erased: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = erasing.prepare(home, find_subject(home, JANE), number=1, now=NOW)
    step = getattr(owner, name)

    def ends(*told: Any, **more: Any) -> None:  # noqa: ANN401 - of any step
        if when == "after":
            step(*told, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, ends)
        with pytest.raises(KeyboardInterrupt):
            erasing.carry_out(begun, now=NOW)
    (left,) = plan.unfinished(home)
    done = erasing.carry_out(left, now=NOW)
    done.finish()
    assert plan.unfinished(home) == []
    for table in ("facts", "rejects", "timeline", "nodes"):
        columns = "*" if table != "facts" else "kind, source, occurred_at, keys, amount, text, detail"
        assert len(held(home, table, columns)) == len(held(erased, table, columns))
    assert held(home, "facts", "kind, source, keys, text") == held(erased, "facts", "kind, source, keys, text")
    assert done.counts["facts_removed"] == 5
    assert found_in(home, *VALUES) == set()


@pytest.mark.skipif("PLAIT_KILLS" not in os.environ, reason="the long form: real kills, each some seconds")
def test_a_killed_erasure_is_gone_on_with(made: Path, tmp_path: Path) -> None:
    seed = random.randrange(10**6)  # noqa: S311 - no secret
    chance = random.Random(seed)  # noqa: S311
    code = (
        "import sys; from pathlib import Path; from datetime import UTC, datetime as at\n"
        "from plait.erasure import erasing, plan\n"
        "for one in plan.unfinished(Path(sys.argv[1])): erasing.carry_out(one, now=at(2027, 1, 1, tzinfo=UTC)).finish()"
    )
    for kill in range(int(os.environ["PLAIT_KILLS"])):
        home = tmp_path / str(kill)
        shutil.copytree(made / "home", home)
        erasing.prepare(home, find_subject(home, JANE), number=1, now=NOW)
        while plan.unfinished(home):
            process = subprocess.Popen([sys.executable, "-c", code, str(home)])
            time.sleep(chance.uniform(0.3, 3))
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert found_in(home, *VALUES) == set(), f"seed {seed}, kill {kill}"
        assert desk.verify(home) == []


def test_every_table_column_and_file_of_a_busy_home_has_a_rule(home: Path) -> None:
    left = ["inbox/b-1.open.jsonl", "staging/x.facts.parquet", "spill/duckdb_temp_storage-0.tmp"]
    for path in (*left, "controls/1.json", "lifecycle/0001.toml", "handoffs/0001.toml", "scores/model-0001.json"):
        (home / path).parent.mkdir(exist_ok=True)
        (home / path).touch()
    live.map_events(home, "app", "most_kib = 64\n")
    tables = {path.parent.name for path in home.rglob("_delta_log")}
    schemas = {
        "facts": FACTS, "rejects": REJECTS, "loads": LOADS, "timeline": TIMELINE, "identity": IDENTITY, "nodes": NODES,
        "ledger": STAYS,
    }  # fmt: skip
    assert tables <= set(schemas), "a table that nobody has thought of"
    assert [(t, c) for t, schema in schemas.items() for c in schema.names if rule_of_column(t, c) is None] == []
    paths = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]
    assert [path for path in paths if rule_of_file(path) is None] == []
    assert {rule.does for rule in map(rule_of_file, paths) if rule} <= set(SORTS)
    assert rule_of_file("notes/about-people.csv") is None, "a family of files that is new fails the test"
    assert rule_of_column("facts", "birthday") is None


def test_every_kind_of_fact_is_decided() -> None:
    assert set(KINDS) == suppression.ONLY_OF_A_PERSON | suppression.OF_AN_ACCOUNT
    assert not suppression.ONLY_OF_A_PERSON & suppression.OF_AN_ACCOUNT


def test_a_key_is_hashed_as_the_reference_says_in_python_and_in_the_engine(tmp_path: Path) -> None:
    known = "6d478d476eced4d46713f2809a0aeb2b2ad5c328d96e35db35eb608f189d2d90"
    assert suppression.digest(b"test-key", " Jane.Doe@Example.com ") == known
    values = ["jane.doe@example.com", "a|b", "x" * 300, "~!\"'", ""]
    secret = hashlib.sha256(b"any").digest()
    with duckdb.connect() as db:
        suppression.set_secret(db, secret)
        for value in values:
            (told,) = db.execute(f"select {suppression.digest_sql('$1')}", [value]).fetchall()[0]
            assert told == hmac.digest(secret, value.encode(), "sha256").hex()
    odd = [
        fact(f"o{n}", {"user_id": value}) for n, value in enumerate(("Ａｎｎ-７７", "Zoë.Ü", "plain-77", " kept-88"))
    ]
    suppression.suppress(tmp_path, [("user_id", one) for one in ("ann-77", "ZOË.Ü", "PLAIN-77")], number=1, now=NOW)
    loaded = desk.add(tmp_path, odd, name="odd", now=NOW)
    assert (loaded[0].added, loaded[0].refused) == (1, 3)


def test_a_lost_secret_is_told_and_nobody_slips_in(tmp_path: Path) -> None:
    suppression.suppress(tmp_path, [("user_id", "u-700001")], number=1, now=NOW)
    (tmp_path / "suppression" / "key").unlink()
    with pytest.raises(suppression.LostKey, match="restore it from a backup"):
        desk.add(tmp_path, [fact("1", {"user_id": "u-700001"})], name="test", now=NOW)


def test_values_are_taken_out_where_they_stand_for_themselves() -> None:
    said = f"<{JANE}> {JANE},{JANE}. mary.{JANE} {JANE}.au x={JANE.upper()}\n{JANE}"
    assert replaced(said, [JANE]) == f"<[erased]> [erased],[erased]. mary.{JANE} {JANE}.au x=[erased]\n[erased]"
    assert replaced("order-C-10017-5 C-100171", ["c-10017"]) == "order-[erased]-5 C-100171"
    rows = pa.table({"t": [said, "\\njane.doe@acme.example", "jane.doe%40acme.example"]})
    with duckdb.connect() as db:
        db.register("rows", rows)
        told = db.execute(f"select {replaced_sql('t', [JANE, 'jane.doe%40acme.example'])} from rows").fetchall()
    assert told == [(replaced(said, [JANE]),), ("\\n[erased]",), ("[erased]",)]
