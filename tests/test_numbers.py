"""Numbers of a mapping: compared, reckoned from several, written with either mark; and the newest of several values."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.sources.mapping import BadMapping, read_mapping
from plait.sources.staging import StagedFile, stage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEAD = """
source = "bills"
timezone = "UTC"
[[file]]
pattern = "bills.csv"
{file}
[[file.fact]]
{when}
kind = "payment.received"
id = "{{id}}"
occurred_at = "2025-01-01"
amount = {amount}
currency = {currency}
"""


def staged(
    folder: Path, rows: str, *, amount: str = '"{amount}"', currency: str = '"EUR"', file: str = "", when: str = ""
) -> StagedFile:
    data = folder / "data"
    data.mkdir()
    (data / "bills.csv").write_text(rows)
    mapping = folder / "m.toml"
    mapping.write_text(HEAD.format(amount=amount, currency=currency, file=file, when=when))
    return stage(data, read_mapping(mapping), work=folder / "work", recorded_at=NOW).files[0]


def amounts(file: StagedFile) -> dict[str, Decimal]:
    return dict(duckdb.sql(f"select id, amount from read_parquet('{file.facts}')").fetchall())


def refused(file: StagedFile) -> list[tuple[Any, ...]]:
    return duckdb.sql(f"select line, value, rule from read_parquet('{file.refused}') order by line").fetchall()


def test_a_price_a_year_for_three_is_what_a_month_pays(tmp_path: Path) -> None:
    amount = '{ from = "{price}", unit = "minor", times = ["{seats}", "{times}"], per = "{months}" }'
    file = staged(
        tmp_path,
        "id,price,seats,times,months,currency\n"
        "year,100000,1,1,12,EUR\n"  # 83.33333... a month
        "week,1000,2,52,12,EUR\n"  # 86.66666...
        "yen,5000,3,1,1,JPY\n"
        "dinar,5000,1,1,1,KWD\n",
        amount=amount, currency='"{currency}"',
    )  # fmt: skip
    assert amounts(file) == {
        "year": Decimal("83.3333"), "week": Decimal("86.6667"), "yen": Decimal(15000), "dinar": Decimal(5),
    }  # fmt: skip


@settings(max_examples=6, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.decimals(0, 10**9, places=2), st.decimals(0, 10**6, places=2), st.integers(-500, 500),
            st.sampled_from([1, 2, 3, 6, 7, 12, 24, Decimal("0.5")]),
        ),
        min_size=1, max_size=30,
    )
)  # fmt: skip
def test_reckoning_is_exact_and_rounds_once_half_away_from_zero(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Decimal, Decimal, int, Decimal]]
) -> None:
    text = "".join(f"{n},{a},{less},{times},{per}\n" for n, (a, less, times, per) in enumerate(rows))
    amount = '{ from = "{a}", less = "{less}", times = "{times}", per = "{per}" }'
    file = staged(tmp_path_factory.mktemp("reckoned"), "id,a,less,times,per\n" + text, amount=amount)
    exact = {str(n): (a - less) * times / Decimal(per) for n, (a, less, times, per) in enumerate(rows)}
    expected = {name: value.quantize(Decimal("0.0001"), ROUND_HALF_UP) for name, value in exact.items()}
    assert amounts(file) == {name: value for name, value in expected.items() if value >= 0}
    assert {rule for _, _, rule in refused(file)} <= {"negative amount"}


def test_what_cannot_be_reckoned_is_refused_and_what_is_unknown_stays_unknown(tmp_path: Path) -> None:
    amount = '{ from = "{a}", times = "{b}", per = "{c}" }'
    file = staged(tmp_path, "id,a,b,c\nword,10,ten,1\nzero,10,1,0\nnone,10,,1\ngood,-10,-2,4\n", amount=amount)
    assert refused(file) == [
        (2, "ten", "not a number"), (3, "10", "not a number"), (4, None, "missing amount"),
    ]  # fmt: skip
    assert amounts(file) == {"good": Decimal(5)}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0,25", "0.25"), ("0.25", "0.25"), ("1.234,50", "1234.50"), ("1,234.50", "1234.50"), ("1 234,5", "1234.5"),
        ("1234", "1234"), ("-7,5", None), ("1,234", None), ("1.234", None), ("1,2,3", None), ("1.234.567", None),
    ],
)  # fmt: skip
def test_with_either_mark_what_can_be_read_in_two_ways_is_no_number(
    tmp_path: Path, written: str, read: str | None
) -> None:
    file = staged(tmp_path, f'id,amount\n1,"{written}"\n', file='decimal = "either"')
    assert amounts(file) == ({"1": Decimal(read)} if read else {})
    assert len(refused(file)) == (0 if read else 1)


def test_a_condition_compares_numbers_and_words_are_neither_above_nor_below(tmp_path: Path) -> None:
    rows = "id,amount\n1,0\n2,0.01\n3,10\n4,10.01\n5,many\n6,\n"
    file = staged(tmp_path, rows, when="when = { amount = { above = 0, below = 10.01 } }")
    assert (sorted(amounts(file)), file.without_fact, refused(file)) == (["2", "3"], 4, [])


def test_of_several_values_the_newest_is_found(tmp_path: Path) -> None:
    lookup = '{ from = "{id}", lookup = { file = "money.csv", key = "id", value = "code", latest = "at" } }'
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "money.csv").write_text(
        "id,code,at\n1,EUR,2025-02-01\n1,USD,2025-03-01\n1,GBP,2025-01-01\n2,CHF,2025-01-01\n2,,2025-02-01\n"
    )
    (tmp_path / "data" / "bills.csv").write_text("id,amount\n1,5\n2,5\n")
    mapping = tmp_path / "m.toml"
    mapping.write_text(HEAD.format(amount='"{amount}"', currency=lookup, file="", when=""))
    file = stage(tmp_path / "data", read_mapping(mapping), work=tmp_path / "work", recorded_at=NOW).files[0]
    found = duckdb.sql(f"select id, currency from read_parquet('{file.facts}') order by id").fetchall()
    assert found == [("1", "USD"), ("2", "CHF")]


def test_a_column_that_comes_twice_is_kept_where_nobody_reads_it(tmp_path: Path) -> None:
    rows = "id,amount,note,note\n1,5,a,b\nx,5.5.5,c,d\n"
    file = staged(tmp_path, rows, file='columns = ["id", "amount"]', when="when = { id = { present = true } }")
    assert (amounts(file), refused(file)) == ({"1": Decimal(5)}, [(3, "5.5.5", "not a number")])
    (row,) = duckdb.sql(f"select row from read_parquet('{file.refused}')").fetchall()[0]
    assert '"note":"c","note (2)":"d"' in row


def test_where_the_home_names_no_currency_people_are_told_to_state_it(tmp_path: Path) -> None:
    (tmp_path / "bills.csv").write_text("id,amount\n1,5\n")
    mapping = tmp_path / "m.toml"
    mapping.write_text(HEAD.format(amount='"{amount}"', currency='"{currency}"', when="",
                                   file='currency = "home"\ncolumns = ["id", "amount"]'))  # fmt: skip
    told = read_mapping(mapping)
    for currency, steps in ((None, 1), ("EUR", 0)):
        work = tmp_path / f"work-{currency}"
        file = stage(tmp_path / "bills.csv", told.at_home("UTC", currency), work=work, recorded_at=NOW).files[0]
        found = duckdb.sql(f"select next_step from read_parquet('{file.refused}')").fetchall()
        assert (len(found), [step for (step,) in found if "plait.toml" not in step]) == (steps, [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"amount": '{ from = "{a}", times = 3 }'}, "times is a text or a list of texts, not 3"),
        ({"amount": '{ from = "{a}", time = "3" }'}, "did you mean 'times'?"),
        ({"currency": '{ from = "{a}", times = "3" }'}, "no key 'times'"),
        ({"when": 'when = { a = { above = "0" } }'}, "above is a number, not '0'"),
        ({"file": 'decimal = "both"'}, "decimal is '.' or ',' or 'either', not 'both'"),
    ],
)
def test_what_is_not_understood_is_named(tmp_path: Path, change: dict[str, str], said: str) -> None:
    with pytest.raises(BadMapping) as caught:
        staged(tmp_path, "a\n1\n", **change)
    assert said in str(caught.value)
