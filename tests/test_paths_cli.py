"""`plait paths`: analysts try a tool on a file; it answers or says what is wrong with which line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from plait.cli import main

PATHDATA = Path(__file__).parents[2] / "shared" / "data" / "attribution" / "PathData.csv"
HEADER = "path,total_conversions,total_conversion_value,total_null"


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["paths", *map(str, words)])


def answer(*words: str | Path) -> dict[str, Any]:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    assert "NaN" not in result.output
    found: dict[str, Any] = json.loads(result.output)
    return found


def file(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "paths.csv"
    path.write_text("\n".join((header, *lines)) + "\n", "utf-8")
    return path


def refusal(folder: Path, *lines: str, header: str = HEADER, words: tuple[str, ...] = ()) -> str:
    result = run(file(folder, *lines, header=header), *words)
    assert result.exit_code == 1, result.output
    return result.output


def credits_of(found: dict[str, Any]) -> dict[str, float]:
    return {row["channel"]: row["credit"] for row in found["rows"]}


def test_credit_value_and_what_they_mean(tmp_path: Path) -> None:
    found = answer(file(tmp_path, "search > mail,3,100.01,5", "mail,1,20,7"), "--model", "linear")
    assert found["model"] == "linear"
    assert "equal part" in found["estimates"]
    assert [(row["channel"], row["credit"], row["value"]) for row in found["rows"]] == [
        ("mail", 2.5, 70.0), ("search", 1.5, 50.01),
    ]  # fmt: skip
    assert (found["total_conversions"], found["total_conversion_value"], found["total_journeys"]) == (4, 120.01, 16)
    assert found["rows"][0]["low"] < 2.5 < found["rows"][0]["high"]


def test_names_of_columns_and_signs_between_can_be_others(tmp_path: Path) -> None:
    path = file(tmp_path, "a | b;2;9", "b;1;1", header="Weg;Kauf;Ohne")
    words = ("--path", "Weg", "--conversions", "Kauf", "--nulls", "Ohne", "--separator", "|", "--model", "first")
    assert credits_of(answer(path, *words)) == {"a": 2, "b": 1}


def test_all_models_stand_side_by_side_and_name_where_they_differ_most(tmp_path: Path) -> None:
    path = file(tmp_path, "a > b,30,0,70", "b > a > c,10,0,90", "c,5,0,95", "a,4,0,60")
    found = answer(path, "--model", "all")
    assert [one["model"] for one in found["models"]][:3] == ["response", "markov", "markov-2"]
    for one in found["models"]:
        assert sum(credits_of(one).values()) + one["baseline"]["credit"] == pytest.approx(49)
    assert "no instants" in found["refused"]["decay"]
    apart = found["disagreement"]
    rows = {one["model"]: credits_of(one)[apart["channel"]] for one in found["models"]}
    assert rows[apart["most"]["model"]] - rows[apart["least"]["model"]] == max(rows.values()) - min(rows.values())
    shown = run(path, "--model", "all")
    assert shown.exit_code == 0
    assert f"They differ most on {apart['channel']}" in shown.output


def test_a_table_says_what_it_estimates_and_what_not(tmp_path: Path) -> None:
    result = run(file(tmp_path, "a > b,30,10.50,70", "b,10,2,90"))
    assert result.exit_code == 0
    assert "response: extra conversions caused" in result.output
    assert "only an experiment" in " ".join(result.output.split())
    assert "No untouched customers are known" in result.output
    assert "bootstrap" in result.output


def test_an_empty_path_is_customers_whom_nothing_touched(tmp_path: Path) -> None:
    found = answer(file(tmp_path, ",1000,0,9000", "a,1900,0,8100"))
    assert credits_of(found) == {"a": pytest.approx(900, abs=1e-6)}
    assert found["baseline"]["credit"] == pytest.approx(2000, abs=1e-6)


LOG = """who,when,channel,converted,value
anna,2026-01-01,search,0,
anna,2026-01-08T09:00:00,mail,1,50.00
anna,2026-01-20,mail,0,
bert,2026-01-03,search,0,
carl,2026-01-02,mail,0,
carl,2026-01-09,search,0,
carl,2026-01-09,,1,20.00
"""


def test_a_log_of_touches_knows_how_old_they_were(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG.replace("T09:00:00", ""))
    words = ("--unit", "who", "--at", "when", "--open-days", "0")
    found = answer(path, *words, "--model", "decay")
    assert credits_of(found) == {"search": pytest.approx(1 / 3 + 2 / 3), "mail": pytest.approx(2 / 3 + 1 / 3)}
    assert (found["total_conversions"], found["total_conversion_value"], found["total_journeys"]) == (2, 70.0, 4)
    path.write_text(LOG)
    assert answer(path, *words, "--model", "last")["total_conversion_value"] == 70.0


def test_journeys_that_may_still_convert_are_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG.replace("T09:00:00", ""))
    found = answer(path, "--unit", "who", "--at", "when", "--open-days", "1", "--model", "linear")
    assert found["left_open"] == 1
    assert "1 journeys may still convert" in found["notes"][0]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a,-1,0,0", "line 3: total_conversions is '-1'; allowed are whole numbers of 0 or more"),
        ("a,1.5,0,0", "line 3: total_conversions is '1.5'"),
        ("a,many,0,0", "line 3: total_conversions is 'many'"),
        ("a,nan,0,0", "line 3: total_conversions is 'nan'"),
        ("a,1,1e400,0", "line 3: total_conversion_value is '1e400'; allowed is an amount"),
        ("a,1,-5,0", "line 3: total_conversion_value is '-5'"),
        ("a,1,0,2.5", "line 3: total_null is '2.5'"),
        ("a > > b,1,0,0", "line 3: the path has a channel without a name"),
        ("a,0,9.99,4", "line 3: a path that never converted has a value"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused_with_its_line(row: str, says: str, tmp_path: Path) -> None:
    assert says in refusal(tmp_path, "b,1,1,1", row)


def test_a_file_without_what_is_needed_is_refused(tmp_path: Path) -> None:
    assert "has no column 'path'; it has way, n" in refusal(tmp_path, "a,1", header="way,n")
    assert "no row below the header" in refusal(tmp_path)
    assert "nothing converted" in refusal(tmp_path, "a > b,0,0,9")
    assert "both are needed" in refusal(tmp_path, "a,3", "b,4", header="path,total_conversions")
    assert "no path names a channel" in refusal(tmp_path, ",3,0,9")
    assert "no instants" in refusal(tmp_path, "a,3,0,9", words=("--model", "decay"))
    assert "no path names the channel 'c'" in refusal(tmp_path, "a > b,1,0,0", words=("--direct", "c"))
    wide = [f"c{number},1,0,0" for number in range(1001)]
    assert "the paths name 1001 channels; allowed are 1000" in refusal(tmp_path, *wide)


def test_a_command_that_cannot_be_understood_is_misuse(tmp_path: Path) -> None:
    assert run(tmp_path / "nowhere.csv").exit_code == 2
    assert run(file(tmp_path, "a,1,0,0"), "--model", "magic").exit_code == 2
    assert run(file(tmp_path, "a,1,0,0"), "--model", "response", "--interval", "quick").exit_code == 2


def test_quick_intervals_say_that_they_are_too_narrow(tmp_path: Path) -> None:
    path = file(tmp_path, "a > b,300,0,700", "b,100,0,900")
    found = answer(path, "--model", "markov", "--interval", "quick")
    assert found["interval"]["method"].endswith("too narrow")
    assert found["rows"][0]["low"] < found["rows"][0]["credit"] < found["rows"][0]["high"]


@pytest.mark.parametrize("model", ["response", "markov", "markov-2", "shapley", "equal", "last", "position"])
def test_one_channel_earns_all_and_one_that_never_converts_nothing(model: str, tmp_path: Path) -> None:
    one = answer(file(tmp_path, "a > a,3,9.00,5", "a,1,1.00,4"), "--model", model)
    assert [(row["channel"], row["credit"], row["value"]) for row in one["rows"]] == [("a", 4.0, 10.0)]
    found = answer(file(tmp_path, "a > b,40,1,60", "b,20,1,80", "c,0,0,100"), "--model", model)
    assert credits_of(found)["c"] == 0


def test_fractions_that_are_whole_numbers_are_taken(tmp_path: Path) -> None:
    assert answer(file(tmp_path, "a,2.0,3,3.0"), "--model", "last")["total_journeys"] == 5


@pytest.mark.slow
def test_a_million_rows_are_answered(tmp_path: Path) -> None:
    rows = [
        f"c{n % 12} > c{n % 7} > c{n % 5},{int(n % 9 == 0)},{(n % 9 == 0) * (n % 100)},{n % 3 + 1}"
        for n in range(10**6)
    ]
    found = answer(file(tmp_path, *rows), "--model", "response")
    assert found["total_conversions"] == 111_112
    assert sum(credits_of(found).values()) == pytest.approx(111_112)
    assert "jackknife over 20 blocks" in found["interval"]["method"]


@pytest.mark.real_data
@pytest.mark.skipif(not PATHDATA.exists(), reason="the public data is not here")
def test_the_published_file_is_answered_exactly() -> None:
    found = answer(PATHDATA, "--model", "markov")
    rows = {row["channel"]: row for row in found["rows"]}
    assert rows["alpha"]["removal_effect"] == pytest.approx(0.5584, abs=1e-4)
    assert rows["alpha"]["credit"] == pytest.approx(5344.95, abs=6e-3)
    assert found["total_conversion_value"] == pytest.approx(74_802.972, abs=1e-3)
    linear = answer(PATHDATA, "--model", "linear")
    assert {row["channel"]: row["value"] for row in linear["rows"]}["alpha"] == pytest.approx(24_524.710, abs=1e-3)
