"""Mappings: what is understood, and what is said about the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from plait.facts import CURRENCIES, KINDS, RULES
from plait.sources.form import Column
from plait.sources.mapping import BadMapping, read_mapping

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
