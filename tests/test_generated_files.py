"""Generated files: whatever a system writes, a row is read as it was meant, or refused with its text, never guessed.

CI reads 30 of them; `PLAIT_FILES=1000` reads a thousand.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from plait.report import csv_text
from plait.sources.cells import DANGEROUS
from plait.sources.file import UnreadableFile
from plait.sources.form import Mapping
from plait.sources.mapping import read_mapping
from plait.sources.staging import StagedFile, stage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FILES = int(os.environ.get("PLAIT_FILES", "30"))
MAPPING = """
source = "crm"
timezone = "UTC"
currency = "EUR"
[[file]]
columns = ["Deal id", "Closed", "Owner", "Amount", "Note"]
{settings}
[[file.fact]]
kind = "deal.won"
id = "{{Deal id}}"
occurred_at = "{{Closed}}"
object_id = "{{Deal id}}"
owner = "{{Owner}}"
text = "{{Note}}"
amount = "{{Amount}}"
keys = {{ phone = "{{Owner}}" }}
"""
HEADER = ["Deal id", "Closed", "Owner", "Amount", "Note"]
LETTERS = {
    "utf-8": "aZ09 éüß김치한글漢字😀'",
    "utf-8-sig": "aZ09 éüß김치'",
    "utf-16": "aZ09 éüß김치漢字'",
    "utf-16-le": "aZ09 abcdef",
    "windows-1252": "aZ09 éüßàñ€ bcd",
    "latin-1": "aZ09 éüßàñ bcd",
    "cp949": "김치한글 aZ09",
}
SPICE = (",", ";", "\t", "|", '"', "\n", "\r\n", "'", "=1+1", "-2", "+49 30 1", "@x", "  ", "=", "a,b;c\td|e")
ENDS = {"lf": ["\n"], "crlf": ["\r\n"], "mixed": ["\n", "\r\n"], "cr": ["\r"]}
BLANK = " \t\r\n\xa0"


@dataclass(frozen=True)
class Made:
    """A generated file: its bytes, and what each of its rows says."""

    about: str
    content: bytes
    rows: list[list[str]]
    settings: str


def made(seed: int) -> Made:
    """Make a file: an encoding, a delimiter, line ends, quoting, and cells that are hard to read."""
    chance = random.Random(seed)  # noqa: S311 - the same file for the same seed
    encoding, ends = chance.choice(list(LETTERS)), chance.choice(list(ENDS))
    delimiter, quoting = chance.choice(",;\t|"), chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    letters = LETTERS[encoding]

    def cell() -> str:
        parts = ["".join(chance.choices(letters, k=chance.randint(0, 9)))]
        if chance.random() < 0.5:
            parts.append(chance.choice([one for one in SPICE if "\r" not in one or ends != "cr"]))
        chance.shuffle(parts)
        return "".join(parts).encode(encoding, "replace").decode(encoding)

    rows = [
        [f"d{n}", f"2025-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}", cell(), amount(chance), cell()]
        for n in range(chance.randint(3, 40))
    ]
    out = [line(HEADER, delimiter, csv.QUOTE_MINIMAL) + chance.choice(ENDS[ends])]
    out += [line(row, delimiter, quoting) + chance.choice(ENDS[ends]) for row in rows]
    text = "".join(out) if chance.random() < 0.8 else "".join(out).rstrip("\r\n")
    stated = f'encoding = "{encoding}"' if encoding in ("latin-1", "utf-16-le") and chance.random() < 0.5 else ""
    about = f"seed {seed}: {encoding}, {delimiter!r}, {ends}, quoting {quoting}"
    return Made(about, text.encode(encoding), rows, stated)


def amount(chance: random.Random) -> str:
    return f"{chance.randint(0, 10**7)}.{chance.randint(0, 99):02}" if chance.random() < 0.9 else "n/a"


def line(cells: list[str], delimiter: str, quoting: int) -> str:
    """Write a row as systems do that know their own line ends: each cell with one of them inside is quoted."""
    out = io.StringIO()
    hard = quoting == csv.QUOTE_ALL or any(mark in cell for cell in cells for mark in "\r\n")
    csv.writer(
        out, delimiter=delimiter, quoting=csv.QUOTE_ALL if hard else csv.QUOTE_MINIMAL, lineterminator=""
    ).writerow(cells)
    return out.getvalue()


def read(folder: Path, content: bytes, settings: str, name: str = "deals.csv") -> StagedFile:
    inbox = folder / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / name).write_bytes(content)
    (staged,) = stage(inbox, mapping(folder, settings), work=folder / "work", recorded_at=NOW).files
    return staged


def read_or_left_open(folder: Path, one: Made) -> StagedFile | None:
    """Read a file; the one thing that may be left open is its encoding, with the candidates named."""
    try:
        return read(folder, one.content, one.settings)
    except UnreadableFile as whole:
        if "encoding cannot be told" in str(whole) and "windows-1252" in str(whole):
            return None
        raise


def mapping(folder: Path, settings: str) -> Mapping:
    path = folder / "crm.toml"
    path.write_text(MAPPING.format(settings=settings))
    return read_mapping(path)


def told(staged: StagedFile) -> dict[str, tuple[str, str, str, str | None]]:
    rows = duckdb.execute(
        f"select id, strftime(occurred_at, '%Y-%m-%d'), coalesce(owner, ''), amount::varchar, coalesce(text, '') "
        f"from read_parquet('{staged.facts}')"
    ).fetchall()
    return {id_: (day, owner, text, amount) for id_, day, owner, amount, text in rows}


def refused(staged: StagedFile) -> list[tuple[str, str, dict[str, str]]]:
    rows = duckdb.execute(f"select rule, next_step, row from read_parquet('{staged.refused}')").fetchall()
    return [(rule, step, json.loads(row)) for rule, step, row in rows]


def known(text: str) -> str:
    """Give a cell as plait knows it: one of blanks only is unknown."""
    return text if text.strip(BLANK) else ""


@pytest.mark.parametrize("first", range(0, FILES, 50))
def test_each_row_of_a_generated_file_is_read_as_written_or_refused_with_its_text(tmp_path: Path, first: int) -> None:
    for seed in range(first, min(first + 50, FILES)):
        one = made(seed)
        folder = tmp_path / str(seed)
        if (staged := read_or_left_open(folder, one)) is None:
            continue
        assert staged.rows == staged.accepted + staged.refused_rows == len(one.rows), one.about
        facts, why = told(staged), refused(staged)
        assert all(rule and step for rule, step, _row in why), one.about
        bad = {
            row.get("Deal id") or row["raw"].strip('"').split('"')[0][:3].strip(",;\t|") for _rule, _step, row in why
        }
        for id_, day, owner, money, note in one.rows:
            if id_ in facts:
                assert facts[id_][:3] == (day, known(owner), known(note)), one.about
                assert facts[id_][3] == f"{money}00", one.about
            else:
                assert id_ in bad, (one.about, id_, why)
                assert money == "n/a" or "\r" in f"{owner}{note}", (one.about, id_)


@pytest.mark.parametrize("first", range(0, FILES, 50))
def test_what_was_read_comes_back_the_same_through_a_spreadsheets_csv(tmp_path: Path, first: int) -> None:
    """Accepted facts are written as CSV, no cell of it a formula, and that CSV gives the same facts again."""
    for seed in range(first, min(first + 50, FILES)):
        one = made(seed)
        rows = [row for row in one.rows if row[3] != "n/a"]
        text = csv_text(HEADER, rows)
        for row in csv.reader(io.StringIO(text, newline="")):
            assert not any(DANGEROUS.match(cell) and not cell.startswith("'") for cell in (row[2], row[4])), one.about
        staged = read(tmp_path / str(seed), text.encode(), "guarded = true")
        assert staged.rows == staged.accepted == len(rows), (one.about, refused(staged))
        assert {id_: facts[:3] for id_, facts in told(staged).items()} == {
            id_: (day, known(owner), known(note)) for id_, day, owner, _money, note in rows
        }, one.about
