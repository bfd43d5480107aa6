"""Proposals: a mapping for exports that nobody described; what no file tells is asked."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait.cli import main
from plait.sources.mapping import read_mapping
from plait.sources.proposal.kept import as_json, of_json
from plait.sources.proposal.proposing import Proposal, Seen, propose, see, source_name
from plait.sources.proposal.sort import Sort, sort_of
from plait.sources.proposal.trial import Tried, try_mapping
from plait.sources.proposal.vocabulary import meaning, tokens

NOW = datetime(2026, 11, 26, tzinfo=UTC)
EXAMPLES = int(os.environ.get("PLAIT_PROPOSALS", "12"))  # generated files; more for a long night
HOME = ("UTC", "EUR")
DEALS = """Verkaufschance;Firma ID;Betrag;Erstellt am;Abschlussdatum;Phase;Betreuer ID
V-1;F-1;1.200,50;05.01.2026 09:30;;In Verhandlung;7
V-2;F-2;800,00;06.01.2026 10:00;20.01.2026 12:00;Gewonnen;8
V-3;F-1;450,00;13.01.2026 08:15;25.01.2026 09:00;Verloren;7
"""
FIRMS = """ID;Firma;Webseite;Angelegt am
F-1;Acme GmbH;www.acme.example;02.01.2026
F-2;Bolt AG;www.bolt.example;03.01.2026
"""
PEOPLE = """ID;Name;E-Mail
7;Jane Doe;jane@us.example
8;Joe Poe;joe@us.example
"""


def looked_at(folder: Path, work: Path, files: Mapping[str, str]) -> Seen:
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return see([folder], work=work)


def proposed(tmp_path: Path, files: Mapping[str, str], answers: Mapping[str, str] | None = None) -> Proposal:
    folder = tmp_path / "exports"
    folder.mkdir(exist_ok=True)
    seen = looked_at(folder, tmp_path / "look", files)
    return propose(seen, source="crm", answers=dict(answers or {}), day="2026-11-26")


def tried(tmp_path: Path, made: Proposal) -> Tried:
    folder = tmp_path / "exports"
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return try_mapping(folder, files, made.toml, work=tmp_path / "trial", now=NOW, home=HOME)


def fields_of(seen: Tried, kind: str) -> list[dict[str, str]]:
    return [fields for fact in seen.facts if (fields := dict(fact.fields))["kind"] == kind]


@pytest.fixture
def german(tmp_path: Path) -> Proposal:
    return proposed(tmp_path, {"verkaufschancen.csv": DEALS, "firmen.csv": FIRMS, "mitarbeiter.csv": PEOPLE})


def test_three_german_files_become_deals_companies_and_names_in_charge(tmp_path: Path, german: Proposal) -> None:
    told = {file.profile.name: file.entity for file in german.draft.files}
    assert told == {"firmen.csv": "company", "mitarbeiter.csv": "staff", "verkaufschancen.csv": "deal"}
    seen = tried(tmp_path, german)
    assert sum(file.refused for file in seen.files) == 0
    (won,), (lost,) = fields_of(seen, "deal.won"), fields_of(seen, "deal.lost")
    assert (won["object_id"], won["amount"], won["currency"], won["owner"]) == (
        "V-2",
        "800.0000",
        "EUR",
        "Joe Poe",
    )
    assert (won["occurred_at"], lost["object_id"]) == ("2026-01-20 12:00:00", "V-3")
    assert len(fields_of(seen, "deal.opened")) == 3
    keys = [json.loads(fact["keys"]) for fact in fields_of(seen, "account.created")]
    assert keys[0] == {"account.crm": "F-1", "domain": "acme.example"}


def test_what_no_file_tells_is_asked_with_the_values_that_make_it_necessary(tmp_path: Path) -> None:
    rows = (
        "Order ID,Total,Ordered At,Customer Email\nO-1,1.250,03/04/2026,a@x.example\nO-2,2.500,05/06/2026,b@x.example\n"
    )
    made = proposed(tmp_path, {"orders.csv": rows})
    asked = {question.key: question for question in made.draft.questions}
    day = asked["format:orders.csv:Ordered At"]
    assert day.asks == "03/04/2026 in Ordered At: day first or month first?"
    assert [means for _, means in day.options] == ["day first", "month first"]
    assert asked["decimal:orders.csv:Total"].asks == "1.250 in Total: is that thousands?"
    assert asked["currency"].default == "home"
    assert "# OPEN: 03/04/2026 in Ordered At: day first or month first?" in made.toml
    answers = {"format:orders.csv:Ordered At": "%m/%d/%Y", "decimal:orders.csv:Total": ",", "currency": "USD"}
    said = proposed(tmp_path, {"orders.csv": rows}, answers)
    (first, _second) = fields_of(tried(tmp_path, said), "order.placed")
    assert (first["occurred_at"], first["amount"], first["currency"]) == ("2026-03-04 00:00:00", "1250.0000", "USD")
    assert not said.open
    assert "# OPEN" not in said.toml


def test_money_with_its_sign_is_read_and_names_the_currency(tmp_path: Path) -> None:
    rows = "Rechnungsnr;Datum;Betrag netto\nR-1;31.01.2026;€ 1.200,50\nR-2;01.02.2026;-3,00 €\nR-3;02.02.2026;7,00\n"
    made = proposed(tmp_path, {"rechnungen.csv": rows})
    seen = tried(tmp_path, made)
    amounts = [(fact["amount"], fact["currency"]) for fact in fields_of(seen, "invoice.issued")]
    assert amounts == [("1200.5000", "EUR"), ("7.0000", "EUR")]
    assert [(wrong.value, wrong.rule) for wrong in seen.refused] == [("-3,00 €", "negative amount")]
    assert "currency" not in {question.key for question in made.draft.questions}


def test_people_correct_what_a_file_and_a_column_are(tmp_path: Path) -> None:
    rows = "ref,who,when,what\nA,ann@x.example,2026-01-02,hello\nB,bob@x.example,2026-01-03,bye\n"
    made = proposed(tmp_path, {"dump.csv": rows}, {"entity:dump.csv": "ticket", "role:dump.csv:what": "name"})
    opened = fields_of(tried(tmp_path, made), "ticket.opened")
    assert [(fact["text"], json.loads(fact["keys"])) for fact in opened] == [
        ("hello", {"email": "ann@x.example"}),
        ("bye", {"email": "bob@x.example"}),
    ]
    without = proposed(tmp_path, {"dump.csv": rows}, {"entity:dump.csv": "ticket", "role:dump.csv:who": "nothing"})
    assert "keys" not in fields_of(tried(tmp_path, without), "ticket.opened")[0]


def test_the_same_money_in_two_files_counts_once(tmp_path: Path) -> None:
    files = {
        "campaigns_by_day.csv": "Day,Campaign,Clicks,Cost\n2026-01-01,A,3,10.00\n2026-01-02,A,4,12.50\n",
        "campaigns_by_country.csv": "Day,Country,Clicks,Cost\n2026-01-01,DE,3,10.00\n2026-01-02,FR,4,12.50\n",
    }
    made = proposed(tmp_path, files)
    assert {q.key for q in made.draft.questions} >= {"spend", "channel:campaigns_by_day.csv"}
    assert sum(float(fact["amount"]) for fact in fields_of(tried(tmp_path, made), "spend.paid")) == 22.5
    both = proposed(tmp_path, files, {"spend": "every"})
    assert sum(float(fact["amount"]) for fact in fields_of(tried(tmp_path, both), "spend.paid")) == 45.0


@pytest.mark.parametrize(
    ("values", "sort"),
    [
        (["2026-01-02", "2026-01-03"], Sort("time")),
        (["31/01/2026", "05/02/2026"], Sort("time", ("%d/%m/%Y",))),
        (["01/31/2026", "02/05/2026"], Sort("time", ("%m/%d/%Y",))),
        (["2026. 1. 31.", "2026. 2. 1."], Sort("time", ("%Y. %m. %d.",))),
        (["$1,200.50", "$3.00"], Sort("number", signs=("$",))),
        (["1.200,50", "3,00"], Sort("number", decimal=",")),
        (["00712", "00713"], Sort("one of few")),
        (["true", "FALSE"], Sort("yes or no")),
        (["ann@x.example"], Sort("e-mail")),
        (["usd", "eur"], Sort("currency", lower=True)),
        (["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "7ba7b810-9dad-11d1-80b4-00c04fd430c8"], Sort("opaque id")),
        (['{"a": 1}'], Sort("JSON")),
        (["acme.example", "www.bolt.example"], Sort("domain")),
    ],
)
def test_values_tell_what_they_are(values: list[str], sort: Sort) -> None:
    def parses(form: str, value: str) -> bool:
        return bool(duckdb.execute("select try_strptime(?, ?) is not null", [value, form]).fetchall()[0][0])

    made = sort_of(values, distinct=len(values), filled=len(values), parses=parses)
    told = Sort(made.name, made.formats, made.decimal, made.signs, lower=made.lower)
    assert told == sort


@pytest.mark.parametrize(
    ("name", "words", "means"),
    [
        ("createdAt", ("createdat",), {"created"}),
        ("E-Mail-Adresse", ("email", "adresse"), {"email"}),
        ("Kundennummer", ("kunden", "nummer"), {"customer", "id"}),
        ("고객이메일", ("고객", "이메일"), {"customer", "email"}),
        ("Date de création", ("date", "de", "creation"), {"time", "created"}),
        ("importe_total", ("importe", "total"), {"amount", "total"}),
        ("생성일", ("생성일",), {"created"}),
    ],
)
def test_names_are_read_in_five_languages(name: str, words: tuple[str, ...], means: set[str]) -> None:
    assert tokens(name) == words
    assert means <= meaning(name)


def test_what_was_seen_can_be_kept(tmp_path: Path, german: Proposal) -> None:
    seen = see([tmp_path / "exports"], work=tmp_path / "look")
    again = Seen(seen.folder, seen.files, of_json(as_json(seen.looked)))
    assert propose(again, source="crm", answers={}, day="2026-11-26").toml == german.toml


# -- generated files: whatever they look like, the proposal is a mapping that loads them and loses no row

HEADERS = {  # what a column holds: its name in five languages
    "id": ("Ticket ID", "Ticket-Nr", "Numéro du ticket", "ID del ticket", "티켓번호"),
    "email": ("Requester Email", "E-Mail", "Courriel du demandeur", "Correo electrónico", "요청자 이메일"),
    "created": ("Created at", "Erstellt am", "Date de création", "Fecha de creación", "생성일"),
    "status": ("Status", "Zustand", "Statut", "Estado", "상태"),
    "subject": ("Subject", "Betreff", "Objet", "Asunto", "제목"),
    "amount": ("Amount", "Betrag", "Montant", "Importe", "금액"),
}
FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y %H:%M", "%m/%d/%Y", "%Y-%m-%dT%H:%M:%SZ", "%Y/%m/%d %H:%M:%S")


@st.composite
def exports(draw: st.DrawFn) -> tuple[str, bytes]:
    """Draw a file of tickets: columns in any order, in any of five languages, with any delimiter and format."""
    chance = random.Random(draw(st.integers(0, 10_000)))  # noqa: S311 - a drawn file, no secret
    language, mark = draw(st.integers(0, 4)), draw(st.sampled_from(",;\t|"))
    columns = draw(st.permutations(list(HEADERS)))[: draw(st.integers(2, 6))]
    form, comma = draw(st.sampled_from(FORMATS)), draw(st.booleans())
    lines = [[HEADERS[column][language] for column in columns]]
    for number in range(draw(st.integers(0, 30))):
        at = NOW - timedelta(minutes=chance.randrange(500_000))
        money = f"{chance.randrange(10_000)}{',' if comma else '.'}{chance.randrange(100):02}"
        row = {
            "id": f"T-{number}", "email": f"p{chance.randrange(5)}@x.example", "created": at.strftime(form),
            "status": chance.choice(("open", "solved", "", "N/A")), "amount": money,
            "subject": chance.choice(('say "hi"', "a\nb", "é", "")),
        }  # fmt: skip
        lines.append([row[column] for column in columns])
    if draw(st.booleans()) and len(lines) > 1:
        lines.append(lines[-1][:-1])  # a row that lacks a cell
    text = "\n".join(mark.join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines)
    return draw(st.sampled_from(("tickets.csv", "export 3.csv", "문의.csv"))), text.encode(
        draw(st.sampled_from(("utf-8", "utf-16")))
    )


@given(exports())
@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
def test_any_file_gets_a_mapping_that_loads_it_whole(tmp_path: Path, drawn: tuple[str, bytes]) -> None:
    name, content = drawn
    folder = tmp_path / f"f{abs(hash(drawn))}"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    made = propose(see([folder], work=tmp_path / "look"), source="desk", answers={}, day="2026-11-26")
    if not any(file.mapping for file in made.draft.files):
        return
    path = tmp_path / "desk.toml"
    path.write_text(made.toml, "utf-8")
    read_mapping(path)
    (loaded,) = try_mapping(folder, [folder / name], made.toml, work=tmp_path / "trial", now=NOW, home=HOME).files
    assert loaded.rows == loaded.accepted + loaded.refused


# -- the command


def test_the_command_writes_a_mapping_that_load_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "My CRM"
    folder.mkdir()
    for name, text in {"verkaufschancen.csv": DEALS, "firmen.csv": FIRMS, "mitarbeiter.csv": PEOPLE}.items():
        (folder / name).write_text(text, "utf-8")
    home = ["--home", str(tmp_path / "home")]
    made = CliRunner().invoke(main, [*home, "map", "My CRM", "--yes"])
    assert made.exit_code == 0, made.output
    assert "plait load 'My CRM' --mapping my_crm.toml" in made.output
    again = CliRunner().invoke(main, [*home, "map", "My CRM", "--yes"])
    assert (again.exit_code, "is there already" in again.output) == (1, True)
    taken = CliRunner().invoke(main, [*home, "map", "My CRM", "--yes", "--overwrite"])
    assert taken.exit_code == 0
    loaded = CliRunner().invoke(
        main, [*home, "load", "My CRM", "--mapping", "my_crm.toml", "--zone", "UTC", "--currency", "EUR", "--json"]
    )
    assert loaded.exit_code == 0, loaded.output
    assert '"added"' in loaded.output
    wrong = CliRunner().invoke(main, [*home, "map", "My CRM", "--source", "My CRM"])
    assert (wrong.exit_code, "for example my_crm" in wrong.output) == (2, True)


def test_what_cannot_be_mapped_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "note.doc").write_text("x")
    empty = CliRunner().invoke(main, ["map", "empty.csv", "--yes"])
    assert (empty.exit_code, "is empty" in empty.output) == (1, True)
    none = CliRunner().invoke(main, ["map", "note.doc", "--yes"])
    assert (none.exit_code, "no data file is named" in none.output) == (1, True)
    assert source_name("Mein CRM 2026") == "mein_crm_2026"


def test_a_load_leads_from_unknown_files_to_their_mapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my files").mkdir()
    Path("my files/orders.csv").write_text("Order ID,Total\nO-1,5.00\n")
    none = CliRunner().invoke(main, ["--home", "home", "load", "my files"])
    assert (none.exit_code, "`plait map 'my files'` proposes a mapping" in none.output) == (1, True)
    Path("my files/refunds.csv").write_text(
        "id,amount,charge_id,created,currency,reason,receipt_number,status\n"
        "re_1,100,ch_1,2026-01-02 10:00:00,eur,duplicate,1,succeeded\n"
    )
    some = CliRunner().invoke(main, ["--home", "home", "load", "my files"])
    assert (some.exit_code, "proposed by: plait map 'my files/orders.csv'" in some.output) == (0, True)
