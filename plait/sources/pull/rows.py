"""Rows: a record of an interface as rows of the tables that the known mappings read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase

from plait.sources.pull.asking import Json
from plait.sources.pull.description import Chosen, Table

Row = dict[str, Json]
MILLISECONDS = 10**11  # as seconds this would be the year 5138
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?Z|[+-]\d\d:?\d\d)")
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def at(record: Json, path: str) -> Json:
    """Give what stands at a dotted path, None where nothing does."""
    for name in path.split(".") if path else ():
        if isinstance(record, list):
            record = record[int(name)] if name.isdigit() and int(name) < len(record) else None
        else:
            record = record.get(name) if isinstance(record, dict) else None
    return record


def text_of(value: Json) -> str:
    """Give a value as text: numbers with their digits, nothing as an empty text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def snake(name: str) -> str:
    """Write a name as the tables of synced data have it: `Pricebook2Id` is `pricebook_2_id`, `Region__c` `region_c`."""
    return re.sub(r"_+", "_", _WORDS.sub("_", name)).lower()


def rows_of(record: Json, table: Table) -> Iterator[Row]:
    """Give the rows that one record has in a table."""
    if not table.each:
        part = at(record, table.take)
        if isinstance(part, dict):
            yield _row(part, record, table, 0)
        return
    items = at(record, table.each)
    for index, item in enumerate(items if isinstance(items, list) else []):
        part = at(item, table.take)
        if part is not None:
            yield _row(part if isinstance(part, dict) else {"value": part}, record, table, index)


def instant(value: Json, *, epoch: bool = False) -> datetime | None:
    """Read an instant with its zone, or seconds (many: milliseconds) since 1970; None where it is none."""
    if epoch and isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
        seconds = number / 1000 if abs(number) >= MILLISECONDS else number
        try:
            return EPOCH + timedelta(microseconds=int(seconds * 1_000_000))
        except OverflowError:
            return None
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        written = re.sub(r"\.(\d+)", lambda digits: f".{digits[1][:6]:0<6}", value.replace(" Z", "Z"))
        try:
            return datetime.fromisoformat(written).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
    return None


def _row(record: Mapping[str, Json], around: Json, table: Table, index: int) -> Row:
    row: Row = {}
    _flatten(record, "", "", table, row)
    for name, source in table.also.items():
        row[name] = index if source == "#" else _also(record, around, source)
    for name in table.columns:
        row.setdefault(name, None)
    return {name: _written(name, value, table) for name, value in row.items()}


def _flatten(record: Mapping[str, Json], path: str, prefix: str, table: Table, row: Row) -> None:
    """Give each field its column; what would take another's name gets one of its own, so that nothing is lost."""
    for name, value in record.items():
        here = f"{path}.{name}" if path else name
        if here in table.drop:
            continue
        written = snake(name) if table.names == "snake" else name
        column = table.rename.get(here, f"{prefix}_{written}" if prefix else written)
        if isinstance(value, dict) and here not in table.whole:
            _flatten(value, here, column, table, row)
            continue
        while column in row:
            column += "_"
        row[column] = value


def _also(record: Json, around: Json, source: str | Chosen) -> Json:
    if isinstance(source, Chosen):
        return source.map.get(text_of(at(record, source.source)), source.otherwise)
    for path in source.split("|"):
        value = at(around, path[2:]) if path.startswith("^.") else at(record, path)
        if value is not None:
            return value
    return None


def _written(name: str, value: Json, table: Table) -> Json:
    """Write instants as synced tables have them: UTC, a blank between day and clock."""
    epoch = _fits(name, table.epochs)
    if value is None or not (epoch or _fits(name, table.instants)):
        return value
    found = instant(value, epoch=epoch)
    if found is None:
        return value
    digits = f".{found.microsecond:06d}".rstrip("0") if found.microsecond else ""
    return f"{found:%Y-%m-%d %H:%M:%S}{digits}" if found.year >= 1000 else value  # noqa: PLR2004 - else it has 3 digits


def _fits(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
