"""Recognition: a file is told by its columns, whatever its name, packing, encoding; values stand beside columns."""

from __future__ import annotations

import gzip
import json
import zipfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet
import pytest

from plait import desk
from plait.sources.file import UnreadableFile
from plait.sources.form import BadMapping
from plait.sources.mapping import read_mapping
from plait.sources.staging import Staging, stage

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FIRST = datetime(2025, 1, 1)  # noqa: DTZ001 - staged times are UTC without saying so
MAPPING = """
source = "crm"
timezone = "UTC"
[[file]]
shape = "deal"
columns = ["deal_id", "stage", "closed"]
currency = "EUR"
[file.let]
won = { from = "{stage}", lookup = { shape = "stage", key = "id", value = "is_won" }, else = "no" }
account = { from = "{deal_id}", lookup = { shape = "join", key = "deal_id", value = "company_id", first = true } }
outcome = { from = "{won}/{probability}", map = { "yes/1" = "sure" }, else = "open" }
[[file.fact]]
when = { won = "yes" }
kind = "deal.won"
id = "deal:{deal_id}"
occurred_at = "{closed}"
object_id = "{deal_id}"
amount = "{amount}"
keys = { "account.crm" = "{account}" }
text = "{outcome}"
same = "{deal_id}"
[[file]]
shape = "stage"
columns = ["id", "is_won"]
[[file]]
shape = "join"
columns = ["deal_id", "company_id"]
[[file]]
shape = "closed_deal"
columns = ["deal_id", "stage", "closed", "reason"]
[[file.fact]]
kind = "deal.lost"
id = "lost:{deal_id}"
occurred_at = "{closed}"
object_id = "{deal_id}"
text = "{reason}"
"""
DEALS = "deal_id,stage,closed,amount\n1,s2,2025-01-05,10.50\n2,s1,2025-01-06,7\n3,s9,2025-01-07,8\n"
STAGES = "id,is_won,label\ns1,no,Open\ns2,yes,Won\n"
JOINS = "deal_id,company_id\n1,c1\n1,c2\n2,c3\n"


def staged(folder: Path, mapping: str = MAPPING) -> Staging:
    path = folder.parent / "crm.toml"
    path.write_text(mapping)
    return stage(folder, read_mapping(path), work=folder.parent / "work", recorded_at=NOW)


def facts(staging: Staging) -> list[tuple[object, ...]]:
    parts = [str(file.facts) for file in staging.files]
    return duckdb.execute(
        f"select kind, object_id, amount, currency, keys, text from read_parquet({parts}) order by all"
    ).fetchall()


WON = ("deal.won", "1", Decimal("10.5000"), "EUR", '{"account.crm":"c1"}', "open")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    for name, text in (("export 1.csv", DEALS), ("b.txt", STAGES), ("c.csv", JOINS)):
        (folder / name).write_text(text)
    return folder


def test_files_are_told_by_their_columns_and_look_each_other_up(inbox: Path) -> None:
    (inbox / "notes.csv").write_text("who,what\nme,that\n")
    (inbox / "logo.png").write_bytes(b"\x89PNG")
    staging = staged(inbox)
    assert facts(staging) == [WON]
    assert staging.recognised == {"b.txt": "crm stage", "c.csv": "crm join", "export 1.csv": "crm deal"}
    assert sorted(staging.not_read) == ["logo.png", "notes.csv"]
    assert {file.file: (file.rows, file.accepted, file.without_fact) for file in staging.files} == {
        "b.txt": (2, 2, 2), "c.csv": (3, 3, 3), "export 1.csv": (3, 3, 2)
    }  # fmt: skip


def test_the_shape_that_names_the_most_columns_is_taken_and_a_tie_is_left(inbox: Path) -> None:
    (inbox / "export 1.csv").write_text("deal_id,stage,closed,reason\n1,s2,2025-01-05,price\n")
    assert [fact[0] for fact in facts(staged(inbox))] == ["deal.lost"]
    twice = MAPPING + '[[file]]\nshape = "other"\ncolumns = ["id", "label"]\n'
    assert staged(inbox, twice).not_read == ["b.txt"]


def test_a_column_that_is_missing_leaves_its_value_unknown_one_that_tells_the_file_does_not(inbox: Path) -> None:
    (inbox / "export 1.csv").write_text("deal_id,stage,closed\n1,s2,2025-01-05\n")
    assert facts(staged(inbox)) == [("deal.won", "1", None, None, '{"account.crm":"c1"}', "open")]
    (inbox / "export 1.csv").write_text("deal_id,stage\n1,s2\n")
    assert "export 1.csv" in staged(inbox).not_read


def test_without_the_other_files_what_they_say_is_unknown(inbox: Path) -> None:
    (inbox / "b.txt").unlink()
    (inbox / "c.csv").unlink()
    assert facts(staged(inbox)) == []  # whether a stage is won stands in the other file: `else` says no


def test_a_key_that_stands_for_two_values_is_refused_unless_the_first_is_asked_for(inbox: Path) -> None:
    with pytest.raises(UnreadableFile, match="join: deal_id '1' stands for more than one"):
        staged(inbox, MAPPING.replace(", first = true", ""))


@pytest.mark.parametrize("form", ["gz", "zip", "utf-16", "semicolon", "jsonl", "parquet", "xlsx", "bom"])
def test_packing_encoding_and_format_do_not_matter(inbox: Path, form: str) -> None:
    path = inbox / "export 1.csv"
    rows = [
        dict(zip(DEALS.splitlines()[0].split(","), line.split(","), strict=True)) for line in DEALS.splitlines()[1:]
    ]
    path.unlink()
    if form == "gz":
        (inbox / "a.csv.gz").write_bytes(gzip.compress(DEALS.encode()))
    elif form == "zip":
        with zipfile.ZipFile(inbox / "a.zip", "w") as archive:
            archive.writestr("in/deals.csv", DEALS)
            archive.writestr("in/else.csv", "x,y\n1,2\n")
    elif form == "utf-16":
        path.write_text(DEALS, "utf-16")
    elif form == "bom":
        path.write_text(DEALS, "utf-8-sig")
    elif form == "semicolon":
        path.write_text(DEALS.replace(",", ";"))
    elif form == "jsonl":
        (inbox / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif form == "parquet":
        pyarrow.parquet.write_table(pa.Table.from_pylist(rows), inbox / "a.parquet")
    else:
        book = openpyxl.Workbook()
        for row in (rows[0], *(row.values() for row in rows)):
            book.active.append([str(cell) for cell in row])
        book.save(inbox / "a.xlsx")
    staging = staged(inbox)
    assert facts(staging) == [WON]
    assert staging.not_read == (["a.zip/in/else.csv"] if form == "zip" else [])


def test_remarks_above_the_header_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    text = "# ----\n# Report: of 2025\n#\n\nday,cost\n2025-01-05,3\n# ----\n"
    (tmp_path / "in" / "x.csv").write_text(text)
    mapping = """source = "ads"
timezone = "home"
currency = "home"
[[file]]
columns = ["day", "cost"]
comment = "#"
[[file.fact]]
kind = "spend.paid"
id = "{day}"
occurred_at = "{day}"
channel = "ads"
amount = { from = "{cost}", unit = "micro" }
"""
    path = tmp_path / "ads.toml"
    path.write_text(mapping)
    at_home = read_mapping(path).at_home("Asia/Seoul", "KRW")
    (file,) = stage(tmp_path / "in", at_home, work=tmp_path / "w", recorded_at=NOW).files
    assert (file.rows, file.accepted, file.refused_rows) == (2, 1, 1)  # the remark below the table is no day
    told = duckdb.execute(f"select occurred_at, amount, currency from read_parquet('{file.facts}')").fetchall()
    assert told == [(datetime(2025, 1, 4, 15), Decimal("0.0000"), "KRW")]  # noqa: DTZ001 - staged times are UTC


@pytest.mark.parametrize(
    ("form", "text", "at"),
    [
        ("unix", "1735689600", FIRST), ("unix", "1735689600.5", FIRST + timedelta(milliseconds=500)),
        ("unix_ms", "1735689600123", FIRST + timedelta(milliseconds=123)), ("unix", "-5", None),
        ("unix", "1735689600123", None), ("unix_ms", "yesterday", None),
    ],
)  # fmt: skip
def test_times_that_count_from_1970(tmp_path: Path, form: str, text: str, at: datetime | None) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.csv").write_text(f"id,at\n1,{text}\n")
    mapping = f"""source = "s"
[[file]]
columns = ["id", "at"]
[[file.fact]]
kind = "visit.started"
id = "{{id}}"
occurred_at = {{ from = "{{at}}", format = "{form}" }}
"""
    (file,) = staged(tmp_path / "in", mapping).files
    told = duckdb.execute(f"select occurred_at from read_parquet('{file.facts}')").fetchall()
    assert told == ([(at,)] if at else [])
    assert file.refused_rows == (0 if at else 1)


def test_a_fact_that_is_told_again_with_other_words_is_the_same_one(inbox: Path, tmp_path: Path) -> None:
    mapping, home = tmp_path / "crm.toml", tmp_path / "home"
    mapping.write_text(MAPPING)
    assert sum(file.added for file in desk.load(home, inbox, mapping, now=NOW).files) == 1
    (inbox / "export 1.csv").write_text(DEALS.replace("10.50", "99"))
    report = desk.load(home, inbox, mapping, now=NOW)
    assert [(sum(f.added for f in report.files), sum(f.known for f in report.files))] == [(0, 1)]
    assert report.refused == []
    without = tmp_path / "without.toml"
    without.write_text(MAPPING.replace('same = "{deal_id}"\n', "").replace('source = "crm"', 'source = "erp"'))
    desk.load(home, inbox, without, now=NOW)
    (inbox / "export 1.csv").write_text(DEALS)
    assert [row.rule for row in desk.load(home, inbox, without, now=NOW).refused] == ["id_conflict"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('columns = ["id", "is_won"]', ""), "needs a pattern such as 'deals*.csv', or the columns that tell it"),
        (('shape = "stage"\n', ""), "gives no fact: add a [[file.fact]]"),
        (("first = true", "firsst = true"), "did you mean 'first'?"),
        (('shape = "stage", key', 'shape = "stage", file = "b.txt", key'), "lookup names a file or a shape, not both"),
        (('else = "no" }', "only = true }"), "let.won cannot refuse rows"),
        (('amount = "{amount}"', 'amount = { from = "{amount}", unit = "cent" }'), "'minor' or 'major' or 'micro'"),
    ],
)
def test_what_a_mapping_of_shapes_cannot_say(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    path = tmp_path / "crm.toml"
    path.write_text(MAPPING.replace(*change))
    with pytest.raises(BadMapping) as caught:
        read_mapping(path)
    assert says in str(caught.value)
