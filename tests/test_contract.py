"""Contracts: what they ask of a file and of each row, and that rows in are always accepted or refused."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pytest
import yaml
from contracts import DEALS, HEAD, NOW, adopt, judged, load, text_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait.sources.contract import BadContract, read_contract
from plait.sources.contract import home as kept
from plait.sources.contract.home import Unfounded

EXAMPLES = int(os.environ.get("PLAIT_CONTRACTS", "12"))

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
