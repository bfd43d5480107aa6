"""Contracts: what they ask, that rows in are always accepted or refused, and how a load is judged as a whole."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait import desk, report
from plait.cli import main
from plait.sources.contract import BadContract, Contract, read_contract
from plait.sources.contract import home as kept
from plait.sources.contract.drift import Drifted
from plait.sources.contract.home import Unfounded
from plait.sources.contract.judge import Judge, Terms
from plait.sources.contract.proposal import Owners, propose
from plait.sources.contract.records import read_records
from plait.sources.contract.scorecard import CSV, Card, card_of, cards
from plait.sources.contract.verdict import Broken
from plait.sources.mapping import read_mapping
from plait.sources.staging import StagedFile, stage
from plait.store import Store

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)
EXAMPLES = int(os.environ.get("PLAIT_CONTRACTS", "12"))
MAPPING = """
source = "crm"
timezone = "UTC"
currency = "EUR"
[[file]]
pattern = "deals*.csv"
[[file.fact]]
kind = "deal.won"
id = "{id}"
object_id = "{id}"
occurred_at = "{closed}"
amount = "{amount}"
when = { stage = "won" }
"""
ANY = """
source = "crm"
[[file]]
pattern = "any*.csv"
[[file.fact]]
kind = "event.other"
id = "{@row}"
occurred_at = "2026-01-01T00:00:00Z"
text = "{a}"
"""
TEAM = """
team:
  members:
    - {username: ida@demo.example, name: Ida, role: IT owner}
    - username: sol@demo.example
      role: department owner
      customProperties: [{property: plait.department, value: sales}]
"""
HEAD = """
apiVersion: v3.1.0
kind: DataContract
id: crm-deals
name: crm
version: 1.0.0
status: active
"""
DEALS = """
schema:
  - name: deals
    physicalName: deals*.csv
    properties:
      - {name: id, logicalType: string, primaryKey: true}
      - {name: amount, logicalType: number, required: true, logicalTypeOptions: {minimum: 0}}
      - {name: closed, logicalType: timestamp}
      - {name: stage, logicalType: string}
"""


def text_of(*, schema: str = DEALS, more: str = "") -> str:
    return HEAD + schema + TEAM + more


def adopt(home: Path, *, schema: str = DEALS, more: str = "", at: datetime = NOW) -> Contract:
    return kept.adopt(home, text_of(schema=schema, more=more), by="Ida", why="agreed", now=at).contract


def inbox(folder: Path, **files: str) -> Path:
    """Write files and the mapping beside them; give the folder."""
    place = folder / "in"
    place.mkdir(exist_ok=True)
    for old in place.iterdir():
        old.unlink()
    for name, text in files.items():
        (place / f"{name}.csv").write_text(text, "utf-8")
    (folder / "m.toml").write_text(MAPPING)
    return place


def load(folder: Path, *, at: datetime = NOW, accepts: str = "", **files: str) -> desk.LoadReport:
    return desk.load(folder / "home", inbox(folder, **files), folder / "m.toml", now=at, accepts=accepts)


def judged(folder: Path, schema: str, text: str) -> tuple[StagedFile, Judge, list[dict[str, object]], set[int]]:
    """Stage one file of any columns by a contract; give the refused rows and the lines of the accepted ones."""
    home, place = folder / "home", folder / "in"
    if not kept.read_versions(home, "crm"):
        adopt(home, schema=schema)
    place.mkdir(exist_ok=True)
    (place / "any.csv").write_text(text, "utf-8")
    (folder / "any.toml").write_text(ANY)
    judge = Judge(home, Terms(NOW, trial=True))
    (file,) = stage(place, read_mapping(folder / "any.toml"), work=home / "work", recorded_at=NOW, judge=judge).files
    judge.judge(Store.open(home))
    return file, judge, pq.read_table(file.refused).to_pylist(), set(pq.read_table(file.facts)["line"].to_pylist())


# -- the file


def test_everything_that_is_wrong_is_told_at_once_with_what_is_allowed() -> None:
    schema = """
colour: red
schema:
  - name: deals
    properties:
      - {name: a, logicalType: int, requird: true}
      - name: b
        logicalType: integer
        logicalTypeOptions: {minimum: abc, pattern: x}
        quality: [{type: sql, query: select 1, mustBe: 0}, {metric: nullValues}]
      - {name: c, logicalType: string, logicalTypeOptions: {pattern: '(?=a)'}}
      - {name: d, logicalType: date, logicalTypeOptions: {format: jj, minimum: 2020-02-31}}
      - {name: e, logicalType: string, quality: [{metric: invalidValues, arguments: {validValues: [NO]}, mustBe: 0}]}
"""
    with pytest.raises(BadContract) as bad:
        read_contract((HEAD + schema).replace("v3.1.0", "v2.2.2"))
    told = "\n".join(bad.value.problems)
    for said in (
        "no apiVersion 'v2.2.2'; allowed: v3.1.0", "no key 'colour'", "did you mean 'required'?",
        "no logicalType 'int'; did you mean 'integer'?", "minimum: is a number, not 'abc'", "no key 'pattern' here",
        "type sql is not run", "needs what the count must be: mustBe", "looking ahead or back", "no letters 'jj'",
        "minimum is written as 2026-01-31", "put such values in quotes", "needs an owner in IT",
        "needs an owner in the department",
    ):  # fmt: skip
        assert said in told, said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2", "the key 'a' stands twice"),
        ("- &x a\n- *x", "an alias"),
        ("a: [", "is no YAML: line 1"),
        ("[" * 100, "nested too deep"),
        ("plain", "is no contract"),
    ],
)
def test_a_text_that_is_no_contract_is_refused_in_a_line(text: str, said: str) -> None:
    with pytest.raises(BadContract, match=re.escape(said)):
        read_contract(text)


def test_what_the_standard_has_and_plait_does_not_judge_is_listed() -> None:
    schema = """
price: {priceAmount: 1}
slaProperties: [{property: retention, value: 3, unit: y}]
customProperties: [{property: other.tool, value: 1}]
schema:
  - name: deals
    tags: [a]
    properties:
      - {name: a, logicalType: string, physicalType: varchar(5), classification: public,
         quality: [{type: custom, engine: soda, implementation: x}, {type: text, description: fine}]}
"""
    keys = {key for _where, key in read_contract(text_of(schema=schema)).not_judged}
    assert keys == {
        "price", "property retention", "customProperties: other.tool", "tags", "physicalType", "classification",
        "engine", "implementation", "type custom", "type text",
    }  # fmt: skip


def test_versions_are_kept_with_who_when_and_why(tmp_path: Path) -> None:
    adopt(tmp_path)
    with pytest.raises(Unfounded, match="holds already"):
        adopt(tmp_path)
    with pytest.raises(Unfounded, match="who adopts it and why"):
        kept.adopt(tmp_path, text_of(more="\n# 2\n"), by="Ida", why=" ", now=NOW)
    with pytest.raises(BadContract, match="the status is draft"):
        kept.adopt(tmp_path, text_of().replace("active", "draft"), by="Ida", why="x", now=NOW)
    kept.adopt(tmp_path, text_of().replace("active", "retired"), by="Sol", why="the tool is gone", now=NOW)
    first, second = kept.read_versions(tmp_path, "crm")
    assert (first.by, first.why, first.adopted_at) == ("Ida", "agreed", NOW.replace(tzinfo=None))
    assert (second.number, second.by, second.why) == (2, "Sol", "the tool is gone")
    assert kept.in_force(tmp_path, "crm") is None, "nothing is judged by a retired contract"


# -- rows

COLUMNS = {  # a column's rules; values that keep them; values that break them, with the rule in words
    "need": ("required: true", ["x"], {"": "is empty", " ": "is empty"}),
    "whole": ("logicalType: integer", ["1", "-12", "1,000", ""], {"1.5": "no whole number", "x": "no whole number"}),
    "num": (
        "logicalType: number, logicalTypeOptions: {minimum: 0, exclusiveMaximum: 100, multipleOf: 0.05}",
        ["0", "99.95", ""],
        {"-0.05": "below 0", "100": "not below 100", "0.01": "no multiple of 0.05", "EUR 5": "no number"},
    ),
    "strict": (
        "logicalType: number, logicalTypeOptions: {minimum: 1, exclusiveMinimum: true}",
        ["1.0000000001", "123456789012345678901.5"],
        {"1": "not above 1"},
    ),
    "tiny": ("logicalType: integer, logicalTypeOptions: {format: u8}", ["0", "255"], {"256": "above 255"}),
    "day": (
        "logicalType: date, logicalTypeOptions: {minimum: 2020-01-01}",
        ["2020-01-01", "2026-05-03 00:00:00"],
        {"2019-12-31": "below 2020-01-01", "2026-02-30": "no day", "03.05.2026": "no day"},
    ),
    "local": (
        "logicalType: date, logicalTypeOptions: {format: dd.MM.yyyy, maximum: 2026-12-31}",
        ["03.05.2026"],
        {"2026-05-03": "no day", "01.01.2027": "above 2026-12-31"},
    ),
    "at": (
        "logicalType: timestamp, logicalTypeOptions: {timezone: true, maximum: '2026-05-03T10:00:00Z'}",
        ["2026-05-03T12:00:00+02:00"],
        {"2026-05-03T09:00:00": "names no time zone", "2026-05-03T10:00:01Z": "above 2026", "soon": "no instant"},
    ),
    "clock": ("logicalType: time", ["09:30", "23:59:59.5"], {"25:00": "no time of day"}),
    "flag": ("logicalType: boolean", ["yes", "FALSE", "1"], {"maybe": "neither yes nor no"}),
    "size": (
        "logicalType: string, logicalTypeOptions: {minLength: 2, maxLength: 3}",
        ["ab", "äöü"],
        {"a": "fewer than 2 letters", "abcd": "more than 3 letters"},
    ),
    "code": ("logicalType: string, logicalTypeOptions: {pattern: '^D-[0-9]+$'}", ["D-1"], {"X-1": "does not fit ^D-"}),
    "mail": (
        "logicalType: string, logicalTypeOptions: {format: email}",
        ["a@b.example"],
        {"a@b": "not written as email", "a b@c.de": "not written as email"},
    ),
    "ip": ("logicalType: string, logicalTypeOptions: {format: ipv4}", ["10.0.0.255"], {"10.0.0.256": "as ipv4"}),
    "stage": (
        "quality: [{metric: invalidValues, arguments: {validValues: [won, lost]}, mustBe: 0}]",
        ["won", ""],
        {"Won": "none of the allowed values", "won ": "none of the allowed values"},
    ),
    "gone": (
        "quality: [{metric: missingValues, arguments: {missingValues: [null, '', 'N/A']}, mustBe: 0}]",
        ["x"],
        {"": "stands for nothing", "N/A": "stands for nothing"},
    ),
    "key": ("unique: true", [], {}),
}


def test_every_rule_refuses_the_rows_that_break_it_and_no_other(tmp_path: Path) -> None:
    properties = "\n".join(f"      - {{name: {name}, {rules}}}" for name, (rules, _, _) in COLUMNS.items())
    schema = f"schema:\n  - name: any\n    physicalName: any.csv\n    properties:\n{properties}\n"
    schema += "      - {name: a}\n"
    good = {name: keep[0] if keep else "" for name, (_, keep, _) in COLUMNS.items()}
    rows, wanted = [good], {}
    for name, (_rules, keep, broken) in COLUMNS.items():
        rows += [{**good, name: value} for value in keep]
        for value, rule in broken.items():
            rows.append({**good, name: value})
            wanted[len(rows) + 1] = (name, value.strip() and value, rule)
    rows += [{**good, "key": "once"}, {**good, "key": "once"}]
    wanted[len(rows) + 1] = ("key", "once", "there twice")
    out = io.StringIO()
    writer = csv.DictWriter(out, [*COLUMNS, "a"], restval="")
    writer.writeheader()
    writer.writerows(rows)
    file, judge, refused, accepted = judged(tmp_path, schema, out.getvalue())
    assert file.rows == len(rows) == file.accepted + file.refused_rows
    found = {int(str(row["line"])): row for row in refused}
    assert set(found) == set(wanted)
    assert accepted == set(range(2, len(rows) + 2)) - set(wanted)
    for line, (name, value, rule) in wanted.items():
        row = found[line]
        assert (row["field"], row["value"] or "") == (name, value), row
        assert str(row["rule"]).startswith(f"contract: {name} "), row
        assert rule in str(row["rule"])
        assert row["next_step"]
        whole = json.loads(str(row["row"]))
        assert {key: text or "" for key, text in whole.items()} == {**rows[line - 2], "a": ""}, "it is kept whole"
    counts = {str(one.rule): one.broken for one in judge.verdicts["crm"] if one.broken}
    assert sum(counts.values()) == len(wanted), "every breach is counted under its rule"
    assert counts["num is at least 0"] == 1


def plain_number(text: str) -> Decimal | None:
    try:
        return Decimal(text) if re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", text) else None
    except InvalidOperation:
        return None


def plain_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None


def keeps(rules: dict[str, object], text: str) -> bool:
    """Judge a cell in plain Python; what is there twice is judged apart."""
    if not text.strip():
        return not rules.get("required")
    kind = rules["type"]
    low, high = rules["low"], rules["high"]
    if kind == "number":
        number = plain_number(text.strip())
        return number is not None and Decimal(str(low)) <= number <= Decimal(str(high))
    if kind == "date":
        day = plain_day(text.strip())
        return day is not None and day >= date(2020, 1, 1)
    return len(text) <= int(str(rules["longest"])) and (
        not rules["allowed"] or text in str(rules["allowed"]).split(",")
    )


CELL = st.sampled_from(
    ["", " ", "0", "1", "-1", "2.50", "7", "1e3", "abc", "a", "b", "2020-01-01", "2019-12-31", "2026-02-30", "ä", "x y"]
)
RULES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["number", "date", "string"]),
        "required": st.booleans(),
        "unique": st.booleans(),
        "low": st.integers(-2, 1),
        "high": st.integers(2, 8),
        "longest": st.integers(1, 6),
        "allowed": st.sampled_from(["", "a,b,abc", "0,1,7"]),
    }
)


def property_of(name: str, rules: dict[str, object]) -> dict[str, object]:
    made: dict[str, object] = {"name": name, "logicalType": rules["type"]}
    made |= {flag: True for flag in ("required", "unique") if rules[flag]}
    if rules["type"] == "number":
        made["logicalTypeOptions"] = {"minimum": rules["low"], "maximum": rules["high"]}
    elif rules["type"] == "date":
        made["logicalTypeOptions"] = {"minimum": "2020-01-01"}
    else:
        made["logicalTypeOptions"] = {"maxLength": rules["longest"]}
        if rules["allowed"]:
            allowed = {"validValues": str(rules["allowed"]).split(",")}
            made["quality"] = [{"metric": "invalidValues", "arguments": allowed, "mustBe": 0}]
    return made


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns=st.tuples(RULES, RULES), cells=st.lists(st.tuples(CELL, CELL), max_size=12))
def test_rows_are_accepted_or_refused_as_a_plain_judge_would(
    tmp_path_factory: pytest.TempPathFactory,
    columns: Sequence[dict[str, object]],
    cells: list[tuple[str, str]],
) -> None:
    folder = tmp_path_factory.mktemp("judged")
    properties = [property_of(name, rules) for name, rules in zip("ab", columns, strict=True)]
    schema = yaml.safe_dump({"schema": [{"name": "any", "physicalName": "any.csv", "properties": properties}]})
    out = io.StringIO()
    csv.writer(out).writerows([["a", "b", "c"], *([*row, "."] for row in cells)])
    file, _judge, refused, accepted = judged(folder, schema, out.getvalue())
    assert file.rows == len(cells) == file.accepted + file.refused_rows
    wanted = set()
    for line, row in enumerate(cells, 2):
        fine = all(keeps(rules, text) for rules, text in zip(columns, row, strict=True))
        again = any(
            rules["unique"] and row[n].strip() and row[n] in [one[n] for one in cells[: line - 2]]
            for n, rules in enumerate(columns)
        )
        wanted |= {line} if fine and not again else set()
    assert accepted == wanted
    assert {row["line"] for row in refused} == set(range(2, len(cells) + 2)) - wanted


def test_a_key_is_there_once_in_all_exports_of_the_source(tmp_path: Path) -> None:
    """The same row again is known, another row with its key is refused, a row that was refused can be mended."""
    adopt(tmp_path / "home")
    first = load(tmp_path, deals_1="id,amount,closed,stage\nA,10,2026-05-01,won\nB,-5,2026-05-01,won\n")
    assert [(one.accepted, one.refused) for one in first.files] == [(1, 1)]
    again = "id,amount,closed,stage\nA,10,2026-05-01,won\nA,11,2026-05-02,won\nB,5,2026-05-01,won\nC,1,2026-05-01,won\n"
    second = load(tmp_path, deals_2=again)
    assert [(one.rows, one.accepted, one.refused, one.added) for one in second.files] == [(4, 3, 1, 2)]
    assert [(row.line, row.rule) for row in second.refused] == [(3, "contract: id is there twice")]
    head = "id,amount,closed,stage\n"
    both = load(tmp_path, deals_3=f"{head}D,1,2026-05-01,won\n", deals_4=f"{head}D,2,2026-05-01,won\n")
    assert [one.refused for one in both.files] == [0, 1], "two files of one load are judged together"
    same = load(tmp_path, deals_2=again)
    assert [(one.accepted, one.refused, one.added) for one in same.files] == [(3, 1, 0)], "the same file is known"


def test_where_each_export_is_the_whole_a_key_may_come_again(tmp_path: Path) -> None:
    whole = DEALS + "    customProperties: [{property: plait.uniqueWithin, value: file}]\n"
    adopt(tmp_path / "home", schema=whole)
    for amount in ("10", "11"):
        told = load(tmp_path, deals=f"id,amount,closed,stage\nA,{amount},2026-05-01,lost\nA,9,2026-05-01,lost\n")
        assert [(one.accepted, one.refused) for one in told.files] == [(1, 1)]


# -- whole loads

WHOLE = DEALS.replace(
    "      - {name: stage, logicalType: string}",
    "      - {name: stage, logicalType: string, quality: [{metric: nullValues, mustBeLessThan: 30, unit: percent}]}\n"
    "      - {name: owner, logicalType: string}\n"
    "    quality: [{metric: rowCount, mustBeGreaterOrEqualTo: 3}]",
)
MORE = """
slaProperties:
  - {property: latency, value: 2, unit: d, element: closed}
  - {property: frequency, value: 7, unit: d}
customProperties:
  - property: plait.controlTotals
    value: [{kind: deal.won, before: 2026-06-01, facts: 2, amount: 30.00, currency: EUR}]
"""
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
    assert (told.contract, told.changed) == ([], [])
    assert not list((tmp_path / "home").glob("contracts/crm/loads/*"))
    assert card_of(tmp_path / "home", "crm", now=NOW).version is None


# -- drift


def rows(head: str, line: str, n: int = 5) -> str:
    return head + "\n" + "".join(line.replace("#", str(k)) + "\n" for k in range(1, n + 1))


def test_drift_is_named_in_words_over_the_loads_and_asks_where_it_matters(tmp_path: Path) -> None:
    home = tmp_path / "home"
    may = [datetime(2026, 5, day, tzinfo=UTC) for day in (1, 3, 5, 7)]
    first = load(tmp_path, deals_1=rows("id,amount,closed,stage,note", "A#,#.5,2026-04-0#,won,n"), at=may[0])
    assert first.changed == []
    told = load(tmp_path, deals_2=rows("id,amount,closed,stage,Note_2,team", "B#,#.5,2026-04-0#,won,n,x"), at=may[1])
    assert told.changed == [
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
    assert load(tmp_path, at=may[3], accepts="Sol", **fourth).changed == [
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
