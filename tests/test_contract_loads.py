"""Contracts: how whole loads are judged, how drift is named and asked about, what is proposed and comes back."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from contracts import DEALS, MORE, NOW, WHOLE, adopt, inbox, load, rows, text_of

from plait import desk, report
from plait.cli import main
from plait.sources.contract import BadContract, read_contract
from plait.sources.contract import home as kept
from plait.sources.contract.drift import Drifted
from plait.sources.contract.proposal import Owners, propose
from plait.sources.contract.records import read_records
from plait.sources.contract.scorecard import CSV, Card, card_of, cards
from plait.sources.contract.verdict import Broken

# -- whole loads

KEPT = "id,amount,closed,stage,owner\nA,10,2026-05-02,won,x\nB,20,2026-05-01,won,x\nC,5,2026-05-01,lost,x\n"
BROKEN = "id,amount,closed,stage\nD,10,2026-04-02,lost\nE,25,2026-04-01,\n"


def kept_of(card: Card) -> dict[str, bool | None]:
    return {f"{line.verdict.of} {line.rule}": line.kept for line in card.lines if line.verdict.of != "rows"}


def test_volume_freshness_shares_totals_and_columns_are_verdicts_on_the_load(tmp_path: Path) -> None:
    home = tmp_path / "home"
    adopt(home, schema=WHOLE, more=MORE)
    card = card_of(home, "crm", now=NOW)
    assert set(kept_of(card).values()) == {None}, "nothing is judged yet"
    assert load(tmp_path, deals=KEPT).contract == []
    good = card_of(home, "crm", now=NOW + timedelta(days=6))
    assert set(kept_of(good).values()) == {True}
    told = load(tmp_path, deals_b=BROKEN, at=NOW + timedelta(days=1), accepts="Ida")
    assert [(one.rows, one.accepted) for one in told.files] == [(2, 2)], "no row is refused for its load"
    card = card_of(home, "crm", now=NOW + timedelta(days=9))
    assert {rule for rule, fine in kept_of(card).items() if not fine} == {
        "columns all 5 columns are there",
        "count stage is filled in, broken by less than 30 % of the rows",
        "volume a load has at least 3 rows",
        "freshness the newest closed is at most 2 d old",
        "freshness a load comes every 7 d",
    }
    assert len(told.contract) == 4
    assert [line.broken_loads for line in card.lines if line.verdict.of == "volume"] == [1]
    assert [line.loads for line in card.lines if line.verdict.of == "volume"] == [2]
    assert card.summary().endswith("0 of 2 rows in quarantine")
    (listed,) = cards(home, now=NOW)
    assert {len(row) for row in listed.rows()} == {len(CSV)}
    assert report.csv_text(CSV, listed.rows()).count("\n") == len(listed.lines) + 1


def test_a_control_total_is_held_against_what_will_be_stored(tmp_path: Path) -> None:
    adopt(tmp_path / "home", more=MORE.replace("element: closed", "element: deals.closed"))
    told = load(tmp_path, deals="id,amount,closed,stage\nA,10,2026-05-02,won\n")
    assert told.contract == [
        "contract of crm: control total of deal.won < 2026-06-01: 2, 30.00 EUR: plait holds 1, 10.00 EUR"
    ]
    told = load(tmp_path, deals_2="id,amount,closed,stage\nA,10,2026-05-02,won\nB,20,2026-05-02,won\n")
    assert told.contract == []


def test_a_contract_may_refuse_the_whole_load_and_nothing_is_stored(tmp_path: Path) -> None:
    home = tmp_path / "home"
    adopt(home, more="\ncustomProperties: [{property: plait.onViolation, value: refuse}]\n")
    bad = "id,amount,closed,stage\nA,10,2026-05-02,won\nB,-1,2026-05-02,won\n"
    with pytest.raises(Broken, match="nothing was loaded") as broken:
        load(tmp_path, deals=bad)
    assert "amount is at least 0: 1 of 2 rows break it" in str(broken.value)
    told = desk.info(home)
    assert (told.facts, told.refused) == (0, 0)
    assert desk.loads(home, limit=9)[1] == 0
    (record,) = read_records(home, "crm")
    assert record.refused, "the scorecard knows of it"
    trial = desk.try_out(home, inbox(tmp_path, deals=bad), tmp_path / "m.toml", now=NOW)
    assert [one.refused for one in trial.files] == [1], "trying out tells all the same"
    assert load(tmp_path, deals=bad.replace("-1", "1")).files[0].added == 2


def test_a_source_without_a_contract_loads_as_before(tmp_path: Path) -> None:
    told = load(tmp_path, deals="id,amount,closed,stage\nA,-0,2026-05-02,won\nA,1,2026-05-02,won\n")
    assert (told.contract, told.drift) == ([], [])
    assert not list((tmp_path / "home").glob("contracts/crm/loads/*"))
    assert card_of(tmp_path / "home", "crm", now=NOW).version is None


# -- drift


def test_drift_is_named_in_words_over_the_loads_and_asks_where_it_matters(tmp_path: Path) -> None:
    home = tmp_path / "home"
    may = [datetime(2026, 5, day, tzinfo=UTC) for day in (1, 3, 5, 7)]
    first = load(tmp_path, deals_1=rows("id,amount,closed,stage,note", "A#,#.5,2026-04-0#,won,n"), at=may[0])
    assert first.drift == []
    told = load(tmp_path, deals_2=rows("id,amount,closed,stage,Note_2,team", "B#,#.5,2026-04-0#,won,n,x"), at=may[1])
    assert told.drift == [
        "deals_2.csv: column `note` is gone since 3 May 2026; renamed? `Note_2` looks like it",
        "deals_2.csv: new column `team` since 3 May 2026",
    ], "what nobody needs is told and loaded"
    assert told.files[0].added == 5
    third = {"deals_3": rows("id,amount,closed,stage,Note_2,team", "C#,EUR #,2026-04-0#,won,n,x")}
    with pytest.raises(Drifted) as asked:
        load(tmp_path, at=may[2], **third)
    said = "column `amount` became text on 5 May 2026; before it was a number (5 of 5 rows)"
    assert f"- deals_3.csv: {said}" in str(asked.value)
    assert "--accept-drift" in str(asked.value)
    assert desk.info(home).facts == 10, "nothing was loaded"
    card = card_of(home, "crm", now=may[2])
    assert [(one.said, one.state) for one in card.open] == [(said, "open")]
    with pytest.raises(kept.NoContract, match="no open drift"):
        kept.accept(home, "web", by="Ida", on=may[2].date())
    kept.accept(home, "crm", by="Ida", on=may[2].date())
    loaded = load(tmp_path, at=may[2], **third)
    assert (loaded.files[0].rows, loaded.files[0].refused) == (5, 5), (
        "each row is refused by its own rule, none is lost"
    )
    card = card_of(home, "crm", now=may[2])
    assert [(one.state, one.drift.by) for one in card.drifts if "amount" in one.said] == [("accepted", "Ida")]
    fourth = {"deals_4": rows("id,amount,closed,stage,Note_2,team", "D#,#,2#.04.2026,won,n,x")}
    with pytest.raises(Drifted):
        load(tmp_path, at=may[3], **fourth)
    assert load(tmp_path, at=may[3], accepts="Sol", **fourth).drift == [
        "deals_4.csv: column `amount` became a whole number on 7 May 2026; before it was text (5 of 5 rows)",
        "deals_4.csv: column `closed` is written day first since 7 May 2026; before it was year first",
    ]
    assert not card_of(home, "crm", now=may[3]).open


def test_a_missing_column_of_the_mapping_is_told_with_what_it_may_be_called_now(tmp_path: Path) -> None:
    load(tmp_path, deals_1=rows("id,amount,closed,stage", "A#,#,2026-04-0#,won"))
    with pytest.raises(Exception, match="the mapping names column 'amount'") as bad:
        load(tmp_path, deals_2=rows("id,amount_eur,closed,stage", "B#,#,2026-04-0#,won"))
    assert "column `amount` is gone since 3 May 2026; renamed? `amount_eur` looks like it" in str(bad.value)


def test_a_column_of_the_contract_that_is_gone_or_empty_asks(tmp_path: Path) -> None:
    adopt(tmp_path / "home", schema=DEALS + "      - {name: owner, logicalType: string}\n")
    load(tmp_path, deals_1=rows("id,amount,closed,stage,owner", "A#,#,2026-04-0#,won,x"))
    with pytest.raises(Drifted, match="column `owner` is gone"):
        load(tmp_path, deals_2=rows("id,amount,closed,stage", "B#,#,2026-04-0#,won"))
    with pytest.raises(Drifted, match="column `owner` is empty since 3 May 2026; before 5 of 5 rows had it"):
        load(tmp_path, deals_2=rows("id,amount,closed,stage,owner", "B#,#,2026-04-0#,won,"))
    told = load(tmp_path, deals_2=rows("id,amount,closed,stage", "B#,#,2026-04-0#,won"), accepts="Ida")
    assert told.files[0].added == 5
    assert told.contract == ["contract of crm: all 5 columns are there: missing: owner"]


# -- proposals, and rows that come back


def test_a_proposal_is_a_contract_that_its_exports_keep(tmp_path: Path) -> None:
    lines = "".join(
        f"D-{n},{n * 10},2026-04-{n:02},{'won' if n % 3 else 'lost'},u{n % 9}@x.example\n" for n in range(1, 29)
    )
    place = inbox(tmp_path, deals_1="id,amount,closed,stage,email\n" + lines)
    text = propose(place, "crm", Owners("Ida", "Sol", "sales"))
    found = read_contract(text)
    said = [str(rule.words()) for rule in found.shapes[0].rules]
    assert said == [
        "id is filled in", "id is there once", "amount is filled in", "amount is a whole number",
        "amount is at least 0", "amount is at most 415", "closed is filled in", "closed is a day", "stage is filled in",
        "stage is one of lost, won", "email is filled in",
    ]  # fmt: skip
    assert [str(limit.words()) for limit in found.shapes[0].volume] == ["at least 14 rows", "at most 42 rows"]
    with pytest.raises(BadContract, match="still to be filled in"):
        read_contract(propose(place, "crm", Owners()))
    kept.adopt(tmp_path / "home", text, by="Ida", why="proposed", now=NOW)
    told = desk.load(tmp_path / "home", place, tmp_path / "m.toml", now=NOW)
    assert (told.contract, told.files[0].refused) == ([], 0)


def test_refused_rows_leave_inert_and_come_back_mended(tmp_path: Path) -> None:
    """A formula in a row that is refused is marked in the CSV; taken back, the row is what it was."""
    home = tmp_path / "home"
    adopt(home)
    evil = '=HYPERLINK(""http://x"")'
    load(tmp_path, deals=f'id,amount,closed,stage\n"{evil}",-5,2026-05-01,won\nB,x,2026-05-01,won\n')
    page = desk.refused_rows(home, {})
    told = report.csv_text(("value", "row"), [[row.value, row.row] for row in page.rows])
    assert not re.search(r"(^|,|\")[=+\-@]", told.replace('""', "")), "no cell begins as a formula does"
    back = [json.loads(row["row"]) for row in csv.DictReader(io.StringIO(told))]
    assert {row["id"] for row in back} == {'=HYPERLINK("http://x")', "B"}
    mended = "".join(f'"{row["id"].replace(chr(34), chr(34) * 2)}",5,{row["closed"]},{row["stage"]}\n' for row in back)
    assert load(tmp_path, deals_2="id,amount,closed,stage\n" + mended).files[0].added == 2


def test_the_command_line_checks_adopts_lists_shows_and_proposes(tmp_path: Path) -> None:
    def plait(*arguments: str) -> tuple[int, str]:
        told = CliRunner().invoke(main, ["--home", str(tmp_path / "home"), *arguments])
        return told.exit_code, told.output

    good, bad, out = tmp_path / "good.yaml", tmp_path / "bad.yaml", tmp_path / "out.yaml"
    good.write_text(text_of())
    bad.write_bytes("name: \xe4".encode("latin-1"))
    assert plait("contract", "check", str(good))[0] == 0
    assert plait("contract", "check", str(bad)) == (1, "Error: bad.yaml: is not UTF-8 (byte 6): save it as UTF-8\n")
    assert plait("contract", "show", "crm")[1].startswith("Error: source 'crm' has no contract")
    assert "`plait contract propose SOURCE FOLDER` writes one" in plait("contract", "list")[1]
    assert "Version 1 of the contract of crm holds now" in plait("contract", "adopt", str(good), "--why", "agreed")[1]
    load(tmp_path, at=datetime(2026, 5, 3, tzinfo=UTC), deals="id,amount,closed,stage\nA,-1,2026-05-01,won\n")
    assert "amount is at least 0" in plait("contract", "show", "crm")[1]
    assert plait("contract", "show", "crm", "--yaml")[1] == text_of()
    assert plait("contract", "show", "crm", "--version", "2")[0] == 1
    (told,) = json.loads(plait("contract", "list", "--json")[1])
    assert (told["source"], told["version"]) == ("crm", 1)
    place = str(tmp_path / "in")
    assert plait("contract", "propose", "crm", place, "--department", "sale")[1].startswith(
        "Error: no department 'sale'"
    )
    assert plait("contract", "propose", "crm", place, "--out", str(out))[0] == 0
    assert "another file with --out" in plait("contract", "propose", "crm", place, "--out", str(out))[1]
    assert plait("contract", "check", str(out))[0] == 1, "its owners are to be filled in"
