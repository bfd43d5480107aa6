"""Written tables: the rows of a run as JSON lines, a file a table, of each key the newest row.

Each row carries when its table was read, as synced tables do. A table that is what it was in the run before carries the
instant of then: it is the same file, which loading knows, and adds nothing, not even a refused row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

from plait.sources.pull.asking import Json


@dataclass(frozen=True, slots=True)
class Finished:
    """A file as it is handed on: its rows, what it is (to be told it next time), and whether it is as it was."""

    rows: int
    told: str
    same: bool


class Tables:
    """The files of one run. A row that comes again as it was is written once; of two that differ the newest is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, _File] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, table: str, row: Mapping[str, Json], *, key: Sequence[str], newest: str) -> None:
        """Add a row to a table."""
        if table not in self.files:
            self.files[table] = _File(self.folder / f"{table}.jsonl")
        self.files[table].add(row, key, newest)

    def holds(self, table: str, value: str) -> bool:
        """Tell whether a table, whose key is one column, holds a row."""
        return table in self.files and key_of([value]) in self.files[table].seen

    def finish(self, before: Mapping[str, str], synced: str) -> dict[str, Finished]:
        """Finish the files; `before` says what each was in the run before, `synced` is the instant of this one."""
        return {
            file.path.name: file.finish(before.get(file.path.name, ""), synced)
            for file in self.files.values()
            if file.lines
        }

    def close(self) -> None:
        """Close the files as they are, after a failure."""
        for file in self.files.values():
            file.stream.close()


class _File:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.stream: IO[bytes] = path.open("wb")
        self.seen: dict[bytes, tuple[int, bytes]] = {}  # digest of the key -> number of its line, digest of the row
        self.stale: set[int] = set()
        self.lines = 0

    def add(self, row: Mapping[str, Json], key: Sequence[str], newest: str) -> None:
        text = written(row)
        own = key_of([str(row.get(name)) for name in key])
        digest = _digest(text)
        known = self.seen.get(own)
        if known is not None and (known[1] == digest or newest == "first"):
            return
        if known is not None:
            self.stale.add(known[0])
        self.seen[own] = self.lines, digest
        self.stream.write(text)
        self.lines += 1

    def finish(self, before: str, synced: str) -> Finished:
        """Close the file, take out rows that a newer one of their key has followed, and write when it was read."""
        self.stream.close()
        digest = sha256()
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines):
                if number not in self.stale:
                    digest.update(line)
        known, _, at = before.partition(" ")
        now = f"{digest.hexdigest()[:24]} {at if known == digest.hexdigest()[:24] else synced}"
        part = self.path.with_suffix(".part")
        end = f',"_fivetran_synced":"{now.partition(" ")[2]}"}}\n'.encode()
        with self.path.open("rb") as lines, part.open("wb") as kept:
            kept.writelines(line[:-2] + end for number, line in enumerate(lines) if number not in self.stale)
        part.replace(self.path)
        return Finished(self.lines - len(self.stale), now, now == before)


def written(row: Mapping[str, Json]) -> bytes:
    """Write a row as one line of JSON; numbers keep their digits."""
    import simplejson

    return f"{simplejson.dumps(row, use_decimal=True, ensure_ascii=False, separators=(',', ':'))}\n".encode()


def key_of(values: Sequence[str]) -> bytes:
    """Give what a row is known by."""
    return _digest("\x1f".join(values).encode())


def _digest(text: bytes) -> bytes:
    return sha256(text).digest()[:12]
