"""`plait value`: a file in, figures out; what cannot be read is refused with its line, and nothing is loaded."""

from __future__ import annotations

import csv
import io
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner, Result

from plait.cli import main
from plait.stats.clv.rows import Customers
from plait.stats.clv.simulate import simulate_occasions, simulate_purchases, simulate_spend

DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the public data is not here")
SPEND = np.array([6.25, 3.74, 15.44])


def value(*words: object) -> Result:
    return CliRunner().invoke(main, ["value", *map(str, words)], catch_exceptions=False)


def told(*words: object) -> dict[str, Any]:
    result = value(*words, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert isinstance(found, dict)
    return found


def parameters(found: dict[str, Any]) -> list[float]:
    return [one["value"] for one in found["parameters"].values()]


def refused(*words: object) -> str:
    result = value(*words)
    assert result.exit_code == 1, result.output
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def customers() -> Customers:
    chance = np.random.default_rng(11)
    made = simulate_purchases("bg-nbd", np.array([0.6, 4.0, 0.9, 2.5]), chance.integers(200, 400, 1500) / 7, chance)
    return Customers(made.x, made.t_x, made.age, np.round(simulate_spend(SPEND, made.x, chance), 2), made.x)


@pytest.fixture
def summary(tmp_path: Path, customers: Customers) -> Path:
    """Give a summary as lifetimes writes it."""
    assert customers.spend is not None
    file = tmp_path / "summary.csv"
    rows = zip(customers.x, customers.t_x, customers.age, customers.spend, strict=True)
    lines = [f"c{at},{int(x)},{t_x!r},{age!r},{spend!r}" for at, (x, t_x, age, spend) in enumerate(map(plain, rows))]
    file.write_text("customer_id,frequency,recency,T,monetary_value\n" + "\n".join(lines) + "\n")
    return file


def plain(row: tuple[Any, ...]) -> tuple[float, ...]:
    return tuple(float(one) for one in row)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Give a log of purchases of 400 customers over some 60 weeks, in any order."""
    chance = np.random.default_rng(12)
    lines = []
    for who in range(400):
        rate, day, leaves = chance.gamma(0.9, 0.05), float(chance.integers(0, 120)), chance.beta(0.8, 3)
        while day < 420:
            when = np.datetime64("2025-01-01") + int(day)
            lines.append(f"{who:04d},{when},{float(chance.gamma(4, 10)) + 1:.2f},EUR")
            if chance.random() < leaves:
                break
            day += 1 + chance.exponential(1 / max(rate, 1e-6))
    chance.shuffle(lines)
    file = tmp_path / "log.csv"
    file.write_text("customer,date,amount,currency\n" + "\n".join(lines) + "\n")
    return file


# -- what comes out


@needs_data
@pytest.mark.real_data
def test_cdnow_gives_its_published_parameters() -> None:
    folder = DATA / "cdnow"
    found = told(folder / "cdnow_customers_summary.csv", "--model", "bg-nbd")
    assert parameters(found) == pytest.approx([0.24259291, 4.41353156, 0.79288615, 2.42575344], rel=5e-6)
    assert found["parameters"]["r"]["standard_error"] == pytest.approx(0.01256, rel=1e-3)
    assert (found["log_likelihood"], found["customers"]) == (pytest.approx(-9582.425561, abs=1e-4), 2357)
    money = told(folder / "cdnow_customers_summary_with_transactions.csv", "--model", "gamma-gamma")
    assert parameters(money) == pytest.approx([6.24880, 3.74459, 15.44775], rel=5e-6)
    both = told(folder / "cdnow_customers_summary_with_transactions.csv", "--model", "bg-nbd", "--horizon", 39)
    assert both["expected"]["purchases"]["value"] == pytest.approx(1653.423, abs=1e-3)
    assert both["expected"]["money"] == pytest.approx(59_933.21, abs=0.01)
    assert both["spend"]["correlation"] == pytest.approx(0.1139, abs=5e-5)


@needs_data
@pytest.mark.real_data
def test_files_apart_by_blanks_are_read_with_and_without_header() -> None:
    folder = DATA / "cdnow"
    master = told(folder / "CDNOW_master.txt", "--model", "bg-nbd", "--until", "1997-09-30")
    assert (master["customers"], master["different_histories"]) == (23_570, 8_685)
    assert master["log_likelihood"] == pytest.approx(-95_368.444, abs=1e-3)
    assert master["model_error"]["origins"] == 3
    words = (folder / "CDNOW_sample.txt", "--model", "bg-nbd", "--until", "1997-09-30")
    says = refused(*words)
    assert "has no header: its first line is 00004 | 0001 | 19970101 | 2 | 29.33" in says
    assert "--customer 1 --date 2 --amount 4" in says
    sample = told(*words, "--customer", 2, "--date", 3, "--amount", 5)
    assert parameters(sample) == pytest.approx([0.2426, 4.4135, 0.7929, 2.4258], rel=2e-3)  # times are not rounded
    assert (sample["customers"], sample["repeat_customers"]) == (2357, 946)


@needs_data
@pytest.mark.real_data
def test_contracts_of_a_telephone_company() -> None:
    file = DATA / "telco_churn" / "Telco-Customer-Churn.csv"
    found = told(file, "--model", "sbg", "--only", "Contract=Month-to-month")
    assert parameters(found) == pytest.approx([0.42261843, 7.393297], rel=5e-6)
    assert found["customers"] == 3875
    every = told(file, "--model", "sbg")
    assert parameters(every) == pytest.approx([0.13673308, 4.03281482], rel=5e-6)
    assert every["left_out"] == {"customers who have not been here for a whole period": 11}
    assert told(file, "--model", "sbg", "--only", "Contract=One year")["model"] == "geometric"


def test_a_summary_is_understood_under_both_sets_of_names(summary: Path) -> None:
    first = told(summary, "--model", "bg-nbd")
    other = summary.with_name("other.tsv")
    text = summary.read_text().replace("customer_id,frequency,recency,T,monetary_value", "ID,X,T_X,T,Zbar")
    other.write_text(text.replace(",", "\t"))
    second = told(other, "--model", "bg-nbd")
    assert first == second
    assert first["parameters"]["r"]["low"] < 0.6 < first["parameters"]["r"]["high"]
    assert parameters(told(summary, "--model", "gamma-gamma"))[1] == pytest.approx(3.74, rel=0.4)
    alive = told(summary, "--model", "mbg-nbd")["expected"]["alive"]
    assert alive < first["expected"]["alive"]


def test_a_log_is_told_as_the_same_summary(log: Path) -> None:
    found = told(log, "--model", "bg-nbd", "--until", "2026-02-24")
    assert found["customers"] == 400
    assert (found["until"], found["unit"], found["horizon"]) == ("2026-02-24", "week", 52)
    assert found["model_error"]["factor"] == pytest.approx(3.182, abs=1e-3)
    total = found["expected"]["value"]
    assert 0 < total["low"] < total["value"] < total["high"]
    assert {"chance", "parameters", "model"} <= total.keys()
    in_days = told(log, "--model", "bg-nbd", "--until", "2026-02-24", "--unit", "day", "--horizon", 364)
    assert in_days["parameters"]["alpha"]["value"] == pytest.approx(7 * found["parameters"]["alpha"]["value"], rel=1e-6)
    assert in_days["expected"]["purchases"]["value"] == pytest.approx(found["expected"]["purchases"]["value"], rel=1e-6)


def test_the_csv_has_a_line_per_customer_that_sums_to_the_total(log: Path) -> None:
    words = (log, "--model", "bg-nbd", "--until", "2026-02-24")
    lines = list(csv.DictReader(io.StringIO(value(*words, "--csv").output)))
    assert list(lines[0]) == [
        "customer", "expected_purchases", "p_alive", "spend_per_purchase", "expected_spend", "value", "low", "high",
    ]  # fmt: skip
    assert [line["customer"] for line in lines[:2]] == ["0000", "0001"]
    expected = told(*words)["expected"]
    for column, total in (
        ("expected_purchases", expected["purchases"]["value"]),
        ("value", expected["value"]["value"]),
    ):
        assert sum(float(line[column]) for line in lines) == pytest.approx(total, rel=1e-9)
    assert all(
        float(line["low"]) <= float(line["value"]) <= float(line["high"]) for line in lines if line["low"] != "0"
    )
    assert all(0 <= float(line["p_alive"]) <= 1 for line in lines)


def test_words_name_every_width_of_the_interval(log: Path) -> None:
    printed = value(log, "--model", "bg-nbd").output
    assert "chance ±   parameters ±   model error ±" in printed
    assert "! observed until" in printed
    assert "tried on the past" in printed
    assert "nan" not in printed.lower()


def test_purchases_at_fixed_occasions(tmp_path: Path) -> None:
    rows = simulate_occasions(np.array([1.2, 0.75, 0.66, 2.78]), 6, 8000, np.random.default_rng(3))
    file = tmp_path / "gifts.csv"
    lines = zip(rows.x, rows.t_x, rows.n, rows.weight, strict=True)
    file.write_text("frequency,recency,n,weights\n" + "\n".join(",".join(f"{one:g}" for one in line) for line in lines))
    found = told(file, "--model", "bg-bb", "--horizon", 5)
    assert found["customers"] == 8000
    assert list(found["parameters"]) == ["alpha", "beta", "gamma", "delta"]
    assert all(
        one["low"] < true < one["high"]
        for one, true in zip(found["parameters"].values(), (1.2, 0.75, 0.66, 2.78), strict=True)
    )
    assert found["expected"]["purchases"]["value"] > 0
    assert len(value(file, "--model", "bg-bb", "--csv").output.splitlines()) == rows.x.size + 1


COHORT = [1000, 869, 743, 653, 593, 551, 517, 491]


def test_a_cohort_may_be_written_in_three_ways(tmp_path: Path) -> None:
    """Survivors; lost and those still there; one line per customer: the same fit."""
    survivors, counts, each = (tmp_path / name for name in ("survivors.csv", "counts.csv", "each.csv"))
    survivors.write_text("period,survivors\n" + "".join(f"{at},{many}\n" for at, many in enumerate(COHORT)))
    steps = list(enumerate(pairwise(COHORT), 1))
    counts.write_text("Period;Lost;Kept\n" + "".join(f"{at};{old - new};{new}\n" for at, (old, new) in steps))
    people = [f"{at},yes" for at, (old, new) in steps for _ in range(old - new)] + ["7,no"] * COHORT[-1]
    each.write_text("tenure,churned\n" + "\n".join(people) + "\n")
    found = [told(file, "--model", "sbg") for file in (survivors, counts, each)]
    assert [round(one, 3) for one in parameters(found[0])] == [0.668, 3.806]
    for other in found[1:]:
        assert parameters(other) == pytest.approx(parameters(found[0]), rel=1e-9)
        assert other["customers"] == 1000
    assert "one cohort" in found[1]["notes"][0]
    assert found[0]["retention"][0] == {
        "period": 1, "retention": pytest.approx(3.806 / 4.474, abs=1e-3), "survival": pytest.approx(0.8507, abs=1e-3),
    }  # fmt: skip
    assert value(survivors, "--model", "sbg", "--csv").output.splitlines()[0] == "period,retention,survival"


def test_kept_may_be_who_was_last_seen_at_an_age(tmp_path: Path) -> None:
    file = tmp_path / "ages.csv"
    file.write_text("period,lost,kept\n1,30,50\n2,20,60\n3,10,200\n")
    found = told(file, "--model", "sbg")
    assert found["customers"] == 370
    assert "each customer is counted once" in found["notes"][0]


def test_a_row_may_stand_for_many_customers(tmp_path: Path, summary: Path, customers: Customers) -> None:
    """Equal histories written once, with a weight: the same fit."""
    plain = told(summary, "--model", "bg-nbd")
    lines: dict[str, int] = {}
    for line in summary.read_text().splitlines()[1:]:
        _, x, t_x, age, _ = line.split(",")
        lines[f"{x},{t_x},{age}"] = lines.get(f"{x},{t_x},{age}", 0) + 1
    file = tmp_path / "weights.csv"
    file.write_text("x,t_x,T,weight\n" + "".join(f"{line},{many}\n" for line, many in lines.items()))
    assert len(lines) < customers.count
    weighted = told(file, "--model", "bg-nbd")
    assert weighted["customers"] == customers.count
    assert parameters(weighted) == pytest.approx(parameters(plain), rel=1e-9)


def test_a_mean_is_needed_only_where_something_was_bought_again(summary: Path) -> None:
    plain = told(summary, "--model", "gamma-gamma")
    text = summary.read_text()
    summary.write_text(text.replace(",0.0\n", ",\n"))
    assert summary.read_text() != text
    assert told(summary, "--model", "gamma-gamma") == plain
    summary.write_text(text.replace(",0.0\n", ",NaN\n"))
    assert told(summary, "--model", "gamma-gamma") == plain


def test_parquet_is_read_as_csv_is(log: Path) -> None:
    plain = told(log, "--model", "mbg-nbd")
    file = log.with_suffix(".parquet")
    duckdb.sql(f"copy (from '{log}') to '{file}'")
    assert told(file, "--model", "mbg-nbd") == plain


# -- what is left out or refused


def written(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "bad.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


LOG, SUMMARY = "customer,date,amount", "x,t_x,T,zbar"


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ((LOG, "a,2026-01-01,1", "b,31.12.2025,1"), "line 3, column date: '31.12.2025' is no date; write 2026-01-31"),
        ((LOG, "a,2026-01-01,1", "b,2026-01-01,1.234,56"), "line 3"),
        ((LOG, "a,2026-01-01,ten"), "line 2, column amount: 'ten' is no amount; write 1234.56"),
        ((LOG, "a,2026-01-01,"), "line 2, column amount: '' is no amount"),
        ((LOG, "a,2026-01-01,nan"), "line 2, column amount: 'nan' is no amount"),
        ((LOG, ",2026-01-01,5"), "line 2, column customer: '' names no customer"),
        ((LOG,), "has no rows"),
        (("",), "is empty"),
        ((LOG, "a,2026-01-01,5", "b,2026-01-02,5"), "0 of 2 customers bought again; bg-nbd needs 30 that did"),
        ((f"{LOG},currency", "a,2026-01-01,5,EUR", "a,2026-01-02,5,USD"), "2 currencies (EUR, USD)"),
        ((SUMMARY, "1,5,9,3", "2,9,8,3"), "line 3, column t_x: '9' is later than the end of observation in T"),
        ((SUMMARY, "0,5,9,0"), "column t_x: '5' tells of a last purchase where x says that nothing was bought again"),
        ((SUMMARY, "3,0,9,1"), "column t_x: '0' puts the last purchase at the first"),
        ((SUMMARY, "-1,0,9,0"), "column x: '-1' is no count"),
        ((SUMMARY, "1,2,9,"), "column zbar: '' is no number"),
        (("x,t_x,T,weight", "1,2,9,1.5"), "column weight: '1.5' is no count of customers"),
        ((SUMMARY, "1,2,9,-4"), "column zbar: '-4' is below 0"),
        ((SUMMARY, "1,2,lots,4"), "column T: 'lots' is no number"),
        (("who,when", "a,b"), "has the columns who, when; bg-nbd needs a log"),
        (("a,b,A", "1,2,3"), "has two columns 'a'"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused_with_its_place(
    tmp_path: Path, lines: tuple[str, ...], says: str
) -> None:
    assert says in refused(written(tmp_path, *lines), "--model", "bg-nbd")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (("period,lost,kept", "0,5,9"), "a period is a whole number from 1"),
        (("period,survivors", "0,100", "1,110"), "more are there than a period before"),
        (("period,survivors", "0,100", "2,60"), "without a gap"),
        (("tenure,churn", "4,perhaps"), "column churn: 'perhaps' is neither yes nor no"),
        (("tenure,churn", "4.5,yes"), "column tenure: '4.5' is no whole number of periods"),
        (("tenure,churn", "4,no", "5,no"), "0 of 2 customers were lost"),
        (("x,t_x,n", "1,2,3"), "sbg needs period, lost, kept"),
    ],
)
def test_a_cohort_that_cannot_be_is_refused(tmp_path: Path, lines: tuple[str, ...], says: str) -> None:
    assert says in refused(written(tmp_path, *lines), "--model", "sbg")


def test_occasions_that_cannot_be_are_refused(tmp_path: Path) -> None:
    says = refused(written(tmp_path, "x,t_x,n", "1,2,3", "2,1,3"), "--model", "bg-bb")
    assert "customer 2 of the list: the last purchase lies at occasion x at the soonest" in says


def test_what_is_left_out_is_counted(log: Path) -> None:
    """A refund of the whole, a free purchase, a purchase after the end: each is told of, none is lost in silence."""
    more = [
        "9001,2025-03-01,50.00,EUR",
        "9001,2025-03-01,-50.00,EUR",
        "0001,2025-12-30,0,EUR",
        "0002,2026-07-01,5.00,EUR",
    ]
    log.write_text(log.read_text() + "\n".join(more) + "\n")
    found = told(log, "--model", "bg-nbd", "--until", "2026-02-24")
    assert found["customers"] == 400
    assert found["left_out"] == {"purchases after 2026-02-24": 1, "refunds (amounts below 0)": 1}
    assert "purchases worth 0 count as purchases, and are in no mean value (1 rows)" in found["notes"]


def test_columns_and_dates_may_be_named(log: Path) -> None:
    plain = told(log, "--model", "bg-nbd", "--until", "2026-02-24")
    lines = [line.split(",") for line in log.read_text().splitlines()[1:]]
    dotted = [f'{who};{day[8:]}.{day[5:7]}.{day[:4]};"{paid.replace(".", ",")}"' for who, day, paid, _ in lines]
    log.write_text("Kunde;Tag;Betrag\n" + "\n".join(dotted) + "\n")
    words = ("--customer", "kunde", "--date", "Tag", "--amount", "Betrag", "--date-format", "%d.%m.%Y")
    assert told(log, "--model", "bg-nbd", "--until", "2026-02-24", *words) == plain
    result = value(log, "--model", "bg-nbd", "--customer", "Kundin", "--date", "Tag")
    assert result.exit_code == 2
    assert "has no column 'Kundin'; it has Kunde, Tag, Betrag" in result.output


def test_money_that_does_not_fit_leaves_the_purchases(summary: Path) -> None:
    rows = [line.split(",") for line in summary.read_text().splitlines()]
    rich = [[*row[:4], str(float(row[1]) ** 2)] for row in rows[1:]]
    summary.write_text("\n".join(",".join(row) for row in [rows[0], *rich]) + "\n")
    found = told(summary, "--model", "bg-nbd")
    assert (found["spend"], found["expected"]["value"]) == (None, None)
    assert any("move together" in note for note in found["notes"])
    assert value(summary, "--model", "bg-nbd", "--csv").output.splitlines()[1].endswith(",,,,,")
    assert "or force it" in refused(summary, "--model", "gamma-gamma")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--model", "pareto"), "is not one of"),
        ((), "Missing option '--model'"),
        (("--model", "bg-nbd", "--json", "--csv"), "two outputs"),
        (("--model", "bg-nbd", "--only", "currency"), "write --only COLUMN=VALUE"),
        (("--model", "bg-nbd", "--only", "colour=red"), "has no column 'colour'"),
        (("--model", "bg-nbd", "--horizon", "0"), "0.0 is not in the range"),
        (("--model", "bg-nbd", "--until", "tomorrow"), "does not match the format"),
    ],
)
def test_a_command_that_cannot_be_understood_is_misuse(log: Path, words: tuple[str, ...], says: str) -> None:
    result = value(log, *words)
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())


def test_a_day_before_everything_is_refused(log: Path) -> None:
    assert "has no purchase until 2020-01-01" in refused(log, "--model", "bg-nbd", "--until", "2020-01-01")
    assert "has no rows that --only leaves" in refused(log, "--model", "bg-nbd", "--only", "currency=USD")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "latin.csv"
    file.write_bytes("customer,date\nJosé,2026-01-01\n".encode("latin-1"))
    assert "latin.csv cannot be read" in refused(file, "--model", "bg-nbd")


def test_no_home_is_made(summary: Path, tmp_path: Path) -> None:
    home = tmp_path / "nowhere"
    result = CliRunner().invoke(main, ["--home", str(home), "value", str(summary), "--model", "bg-nbd"])
    assert result.exit_code == 0
    assert not home.exists()
