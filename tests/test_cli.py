"""The command line: what people type, what they are told, and the exit code that programs see."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from plait.cli import main

MAPPING = """
source = "crm"
timezone = "UTC"
currency = "EUR"
[[file]]
pattern = "deals.*"
{more}
[[file.fact]]
kind = "deal.won"
id = "deal:{{id}}"
occurred_at = "{{closed}}"
object_id = "{{id}}"
amount = "{{amount}}"
keys = {{ "account.crm" = "{{account}}", domain = "{{domain}}" }}
[[file]]
pattern = "accounts.csv"
[[file.fact]]
kind = "account.created"
id = "account:{{id}}"
occurred_at = "{{day}}"
text = "{{name}}"
keys = {{ "account.crm" = "{{id}}" }}
"""
HEAD = "id,closed,amount,account,domain\n"
BAD = {
    100: "1001,31.01.2026,5,A1,a.example",
    300: "1002,2026-01-05,-5,A1,a.example",
    500: "1003,2026-01-05,x,A1,a.example",
    700: ",2026-01-05,5,A1,a.example",
    900: "1004,2026-01-05,5,A1",
}


def plait(home: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home), *words])


def told(home: Path, *words: str) -> Any:  # noqa: ANN401 - JSON
    answer = plait(home, *words)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def deals(count: int, bad: dict[int, str] | None = None) -> str:
    rows = [f"{n},2026-01-{n % 28 + 1:02},{n}.50,A{n % 9},a{n % 9}.example" for n in range(count)]
    for number, row in (bad or {}).items():
        rows[number] = row
    return HEAD + "\n".join(rows) + "\n"


def inbox(folder: Path, *, name: str = "deals.csv", text: str | bytes = "", more: str = "") -> tuple[str, str, str]:
    """Write an export and its mapping; give the words that load it."""
    (folder / "in").mkdir(parents=True, exist_ok=True)
    (folder / "in" / name).write_bytes(text.encode() if isinstance(text, str) else text)
    (folder / "crm.toml").write_text(MAPPING.format(more=more))
    return str(folder / "in"), "--mapping", str(folder / "crm.toml")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with 995 deals of nine accounts and five refused rows."""
    folder = tmp_path_factory.mktemp("cli")
    words = inbox(folder, text=deals(1_000, BAD))
    (folder / "in" / "accounts.csv").write_text(
        "id,day,name\nA1,2026-01-01,안녕 Ltd\nA2,2026-01-01,Twin\nA3,2026-01-01,Twin\n"
    )
    (folder / "in" / "notes.txt").write_text("no export")
    loaded = plait(folder / "home", "load", *words)
    assert loaded.exit_code == 0, loaded.output
    (folder / "printed.txt").write_text(loaded.output)
    return folder / "home"


# -- loading


def test_a_load_tells_of_each_bad_row_and_takes_the_others(home: Path) -> None:
    told = (home.parent / "printed.txt").read_text()
    (line,) = [line.split() for line in told.splitlines() if line.startswith("crm") and "deals.csv" in line]
    assert line[2:5] == ["1,000", "995", "5"]
    refused = [line for line in told.splitlines() if line.startswith("refused ")]
    assert [line.split(":")[0] for line in refused] == [f"refused deals.csv line {n + 2}" for n in BAD]
    assert "occurred_at '31.01.2026': not a time; write an existing day as 2026-01-31" in refused[0]
    assert all(len(line.split("; ")[1]) > 10 for line in refused)
    assert "not read, no pattern fits: notes.txt" in told


def test_loading_again_adds_nothing(home: Path) -> None:
    before = told(home, "store", "info", "--json")
    again = told(home, "load", str(home.parent / "in"), "--mapping", str(home.parent / "crm.toml"), "--json")
    deals = next(file for file in again["files"] if file["file"] == "deals.csv")
    assert {name: deals[name] for name in ("rows", "accepted", "refused", "added", "known")} == {
        "rows": 1_000, "accepted": 995, "refused": 5, "added": 0, "known": 995,
    }  # fmt: skip
    assert len(again["refused"]) == 5
    assert told(home, "store", "info", "--json") == before


def test_a_corrected_file_shows_no_old_refusal(tmp_path: Path) -> None:
    words = inbox(tmp_path, text=deals(10, {5: "x,yesterday,1,A1,a.example"}))
    assert "yesterday" in plait(tmp_path / "h", "load", *words).output
    inbox(tmp_path, text=deals(10))
    again = told(tmp_path / "h", "load", *words, "--json")
    assert (again["refused"], again["added"]) == ([], 1)


def test_what_lay_in_the_future_is_taken_once_it_has_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    words = inbox(tmp_path, text=deals(28))
    for day, accepted in ((15, 15), (15, 15), (20, 20), (31, 28)):
        monkeypatch.setattr("plait.cli.now", lambda day=day: datetime(2026, 1, day, 12, tzinfo=UTC))
        loaded = told(tmp_path / "h", "load", *words, "--json")
        assert [file["accepted"] for file in loaded["files"]] == [accepted]
        assert told(tmp_path / "h", "store", "info", "--json")["facts"] == accepted
    assert told(tmp_path / "h", "store", "info", "--json")["refused"] == 13


def test_a_check_stores_nothing(home: Path, tmp_path: Path) -> None:
    before = told(home, "store", "info", "--json")
    words = inbox(tmp_path, text=deals(2_000))
    checked = plait(home, "check", *words)
    assert checked.exit_code == 0
    assert "nothing was stored" in checked.output
    assert "2,000" in checked.output
    assert told(home, "store", "info", "--json") == before


def zipped(folder: Path) -> bytes:
    path = folder / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("deals.csv", "w", force_zip64=True) as out,
    ):
        for _ in range(4):
            out.write(b"0" * (1 << 20))
    return path.read_bytes()


UNFIT: dict[str, tuple[str, Callable[[Path], bytes], str, str]] = {
    "wrong encoding": (
        "deals.csv",
        lambda _: deals(3).replace("A1", "Ä1").encode("cp1252"),
        'encoding = "utf-8"',
        "utf-8",
    ),
    "truncated gz": ("deals.csv.gz", lambda _: gzip.compress(deals(900).encode())[:-500], "", "no whole gzip file"),
    "wrong columns": ("deals.csv", lambda _: b"id,when,amount\n1,2026-01-01,5\n", "", "closed"),
    "empty": ("deals.csv", lambda _: b"", "", "is empty: not even a header"),
    "no archive": ("deals.zip", lambda _: b"PK\x03\x04 nothing", "", "no sound zip archive"),
    "bomb": ("deals.zip", zipped, "", "more than 200 fold"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_an_unfit_file_is_one_clear_line_and_nothing_is_stored(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setattr("plait.sources.file.FREE_EXPANSION", 1 << 20)  # a bomb of a gibibyte takes seconds to make
    name, make, more, says = UNFIT[case]
    before = told(home, "store", "info", "--json")
    refused = plait(home, "load", *inbox(tmp_path, name=name, text=make(tmp_path), more=more))
    assert refused.exit_code == 1
    line, *others = refused.output.splitlines()
    assert line.startswith(f"Error: {name}")
    assert says in refused.output
    assert all(line.startswith(("- the mapping names column", "- column")) for line in others if line)
    assert told(home, "store", "info", "--json") == before
    assert not any((home / "staging").glob("*.tmp"))


def test_a_folder_named_like_a_file_is_refused(home: Path, tmp_path: Path) -> None:
    words = inbox(tmp_path, name="accounts.csv", text="id,day,name\n")
    (tmp_path / "in" / "deals.csv").mkdir()
    refused = plait(home, "load", *words)
    assert (refused.exit_code, refused.output) == (
        1, "Error: deals.csv: is a folder, yet a pattern fits it: rename it or narrow the pattern\n",
    )  # fmt: skip


def test_a_folder_where_nothing_fits_tells_the_patterns(home: Path, tmp_path: Path) -> None:
    refused = plait(home, "load", *inbox(tmp_path, name="else.csv", text=deals(1)))
    assert refused.exit_code == 1
    assert "it reads: deals.*, accounts.csv." in refused.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("load",), "Missing argument 'FOLDER'"),
        (("load", "{in}", "--mapping", "{home}/none.toml"), "does not exist"),
        (("load", "{home}/none", "--mapping", "{mapping}"), "does not exist"),
        (("show", "funel"), "no measure 'funel'; did you mean 'funnel'? `plait measures` lists all"),
        (("show", "funnel", "--chian", "a,b"), "No such option '--chian'. Did you mean '--chain'?"),
        (("show", "funnel", "--by", "week"), "option by cannot be 'week'; allowed: all,"),
        (("show", "funnel", "--within-days", "0"), "allowed: a whole number from 1 to 3650, or none"),
        (("show", "funnel", "--chain", "lead.mql,deal.wonn"), "did you mean 'deal.won'?"),
        (("show", "funnel", "--as-of", "31.01.2026"), "is no day; write 2026-01-31"),
        (("show", "funnel", "--as-of", "2026-01-31T10:00"), "an instant with its zone: 2026-01-31T10:00+01:00"),
        (("show", "funnel", "--as-of", "0001-01-01"), "is no day"),
        (("show", "funnel", "--engine", "postgres"), "no engine 'postgres'; allowed: duckdb"),
        (("measures", "win_rat"), "did you mean 'win_rate'?"),
        (("shwo",), "No such command 'shwo'"),
    ],
)
def test_misuse_says_what_is_allowed(home: Path, words: tuple[str, ...], says: str) -> None:
    places = {"home": str(home), "in": str(home.parent / "in"), "mapping": str(home.parent / "crm.toml")}
    misused = plait(home, *(word.format_map(places) for word in words))
    assert misused.exit_code == 2, misused.output
    assert says in " ".join(misused.output.split())


def test_a_zone_is_never_changed_in_silence(home: Path, tmp_path: Path) -> None:
    words = inbox(tmp_path, text=deals(1))
    refused = plait(home, "load", *words, "--zone", "Asia/Seoul")
    assert refused.exit_code == 1
    assert "has zone UTC and currency none already" in refused.output
    assert plait(tmp_path / "new", "load", *words, "--zone", "Mars/Phobos").exit_code == 1
    assert plait(tmp_path / "new", "load", *words, "--zone", "Asia/Seoul", "--currency", "KRW").exit_code == 0
    assert plait(tmp_path / "new", "load", *words).exit_code == 0
    assert told(tmp_path / "new", "store", "info", "--json")["zone"] == "Asia/Seoul"


def test_a_home_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for words in (("store", "info"), ("show", "funnel"), ("load", *inbox(tmp_path, text=deals(1)))):
        refused = plait(tmp_path / "file" / "home", *words)
        assert refused.exit_code == 1, refused.output
        assert len(refused.output.splitlines()) == 1
        assert "Not a directory; choose another --home" in refused.output


# -- asking


def test_json_has_exactly_these_names(home: Path) -> None:
    answer = told(home, "show", "win_rate", "--as-of", "2026-02-01", "--json")
    names = [
        "measure",
        "version",
        "definition",
        "as_of",
        "facts_version",
        "options",
        "columns",
        "rows",
        "sql",
        "estimates",
        "warnings",
        "took",
    ]
    assert list(answer) == names
    assert answer["as_of"] == "2026-02-01T00:00:00Z"
    assert sum(row["won"] for row in answer["rows"]) == 995
    assert set(answer["rows"][0]) == {column["name"] for column in answer["columns"]}


def test_csv_sql_and_json_are_one_answer(home: Path) -> None:
    answer = told(home, "show", "win_rate", "--as-of", "2026-02-01", "--json")
    lines = plait(home, "show", "win_rate", "--as-of", "2026-02-01", "--csv").stdout.splitlines()
    assert lines[0] == ",".join(column["name"] for column in answer["columns"])
    assert len(lines) - 1 == len(answer["rows"])
    assert plait(home, "show", "win_rate", "--as-of", "2026-02-01", "--sql").stdout.strip() == answer["sql"].strip()


def test_help_of_a_measure_lists_its_options(home: Path) -> None:
    shown = plait(home, "show", "funnel", "--help")
    assert shown.exit_code == 0
    for words in ("--within-days", "--chain", "--strict", "--as-of", "--json", "--sql", "Of the units that entered"):
        assert words in shown.output
    assert "A whole number from 1 to 3650, or none; default 90" in " ".join(shown.output.split())


def test_measures_are_listed_and_defined(home: Path) -> None:
    listed, defined = plait(home, "measures"), plait(home, "measures", "funnel")
    assert "win_rate" in listed.output
    assert "[entered, entered + " in " ".join(defined.output.split())
    assert "--within-days: a whole number from 1 to 3650, or none (default 90)" in defined.output


def test_sources_tell_what_they_delivered(home: Path) -> None:
    (row,) = told(home, "sources", "--json")["rows"]
    assert (row["source"], row["facts"], row["refused"]) == ("crm", 998, 5)
    assert "crm" in plait(home, "sources").output


def test_the_store_counts_itself(home: Path) -> None:
    info = told(home, "store", "info", "--json")
    assert {"facts", "refused", "version", "sources"} <= set(info)
    assert (info["facts"], info["refused"]) == (998, 5)
    assert info["sources"] == [{"source": "crm", "facts": 998, "refused": 5, "files": 2}]
    assert "998 facts, 5 refused rows" in plait(home, "store", "info").output


def test_the_store_is_looked_after(home: Path) -> None:
    assert "no fact is stored twice" in plait(home, "store", "verify").output
    assert plait(home, "store", "rebuild").output == "rebuilt the timeline of 998 facts\n"
    assert plait(home, "store", "compact").output.startswith("compacted; the facts are at version")
    assert plait(home, "store", "verify").exit_code == 0


@pytest.mark.parametrize("name", ["a1.example", "A1", "a1", "안녕 Ltd", "안녕 LTD"])
def test_a_story_is_found_by_domain_id_or_name(home: Path, name: str) -> None:
    answer = plait(home, "story", name)
    assert answer.exit_code == 0, answer.output
    assert "안녕 Ltd" in answer.output
    assert "account.crm A1 and domain a1.example are one account" in answer.output


def test_a_story_that_is_nobodys_or_twos_says_so(home: Path) -> None:
    nobody, two = plait(home, "story", "nowhere.example"), plait(home, "story", "twin")
    assert (nobody.exit_code, two.exit_code) == (1, 1)
    assert "no account 'nowhere.example'; give an id, a domain, a CRM id or the exact name" in nobody.output
    assert "'twin' is more than one account: a" in two.output


def test_a_story_ends_before_the_day_asked_for(home: Path) -> None:
    assert len(plait(home, "story", "A1", "--as-of", "2026-01-03").output.splitlines()) < len(
        plait(home, "story", "A1").output.splitlines()
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show", "funnel"), "no rows: nothing of this kind is known yet"),
        (("sources",), "no rows"),
        (("store", "info"), "0 facts, 0 refused rows, version 0"),
        (("store", "verify"), "no fact is stored twice"),
        (("store", "rebuild"), "rebuilt the timeline of 0 facts"),
        (("store", "compact"), "compacted"),
        (("story", "acme.example"), "no account 'acme.example'"),
    ],
)
def test_an_empty_home_has_an_answer_to_everything(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    answer = plait(tmp_path / "new", *words)
    assert says in answer.output
    assert answer.exit_code == (1 if words[0] == "story" else 0), answer.output


def test_no_number_is_cut_in_a_wide_table(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rows = "\n".join(f"S{n},2026-0{n % 6 + 1}-03,{n}234567.89,A{n}" for n in range(1, 9))
    (tmp_path / "in" / "contracts.csv").write_text(f"id,day,monthly,account\n{rows}\n")
    (tmp_path / "m.toml").write_text(
        'source = "billing"\ntimezone = "UTC"\ncurrency = "EUR"\n[[file]]\npattern = "contracts.csv"\n[[file.fact]]\n'
        'kind = "subscription.started"\nid = "{id}"\noccurred_at = "{day}"\nobject_id = "{id}"\namount = "{monthly}"\n'
        'keys = { "account.billing" = "{account}" }\n'
    )
    assert plait(tmp_path / "h", "load", str(tmp_path / "in"), "--mapping", str(tmp_path / "m.toml")).exit_code == 0
    words = ("show", "recurring_revenue", "--as-of", "2026-08-01")
    answer, printed = told(tmp_path / "h", *words, "--json"), plait(tmp_path / "h", *words).output
    amounts = [
        row[c["name"]] for row in answer["rows"] for c in answer["columns"] if c["unit"] == "money" and row[c["name"]]
    ]
    assert len(answer["columns"]) > 9
    assert amounts
    assert all(f"{amount:,.2f}" in printed for amount in amounts)
    assert "…" not in printed


# -- completion


def completed(**words: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", "from plait.cli import main; main(prog_name='plait')"],
        env=os.environ | words, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return run.stdout


def test_the_shell_completes_commands_and_measures() -> None:
    assert "_PLAIT_COMPLETE=zsh_complete" in completed(_PLAIT_COMPLETE="zsh_source")
    offered = completed(_PLAIT_COMPLETE="bash_complete", COMP_WORDS="plait show fun", COMP_CWORD="2")
    assert "plain,funnel" in offered.splitlines()
