"""Trial: the facts that a proposal's rows would give, made by the loader itself, and the rows that it would refuse."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from plait import duck
from plait.sources.mapping import read_mapping
from plait.sources.staging import Staging, stage

ROWS = 20
MOST_BYTES = 8 << 20  # of a text file are tried
_TEXT = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson")
FIELDS = (
    "kind", "occurred_at", "id", "keys", "object_id", "amount", "currency", "quantity", "channel", "campaign",
    "partner", "product", "owner", "text",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TriedFile:
    """What became of one file: `rows = accepted + refused`; `cut` says that only its beginning was read."""

    file: str
    rows: int
    accepted: int
    refused: int
    without_fact: int
    cut: bool


@dataclass(frozen=True, slots=True)
class TriedFact:
    """A fact that a row would give: its file, its line, and the fields that are known."""

    file: str
    line: int
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TriedRefusal:
    """Rows that would be refused by one rule: how many, and the first of them."""

    file: str
    line: int | None
    field: str
    value: str | None
    rule: str
    next_step: str
    rows: int


@dataclass(frozen=True, slots=True)
class Tried:
    """What a load would do: each file, the facts of the first rows, the rows refused by rule, files not read."""

    files: list[TriedFile]
    facts: list[TriedFact]
    refused: list[TriedRefusal]
    not_read: list[str]


def try_mapping(
    folder: Path, files: Sequence[Path], toml: str, *, work: Path, now: datetime, home: tuple[str, str | None]
) -> Tried:
    """Load files by a mapping into a folder that is thrown away; `home` is the zone and the currency of the home."""
    if work.exists():
        shutil.rmtree(work)
    exports = work / "files"
    cut = {path.relative_to(folder).as_posix() for path in files if _bring(path, exports / path.relative_to(folder))}
    written = work / "mapping.toml"
    written.write_text(toml, "utf-8")
    try:
        mapping = read_mapping(written).at_home(*home)
        staging = stage(exports, mapping, work=work / "staged", recorded_at=now)
        return _told(staging, cut, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _bring(path: Path, place: Path) -> bool:
    """Put a file, or the beginning of a large one, where it is tried; tells whether it was cut."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() not in _TEXT or path.stat().st_size <= MOST_BYTES:
        place.symlink_to(path.resolve())
        return False
    with path.open("rb") as stream:
        head = stream.read(MOST_BYTES)
    end = head.rfind(b"\n") + 1
    while end and head.count(b'"', 0, end) % 2:  # inside quotes a line end ends no row
        end = head.rfind(b"\n", 0, end - 1) + 1
    place.write_bytes(head[: end or len(head)])
    return True


def _told(staging: Staging, cut: set[str], work: Path) -> Tried:
    tried = [
        TriedFile(f.file, f.rows, f.accepted, f.refused_rows, f.without_fact, f.file in cut) for f in staging.files
    ]
    with duck.connect(work / "spill") as db:
        giving = [f for f in staging.files if f.accepted > f.without_fact]
        share = max(2, ROWS // max(1, len(giving)))
        facts: list[TriedFact] = []
        for file in giving:
            rows = db.execute(
                f"""
                with few as (select distinct line from read_parquet(?) order by line limit {share})
                select line, {", ".join(f"{name}::varchar" for name in FIELDS)} from read_parquet(?)
                where line in (select line from few) order by line, id
                """,
                [str(file.facts), str(file.facts)],
            ).fetchall()
            facts += [
                TriedFact(
                    file.file, row[0], tuple((n, v) for n, v in zip(FIELDS, row[1:], strict=True) if v and v != "{}")
                )
                for row in rows
            ]
        refused: list[TriedRefusal] = []
        if paths := [str(file.refused) for file in staging.files if file.refused_rows]:
            refused = [
                TriedRefusal(*row)
                for row in db.execute(
                    f"""
                    select file, min(line), field, arg_min(value, line), rule, any_value(next_step), count(*)
                    from read_parquet({duck.text_list(paths)}) group by file, field, rule order by 7 desc, 1, 2 limit 20
                    """
                ).fetchall()
            ]
    return Tried(tried, facts, refused, staging.not_read)
