"""Staging: what becomes of rows, good and bad, in every shape in which they come."""

# ruff: noqa: DTZ001, E501 - staged times are UTC without saying so; tables of cases are long

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait.sources.delimited import BrokenRow, Shape, parse, read_rows
from plait.sources.file import UnreadableFile
from plait.sources.mapping import BadMapping, read_mapping
from plait.sources.staging import StagedFile, Staging, stage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEALS = """
source = "crm"
timezone = "Europe/Berlin"
currency = "EUR"
[[file]]
pattern = "deals*"
{settings}
[[file.fact]]
kind = "deal.won"
id = "deal:{{id}}"
occurred_at = "{{closed}}"
object_id = "{{id}}"
owner = "{{owner}}"
amount = "{{amount}}"
{more}
"""
HEAD = "id,closed,owner,amount\n"


def staged(
    folder: Path, *, settings: str = "", more: str = "", mapping: str = "", file: str = "", work: str = "w"
) -> Staging:
    path = folder.parent / f"{folder.name}.toml"
    path.write_text(mapping or DEALS.format(settings=settings, more=more))
    return stage(folder / file, read_mapping(path), work=folder.parent / f"{folder.name}.{work}", recorded_at=NOW)


def facts(file: StagedFile, columns: str = "*") -> list[tuple[Any, ...]]:
    return duckdb.sql(f"select {columns} from read_parquet('{file.facts}') order by line, id").fetchall()


def refused(file: StagedFile, columns: str = "line, field, value, rule, next_step") -> list[tuple[Any, ...]]:
    return duckdb.sql(f"select {columns} from read_parquet('{file.refused}') order by line").fetchall()


def only(folder: Path, text: str, **options: str) -> StagedFile:
    (folder / "deals.csv").write_text(text, newline="")
    return staged(folder, **options).files[0]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


# -- what a row gives


def test_the_staged_columns_are_what_the_store_expects(inbox: Path) -> None:
    file = only(inbox, HEAD + "1,2025-07-01 12:00,Ana,10.5\n", more='keys = { email = "{owner}" }')
    schema = pa.parquet.read_schema(file.facts)
    text = "id source kind keys object_id currency channel campaign partner product owner text detail file"
    assert {name: schema.field(name).type for name in text.split()} == dict.fromkeys(text.split(), pa.string())
    assert [str(schema.field(name).type) for name in ("occurred_at", "recorded_at", "amount", "quantity", "line")] == [
        "timestamp[us]", "timestamp[us]", "decimal128(18, 4)", "decimal128(20, 10)", "int64",
    ]  # fmt: skip
    assert facts(file) == [
        ("deal:1", "crm", "deal.won", datetime(2025, 7, 1, 10), datetime(2026, 1, 1), '{"email":"ana"}', "1", Decimal("10.5000"),
         "EUR", None, None, None, None, None, "Ana", None, "{}", "deals.csv", 2),
    ]  # fmt: skip


def test_one_row_gives_a_fact_for_each_condition_that_holds(inbox: Path) -> None:
    mapping = """
source = "crm"
timezone = "UTC"
[[file]]
pattern = "deals.csv"
nulls = ["-"]
[[file.fact]]
when = { stage = ["Won", "Signed"] }
kind = "deal.won"
id = "{id}:won"
occurred_at = "{day}"
object_id = "{id}"
[[file.fact]]
when = { stage = { not = "Won" }, note = { present = true } }
kind = "deal.lost"
id = "{id}:lost"
occurred_at = "{day}"
object_id = "{id}"
"""
    rows = "1,Won,2025-01-01,x\n2,Signed,2025-01-01,x\n3,,2025-01-01,x\n4,Open,2025-01-01,-\n"
    file = only(inbox, "id,stage,day,note\n" + rows, mapping=mapping)
    assert [row[0] for row in facts(file, "id")] == ["1:won", "2:lost", "2:won", "3:lost"]
    assert (file.rows, file.accepted, file.without_fact) == (4, 4, 1)


def test_keys_and_detail_are_canonical(inbox: Path) -> None:
    more = """
[file.fact.keys]
email = " {mail} "
domain = "{site}"
"account.crm" = "{acc}"
[file.fact.detail]
z = "{q}"
a = "{mail}{site}{acc}"
"""
    row = '1,2025-01-01,o,1, Ana@X.COM ,https://www.Example.com/a?b,,"say ""é"""\n2,2025-01-01,o,1,,,,\n'
    file = only(inbox, "id,closed,owner,amount,mail,site,acc,q\n" + row, more=more)
    assert facts(file, "keys, detail") == [
        ('{"domain":"example.com","email":"ana@x.com"}', '{"z":"say \\"é\\""}'),
        ("{}", "{}"),
    ]


def test_a_value_is_mapped_then_looked_up_then_replaced(inbox: Path) -> None:
    (inbox / "products.csv").write_text("name;price\nGTX Pro;1.234,50\nMini;\n")
    more = """
[file.fact.product]
from = "{p}"
map = { GTXPro = "GTX Pro" }
lookup = { file = "products.csv", key = "name", value = "price" }
else = "no price"
"""
    result = "id,closed,owner,amount,p\n1,2025-01-01,o,1,GTXPro\n2,2025-01-01,o,1,Mini\n3,2025-01-01,o,1,Maxi\n"
    (inbox / "deals.csv").write_text(result)
    staging = staged(inbox, more=more)
    assert facts(staging.files[0], "product") == [("1.234,50",), ("no price",), ("no price",)]
    assert staging.not_read == []


def test_a_lookup_that_says_two_things_is_refused(inbox: Path) -> None:
    (inbox / "p.csv").write_text("name,price\na,1\na,2\n")
    with pytest.raises(UnreadableFile, match="name 'a' stands for more than one price"):
        only(
            inbox,
            HEAD + "1,2025-01-01,o,1\n",
            more='product = { from = "{owner}", lookup = { file = "p.csv", key = "name", value = "price" } }',
        )


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [
        ("1,234.50", ".", "1234.5"), ("1.234,50", ",", "1234.5"), ("1 234,50", ",", "1234.5"), ("+7", ".", "7"),
        ("1\u00a0234", ",", "1234"), (".5", ".", "0.5"), ("12,34", ".", None), ("1.5", ",", None), ("1e5", ".", None),
        ("EUR 5", ".", None), ("99999999999999", ".", "99999999999999"), ("123456789012345", ".", None), ("0x1F", ".", None),
        ("1_000", ".", None), ("NaN", ".", None), ("1.234.567,8", ",", "1234567.8"),
    ],
)  # fmt: skip
def test_a_number_is_read_as_its_decimal_mark_says(inbox: Path, text: str, decimal: str, number: str | None) -> None:
    file = only(inbox, HEAD + f'1,2025-01-01,o,"{text}"\n', settings=f'decimal = "{decimal}"')
    assert facts(file, "amount") == ([(Decimal(number),)] if number else [])
    assert refused(file, "field, value, rule") == ([] if number else [("amount", text, "not a number")])


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2025-07-01", "2025-06-30 22:00"), ("2025-01-31 10:20", "2025-01-31 09:20"), ("2025-01-31T10:20:30.5", "2025-01-31 09:20:30.5"),
        ("2025-01-31T10:20:30Z", "2025-01-31 10:20:30"), ("2025-01-31 10:20:30+05:30", "2025-01-31 04:50:30"),
        ("2025-01-31T10:20:30-0800", "2025-01-31 18:20:30"), ("2025-01-31 10:20:30 UTC", "2025-01-31 10:20:30"),
        ("2025-01-31 10:20:30 +02", "2025-01-31 08:20:30"),
    ],
)  # fmt: skip
def test_a_time_becomes_utc(inbox: Path, text: str, utc: str) -> None:
    assert facts(only(inbox, HEAD + f"1,{text},o,1\n"), "occurred_at") == [(datetime.fromisoformat(utc),)]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("2025-02-30", "not a time"), ("31.01.2025", "not a time"), ("yesterday", "not a time"), ("infinity", "not a time"),
        ("2025-03-30 02:30", "skipped by the clock change"), ("1970-01-01", "too early"),
        ("2026-02-01", "in the future of the load"), ("", "missing occurred_at"), ("   ", "missing occurred_at"),
    ],
)  # fmt: skip
def test_an_impossible_time_is_refused(inbox: Path, text: str, rule: str) -> None:
    assert refused(only(inbox, HEAD + f"1,{text},o,1\n"), "field, rule") == [("occurred_at", rule)]


def test_a_time_without_zone_needs_the_zone_of_its_source(inbox: Path) -> None:
    mapping = DEALS.format(settings="", more="").replace('timezone = "Europe/Berlin"\n', "")
    file = only(inbox, HEAD + "1,2025-01-01,o,1\n2,2025-01-01T00:00Z,o,1\n", mapping=mapping)
    assert refused(file, "line, rule") == [(2, "time without a zone")]
    assert file.accepted == 1


def test_stated_formats_are_tried_in_order(inbox: Path) -> None:
    mapping = DEALS.format(settings="", more="").replace(
        '"{closed}"',
        '{ from = "{closed}", format = ["%d.%m.%Y", "%d.%m.%Y %H:%M", "%Y%m%d %H%M %z"], timezone = "UTC" }',
    )
    file = only(
        inbox,
        HEAD + "1,1.2.2025,o,1\n2,01.02.2025 10:30,o,1\n3,20250201 1030 +0100,o,1\n4,30.02.2025,o,1\n",
        mapping=mapping,
    )
    hours = [(datetime(2025, 2, 1),), (datetime(2025, 2, 1, 10, 30),), (datetime(2025, 2, 1, 9, 30),)]
    assert facts(file, "occurred_at") == hours
    assert refused(file, "line, rule") == [(5, "not a time")]


def test_minor_units_follow_the_currency(inbox: Path) -> None:
    mapping = DEALS.format(settings="", more='currency = "{owner}"').replace(
        '"{amount}"', '{ from = "{amount}", unit = "minor" }'
    )
    file = only(inbox, HEAD + "1,2025-01-01,eur,1999\n2,2025-01-01,JPY,1999\n3,2025-01-01,KWD,1999\n", mapping=mapping)
    assert facts(file, "amount, currency") == [
        (Decimal("19.99"), "EUR"),
        (Decimal(1999), "JPY"),
        (Decimal("1.999"), "KWD"),
    ]


def test_text_of_a_mapping_is_never_part_of_the_query(inbox: Path) -> None:
    mapping = DEALS.format(settings="", more='detail = { "o\'x\\"" = "\'); drop table x; --{own\'er\\"}" }')
    file = only(inbox, HEAD.replace("amount", 'amount,"own\'er"""') + "1,2025-01-01,o'; --,1,z\n", mapping=mapping)
    assert json.loads(facts(file, "detail")[0][0]) == {"o'x\"": "'); drop table x; --z"}


# -- refused rows


def test_five_bad_rows_among_a_thousand_are_refused_with_line_value_rule_and_step(inbox: Path) -> None:
    rows = [f"{n},2025-01-01,o,{n}" for n in range(1000)]
    rows[10], rows[200], rows[400] = "10,2025-02-30,o,1", "200,2025-01-01,o,-5", "400,2025-01-01,o,ten"
    rows[600], rows[999] = "600,2025-01-01", '"999,2025-01-01,o,1'
    file = only(inbox, HEAD + "\n".join(rows))
    assert (file.rows, file.accepted, file.refused_rows, len(facts(file))) == (1000, 995, 5, 995)
    found = refused(file)
    assert [row[:4] for row in found] == [
        (12, "occurred_at", "2025-02-30", "not a time"),
        (202, "amount", "-5", "negative amount"),
        (402, "amount", "ten", "not a number"),
        (602, "", "600,2025-01-01", "2 cells where 4 are expected"),
        (1001, "", '"999,2025-01-01,o,1', "a quote that does not belong there, or is never closed"),
    ]
    assert all(row[4] for row in found)


def test_a_row_is_refused_as_a_whole_and_counts_its_other_faults(inbox: Path) -> None:
    more = '[[file.fact]]\nkind = "deal.opened"\nid = "o:{id}"\nobject_id = "{id}"\noccurred_at = "2025-01-01"\namount = "{amount}"\n'
    file = only(inbox, HEAD + "1,never,o,x\n2,2025-01-01,o,1\n", more=more)
    assert [row[0] for row in facts(file, "id")] == ["deal:2", "o:2"]
    assert refused(file, "rule, row") == [
        ("not a time (and 2 more rules)", '{"id":"1","closed":"never","owner":"o","amount":"x"}')
    ]


def test_an_unknown_kind_is_refused_with_the_nearest(inbox: Path) -> None:
    mapping = DEALS.format(settings="", more="").replace('"deal.won"', '"{owner}"')
    file = only(inbox, HEAD + "1,2025-01-01,deal.wonn,1\n2,2025-01-01,deal.lost,1\n3,2025-01-01,,1\n", mapping=mapping)
    assert refused(file, "rule, next_step")[0] == (
        "unknown kind",
        "did you mean 'deal.won'? use a kind of the vocabulary",
    )
    assert refused(file, "line, rule") == [(2, "unknown kind"), (4, "missing kind")]


@pytest.mark.parametrize(
    ("more", "row", "rule"),
    [
        ('currency = "{owner}"', "1,2025-01-01,EUX,1", "unknown currency"),
        ('product = { from = "{owner}", map = { a = "b" }, only = true }', "1,2025-01-01,c,1", "not in the map"),
        ("", ",2025-01-01,c,1", "missing id (and 1 more rule)"),
        ("", "x" * 513 + ",2025-01-01,c,1", "id too long"),
    ],
)
def test_a_broken_rule_is_named(inbox: Path, more: str, row: str, rule: str) -> None:
    assert refused(only(inbox, f"{HEAD}{row}\n", more=more), "rule") == [(rule,)]


def test_points_stay_within_the_bounds_of_their_kind(inbox: Path) -> None:
    mapping = DEALS.format(settings="", more="").replace("deal.won", "nps.answered").replace("amount =", "quantity =")
    file = only(inbox, HEAD + "1,2025-01-01,o,10\n2,2025-01-01,o,11\n3,2025-01-01,o,\n", mapping=mapping)
    assert refused(file, "line, rule") == [(3, "quantity out of bounds"), (4, "missing quantity")]


def test_an_open_quote_costs_its_own_line_only(inbox: Path) -> None:
    file = only(
        inbox,
        HEAD
        + '1,2025-01-01,"o,1\n2,2025-01-01,"a ""b""\nc",2\n3,2025-01-01,o"x,3\n4,2025-01-01,o,4,5\n\n5,2025-01-01,o,5\n',
    )
    assert facts(file, "id, line, owner") == [("deal:2", 3, 'a "b"\nc'), ("deal:5", 8, "o")]
    assert [row[0] for row in refused(file, "line")] == [2, 5, 6]


# -- shapes of files


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "Zoë 김철수"), ("utf-8-sig", "Zoë 김철수"), ("utf-16", "Zoë 김철수"), ("utf-16-le", "Zoe Miller"),
        ("utf-16-be", "Zoe Miller"), ("cp949", "김철수 영업부 담당"), ("euc-kr", "홍길동 서울"), ("windows-1252", "Müller – Größe €5"),
        ("latin-1", "Crème brûlée à Besançon"),
    ],
)  # fmt: skip
def test_encoding_and_delimiter_are_detected(inbox: Path, encoding: str, text: str, delimiter: str) -> None:
    rows = [
        ["id", "closed", "owner", "amount"],
        *([str(n), "2025-01-01", f"{text}{delimiter}{n}", "5"] for n in range(20)),
    ]
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    (inbox / "deals.csv").write_bytes(buffer.getvalue().encode(encoding))
    file = staged(inbox).files[0]
    assert {row[0] for row in facts(file, "owner")} == {f"{text}{delimiter}{n}" for n in range(20)}
    assert (file.accepted, list((inbox.parent / "inbox.w").glob("*.tmp"))) == (20, [])


def test_an_encoding_in_doubt_is_refused_with_the_candidates(inbox: Path) -> None:
    (inbox / "deals.csv").write_bytes((HEAD + "1,2025-01-01,Привет мир,1\n").encode("cp1251"))
    with pytest.raises(UnreadableFile, match=r"these decode it: .*cp1251"):
        staged(inbox)
    assert facts(staged(inbox, settings='encoding = "cp1251"').files[0], "owner") == [("Привет мир",)]


def test_a_wrong_encoding_is_refused_with_the_byte(inbox: Path) -> None:
    (inbox / "deals.csv").write_bytes((HEAD + "1,2025-01-01,Zoë,1\n").encode("latin-1"))
    with pytest.raises(UnreadableFile, match="byte 38 does not decode"):
        staged(inbox, settings='encoding = "utf-8"')


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_are_those_of_the_file(inbox: Path, newline: str) -> None:
    rows = [
        "sep=;",
        "id ; closed;owner;amount",
        "",
        f'1;2025-01-01;"a{newline}b";1',
        "2;2025-01-01;o;1",
        "",
        "3;2025-01-01;o;x",
    ]
    file = only(inbox, newline.join(rows))
    assert facts(file, "line, owner") == [(4, f"a{newline}b"), (6, "o")]
    assert refused(file, "line") == [(8,)]


def test_mixed_line_ends_are_read(inbox: Path) -> None:
    file = only(inbox, HEAD + "1,2025-01-01,a,1\r\n2,2025-01-01,b,1\n3,2025-01-01,c,1")
    assert facts(file, "line, owner") == [(2, "a"), (3, "b"), (4, "c")]


def test_a_stray_line_break_refuses_its_row_and_shifts_nothing(inbox: Path) -> None:
    file = only(inbox, HEAD + "1,2025-01-01,a,\r1\n2,2025-01-01,b,1\n")
    assert facts(file, "line, owner") == [(3, "b")]
    assert refused(file, "line, rule") == [(2, "a line break that is not in quotes and ends no line of this file")]


def test_a_header_alone_is_a_file_of_no_rows(inbox: Path) -> None:
    file = only(inbox, HEAD)
    assert (file.rows, file.accepted, facts(file), refused(file)) == (0, 0, [], [])


def test_packed_files_give_the_same_facts(inbox: Path) -> None:
    text = (HEAD + "1,2025-01-01,o,1\n").encode()
    (inbox / "deals.csv.gz").write_bytes(gzip.compress(text))
    with zipfile.ZipFile(inbox / "deals.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/one.csv", text)
        archive.writestr("readme.md", "hello")
    files = staged(inbox).files
    assert [file.file for file in files] == ["deals.csv.gz", "deals.zip/a/one.csv"]
    assert [facts(file, "id, line") for file in files] == [[("deal:1", 2)]] * 2


def test_json_lines_keep_the_digits_of_numbers(inbox: Path) -> None:
    rows = [
        '{"id": 12345678901234567890123, "closed": "2025-01-01", "amount": 1.10, "who": {"name": "Ana \\"1.5\\" \\\\"}}',
        "", "not json", '["id"]',
        '{"id": "x", "closed": "2025-01-01", "amount": -2.5e2, "who": null}',
        '{"closed": "2025-01-01", "id": 1.50, "amount": 1e2}',
    ]  # fmt: skip
    (inbox / "deals.jsonl").write_text("\n".join(rows))
    mapping = DEALS.format(settings="", more="").replace("{owner}", "{who.name}")
    file = staged(inbox, mapping=mapping).files[0]
    assert facts(file, "id, owner, amount, line") == [
        ("deal:12345678901234567890123", 'Ana "1.5" \\', Decimal("1.1"), 1),
        ("deal:1.50", None, Decimal(100), 6),
    ]
    assert refused(file, "line, rule, row")[0] == (3, "not a JSON object", "not json\n")
    assert [row[0] for row in refused(file, "line")] == [3, 4, 5]
    assert file.rows == file.accepted + file.refused_rows == 5


def test_json_lines_without_the_column_anywhere_are_refused(inbox: Path) -> None:
    (inbox / "deals.jsonl").write_text('{"id": 1, "closed": "2025-01-01", "amont": 1, "owner": "o"}\n')
    with pytest.raises(BadMapping, match="did you mean 'amont'"):
        staged(inbox)


def test_parquet_is_read_without_loss(inbox: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([9007199254740993, 2]), "closed": pa.array([datetime(2025, 1, 1, 1, 2, 3, 456789), None], pa.timestamp("us")),
            "owner": pa.array(["a", "b"]).dictionary_encode(), "amount": pa.array([Decimal("1.10"), Decimal("-1.00")]),
        }
    )  # fmt: skip
    pa.parquet.write_table(table, inbox / "deals.parquet")
    file = staged(inbox).files[0]
    assert facts(file, "id, occurred_at, owner, amount, line") == [
        ("deal:9007199254740993", datetime(2025, 1, 1, 0, 2, 3, 456789), "a", Decimal("1.1"), 1)
    ]
    assert refused(file, "line, rule") == [(2, "missing occurred_at (and 1 more rule)")]


def test_a_spreadsheet_keeps_zeros_dates_and_row_numbers(inbox: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["id", "closed", "owner", "amount"])
    book.active.append([7, datetime(2025, 1, 1, 10, 30), "0049", 1.5])
    book.active.append([None] * 4)
    book.active.append([8.0, datetime(2025, 1, 2), "o", "x"])
    book.save(inbox / "deals.xlsx")
    file = staged(inbox).files[0]
    assert facts(file, "id, occurred_at, owner, amount, line") == [
        ("deal:7", datetime(2025, 1, 1, 9, 30), "0049", Decimal("1.5"), 2)
    ]
    assert refused(file, "line, value, rule") == [(4, "x", "not a number")]
    book.create_sheet("more")
    book.save(inbox / "deals.xlsx")
    with pytest.raises(UnreadableFile, match=r"several sheets.*Sheet, more"):
        staged(inbox)


# -- files that cannot be read: nothing is staged


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "no header"),
        (b"id,closed,owner,id,amount\n1,2,3,4,5\n", "more than one column named id"),
        (
            b"id,close,owner,amount\n1,2,3,4\n",
            "names column 'closed'; did you mean 'close'.*the file has: id, close, owner, amount",
        ),
    ],
)
def test_an_unusable_file_is_refused_before_anything_is_staged(inbox: Path, content: bytes, said: str) -> None:
    (inbox / "deals1.csv").write_text(HEAD + "1,2025-01-01,o,1\n")
    (inbox / "deals2.csv").write_bytes(content)
    with pytest.raises((UnreadableFile, BadMapping), match=said):
        staged(inbox)
    assert list((inbox.parent / "inbox.w").iterdir()) == []


def test_a_truncated_gzip_file_is_refused(inbox: Path) -> None:
    packed = gzip.compress(os.urandom(100_000))
    (inbox / "deals.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(UnreadableFile, match="no whole gzip file"):
        staged(inbox)
    assert list((inbox.parent / "inbox.w").iterdir()) == []


def test_a_folder_that_a_pattern_fits_is_refused(inbox: Path) -> None:
    (inbox / "deals.csv").mkdir()
    with pytest.raises(UnreadableFile, match="is a folder"):
        staged(inbox)


def test_a_zip_bomb_is_refused_at_once(inbox: Path) -> None:
    with zipfile.ZipFile(inbox / "deals.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deals.csv", HEAD)
        archive.infolist()[0].file_size = 10 << 30  # what the directory of the archive declares
    began = time.monotonic()
    with pytest.raises(UnreadableFile, match="more than 200 fold"):
        staged(inbox)
    assert time.monotonic() - began < 1


def test_a_member_that_points_outside_is_refused(inbox: Path) -> None:
    with zipfile.ZipFile(inbox / "deals.zip", "w") as archive:
        archive.writestr("../deals.csv", HEAD)
    with pytest.raises(UnreadableFile, match="points outside"):
        staged(inbox)


# -- resuming


def test_a_finished_part_is_not_staged_again(inbox: Path) -> None:
    text = HEAD + "1,2025-01-01,o,1\n2,2025-01-01,o,x\n"
    first = only(inbox, text)
    before = first.facts.stat().st_mtime_ns
    assert only(inbox, text) == first
    assert first.facts.stat().st_mtime_ns == before
    assert only(inbox, text + "3,2025-01-01,o,3\n").facts != first.facts
    assert only(inbox, text, more='product = "p"').facts != first.facts


def test_a_killed_load_leaves_no_half_part(inbox: Path) -> None:
    (inbox / "deals1.csv").write_text(HEAD + "1,2025-01-01,o,1\n")
    (inbox / "deals2.csv").write_text(HEAD + "".join(f"{n},2025-01-01,o,1\n" for n in range(400_000)))
    mapping, work = inbox.parent / "m.toml", inbox.parent / "inbox.w"
    mapping.write_text(DEALS.format(settings="", more=""))
    code = f"""
import datetime, pathlib
from plait.sources.mapping import read_mapping
from plait.sources.staging import stage
path = pathlib.Path
stage(path({str(inbox)!r}), read_mapping(path({str(mapping)!r})), work=path({str(work)!r}), recorded_at=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[1])
    limit = time.monotonic() + 30
    while not list(work.glob("*.json")) and time.monotonic() < limit:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = next(work.glob("*.json")).stat().st_mtime_ns
    files = staged(inbox).files
    assert [file.rows for file in files] == [1, 400_000]
    assert first in [path.stat().st_mtime_ns for path in work.glob("*.json")]
    assert list(work.glob("*.tmp")) == []


def test_rows_do_not_depend_on_where_the_window_ends(tmp_path: Path) -> None:
    """Quotes, line ends and letters of two bytes fall on every border of a window."""
    path = tmp_path / "rows.csv"
    path.write_text('a,"b\n""c"",",1\r\n\r\n"é",,\r\nbad,"x\r\n"y"z,,\r\n"",\r\n"last","\r\n",', newline="")
    shape = Shape(",", 3)

    def read(window: int) -> list[object]:
        parts = list(read_rows(path, shape, start=0, line=1, window_size=window))
        broken = [row for part in parts for row in part.broken]
        return [
            *(row for part in parts if part.lines.size for row in parse(part, shape, columns=None).to_pylist()),
            *broken,
        ]

    whole = read(1 << 20)
    assert [row["line"] for row in whole if isinstance(row, dict)] == [1, 4, 8]
    assert [row.line for row in whole if isinstance(row, BrokenRow)] == [5, 6, 7]
    assert all(read(window) == whole for window in range(1, 60))


# -- anything that the csv module can write

Quoting = Literal[0, 1]
CELL = st.text(
    alphabet=st.sampled_from("a1 ,;|\t\"'\n\r\\é김") | st.characters(codec="utf-8", exclude_characters="\0"), max_size=8
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(CELL, CELL), max_size=12),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_every_row_is_accepted_or_refused_and_values_survive(
    tmp_path: Path, rows: Sequence[tuple[str, str]], delimiter: str, quoting: Quoting, newline: str
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir(exist_ok=True)
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, quoting=quoting, lineterminator=newline)
    writer.writerow(["id", "closed", "owner", "amount"])
    writer.writerows((n, "2025-01-01", owner, amount) for n, (owner, amount) in enumerate(rows))
    file = only(inbox, buffer.getvalue(), settings=f"delimiter = '{delimiter}'".replace("'\t'", '"\\t"'))
    assert file.rows == len(rows) == file.accepted + file.refused_rows
    told = dict(facts(file, "id, owner"))
    expected = {f"deal:{n}": owner for n, (owner, _) in enumerate(rows)}
    for row in (json.loads(text) for (text,) in refused(file, "row")):
        if "raw" in row:  # Python before 3.13 does not quote a carriage return where lines end with LF
            assert "\r" in row["raw"]
            expected.pop(f"deal:{row['raw'].split(delimiter)[0]}")
        else:
            told[f"deal:{row['id']}"] = row["owner"]
    blank = " \t\r\n\xa0"
    assert {id_: (owner or "").strip(blank) and owner for id_, owner in told.items()} == {
        id_: owner.strip(blank) and owner for id_, owner in expected.items()
    }
