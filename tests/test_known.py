"""Known exports: folders of small files, loaded without a mapping, and beside each what becomes of them.

`known/<system>/first` is loaded first; `known/<system>/later` is the same export made a week later, which is laid
beside it. `first.txt` and `later.txt` tell the files as they were recognised, the rows refused and the facts added.
After a change on purpose write them again with `PLAIT_EXPECTED=1 pytest tests/test_known.py` and read the difference.
A further system is a further folder.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from plait import desk
from plait.derived import Derived
from plait.identity import NODES
from plait.settings import Settings
from plait.sources.file import Found
from plait.sources.folder import recognise
from plait.sources.form import FileMapping
from plait.sources.known import known_exports
from plait.sources.staging import stage
from plait.store import FACTS, SAME, Loaded, Store, view_sql

KNOWN = Path(__file__).parent / "known"
DOCS = Path(__file__).parents[1] / "docs"
SYSTEMS = sorted(path.name for path in KNOWN.iterdir() if path.is_dir())
SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "export_samples"
FIRST, LATER = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)
PLAIN = ("object_id", "quantity", "channel", "campaign", "partner", "product", "owner", "text")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What one load of all systems' files gave: for each system a page, as its lines.

    `again` says of each file that had been loaded before how many facts it added now.
    """

    pages: Mapping[str, Sequence[str]]
    again: Mapping[str, int]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a home whose firm is in Berlin and reckons in EUR."""
    home = tmp_path_factory.mktemp("known") / "home"
    desk.set_up(home, Settings("Europe/Berlin", "EUR"))
    return home


@pytest.fixture(scope="module")
def loads(home: Path) -> Mapping[str, Told]:
    """Load all systems' files; a week later the new exports lie beside the old ones, and all are loaded again."""
    folder, told = home.parent / "exports", {}
    for export, now in (("first", FIRST), ("later", LATER)):
        for system in SYSTEMS:
            if (KNOWN / system / export).is_dir():
                shutil.copytree(KNOWN / system / export, folder / system / export)
        told[export] = _loaded(home, folder, export, now)
    return told


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("export", ["first", "later"])
def test_an_export_gives_what_is_written_beside_it(loads: Mapping[str, Told], system: str, export: str) -> None:
    page, expected = loads[export].pages[system], KNOWN / system / f"{export}.txt"
    if os.environ.get("PLAIT_EXPECTED") and page:
        expected.write_text("\n".join(page) + "\n", "utf-8")
    assert page == (expected.read_text("utf-8").splitlines() if expected.exists() else [])


def test_an_export_that_is_loaded_again_adds_nothing(loads: Mapping[str, Told]) -> None:
    assert len(loads["later"].again) > 100
    assert {file: added for file, added in loads["later"].again.items() if added} == {}


@pytest.mark.usefixtures("loads")
@pytest.mark.parametrize(
    ("system", "merged"),
    [("hubspot", ["101", "111", "112", "113", "114", "115", "116", "117"]), ("marketo", ["1001", "1011", "1012"])],
)
def test_records_that_a_system_merged_are_one_person(home: Path, system: str, merged: list[str]) -> None:
    with duckdb.connect() as db:
        db.execute(view_sql("nodes", Derived.open(home).nodes.snapshot(), NODES))
        rows = db.execute("select value, belongs_to from nodes where name = ?", [f"person.{system}"]).fetchall()
    persons = dict(rows)
    assert {persons[record] for record in merged} == {persons[merged[0]]} != {None}


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_shape_of_a_system_has_a_file_here(system: str) -> None:
    shapes = {file.shape for file in known_exports().files if file.source == system and file.facts}
    told = [shape for path in sorted(KNOWN.glob(f"{system}/*/*")) if (shape := _recognised(path))]
    assert sorted(shapes - {shape.shape for shape in told if shape.source == system}) == []


def test_column_names_in_capitals_say_the_same(tmp_path: Path) -> None:
    """Warehouses that know capitals only write them so; the tables still look each other up."""
    told = []
    for way in (str, str.upper):
        folder = tmp_path / way.__name__
        folder.mkdir()
        for path in (KNOWN / "intercom" / "first").iterdir():
            header, rest = path.read_text("utf-8").split("\n", 1)
            (folder / path.name).write_text(f"{way(header)}\n{rest}", "utf-8")
        staging = stage(folder, known_exports(), work=tmp_path / "work", recorded_at=FIRST)
        files = ", ".join(f"'{file.facts}'" for file in staging.files)
        told.append(duckdb.sql(f"select * from read_parquet([{files}]) order by id").fetchall())
    assert len(told[0]) > 8
    assert told[0] == told[1]


def test_the_page_on_known_exports_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("known_exports", DOCS / "known_exports.py")
    assert spec
    assert spec.loader
    written = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(written)
    assert (DOCS / "exports.md").read_text("utf-8") == written.page(), "run `make docs`"


@pytest.mark.real_data
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_sample_is_told_as_one_shape_of_its_system(system: str) -> None:
    files = sorted((SAMPLES / system).glob("*.csv"))
    if not files:
        pytest.skip("no samples of this system are here")
    told = {path.name: shape.source if (shape := _recognised(path)) else None for path in files}
    assert {name: source for name, source in told.items() if source != system} == {}


def _recognised(path: Path) -> FileMapping | None:
    plain = FileMapping((), "", ())
    shapes = [file for file in known_exports().files if file.columns]
    return recognise(Found(path.name, path, None, plain, "csv", ""), shapes)


def _loaded(home: Path, folder: Path, export: str, now: datetime) -> Told:
    known = {(row["source"], row["id"]) for row in _facts(home)}
    report = desk.load(home, folder, None, now=now)
    pages = {system: list(_page(home, f"{system}/{export}/", report, now)) for system in SYSTEMS}
    for row in _facts(home):
        if (row["source"], row["id"]) not in known:
            pages[row["source"]].append(_line(row))
    return Told(pages, {file.file: file.added for file in report.files if f"/{export}/" not in file.file})


def _page(home: Path, folder: str, report: desk.LoadReport, now: datetime) -> Iterator[str]:
    """Write what became of one system's files: how each was told, and which rows were refused."""
    mine = sorted((file for file in report.files if file.file.startswith(folder)), key=lambda file: file.file)
    yield from (f"{_short(file.file)}: {report.recognised[file.file]}, {_counts(file)}" for file in mine)
    yield from (f"{_short(name)}: not read" for name in report.not_read if name.startswith(folder))
    for file in mine:
        for row in desk.refused_rows(home, {"file": file.file}).rows if file.refused else []:
            if row.at == now.replace(tzinfo=None):
                yield f"refused {_short(file.file)}:{row.line} {row.field} {row.value!r}: {row.rule}"


def _counts(file: Loaded) -> str:
    return f"{file.rows} rows, {file.refused} refused, {file.without_fact} without fact"


def _short(name: str) -> str:
    return name.rpartition("/")[2]


def _line(row: Row) -> str:
    """Write a fact in one line: when, what, its id, its money, whom it concerns, all else that is known."""
    said = {f"{name}": value for name, value in json.loads(row["keys"]).items()}
    said |= {name: _plain(row[name]) for name in PLAIN if row[name] is not None}
    said |= {f"detail.{name}": value for name, value in _detail(row).items()}
    money = [f"{_plain(row['amount'])} {row['currency']}"] if row["amount"] is not None else []
    parts = [str(row["occurred_at"]), row["kind"], row["id"], *money, *(f"{name}={said[name]}" for name in said)]
    return " | ".join(parts).replace("\n", "\\n")


def _plain(value: object) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def _detail(row: Row) -> dict[str, str]:
    return {name: value for name, value in json.loads(row["detail"]).items() if name != SAME}


def _facts(home: Path) -> list[dict[str, Any]]:
    with duckdb.connect() as db:
        db.execute(view_sql("facts", Store.open(home).snapshot(), FACTS))
        rows = db.execute("select * exclude (month, recorded_at) from facts order by occurred_at, source, id")
        names = [column[0] for column in rows.description or ()]
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
