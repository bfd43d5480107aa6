"""Databases: rows of PostgreSQL, MySQL or MariaDB, and SQLite, read into Parquet files; nothing is ever written there.

Every cell comes as the database itself writes it as text, so no digit is lost on the way: what turns numbers into Arrow
rounds decimals, and gives up on types that it does not know.
"""

from __future__ import annotations

import re
import sqlite3
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import quote

import msgspec
import pyarrow as pa
import pyarrow.parquet

from plait.failure import Said, Unfit
from plait.sources.pull.asking import NoAnswer, without
from plait.sources.pull.rest import Pulled, Tell

KINDS = ("postgresql", "mysql", "sqlite")
PORTS = {"postgresql": 5432, "mysql": 3306}
BATCH = 10_000  # rows held in memory
REACH = 10.0  # seconds to reach a server
TIME_OVERLAP, NUMBER_OVERLAP = 900, 1000  # seconds; numbers given out before the newest was, and seen after it
AHEAD = timedelta(hours=14)  # a clock without a zone may be this far ahead of UTC
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_SELECT = re.compile(r"\s*(select|with)\b", re.IGNORECASE)
_TABLE = re.compile(r"[\w$]+(\.[\w$]+){0,2}")
_BINARY = ("blob", "binary", "bit", "geometry", "point")


class BadReads(Unfit, ValueError):
    """What is to be read of a database, said in a way that cannot be understood or is not allowed."""


class Read(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table, or the rows of a SELECT, under the name of the file it becomes.

    With a `cursor`, a column that grows with every change, a run reads only what is new, from `overlap` before it
    (seconds, or numbers).
    """

    name: str
    table: str = ""
    select: str = ""
    cursor: str = ""
    overlap: int | None = None


class _Reads(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    read: list[Read]


@dataclass(frozen=True, slots=True)
class Database:
    """A database as a connection reaches it; for SQLite `database` is the file."""

    kind: str
    database: str
    reads: tuple[Read, ...]
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    sslmode: str = "prefer"


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type: str


def reads_of(text: str) -> tuple[Read, ...]:
    """Read what a connection is to read: a [[read]] for each table or SELECT."""
    try:
        reads = msgspec.convert(tomllib.loads(text), _Reads).read
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        says = "what to read cannot be understood: {error}; write a [[read]] with name, table or select, and cursor."
        raise BadReads(Said(says, error=str(error))) from error
    for read in reads:
        _check(read, [one.name for one in reads])
    return tuple(reads)


def _check(read: Read, names: Sequence[str]) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", read.name) or list(names).count(read.name) > 1:
        raise BadReads(
            Said("{name!r} is no name of a file of its own: lower case letters, digits, underscores.", name=read.name)
        )
    if bool(read.table) == bool(read.select):
        raise BadReads(Said("{name} needs a table or a select, and not both.", name=read.name))
    if read.table and not _TABLE.fullmatch(read.table):
        raise BadReads(Said("{table!r} is no name of a table; use select for anything else.", table=read.table))
    if read.select and (not _SELECT.match(read.select) or ";" in read.select):
        raise BadReads(Said("{name}: only one SELECT is read, without a semicolon.", name=read.name))


def test(database: Database) -> list[str]:
    """Look at each table or SELECT once; gives what works, in sentences."""
    with _opened(database) as session:
        found = [Said("The database answers.")]
        for read in database.reads:
            columns = session.columns(read)
            if columns is None:
                found.append(Said("{name} can be read; it holds no rows yet.", name=read.name))
                continue
            _cursor_column(read, columns)
            has = ", ".join(column.name for column in columns)
            found.append(Said("{name} can be read; its columns: {has}", name=read.name, has=has))
        return [*found]


def pull(
    database: Database, cursors: Mapping[str, str], folder: Path, *, now: datetime, tell: Tell = lambda _what, _n: None
) -> Pulled:
    """Read what is new since `cursors` into a Parquet file for each table or SELECT, a few rows in memory at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, int] = {}
    moved = dict(cursors)
    with _opened(database) as session:
        for read in database.reads:
            tell(read.name, 0)
            columns = session.columns(read)
            if columns is None:
                continue
            column = _cursor_column(read, columns)
            newest = session.newest(read, column) if column else None
            where = _where(session, read, column, cursors.get(read.name))
            count = _write(
                session.rows(read, columns, where), columns, folder / f"{read.name}.parquet", read.name, tell
            )
            if count:
                rows[f"{read.name}.parquet"] = count
            if newest is not None:
                moved[read.name] = _not_ahead(newest, now)
    return Pulled(rows, moved, of={f"{read.name}.parquet": [read.name] for read in database.reads})


def _cursor_column(read: Read, columns: Sequence[_Column]) -> _Column | None:
    if not read.cursor:
        return None
    found = next((column for column in columns if column.name == read.cursor), None)
    if found is None:
        has = ", ".join(column.name for column in columns)
        raise BadReads(
            Said("{name} has no column {cursor!r}; it has: {has}.", name=read.name, cursor=read.cursor, has=has)
        )
    return found


def _where(session: _Session, read: Read, column: _Column | None, cursor: str | None) -> str:
    """Give the condition that leaves out what was read before."""
    if column is None or cursor is None:
        return ""
    number = _NUMBER.fullmatch(cursor) is not None
    since = _earlier(cursor, read.overlap, number=number)
    written = since if number else "'" + since.replace("'", "''") + "'"
    return f" where {session.quoted(column.name)} >= {written}"


def _earlier(cursor: str, overlap: int | None, *, number: bool) -> str:
    """Go back by the overlap."""
    if number:
        try:
            return str(Decimal(cursor) - (NUMBER_OVERLAP if overlap is None else overlap))
        except InvalidOperation:
            return cursor
    try:
        at = datetime.fromisoformat(cursor)
        return (at - timedelta(seconds=TIME_OVERLAP if overlap is None else overlap)).isoformat(" ")
    except (ValueError, OverflowError):
        return cursor  # a text that grows: from it on


def _not_ahead(newest: str, now: datetime) -> str:
    """Give the newest cursor, or now where a row claims to be of the future: it would hide all that come after."""
    if _NUMBER.fullmatch(newest):
        return newest
    try:
        at = datetime.fromisoformat(newest)
    except ValueError:
        return newest
    if at.tzinfo is None:
        latest = now.astimezone(UTC).replace(tzinfo=None) + AHEAD
        return min(at, latest).isoformat(" ")
    return min(at, now).isoformat(" ")


def _write(batches: Iterator[pa.RecordBatch], columns: Sequence[_Column], path: Path, name: str, tell: Tell) -> int:
    schema = pa.schema([(column.name, pa.string()) for column in columns])
    count = 0
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for batch in batches:
            writer.write_batch(pa.RecordBatch.from_arrays([c.cast(pa.string()) for c in batch.columns], schema=schema))
            count += batch.num_rows
            tell(name, count)
    if not count:
        path.unlink()
    return count


class _Session:
    """A database that can be asked: the parts in which the three kinds differ."""

    quote = '"'

    def __init__(self, ask: Callable[[str], Iterator[pa.RecordBatch]]) -> None:
        self.ask = ask

    def quoted(self, name: str) -> str:
        """Write a name so that it can be nothing else."""
        return f"{self.quote}{name.replace(self.quote, self.quote * 2)}{self.quote}"

    def inner(self, read: Read) -> str:
        """Give what is read as a part of a query: there it cannot change anything."""
        table = ".".join(map(self.quoted, read.table.split(".")))
        return f"({read.select or f'select * from {table}'}) as q"

    def columns(self, read: Read) -> list[_Column] | None:
        """Give names and types of the columns; None where there are no rows."""
        raise NotImplementedError

    def text(self, column: _Column) -> str:
        """Give a column as text."""
        raise NotImplementedError

    def newest(self, read: Read, column: _Column) -> str | None:
        """Give the largest cursor that there is now: what comes while the rows are read is for the next run."""
        name = self.quoted(column.name)
        found = self.all(
            f"select {self.text(column)} as m from (select max({name}) as {name} from {self.inner(read)}) as m"
        )
        return found[0][0] if found else None

    def rows(self, read: Read, columns: Sequence[_Column], where: str) -> Iterator[pa.RecordBatch]:
        """Give the rows as text."""
        cells = ", ".join(f"{self.text(column)} as {self.quoted(column.name)}" for column in columns)
        return self.ask(f"select {cells} from {self.inner(read)}{where}")

    def all(self, query: str) -> list[tuple[str | None, ...]]:
        """Give all rows of a small query, as texts."""
        return [
            tuple(None if cell is None else str(cell) for cell in row.values())
            for batch in self.ask(query)
            for row in batch.to_pylist()
        ]


class _Postgres(_Session):
    def columns(self, read: Read) -> list[_Column] | None:
        one = f"select row_to_json(q)::text as j from {self.inner(read)} limit 1"
        names = [row[0] or "" for row in self.all(f"select json_object_keys(j::json) as k from ({one}) as j")]
        if not names:
            return None
        types = ", ".join(f"pg_typeof({self.quoted(name)})::text as t{n}" for n, name in enumerate(names))
        (found,) = self.all(f"select {types} from {self.inner(read)} limit 1")
        return [_Column(name, kind or "") for name, kind in zip(names, found, strict=True)]

    def text(self, column: _Column) -> str:
        return f"{self.quoted(column.name)}::text"


class _MySQL(_Session):
    quote = "`"

    def columns(self, read: Read) -> list[_Column] | None:
        if read.table:
            schema, _, table = read.table.rpartition(".")
            place = f"'{schema}'" if schema else "database()"
            return [
                _Column(name or "", (kind or "").lower())
                for name, kind in self.all(
                    "select cast(column_name as char) as n, cast(data_type as char) as t "
                    f"from information_schema.columns where table_schema = {place} and table_name = '{table}' "
                    "order by ordinal_position"
                )
            ] or None
        for batch in self.ask(f"select * from {self.inner(read)} limit 1"):
            return [_Column(f.name, "blob" if "binary" in str(f.type) else str(f.type)) for f in batch.schema]
        return None

    def text(self, column: _Column) -> str:
        name = self.quoted(column.name)
        if any(word in column.type for word in _BINARY):
            return f"hex({name})"
        if column.type == "timestamp":  # a table's: written in UTC, whatever the zone of the session
            return f"cast(date_add('1970-01-01', interval unix_timestamp({name}) second) as char)"
        return f"cast({name} as char)"


class _SQLite(_Session):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        super().__init__(self._batches)

    def columns(self, read: Read) -> list[_Column] | None:
        found = self.connection.execute(f"select * from {self.inner(read)} limit 0").description
        return [_Column(one[0], "") for one in found]

    def text(self, column: _Column) -> str:
        return self.quoted(column.name)

    def _batches(self, query: str) -> Iterator[pa.RecordBatch]:
        cursor = self.connection.execute(query)
        names = [one[0] for one in cursor.description]
        while rows := cursor.fetchmany(BATCH):
            yield pa.RecordBatch.from_arrays(
                [pa.array(map(_cell, cells), pa.string()) for cells in zip(*rows, strict=True)], names
            )


def _cell(value: str | bytes | float | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.hex() if isinstance(value, bytes) else repr(value)


@contextmanager
def _opened(database: Database) -> Iterator[_Session]:
    """Open a database for reading only; what it says about an error is told without the password."""
    try:
        if database.kind == "sqlite":
            with closing(_file(Path(database.database))) as connection:
                yield _SQLite(connection)
        else:
            _reach(database)
            made = _Postgres if database.kind == "postgresql" else _MySQL
            yield made(lambda query: _arrow(_url(database), query))
    except (Unfit, OSError):
        raise
    except BaseException as error:
        if isinstance(error, sqlite3.Error | RuntimeError) or type(error).__name__ == "PanicException":
            said = without(
                str(error).split("Stack backtrace")[0].strip(), [database.password, quote(database.password)]
            )
            raise NoAnswer(Said("the database says: {said}", said=said[:300])) from None
        raise


def _file(path: Path) -> sqlite3.Connection:
    """Open an SQLite file so that it cannot be written."""
    if not path.is_file():
        raise BadReads(Said("{file} is no file.", file=str(path)))
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)


def _reach(database: Database) -> None:
    """See first whether anybody listens there: the driver tries for half a minute."""
    import socket

    try:
        socket.create_connection((database.host, database.port or PORTS[database.kind]), REACH).close()
    except OSError as error:
        says = "{host} does not answer at port {port}: {because}"
        port = database.port or PORTS[database.kind]
        raise NoAnswer(Said(says, host=database.host, port=port, because=error.strerror or str(error))) from None


def _url(database: Database) -> str:
    who = f"{quote(database.user, safe='')}:{quote(database.password, safe='')}"
    place = f"{database.host}:{database.port or PORTS[database.kind]}/{quote(database.database, safe='')}"
    if database.kind == "mysql":
        return f"mysql://{who}@{place}"
    options = "-c default_transaction_read_only=on -c datestyle=ISO -c timezone=UTC -c extra_float_digits=1"
    return f"postgresql://{who}@{place}?sslmode={database.sslmode}&options={quote(options)}"


def _arrow(url: str, query: str) -> Iterator[pa.RecordBatch]:
    try:
        import connectorx
    except ImportError as error:
        raise BadReads(
            Said("databases are read by the extra `pull`; install it with: pip install 'plait[pull]'")
        ) from error
    yield from connectorx.read_sql(url, query, return_type="arrow_stream", batch_size=BATCH)
