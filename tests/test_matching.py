"""Matching: the same people in lists and in a home, measured against the truth, proposed, reviewed, decided."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner
from homes import NOW, stored

from plait.cli import main
from plait.facts import Fact
from plait.matching import acts, kept, model, normal, review
from plait.matching.acts import Steward
from plait.matching.fields import COMPANY, PERSON, UnknownColumns, recognise
from plait.matching.files import UnreadableList, find_same
from plait.matching.kept import BadThreshold, Likeness, Proposal, Setting
from plait.matching.labels import BadLabels, measure_labels
from plait.matching.model import NoSplink
from plait.matching.pairs import LEAST, Pairs, cluster, weight_of
from plait.matching.proposing import propose
from plait.matching.quality import interval, measured
from plait.matching.who import find_who
from plait.stewardship import Contradiction, read_decisions

DATA = Path(__file__).parents[2] / "shared" / "data"
PEOPLE, FIRMS = DATA / "identity_people", DATA / "identity_organisations" / "childcare_sites_with_true_ids.csv"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the public data is not here")
LONG = int(os.environ.get("PLAIT_PAIRS", "0"))  # also the sets that take long
DAY = datetime(2026, 1, 1, tzinfo=UTC)
MARA = Steward("Mara Lind", "I asked them", NOW)


def clean(way: str, *texts: str) -> list[str | None]:
    """Write texts in one way."""
    with duckdb.connect() as db:
        told = getattr(normal, way)("text")
        return [db.execute(f"select {told} from (select ? as text)", [text]).fetchall()[0][0] for text in texts]


def test_names_numbers_and_addresses_are_written_in_one_way() -> None:
    assert clean("person", "  Jane-Ann ", "MÜLLER", "Weiß", "O'Neil", "-", "n/a", "42") == [
        "jane ann", "muller", "weiss", "o neil", None, None, None,
    ]  # fmt: skip
    assert clean("company", "Müller GmbH & Co. KG", "㈜한국전자", "주식회사 카카오", "ACME Inc.", "GmbH") == [
        "muller", "한국전자", "카카오", "acme", "gmbh",
    ]  # fmt: skip
    assert clean("phone", "+49 (0)30 123 456", "0049 30 123456", "030-123456", "12") == [*["30123456"] * 3, None]
    assert clean("street", "2050 E 93rd Street", "Hauptstraße 12a", "12 rue de la Paix") == [
        "93rd",
        "haupt",
        "de la paix",
    ]
    assert clean("house", "2050 E 93rd Street", "Hauptstraße 12a", "Broadway") == ["2050", "12", None]
    assert clean("born", "1971-06-24", "24.06.1971", "19710624", "1971") == ["19710624"] * 3 + [None]
    assert clean("domain", "https://www.Acme.example/x", "acme.example", "no") == ["acme.example"] * 2 + [None]


def test_columns_are_known_by_their_usual_names() -> None:
    people = recognise(["Vorname", "Nachname", "E-Mail", "PLZ", "note"])
    assert (people.scope, dict(people.columns)) == (
        PERSON, {"given": "Vorname", "family": "Nachname", "email": "E-Mail", "postcode": "PLZ"},
    )  # fmt: skip
    firms = recognise(["Company Name", "Website", "zipCode"])
    assert (firms.scope, dict(firms.columns)) == (
        COMPANY, {"domain": "Website", "postcode": "zipCode", "name": "Company Name"},
    )  # fmt: skip
    with pytest.raises(UnknownColumns, match="--column name=COLUMN"):
        recognise(["a", "b"])
    with pytest.raises(UnknownColumns, match="there is no column 'x'"):
        recognise(["name"], told={"name": "x"})


# -- against the truth


@needs_data
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "truth", "pattern", "pairs", "long"),
    [
        (PEOPLE / "fake_1000.csv", "cluster", None, 2_031, False),
        (PEOPLE / "febrl_dataset3.csv", "rec_id", r"rec-(\d+)-", 6_538, True),
        (FIRMS, "True Id", None, 6_608, True),
    ],
    ids=["fake_1000", "febrl3", "organisations"],
)
def test_precision_and_recall_of_public_sets(
    file: Path,
    truth: str,
    pattern: str | None,
    pairs: int,
    long: bool,  # noqa: FBT001
) -> None:
    """One setting for all, no labels seen; equal rows alone find next to nothing."""
    if long and not LONG:
        pytest.skip("the long form: PLAIT_PAIRS=1")
    found = find_same(file, truth=truth, pattern=pattern)
    assert found.quality is not None
    assert found.exact is not None
    assert found.quality.all == pairs
    assert (found.quality.precision or 0) >= 0.95
    assert (found.quality.recall or 0) >= 0.90
    assert (found.exact.recall or 1) < 0.25


def test_a_list_says_which_rows_are_one_and_writes_them(tmp_path: Path) -> None:
    file, out = tmp_path / "people.csv", tmp_path / "out.csv"
    names = ["ann", "bob", "cid", "dora", "egon", "fritz", "gina", "hans", "ida", "jon"]
    rows = [
        f"{given},{family},{given}.{family}@x{n % 7}.example,{19600101 + n * 37},{10000 + n * 13}"
        for n, (given, family) in enumerate((a, f"{b}mann") for a in names for b in names)
    ]
    doubled = [row.replace("mann", "man", 1) for row in rows[:40]]
    file.write_text("first_name,last_name,email,dob,zip\n" + "\n".join(rows + doubled) + "\n")
    ran = CliRunner().invoke(main, ["identity", "dedupe", str(file), "--out", str(out)])
    assert (ran.exit_code, ran.output.splitlines()[0]) == (0, "140 rows are 100 people (one from 0.95 on).")
    assert ("the model's estimate" in ran.output, "measured" in ran.output) == (True, False)
    written = out.read_text().splitlines()
    assert (written[0], len(written)) == ("cluster,first_name,last_name,email,dob,zip", 141)
    for words, code, says in (
        (["--truth", "who"], 2, "there is no column 'who' in people.csv"),
        (["--sure", "1.5"], 2, "is no probability to go by"),
        (["--column", "name"], 2, "write it as name=COLUMN"),
        (["--column", "hair=dob"], 2, "no sort of field 'hair'; allowed: given, family"),
    ):
        ran = CliRunner().invoke(main, ["identity", "dedupe", str(file), *words])
        assert (ran.exit_code, says in ran.output) == (code, True), ran.output


def test_a_file_that_is_no_list_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "x.parquet"
    broken.write_bytes(b"nothing")
    with pytest.raises(UnreadableList, match="no CSV or Parquet file"):
        find_same(broken)


def test_without_the_extra_a_clear_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise NoSplink

    monkeypatch.setattr(model, "require_splink", missing)
    ran = CliRunner().invoke(main, ["--home", str(tmp_path / "home"), "identity", "match"])
    assert (ran.exit_code, "pip install 'plait[fuzzy]'" in ran.output) == (1, True), ran.output


# -- clusters and quality


def paired(*pairs: tuple[int, int, float]) -> Pairs:
    left, right, weight = (np.array(column) for column in zip(*pairs, strict=True))
    return Pairs(left, right, weight.astype(float), 0.01)


def test_one_bridge_does_not_make_one_of_two_who_differ() -> None:
    """0, 1, 2 are alike, and 3, 4, 5; 2 and 3 too, but all others across are as unlike as can be."""
    sure = weight_of(0.95)
    inside = [(a, b, 9.0) for group in ((0, 1, 2), (3, 4, 5)) for a in group for b in group if a < b]
    across = [(a, b, LEAST) for a in (0, 1, 2) for b in (3, 4, 5) if (a, b) != (2, 3)]
    found = cluster(paired(*inside, *across, (2, 3, 6.0)), 7, least=sure)
    assert [found[0] == found[k] for k in range(7)] == [True, True, True, False, False, False, False]
    assert found[3] == found[5]
    assert len(set(found.tolist())) == 3


def test_pairs_are_counted_and_a_share_of_few_is_uncertain() -> None:
    quality = measured(np.array([0, 0, 0, 1, 2]), np.array([0, 0, 1, 1, 2]))
    assert (quality.found, quality.right, quality.all) == (3, 1, 2)
    assert interval(0, 0) is None
    low, high = interval(9, 10) or (0, 0)
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)  # Wilson (1927), as R's prop.test without correction


# -- in a home


def entered(number: int, name: str, email: str, firm: int, phone: str) -> list[Fact]:
    at = DAY + timedelta(days=number)
    told = partial(Fact, source="crm", occurred_at=at, recorded_at=at)
    company = told(id=f"a{number}", kind="account.created", keys={"account.crm": f"A{firm}"}, text=f"Firm {firm} GmbH")
    person = told(
        id=f"p{number}", kind="contact.created", keys={"email": email, "account.crm": f"A{firm}"}, text=name,
        detail={"Postal code": f"{10000 + firm * 37}", "mobile phone": phone},
    )  # fmt: skip
    return [company, person]


GIVEN = "anna bernd carla dirk erika frank greta heinz ilse jonas karin lukas mia nils olga paul rita sven".split()
STEMS = "ahr bran con die eng fisch gerb han iss jan kell lor mohr neum oster pohl quast rich".split()
ENDS = ("ens", "dt", "mann", "berg", "er", "ke", "sen", "hoff")


def firm_of_people(home: Path) -> list[tuple[str, str]]:
    """200 people in 60 firms; 25 of them were entered again with another address and a letter wrong."""
    chance, facts, doubled = random.Random(4), [], []  # noqa: S311 - no secret
    for number in range(200):
        given, family = chance.choice(GIVEN), chance.choice(STEMS) + chance.choice(ENDS)
        firm, phone = chance.randrange(60), f"0151 {chance.randrange(10**7, 10**8)}"
        email = f"{given}.{family}{number}@firm{firm}.example"
        facts += entered(number, f"{given} {family}", email, firm, phone)
        if number % 8 == 0:
            other = f"{given[0]}{family}{number}@firm{firm}.example"
            facts += entered(1000 + number, f"{given} {family[:-1]}", other, firm, phone.replace("0151 ", "+49151"))
            doubled.append((email, other))
    stored(home, facts)
    return doubled


def test_people_who_look_alike_are_proposed_reviewed_and_decided(tmp_path: Path) -> None:
    home = tmp_path / "home"
    doubled = firm_of_people(home)
    now = NOW.replace(tzinfo=None)
    found = propose(home, PERSON, now=now)
    pairs = review.waiting(home)
    told = {frozenset(key[1] for key in pair.keys) for pair in pairs}
    right = [pair for pair in doubled if frozenset(pair) in told]
    assert len(right) >= len(doubled) * 0.9
    assert len(pairs) - len(right) <= 3
    assert (found.records, found.anew, found.merged) == (225, True, 0)

    labels = home / "labels.csv"
    rows = [f"{one},{other},1" for one, other in doubled[:10]] + [f"{doubled[0][0]},{doubled[1][0]},0", "x,y,1"]
    labels.write_text("left,right,same\n" + "\n".join(rows) + "\n")
    told_on, unknown = measure_labels(home, PERSON, labels)
    assert (told_on.reviewed, told_on.same, unknown) == (11, 10, 1)
    assert (told_on.precision, (told_on.recall or 0) >= 0.8) == (1.0, True)
    labels.write_text("left,right,same\na,b,maybe\n")
    with pytest.raises(BadLabels, match=r"row 2 of labels\.csv"):
        measure_labels(home, PERSON, labels)

    first, second, third = pairs[:3]
    made = review.answer(home, first.number, same=True, steward=MARA)
    assert review.answer(home, first.number, same=True, steward=Steward("Sol", "me too", NOW)) == made
    with pytest.raises(Contradiction, match="Mara Lind has just decided otherwise: decision 1"):
        review.answer(home, first.number, same=False, steward=MARA)
    review.answer(home, second.number, same=False, steward=MARA)
    assert len(review.waiting(home)) == len(pairs) - 2
    assert [one.number for one in read_decisions(home).all] == [1, 2]
    assert find_who(home, first.left[1]).id == find_who(home, first.right[1]).id
    seen = review.measure(home, PERSON, 0.5)
    assert (seen.reviewed, seen.precision, seen.recall) == (2, 0.5, 1.0)

    kept.keep_setting(home, PERSON, Setting(0.8, 0.5, automatic=True, by="Ida", why="they are many"))
    again = propose(home, PERSON, now=now + timedelta(days=1))
    merged = again.merged
    assert (again.anew, again.trained.trained_at, merged >= 10) == (False, now, True), "the model is kept"
    by_rule = [one for one in read_decisions(home).in_force if one.rule]
    assert (len(by_rule), by_rule[0].by, "probability" in by_rule[0].evidence) == (merged, "plait", True)
    assert find_who(home, second.left[1]).id != find_who(home, second.right[1]).id
    assert second.number not in {pair.number for pair in review.waiting(home)}, "never proposed again"
    shown = CliRunner().invoke(main, ["--home", str(home), "identity", "why", third.left[1]]).output
    assert "matched: " in shown, shown
    acts.undo(home, by_rule[0].number, MARA)
    assert kept.forget(home, [third.left]) in (0, 1)


def test_thresholds_that_part_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadThreshold, match=r"allowed: 0\.5 <= lower <= upper < 1"):
        kept.keep_setting(tmp_path, PERSON, Setting(0.6, 0.9))
    assert kept.read_setting(tmp_path, PERSON) == Setting()


def test_an_alias_of_two_known_users_waits_for_somebody(tmp_path: Path) -> None:
    """A call says that u1 was u0 before; both are known with addresses of their own: strangers are not joined."""
    home = tmp_path / "home"

    def known(number: int, kind: str, keys: dict[str, str]) -> Fact:
        at = DAY + timedelta(days=number)
        return Fact(source="web", id=f"w{number}", kind=kind, occurred_at=at, recorded_at=at, keys=keys)

    stored(
        home,
        [
            known(1, "person.identified", {"user_id": "u0", "email": "ann@a.example"}),
            known(2, "person.identified", {"user_id": "u1", "email": "bob@b.example"}),
            known(3, "identity.linked", {"user_id": "u1", "anonymous_id": "u0"}),
            known(4, "identity.linked", {"user_id": "u1", "anonymous_id": "cookie"}),
        ],
    )
    assert find_who(home, "user_id=u0").id != find_who(home, "user_id=u1").id
    (pair,) = review.waiting(home)
    assert (pair.keys, pair.probability, pair.because) == ((("user_id", "u0"), ("user_id", "u1")), None, "linked")
    review.answer(home, pair.number, same=True, steward=MARA)
    assert review.waiting(home) == []
    assert find_who(home, "user_id=u0").id == find_who(home, "user_id=u1").id
    run = CliRunner()
    for words, code, says in (
        (["decisions"], 0, "1 decisions in force, of 1."),
        (["why", "user_id=u0"], 0, "Mara Lind merged u0 and u1 on 2 January 2030, because I asked them (decision 1)"),
        (["history", "user_id=u1"], 0, "decision 1 by Mara Lind"),
        (["undo", "1", "--by", "Sol", "--why", "two people"], 0, "decision 1 is taken back"),
        (["why", "user_id=u0", "user_id=u1"], 0, "they are two"),
        (["review"], 0, "1 pairs wait."),
        (["review", "--same", pair.number], 2, "say who decides"),
        (["review", "--not-same", "nothing", "--by", "Sol"], 1, "does not wait any more"),
        (["match", "--upper", "0.9"], 2, "--by NAME --why TEXT"),
        (["merge", "nobody", "u1", "--by", "S", "--why", "w"], 1, "nobody is known by 'nobody'"),
        (["split", "user_id=u0", "user_id=u0", "--by", "S", "--why", "w"], 0, "stand apart"),
    ):
        ran = run.invoke(main, ["--home", str(home), "identity", *words])
        assert (ran.exit_code, says in ran.output) == (code, True), (words, ran.output)


def test_proposals_are_kept_and_an_erased_person_leaves_them(tmp_path: Path) -> None:
    fields = (Likeness("email", "a@x.example", "b@x.example", "alike", 2.5),)

    def proposal(left: Sequence[str], right: Sequence[str]) -> Proposal:
        return Proposal(PERSON, (left[0], left[1]), (right[0], right[1]), "p1", "p2", 0.9, fields)

    pairs = [proposal(("email", "a"), ("email", "b")), proposal(("phone", "1"), ("phone", "2"))]
    kept.keep_proposals(tmp_path, PERSON, pairs)
    assert kept.read_proposals(tmp_path, PERSON) == pairs
    assert pairs[0].number == proposal(("email", "b"), ("email", "a")).number
    assert kept.forget(tmp_path, [("phone", "1")]) == 1
    assert kept.read_proposals(tmp_path, PERSON) == pairs[:1]
