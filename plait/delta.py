"""A Delta Lake table whose commits survive a power cut.

The library commits atomically but never calls fsync. So each commit made here is followed by `_make_durable`, which
syncs every file, log entry and folder that the commits since the last durable one have touched, and then moves the
durable mark. `DurableTable.open` looks at what lies above the mark: entries that were torn are cut off, and said aloud,
because nothing above the mark was ever acknowledged.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
from deltalake import (
    CommitProperties,
    DeltaTable,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from plait.failure import Unfit

ATTEMPTS = 20  # a racing writer makes a commit fail; each attempt reads the newest version again
PARQUET_END = b"PAR1"


class TornTable(Unfit, RuntimeError):
    """A table that cannot be read although its durable part should be whole."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a table as plain Parquet files, readable by any engine."""

    root: Path
    version: int
    files: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file that somebody wrote into a table's folder: its partition values, rows and bytes."""

    path: Path
    partition: Mapping[str, str]
    rows: int
    size: int

    def action(self, root: Path) -> AddAction:
        """Give what the log says of it."""
        statistics = json.dumps({"numRecords": self.rows})
        return AddAction(str(self.path.relative_to(root)), self.size, self.partition, 0, True, statistics)  # noqa: FBT003


@dataclass(frozen=True, slots=True)
class DurableTable:
    """A Delta table at `path`; `mark` is the file that remembers the newest version known to be on disk."""

    path: Path
    mark: Path

    @classmethod
    def open(
        cls, path: Path, schema: pa.Schema, partition_by: tuple[str, ...] = (), statistics: tuple[str, ...] = ()
    ) -> DurableTable:
        """Open a table, or create it empty; cut off what a power cut has torn.

        `statistics` names the only columns whose smallest and largest values enter the log: others may hold personal
        data, which a later delete would not reach there.
        """
        table = cls(path, mark_of(path))
        table._cut_torn_entries()
        if not DeltaTable.is_deltatable(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            configuration = {
                "delta.dataSkippingStatsColumns": ",".join(statistics),
                "delta.checkpointInterval": "50",
                "delta.logRetentionDuration": "interval 2 days",
                "delta.deletedFileRetentionDuration": "interval 7 days",
            }
            try:
                DeltaTable.create(
                    str(path), schema, mode="error", partition_by=list(partition_by), configuration=configuration
                )
            except DeltaError:
                if not DeltaTable.is_deltatable(str(path)):  # else another process was faster
                    raise
        table._make_durable()
        return table

    def handle(self, version: int | None = None) -> DeltaTable:
        """Give the library's handle on a version, the newest when none is named."""
        return DeltaTable(str(self.path), version=version)

    def version(self) -> int:
        """Give the newest version."""
        return int(self.handle().version())

    def columns(self) -> set[str]:
        """Name the columns of the newest version."""
        return {field.name for field in self.handle().schema().fields}

    def snapshot(self, version: int | None = None) -> Snapshot:
        """List the Parquet files of a version; a version whose files were vacuumed is refused."""
        table = self.handle(version)
        # `pa.table` would import pandas first, half a second, to see whether this is one of its frames.
        actions = pa.RecordBatchReader.from_stream(table.get_add_actions(flatten=True)).read_all()
        # `file_uris()` percent-encodes blanks and accents, which no engine decodes: join the paths instead.
        files = tuple(str(self.path / unquote(name)) for name in actions.column("path").to_pylist())
        if version is not None and not all(os.path.exists(name) for name in files):  # noqa: PTH110 - thousands of files
            raise TornTable(f"version {version} of {self.path.name} is no longer on disk; name a newer one.")
        rows = sum(count or 0 for count in actions.column("num_records").to_pylist())
        return Snapshot(self.path, table.version(), files, rows)

    def holds(self, app: str, number: int = 1) -> bool:
        """Tell whether a commit of this application and number is there."""
        return (self.handle().transaction_version(app) or 0) >= number

    def append(
        self, rows: pa.RecordBatchReader | pa.Table, apps: Mapping[str, int], metadata: Mapping[str, str] | None = None
    ) -> int:
        """Append rows in one commit that carries each of `apps` as done up to its number, wait until it is on disk.

        Gives the version.

        The caller holds the lock that keeps these apps from being committed twice.
        """
        table = self.handle()
        done = {app: max(number, table.transaction_version(app) or 0) for app, number in apps.items()}
        properties = CommitProperties(
            app_transactions=[Transaction(app, number) for app, number in done.items()],
            custom_metadata=dict(metadata or {}),
        )
        write_deltalake(
            table,
            rows,
            mode="append",
            writer_properties=WriterProperties(compression="ZSTD"),
            commit_properties=properties,
        )
        return self._make_durable()

    def replace(self, rows: pa.RecordBatchReader, metadata: Mapping[str, str]) -> int:
        """Put rows in the place of all there are, in one commit."""
        properties = CommitProperties(custom_metadata=dict(metadata))
        zstd = WriterProperties(compression="ZSTD")
        write_deltalake(self.handle(), rows, mode="overwrite", writer_properties=zstd, commit_properties=properties)
        return self._make_durable()

    def replace_where(
        self, rows: Callable[[], pa.RecordBatchReader], predicate: str, metadata: Mapping[str, str] | None = None
    ) -> int:
        """Put rows in the place of those that a predicate names, in one commit; the predicate stands in the log.

        The caller holds the lock that keeps others from writing such rows; `rows` gives them anew for each attempt.
        """
        zstd, about = WriterProperties(compression="ZSTD"), CommitProperties(custom_metadata=dict(metadata or {}))
        for left in reversed(range(ATTEMPTS)):
            try:
                write_deltalake(
                    self.handle(), rows(), mode="overwrite", predicate=predicate, writer_properties=zstd,
                    commit_properties=about,
                )  # fmt: skip
                break
            except CommitFailedError:
                if not left:
                    raise
        return self._make_durable()

    def adopt(
        self, files: Iterable[DataFile], replacing: tuple[str, Sequence[str]] | None, metadata: Mapping[str, str]
    ) -> int:
        """Take Parquet files that lie in the table's folder in the place of some partitions, in one commit.

        `replacing` names the partition column and the values whose files are replaced, None all; with no value the
        files are only added.
        """
        table = self.handle()
        adds = replacing is not None and not replacing[1]
        table.create_write_transaction(
            [file.action(self.path) for file in files],
            "append" if adds else "overwrite",
            table.schema(),
            table.metadata().partition_columns,
            partition_filters=[(replacing[0], "in", list(replacing[1]))] if replacing and not adds else None,
            commit_properties=CommitProperties(custom_metadata=dict(metadata)),
        )
        return self._make_durable()

    def compact(self) -> int:
        """Write many small files as few large ones; rows stay the same. Gives the version."""
        for _ in range(ATTEMPTS):
            try:
                self.handle().optimize.compact(writer_properties=WriterProperties(compression="ZSTD"))
                break
            except CommitFailedError:
                continue
        return self._make_durable()

    def clean(self, *, keep_hours: int | None = None) -> int:
        """Delete files that no kept version names; gives how many. `keep_hours` shortens the table's own retention."""
        deleted = self.handle().vacuum(
            retention_hours=keep_hours, dry_run=False, enforce_retention_duration=keep_hours is None, full=True
        )
        return len(deleted)

    def forget_log(self, values: Iterable[bytes]) -> bool:
        """Put a checkpoint in the place of the older log entries where one of them holds a value (in lower case).

        What they told of files and loads is gone with them; the newest entry stays. Gives whether there were any.
        """
        wanted, logs = list(values), self.path / "_delta_log"
        newest = self.version()
        older = [entry for entry in logs.glob("*.json") if entry.stem.isdigit() and int(entry.stem) < newest]
        if not any(value in entry.read_bytes().lower() for entry in older for value in wanted):
            return False
        with locked(self.mark.with_suffix(".lock")):
            self.handle(newest).create_checkpoint()
            for written in (*logs.glob(f"{newest:020d}.checkpoint*"), logs / "_last_checkpoint", logs):
                sync(written)
            for entry in older:
                entry.unlink()
            sync(logs)
        return True

    def metadata(self) -> Mapping[str, str]:
        """Give the custom metadata of the newest commit that wrote rows."""
        return next((about for about, _ in self._commits() if not about.get("operation", "").startswith("VACUUM")), {})

    def metadata_of(self, app: str) -> Mapping[str, str]:
        """Give the custom metadata of the commit that carries an application; none when the log no longer has it."""
        return next((about for about, apps in self._commits() if app in apps), {})

    def added_between(self, version: int, until: int, *, besides: str = "") -> tuple[str, ...] | None:
        """Name the files with the rows that came after a version, up to another; None where that cannot be told now.

        A compaction moves rows and brings none. Rows that were taken away are more than an addition, but in a commit
        whose metadata has `besides`: the caller knows what that did to rows that were there at the first version.
        """
        found: list[str] = []
        for later in range(version + 1, until + 1):
            if not self._log(later).exists():
                return None
            entries = [json.loads(line) for line in self._log(later).read_text().splitlines()]
            known = bool(besides) and any(besides in entry.get("commitInfo", {}) for entry in entries)
            for entry in entries:
                gone = entry.get("remove", {})
                if gone.get("dataChange") and (not known or str(self.path / unquote(gone["path"])) in found):
                    return None
                if entry.get("add", {}).get("dataChange") and not known:
                    found.append(str(self.path / unquote(entry["add"]["path"])))
        return tuple(found) if all(os.path.exists(name) for name in found) else None  # noqa: PTH110 - thousands of files

    def metadata_between(self, version: int, until: int) -> list[Mapping[str, str]] | None:
        """Give the metadata of the commits of rows after a version, up to another; None where one is not told now."""
        found: dict[int, Mapping[str, str]] = {}
        for number, (about, _) in zip(range(self.version(), -1, -1), self._commits(), strict=False):
            if version < number <= until:
                found[number] = about
        if len(found) < until - version:
            return None
        return [about for about in found.values() if not about.get("operation", "").startswith("VACUUM")]

    def _commits(self) -> Iterator[tuple[Mapping[str, str], set[str]]]:
        """Give the metadata and the applications of each commit that the log still has, the newest first."""
        # Read from the entries themselves: the library's `history()` finds nothing when the home's name holds a `#`.
        for version in range(self.version(), -1, -1):
            if not self._log(version).exists():
                return
            entries = [json.loads(line) for line in self._log(version).read_text().splitlines()]
            about: dict[str, object] = next((entry["commitInfo"] for entry in entries if "commitInfo" in entry), {})
            apps = {entry["txn"]["appId"] for entry in entries if "txn" in entry}
            yield {name: value for name, value in about.items() if isinstance(value, str)}, apps

    def widen(self, schema: pa.Schema) -> None:
        """Give rows that an older plait has written the columns that they lack, empty; for small tables."""
        if set(schema.names) <= self.columns():
            return
        with locked(self.mark.with_suffix(".widen")):
            rows = self.handle().to_pyarrow_table()
            for field in schema:
                if field.name not in rows.column_names:
                    rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
            write_deltalake(self.handle(), rows.select(schema.names), mode="overwrite", schema_mode="merge")
            self._make_durable()

    def _log(self, version: int) -> Path:
        return self.path / "_delta_log" / f"{version:020d}.json"

    def _durable(self) -> int:
        """Give the newest version known to be on disk, -1 when there is none."""
        try:
            return int(json.loads(self.mark.read_text())["version"])
        except (FileNotFoundError, ValueError, KeyError):
            return -1

    def _make_durable(self) -> int:
        """Sync every version since the mark, other writers' included, and move the mark."""
        with locked(self.mark.with_suffix(".lock")):
            durable, newest = self._durable(), self.version()
            if newest <= durable:
                return newest
            folders = {self.path, self.path.parent, self.path / "_delta_log"}
            for version in range(durable + 1, newest + 1):
                for name, _ in self._added(version):
                    sync(name)
                    folders |= {name.parent, name.parent.parent}  # a new folder is an entry of its parent
                if self._log(version).exists():  # else a checkpoint has replaced it
                    sync(self._log(version))
            for folder in folders:
                sync(folder)
            write_durably(self.mark, json.dumps({"version": newest}))
            return newest

    def _added(self, version: int) -> Iterator[tuple[Path, int]]:
        """Give each data file that a log entry adds, and its size."""
        log = self._log(version)
        if not log.exists():
            return
        for line in log.read_text().splitlines():
            added = json.loads(line).get("add")
            if added:
                yield self.path / unquote(added["path"]), int(added["size"])

    def _cut_torn_entries(self) -> None:
        """Remove log entries above the mark from the first torn one on: nobody was told that they were done."""
        logs = self.path / "_delta_log"
        if not logs.is_dir():
            return
        with locked(self.mark.with_suffix(".lock")):
            above = sorted(int(entry.stem) for entry in logs.glob("*.json") if entry.stem.isdigit())
            torn = next((v for v in above if v > self._durable() and not self._whole(v)), None)
            if torn is None:
                return
            for entry in logs.iterdir():
                number = entry.name.split(".")[0]
                if number.isdigit() and int(number) >= torn:
                    entry.unlink()
            last = logs / "_last_checkpoint"
            if last.exists() and not _points_below(last, torn):
                last.unlink()
            sync(logs)

    def _whole(self, version: int) -> bool:
        """Tell whether a log entry parses and each file it adds is complete."""
        try:
            if not self._log(version).read_text().strip():
                return False
            return all(_complete(name, size) for name, size in self._added(version))
        except (OSError, ValueError, KeyError):
            return False


def mark_of(path: Path) -> Path:
    """Give the file that remembers the newest durable version of a table."""
    return path.with_name(f".{path.name}.durable")


def _complete(name: Path, size: int) -> bool:
    with name.open("rb") as file:
        file.seek(0, os.SEEK_END)
        if file.tell() != size or size < len(PARQUET_END):
            return False
        file.seek(-len(PARQUET_END), os.SEEK_END)
        return file.read() == PARQUET_END


def _points_below(last: Path, version: int) -> bool:
    try:
        return int(json.loads(last.read_text())["version"]) < version
    except (ValueError, KeyError):
        return False


def sync(path: Path) -> None:
    """Flush a file or folder to disk; one that a later commit has already removed needs none."""
    try:
        number = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(number)
    finally:
        os.close(number)


def write_durably(path: Path, text: str) -> None:
    """Replace a small file so that a reader, or a power cut, sees the old text or the new one and nothing between."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.write_text(text)
    sync(draft)
    draft.replace(path)
    sync(path.parent)


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold an advisory lock on a file; the kernel gives it back when the process ends, however it ends.

    Many may hold a `shared` one at a time, while nobody holds the other sort.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
