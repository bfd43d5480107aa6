"""Identity: which keys are one person, which one company, what never joins, and why anybody is who we say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from homes import NOW
from hypothesis import given, settings
from hypothesis import strategies as st

from plait import desk, identity
from plait.derived import TIMELINE, Derived
from plait.facts import Fact, is_account_key
from plait.store import Store, view_sql

Keys = Mapping[str, str]
Seen = tuple[int, Keys]  # the day on which a fact became known, and its keys
DAY_ZERO = datetime(2026, 1, 1)  # noqa: DTZ001 - stored instants are naive UTC


def build(seen: Sequence[Seen]) -> duckdb.DuckDBPyConnection:
    """Resolve facts that have nothing but keys."""
    db = duckdb.connect()
    db.execute("create table facts (source varchar, id varchar, keys varchar, recorded_at timestamp)")
    db.execute("alter table facts add column occurred_at timestamp")
    rows = [
        ("web", f"{number}", json.dumps(keys, sort_keys=True, separators=(",", ":")), *[DAY_ZERO + timedelta(day)] * 2)
        for number, (day, keys) in enumerate(seen)
    ]
    db.executemany("insert into facts values (?, ?, ?, ?, ?)", rows)
    identity.build(db)
    return db


def resolve(*seen: Seen) -> list[tuple[str | None, str | None]]:
    """Give account and person of each fact."""
    with build(seen) as db:
        told = db.execute("select keys, account, person from identity where from_at is null").fetchall()
        known = {keys: (account, person) for keys, account, person in told}
    return [known.get(json.dumps(keys, sort_keys=True, separators=(",", ":")), (None, None)) for _, keys in seen]


def accounts(*seen: Seen) -> list[str | None]:
    return [account for account, _ in resolve(*seen)]


def persons(*seen: Seen) -> list[str | None]:
    return [person for _, person in resolve(*seen)]


def why_not(value: str, *seen: Seen) -> list[str | None]:
    """Say why a key joins nobody, in every scope that it has."""
    with build(seen) as db:
        rows = db.execute("select why_not from nodes where value = ? order by scope", [value]).fetchall()
    return [reason for (reason,) in rows]


def test_a_person_is_one_over_cookie_mail_and_crm() -> None:
    """A visit, a form filled in with the same cookie, a contact entered with the same address."""
    visit, form, contact, other = persons(
        (1, {"anonymous_id": "c1"}),
        (2, {"anonymous_id": "c1", "email": "ana@acme.example"}),
        (3, {"email": "ana@acme.example", "person.crm": "P1"}),
        (4, {"anonymous_id": "c2"}),
    )
    assert visit == form == contact
    assert other not in (None, visit)


def test_an_account_is_one_over_domain_crm_and_billing() -> None:
    domain, crm, billing, both, other = accounts(
        (1, {"domain": "acme.example"}),
        (2, {"account.crm": "A1", "domain": "acme.example"}),
        (3, {"account.billing": "B1"}),
        (4, {"account.billing": "B1", "account.crm": "A1"}),
        (5, {"account.crm": "A2"}),
    )
    assert domain == crm == billing == both
    assert other not in (None, domain)


def test_ids_of_two_systems_are_two_keys() -> None:
    crm, shop = accounts((1, {"account.crm": "17"}), (2, {"account.shop": "17"}))
    assert crm != shop


@pytest.mark.parametrize("domain", ["gmail.com", "naver.com", "web.de", "yahoo.co.jp"])
def test_free_mail_never_glues(domain: str) -> None:
    """Two people of two firms write from one free-mail service; one CRM even holds it as the firm's domain."""
    facts: list[Seen] = [
        (1, {"email": f"ana@{domain}", "account.crm": "A1", "domain": domain}),
        (2, {"email": f"bo@{domain}", "account.crm": "A2", "domain": domain}),
        (3, {"email": f"cy@{domain}"}),
    ]
    ana, bo, cy = resolve(*facts)
    assert ana[0] != bo[0]
    assert cy[0] is None
    assert len({ana[1], bo[1], cy[1]}) == 3
    assert why_not(domain, *facts) == ["free mail"]


def test_a_role_mailbox_is_no_person_but_tells_the_account() -> None:
    facts: list[Seen] = [
        (1, {"email": "info@acme.example"}),
        (2, {"email": "info@acme.example", "person.crm": "P1"}),
        (3, {"email": "info@acme.example", "person.crm": "P2"}),
        (4, {"domain": "acme.example", "account.crm": "A1"}),
    ]
    mail, one, two, firm = resolve(*facts)
    assert mail == (firm[0], None)
    assert one[1] != two[1]
    assert one[0] == two[0] == firm[0]
    assert why_not("info@acme.example", *facts) == ["role mailbox"]


@pytest.mark.parametrize(("people", "shared"), [(identity.PERSON_LIMIT, False), (identity.PERSON_LIMIT + 1, True)])
def test_a_cookie_of_more_people_than_the_limit_is_a_kiosk(people: int, shared: bool) -> None:  # noqa: FBT001
    facts: list[Seen] = [(day, {"anonymous_id": "kiosk", "email": f"p{day}@acme.example"}) for day in range(people)]
    assert len(set(persons(*facts))) == (people if shared else 1)
    assert why_not("kiosk", *facts) == (["shared"] if shared else [None])


SHARED: list[
    Seen
] = [  # one browser: a visit, Ann signs in, a visit, Bob signs in, a visit, Ann signs in again, a visit
    (1, {"anonymous_id": "c1"}),
    (2, {"anonymous_id": "c1", "user_id": "ann"}),
    (4, {"anonymous_id": "c1", "user_id": "bob"}),
    (6, {"anonymous_id": "c1", "user_id": "ann", "account.crm": "A1"}),
    (9, {"user_id": "bob", "account.crm": "B1"}),
]


def epochs(*seen: Seen) -> list[tuple[int | None, int | None, str | None, str | None]]:
    """Give the stretches of the first fact's keys: its first day, the first day after it, account and person."""
    with build(seen) as db:
        keys = json.dumps(seen[0][1], sort_keys=True, separators=(",", ":"))
        rows = db.execute(
            "select from_at, until_at, account, person from identity where keys = ? order by from_at", [keys]
        ).fetchall()
    days = [[(at - DAY_ZERO).days if at and at.year == DAY_ZERO.year else None for at in row[:2]] for row in rows]
    return [(*day, *row[2:]) for day, row in zip(days, rows, strict=True)]


def test_a_browser_is_of_whoever_signed_in_last() -> None:
    """What was done before anybody signed in is of the first; accounts come with the persons."""
    _, ann, bob, again, _ = persons(*SHARED)
    account_a, account_b = accounts(*SHARED)[3:]
    assert ann == again != bob
    assert epochs(*SHARED) == [(None, 4, account_a, ann), (4, 6, account_b, bob), (6, None, account_a, ann)]
    assert why_not("c1", *SHARED) == ["shared"]


def test_signing_in_again_begins_no_epoch_and_order_is_of_no_matter() -> None:
    once = epochs(*SHARED[:3])
    again: list[Seen] = [(3, {"anonymous_id": "c1", "user_id": "ann"}), (5, {"anonymous_id": "c1", "user_id": "bob"})]
    assert epochs(SHARED[0], *again, *SHARED[2:0:-1]) == once
    assert [row[:2] for row in once] == [(None, 4), (4, None)]


def test_a_browser_of_one_user_has_no_epochs() -> None:
    assert epochs(*SHARED[:2]) == [(None, None, None, persons(*SHARED[:2])[1])]


@pytest.mark.parametrize(("firms", "shared"), [(identity.ACCOUNT_LIMIT, False), (identity.ACCOUNT_LIMIT + 1, True)])
def test_a_domain_of_more_accounts_than_the_limit_is_shared(firms: int, shared: bool) -> None:  # noqa: FBT001
    facts: list[Seen] = [(day, {"domain": "host.example", "account.crm": f"A{day}"}) for day in range(firms)]
    assert len(set(accounts(*facts))) == (firms if shared else 1)


def test_an_address_with_thirty_cookies_is_still_one_person() -> None:
    facts: list[Seen] = [(day, {"anonymous_id": f"c{day}", "email": "ana@acme.example"}) for day in range(30)]
    visits: list[Seen] = [(day, {"anonymous_id": f"c{day}"}) for day in range(30)]
    assert len(set(persons(*facts, *visits))) == 1


def test_an_employee_known_by_mail_only_gets_the_account_of_the_domain() -> None:
    firm, mail, alone, also_alone = accounts(
        (1, {"account.crm": "A1", "domain": "acme.example"}),
        (2, {"email": "ana@acme.example"}),
        (3, {"email": "bo@bolt.example"}),
        (4, {"email": "cy@bolt.example"}),
    )
    assert mail == firm
    assert alone == also_alone != firm


def test_who_is_known_with_an_account_carries_it_to_anonymous_visits() -> None:
    """The CRM says that Ana, who writes from a private address, buys for A1; her cookie told no firm."""
    visit, form, contact = accounts(
        (1, {"anonymous_id": "c1"}),
        (2, {"anonymous_id": "c1", "email": "ana@gmail.com"}),
        (3, {"email": "ana@gmail.com", "account.crm": "A1"}),
    )
    assert visit == form == contact is not None


def test_a_business_address_carries_its_firm_to_anonymous_visits() -> None:
    """Nobody ever entered Ana in the CRM; a form told her address, and the CRM holds her firm's domain."""
    visit, form, firm, other = accounts(
        (1, {"anonymous_id": "c1"}),
        (2, {"anonymous_id": "c1", "email": "ana@acme.example"}),
        (3, {"account.crm": "A1", "domain": "acme.example"}),
        (4, {"anonymous_id": "c1", "email": "ana@bolt.example"}),
    )
    assert visit == form == firm
    assert other not in (None, firm)  # what says another firm itself belongs there


def test_two_persons_of_one_account_stay_two() -> None:
    ana, bo = resolve(
        (1, {"email": "ana@a.example", "account.crm": "A"}), (2, {"email": "bo@a.example", "account.crm": "A"})
    )
    assert ana[0] == bo[0]
    assert ana[1] != bo[1]


def test_keys_that_come_later_change_no_id() -> None:
    early: list[Seen] = [(1, {"account.crm": "Z9"}), (1, {"person.crm": "P9"})]
    late: list[Seen] = [
        (2, {"account.crm": "Z9", "domain": "aaa.example", "account.billing": "0"}),
        (2, {"person.crm": "P9", "anonymous_id": "0", "email": "a@aaa.example"}),
    ]
    assert accounts(*early)[0] == accounts(*early, *late)[0]
    assert persons(*early)[1] == persons(*early, *late)[1]


def test_a_merge_keeps_the_older_id() -> None:
    old, young = accounts((1, {"account.crm": "Z"}), (2, {"domain": "a.example"}))
    merged = accounts(
        (1, {"account.crm": "Z"}), (2, {"domain": "a.example"}), (3, {"account.crm": "Z", "domain": "a.example"})
    )
    assert old != young
    assert merged == [old, old, old]


def test_the_order_of_facts_is_of_no_matter() -> None:
    facts: list[Seen] = [
        (day % 4, {"email": f"p{day % 7}@a.example", "person.crm": f"P{day % 5}"}) for day in range(40)
    ]
    assert resolve(*facts) == list(reversed(resolve(*reversed(facts))))


def test_odd_values_are_values() -> None:
    odd = ['a"b', "a\\b", "안녕", "a'b", "x\ty", "$.email", "\x1f"]
    facts: list[Seen] = [(1, {"person.crm": value, "account.crm": value}) for value in odd]
    assert len(set(resolve(*facts))) == len(odd)


# -- against an oracle


@dataclass
class Oracle:
    """The same rules in plain Python: union-find over keys, one fact after the other."""

    seen: Sequence[Seen]
    first: dict[tuple[str, str, str], int] = field(default_factory=dict)
    parent: dict[tuple[str, str, str], tuple[str, str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for day, keys in self.seen:
            for key in self._scoped(keys):
                self.first[key] = min(day, self.first.get(key, day))
            domain = keys.get("email", "@").split("@")[1]
            if domain and domain not in identity.FREE_MAIL:
                key = ("account", "domain", domain)
                self.first[key] = min(day, self.first.get(key, day))
        for _, keys in self.seen:
            for scope in ("account", "person"):
                usable = [key for key in self._scoped(keys) if key[0] == scope and self._usable(key)]
                for key in usable[1:]:
                    self.parent[self._root(key)] = self._root(usable[0])

    def _scoped(self, keys: Keys) -> Iterator[tuple[str, str, str]]:
        return (("account" if is_account_key(name) else "person", name, value) for name, value in keys.items())

    def _root(self, key: tuple[str, str, str]) -> tuple[str, str, str]:
        while self.parent.get(key, key) != key:
            key = self.parent[key]
        return key

    def _usable(self, key: tuple[str, str, str]) -> bool:
        scope, name, value = key
        if name == "domain" and value in identity.FREE_MAIL:
            return False
        if name == "email" and value.split("@")[0] in identity.ROLE_MAILBOXES:
            return False
        met: dict[str, set[str]] = {}
        for _, keys in self.seen:
            if keys.get(name) == value:
                for other_scope, other, its_value in self._scoped(keys):
                    strong = identity.STRENGTH.get(other, 3) >= identity.STRENGTH.get(name, 3)
                    if other_scope == scope and other != name and strong:
                        met.setdefault(other, set()).add(its_value)
        limit = identity.PERSON_LIMIT if scope == "person" else identity.ACCOUNT_LIMIT
        return max((len(values) for values in met.values()), default=0) <= limit

    def _id(self, key: tuple[str, str, str]) -> str | None:
        if key not in self.first or not self._usable(key):
            return None
        mates = [mate for mate in self.first if self._usable(mate) and self._root(mate) == self._root(key)]
        scope, name, value = min(mates, key=lambda mate: (self.first[mate], mate[1], mate[2]))
        return scope[0] + hashlib.md5(f"{name}\x1f{value}".encode()).hexdigest()[:16]  # noqa: S324 - no secret

    def direct(self, keys: Keys) -> tuple[str | None, str | None]:
        ids = {key[0]: found for key in self._scoped(keys) if (found := self._id(key))}
        return ids.get("account"), ids.get("person")

    def by_mail(self, keys: Keys) -> str | None:
        return self._id(("account", "domain", keys["email"].split("@")[1])) if "email" in keys else None

    def resolve(self) -> list[tuple[str | None, str | None]]:
        stated: dict[str, tuple[int, str]] = {}
        mailed: dict[str, tuple[int, str]] = {}
        for day, keys in self.seen:
            account, person = self.direct(keys)
            for employers, name in ((stated, account), (mailed, self.by_mail(keys))):
                if person and name:
                    employers[person] = min((day, name), employers.get(person, (day, name)))
        told = []
        for _, keys in self.seen:
            account, person = self.direct(keys)
            by_person, by_colleague = (employers.get(person or "", (0, None))[1] for employers in (stated, mailed))
            told.append((account or by_person or self.by_mail(keys) or by_colleague, person))
        return told


MAILS = ("ana@acme.example", "bo@acme.example", "info@acme.example", "cy@gmail.com", "di@bolt.example")
UNIVERSE = {
    "anonymous_id": ("c0", "c1", "c2"), "email": MAILS, "phone": ("1", "2"), "person.crm": ("P0", "P1", "P2"),
    "domain": ("acme.example", "bolt.example", "gmail.com"), "account.crm": ("A0", "A1", "A2"),
    "account.billing": ("B0", "B1"),
}  # fmt: skip
KEY_SETS = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in UNIVERSE.items()})


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), KEY_SETS.filter(bool)), min_size=1, max_size=12))
def test_any_facts_resolve_as_the_oracle_says(seen: list[tuple[int, dict[str, str]]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "PERSON_LIMIT", 2)  # small, so that some keys are shared
        patch.setattr(identity, "ACCOUNT_LIMIT", 2)
        first: dict[str, int] = {}
        for day, keys in seen:
            name = json.dumps(keys, sort_keys=True)
            first[name] = min(day, first.get(name, day))
        expected = Oracle([(first[json.dumps(keys, sort_keys=True)], keys) for _, keys in seen]).resolve()
        assert resolve(*seen) == expected


# -- in a home


def fact(number: str, kind: str = "page.viewed", **keys: str) -> Fact:
    named = {name.replace("__", "."): value for name, value in keys.items()}
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=sum(map(ord, number)))
    return Fact(source="web", id=number, kind=kind, occurred_at=at, recorded_at=NOW, keys=named)


def add(home: Path, name: str, *facts: Fact) -> None:
    """Add facts a day later for each letter of the alphabet: loads in the order of their names."""
    desk.add(home, facts, name=name, now=NOW + timedelta(days=ord(name) - ord("a")))


def rows_of(home: Path) -> list[tuple[Any, ...]]:
    """Give all that the timeline and the keys of a home hold."""
    derived = Derived.open(Store.open(home).home)
    with duckdb.connect() as db:
        db.execute(view_sql("timeline", derived.timeline.snapshot(), TIMELINE))
        db.execute(view_sql("nodes", derived.nodes.snapshot(), identity.NODES))
        told = db.execute("from timeline order by source, id").fetchall()
        return told + db.execute("from nodes order by all").fetchall()


def accounts_of(home: Path) -> dict[str, str | None]:
    return {row[3]: row[0] for row in rows_of(home) if len(row) == len(TIMELINE)}


FIRST = (fact("visit", anonymous_id="c1"), fact("firm", account__crm="A1"), fact("bill", account__billing="B1"))
FORM = (
    fact("form", anonymous_id="c1", email="ana@acme.example"),
    fact("site", account__crm="A1", domain="acme.example"),
)
MERGE = (fact("merge", account__crm="A1", account__billing="B1"),)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that learns in three loads that cookie, mail, CRM and billing are one company."""
    home = tmp_path_factory.mktemp("identity") / "home"
    add(home, "a", *FIRST)
    told = [accounts_of(home)]
    for name, facts in (("b", FORM), ("c", MERGE)):
        add(home, name, *facts)
        told.append(accounts_of(home))
    first, second, third = told
    assert (first.get("visit"), second["visit"]) == (None, first["firm"])
    assert (second["firm"], second["bill"]) == (first["firm"], first["bill"])
    assert set(third.values()) == {first["bill"]} != {first["firm"]}
    return home


def test_a_merge_moves_the_facts_of_the_younger(home: Path) -> None:
    """Both keys came in one load; the tie is broken by the name of the key, so `account.billing` is the elder."""
    told = desk.story(home, "A1", now=NOW + timedelta(days=9))
    assert {row["id"] for row in told.facts} == {"visit", "firm", "bill", "form", "site", "merge"}
    assert told == desk.story(home, "acme.example", now=NOW + timedelta(days=9))


def test_a_rebuild_gives_the_same_ids_and_rows(home: Path) -> None:
    before = rows_of(home)
    assert desk.rebuild(home) == 6
    assert rows_of(home) == before


def test_joins_are_told_with_the_fact_and_the_day(home: Path) -> None:
    joins = desk.story(home, "B1", now=NOW + timedelta(days=9)).joins
    told = [(join.left, join.right, json.loads(join.because), join.recorded_at.day) for join in joins]
    assert told == [
        (("account.crm", "A1"), ("domain", "acme.example"), {"account.crm": "A1", "domain": "acme.example"}, 3),
        (("account.billing", "B1"), ("account.crm", "A1"), {"account.billing": "B1", "account.crm": "A1"}, 4),
    ]


def test_unrelated_files_may_come_in_any_order(tmp_path: Path) -> None:
    ours, theirs = FORM, (fact("else", account__crm="A7", domain="else.example"),)
    homes = [tmp_path / "one", tmp_path / "two"]
    for name, one, two in (("a", ours, theirs), ("b", theirs, ours)):
        add(homes[0], name, *one)
        add(homes[1], name, *two)
    assert accounts_of(homes[0]) == accounts_of(homes[1])


def test_epochs_that_come_late_move_what_was_done_in_them(tmp_path: Path) -> None:
    """Load by load the timeline is what a rebuild makes of it, and each visit is of who had signed in before it."""
    visits = [fact(number, anonymous_id="c1") for number in ("1", "3", "5")]  # ids are hours of the day here
    add(tmp_path, "a", visits[1], fact("2", anonymous_id="c1", user_id="ann", account__crm="A1"))
    add(tmp_path, "b", visits[0], fact("4", anonymous_id="c1", user_id="bob", account__crm="B1"))
    after_two = rows_of(tmp_path)
    add(tmp_path, "c", visits[2])
    told = accounts_of(tmp_path)
    assert (told["1"], told["3"], told["5"]) == (told["2"], told["2"], told["4"])
    assert told["2"] != told["4"]
    before = rows_of(tmp_path)
    assert desk.rebuild(tmp_path) == 5
    assert rows_of(tmp_path) == before != after_two


def test_keys_without_a_value_join_nobody(tmp_path: Path) -> None:
    """Programs write an empty address as "", and an address as it was typed."""
    add(tmp_path, "a", fact("1", email="", account__crm="A1"), fact("2", email=" ", account__crm="A2"))
    add(tmp_path, "b", fact("3", email=" Ana@ACME.example "), fact("4", domain="acme.example"))
    told = accounts_of(tmp_path)
    assert told["1"] != told["2"]
    assert told["3"] == told["4"]
