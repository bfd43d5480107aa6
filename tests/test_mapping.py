"""Mappings: what is understood, and what is said about the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from plait.facts import CURRENCIES, KINDS, RULES
from plait.sources.form import Column
from plait.sources.mapping import BadMapping, read_mapping
from plait.sources.staging import stage

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.toml"))
SMALL = """
source = "crm"
timezone = "Europe/Berlin"
[[file]]
pattern = "deals.csv"
[[file.fact]]
kind = "deal.won"
id = "deal:{id}"
occurred_at = "{closed}"
object_id = "{id}"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mapping.toml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str) -> str:
    with pytest.raises(BadMapping) as caught:
        read_mapping(written(folder, text))
    return str(caught.value)


def test_a_text_is_read_as_constants_and_columns(tmp_path: Path) -> None:
    mapping = read_mapping(written(tmp_path, SMALL.replace("deal:{id}", "{{deal}}:{ id }!")))
    assert mapping.files[0].facts[0].fields["id"].template == ("{deal}:", Column("id"), "!")


def test_a_control_day_begins_at_midnight_in_the_zone_of_the_source(tmp_path: Path) -> None:
    control = '[[control]]\nkind = "deal.won"\nbefore = 2026-11-01\nfacts = 3\namount = 10.10\ncurrency = "EUR"\n'
    read = read_mapping(written(tmp_path, SMALL + control)).controls[0]
    assert (read.before, read.amount) == (datetime(2026, 10, 31, 23, tzinfo=UTC), Decimal("10.10"))


def test_a_file_may_name_its_own_source(tmp_path: Path) -> None:
    text = SMALL.replace('source = "crm"\n', "").replace(
        'pattern = "deals.csv"', 'pattern = "deals.csv"\nsource = "erp"'
    )
    assert read_mapping(written(tmp_path, text)).files[0].source == "erp"


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    bad = (
        SMALL.replace("deal.won", "deal.wonn").replace("{closed}", "{closed").replace("Europe/Berlin", "Europe/Berlim")
    )
    said = problems(tmp_path, bad)
    assert all(
        part in said for part in ("did you mean 'deal.won'", "a brace stands alone", "did you mean 'Europe/Berlin'")
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('source = "crm"', 'source = "My CRM"'), "no source name"),
        (('pattern = "deals.csv"', 'patern = "deals.csv"'), "did you mean 'pattern'?"),
        (('object_id = "{id}"', ""), "a deal.won needs object_id"),
        (('id = "deal:{id}"\n', ""), "needs id"),
        (('id = "deal:{id}"', "id = 7"), "or a table with `from`, not 7"),
        (('object_id = "{id}"', 'object_id = "{id}"\nkeys = { mail = "{m}" }'), "no key 'mail'; did you mean 'email'?"),
        (('object_id = "{id}"', 'object_id = { from = "{id}", only = true }'), "needs a map or a lookup"),
        (
            ('object_id = "{id}"', 'object_id = { from = "{id}", lookup = { file = "a.csv" } }'),
            "lookup needs key, value",
        ),
        (('object_id = "{id}"', 'object_id = "{id}"\nwhen = { a = 1 }'), "when a is a text"),
        (('object_id = "{id}"', 'object_id = "{id}"\n[[control]]\nkind = "deal.won"'), "says nothing"),
        (
            ('object_id = "{id}"', 'object_id = "{id}"\n[[control]]\nkind = "deal.won"\namount = 3'),
            "needs its currency",
        ),
        (('timezone = "Europe/Berlin"', 'currency = "EUX"'), "codes are those of ISO 4217"),
        (('pattern = "deals.csv"', 'pattern = "deals.csv"\nencoding = "klingon"'), "no encoding 'klingon'"),
        (('pattern = "deals.csv"', 'pattern = "deals.csv"\ndelimiter = "||"'), "delimiter is one ASCII character"),
        (('pattern = "deals.csv"', 'pattern = "deals.csv"\ndecimal = ";"'), "decimal is '.' or ','"),
        (('source = "crm"', "source = crm"), "is no TOML"),
        (('object_id = "{id}"', 'object_id = { from = "{id}", split = ";" }'), "split is the text between parts"),
        (('object_id = "{id}"', 'object_id = { from = "{id}", part = 2 }'), "split is the text between parts"),
        (('pattern = "deals.csv"', 'pattern = "deals.csv"\nescape = "^"'), "escape is"),
    ],
)
def test_a_problem_is_named_with_what_is_allowed(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    assert said in problems(tmp_path, SMALL.replace(*change))


def test_a_mapping_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadMapping, match="cannot be read"):
        read_mapping(tmp_path / "none.toml")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_understood(path: Path) -> None:
    assert read_mapping(path).controls


def test_the_rules_of_a_fact_name_fields_and_kinds_that_exist() -> None:
    assert {rule.name for rule in RULES} >= {"missing id", "unknown kind", "missing object_id", "negative amount"}
    assert (CURRENCIES["EUR"], CURRENCIES["JPY"], CURRENCIES["KWD"], "deal.won" in KINDS) == (2, 0, 3, True)


def staged_column(folder: Path, mapping: str, text: str, column: str) -> list[object]:
    """Stage one file `deals.csv` and give a column of its facts, in the order of the rows."""
    (folder / "in").mkdir()
    (folder / "in" / "deals.csv").write_text(text)
    read = read_mapping(written(folder, mapping))
    (file,) = stage(folder / "in", read, work=folder / "w", recorded_at=datetime(2026, 3, 1, tzinfo=UTC)).files
    return [value for (value,) in duckdb.execute(f"select {column} from '{file.facts}' order by line").fetchall()]


def test_one_part_of_a_text_that_holds_several_is_taken(tmp_path: Path) -> None:
    parts = """text = { from = "{all}", split = ";", part = 2, map = { b = "B" } }
product = { from = "{all}", split = ";", part = -1, else = "none" }
owner = { from = "{third}", else = "-" }
[file.let]
third = { from = "{all}", split = ";", part = 3 }
"""
    text = "id,closed,all\n1,2026-01-31,a; b ;c\n2,2026-01-31,a\n3,2026-01-31,\n"
    rows = staged_column(tmp_path, SMALL + parts, text, "[text, product, owner]")
    assert rows == [["B", "c", "c"], [None, "a", "-"], [None, "none", "-"]]


def test_iso_times_may_stand_in_a_list_of_formats(tmp_path: Path) -> None:
    closed = 'occurred_at = { from = "{closed}", format = ["iso", "%m/%d/%y %H:%M", "%m/%d/%Y %I:%M %p"] }'
    text = (
        "id,closed\n1,2026-01-31 6:05:07.5\n2,2026-01-31T06:05Z\n3,1/31/26 6:05\n4,1/31/2026 6:05 PM\n5,31.1.2026\n"
        "6,2026-01-31 6:05+02:00\n"
    )
    rows = staged_column(tmp_path, SMALL.replace('occurred_at = "{closed}"', closed), text, "occurred_at::varchar")
    assert rows == [
        "2026-01-31 05:05:07.5", "2026-01-31 06:05:00", "2026-01-31 05:05:00", "2026-01-31 17:05:00",
        "2026-01-31 04:05:00",
    ]  # fmt: skip


def test_quotes_may_be_escaped_by_a_backslash(tmp_path: Path) -> None:
    mapping = SMALL.replace('pattern = "deals.csv"', 'pattern = "deals.csv"\nescape = "\\\\"') + 'text = "{note}"\n'
    day = "2026-01-31"
    text = f'id,closed,note\n1,{day},"says \\"yes, now\\""\n2,{day},"a path C:\\\\"\n3,{day},"two ""marks"""\n'
    rows = staged_column(tmp_path, mapping, text, "text")
    assert rows == ['says "yes, now"', "a path C:\\\\", 'two "marks"']
