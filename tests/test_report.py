"""Reports: one answer as JSON, CSV and a table, every number the same, no cell a formula."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import simplejson
from hypothesis import given
from hypothesis import strategies as st

from plait.board import console, print_table
from plait.measure import Cell, Measure, Table
from plait.report import as_csv, as_json, rounded, shown
from plait.sources.cells import DANGEROUS, guarded

UNITS = {"who": "text", "currency": "currency", "won": "money", "deals": "deals", "rate": "share", "day": "day"}
MEASURE = Measure("some", "sales", "row", UNITS, "What it says.", "", 1, {}, lambda _facts: None)


def table(*rows: Sequence[Cell], options: dict[str, object] | None = None, warnings: list[str] | None = None) -> Table:
    return Table(
        MEASURE,
        datetime(2026, 2, 1, tzinfo=UTC),
        7,
        options or {},
        [tuple(row) for row in rows],
        "select 1",
        warnings or [],
        0.5,
    )


def answer(who: str, won: str | None = "1.5", currency: str = "EUR", deals: int | None = 3) -> Table:
    return table((who, currency, Decimal(won) if won else None, deals, 0.25, date(2026, 1, 31)))


def unguarded(text: str) -> str:
    """Read a cell back: one mark is taken off what would run without it."""
    return text[1:] if text[:1] == "'" and DANGEROUS.match(text[1:]) else text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"), ("\t=1", "'\t=1"), ("＝1+1", "'＝1+1"), (" =1", "' =1"), ("'=1", "''=1"), ("it's", "it's"),
        ("+1 555 0100", "'+1 555 0100"), ("-2", "'-2"), ("@cmd", "'@cmd"), ("|calc", "'|calc"), ("%0A=1", "'%0A=1"),
        ("\r=1", "'\r=1"), ("\n=1", "'\n=1"), ("\0=1", "'\0=1"), ("\ufeff=1", "'\ufeff=1"), ('"=1', "'\"=1"),
        ("'' =1", "''' =1"),
        ("", ""), ("a=1", "a=1"), ("안녕", "안녕"),
    ],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_is_marked(text: str, written: str) -> None:
    assert guarded(text) == written
    assert unguarded(written) == text


@given(st.text(st.sampled_from("'=+-@|%\t\r\n\0＝ \ufeff\"a1,;"), max_size=8) | st.text(max_size=20))
def test_text_comes_back_from_csv_as_it_was(text: str) -> None:
    rows = list(csv.reader(io.StringIO(as_csv(answer(text)), newline="")))
    assert len(rows) == 2
    assert unguarded(rows[1][0]) == text
    assert not DANGEROUS.match(rows[1][0]) or rows[1][0].startswith("'")


@given(st.decimals("-1e12", "1e12", places=2), st.integers(-(10**15), 10**15))
def test_numbers_are_never_marked(won: Decimal, deals: int) -> None:
    (row,) = csv.DictReader(io.StringIO(as_csv(answer("a", str(won), "EUR", deals))))
    assert (Decimal(row["won"]), int(row["deals"]), row["rate"], row["day"]) == (won, deals, "0.25", "2026-01-31")


@pytest.mark.parametrize(
    ("currency", "amount", "shows"),
    [
        ("KRW", "1234.5", "1235"), ("EUR", "2.005", "2.01"), ("EUR", "-2.005", "-2.01"), ("KWD", "1.2345", "1.235"),
        ("USD", "1", "1.00"), ("CLF", "1.23456", "1.2346"),
    ],
)  # fmt: skip
def test_money_is_rounded_once_to_the_unit_of_its_currency(currency: str, amount: str, shows: str) -> None:
    told = answer("a", amount, currency)
    assert str(rounded(told.records()[0])["won"]) == shows
    assert next(csv.DictReader(io.StringIO(as_csv(told))))["won"] == shows
    assert f'"won": {shows},' in as_json(told)


def test_json_holds_decimals_to_the_last_digit() -> None:
    told = as_json(answer("a", "12345678901234.57"))
    assert '"won": 12345678901234.57,' in told
    assert simplejson.loads(told, use_decimal=True)["rows"][0]["won"] == Decimal("12345678901234.57")


def test_json_has_these_names_and_no_other() -> None:
    told = json.loads(as_json(table(options={"chain": ("a", "b"), "since": date(2026, 1, 1)}, warnings=["careful"])))
    names = ["measure", "version", "definition", "as_of", "facts_version", "options", "columns", "rows", "sql"]
    names += ["estimates", "warnings", "took"]
    assert list(told) == names
    assert (told["as_of"], told["facts_version"], told["warnings"]) == ("2026-02-01T00:00:00Z", 7, ["careful"])
    assert told["options"] == {"chain": ["a", "b"], "since": "2026-01-01"}
    assert told["columns"][2] == {"name": "won", "unit": "money"}


def test_korean_is_kept_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    told = answer("한국 전력")
    print_table(told)
    assert all("한국 전력" in text for text in (as_json(told), as_csv(told), capsys.readouterr().out))


def test_unknown_is_null_empty_or_a_dash() -> None:
    told = answer("a", None, deals=None)
    assert '"won": null' in as_json(told)
    assert as_csv(told).splitlines()[1] == "a,EUR,,,0.25,2026-01-31"
    assert shown(None, "money") == "–"


def test_what_people_wrote_is_no_order_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(answer("[/red] [bold]x :smile:"))
    assert "[/red] [bold]x :smile:" in capsys.readouterr().out


def test_no_number_is_cut_where_columns_are_many(capsys: pytest.CaptureFixture[str]) -> None:
    columns = {f"amount_of_{number}": "money" for number in range(13)}
    wide = Measure(
        "wide",
        "finance",
        "row",
        {"month": "month", "currency": "currency", **columns},
        "Wide.",
        "",
        1,
        {},
        MEASURE.build,
    )
    cells = [Decimal(f"{number + 1}234567.89") for number in range(13)]
    print_table(Table(wide, datetime(2026, 2, 1, tzinfo=UTC), 1, {}, [(date(2026, 1, 1), "EUR", *cells)], ""))
    printed = capsys.readouterr().out
    assert console().width == 120 or os.isatty(1)
    assert all(f"{cell:,}" in printed for cell in cells)
