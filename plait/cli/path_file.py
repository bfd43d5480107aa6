"""Read what analysts have of paths: a file of aggregated paths, or a log of touches."""

from __future__ import annotations

from collections.abc import Sequence
from csv import reader
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from plait.failure import Said, Unfit
from plait.stats.paths.journeys import DAY, Conversions, Journeys, Touches, from_paths, from_touches, in_order

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITERS = (",", ";", "\t", "|")
CENTS, FINEST = 2, 6  # decimals of money: at least, at most
LARGEST = 2**53  # whole numbers that are kept exactly
MOST_CHANNELS = 1_000
TICKS = 2 * DAY * 1_000_000  # of a day: half microseconds, so that a conversion comes right after its own touch
YES = ("1", "true", "yes", "t", "y")
NO = ("", "0", "false", "no", "f", "n", "0.0")
Ints = NDArray[np.int64]


class UnfitPaths(Unfit):
    """The file holds no paths, or a line of it makes no sense."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of the file are called. A log of touches has a `unit`, aggregated paths have none."""

    path: str = "path"
    conversions: str = "total_conversions"
    value: str | None = None
    nulls: str | None = None
    unit: str | None = None
    at: str = "at"
    channel: str = "channel"


@dataclass(frozen=True, slots=True)
class Read:
    """Journeys, with the number of decimals of their money (None without money)."""

    journeys: Journeys
    decimals: int | None


def read_paths(file: Path, columns: Columns, *, separator: str = ">", direct: Sequence[str] = ()) -> Read:
    """Read aggregated paths: a path, how often it converted, for how much, how often it did not.

    Names are trimmed. An empty path stands for customers whom nothing touched. Refused: missing columns, an empty name
    within a path, counts that are negative or no whole numbers, money of a path that never converted.
    """
    table = _table(file)
    path = _column(table, columns.path, file)
    k = _counts(_column(table, columns.conversions, file), columns.conversions, file)
    lost = _optional(table, columns.nulls, "total_null", file)
    worth = _optional(table, columns.value, "total_conversion_value", file)
    nulls = np.zeros(len(k), np.int64) if lost is None else _counts(*lost, file)
    value, decimals = (np.zeros(len(k), np.int64), None) if worth is None else _money(*worth, file)
    if (line := _first((value > 0) & (k == 0))) is not None:
        raise _unfit(
            file, line, Said("a path that never converted has a value; allowed is a value of conversions only.")
        )
    names, starts, code = _split(path, separator, file)
    made = from_paths(names, starts, code, n=k + nulls, k=k, value=value, direct=_codes(direct, names))
    return Read(made, decimals)


def read_touches(
    file: Path,
    columns: Columns,
    *,
    lookback: int | None,
    open_days: float | None,
    direct: Sequence[str] = (),
) -> Read:
    """Read a log: a row for each touch of a customer, marked where it led to a conversion at once.

    A row without a channel is a conversion only. Touches of one instant keep the order of the file. Refused: missing
    columns, instants that cannot be read, marks that are neither yes nor no, money without a conversion.
    """
    import pyarrow.compute as pc

    assert columns.unit is not None  # noqa: S101 - the caller has looked
    table = _table(file)
    units = pc.utf8_trim_whitespace(_column(table, columns.unit, file)).combine_chunks().dictionary_encode()
    if (line := _first(np.asarray(pc.is_in(units, value_set=_texts("")).fill_null(True)))) is not None:  # noqa: FBT003
        raise _unfit(
            file, line, Said("the column {column} is empty; each touch belongs to somebody.", column=columns.unit)
        )
    rank = np.argsort(np.asarray(pc.array_sort_indices(units.dictionary)))
    unit = rank[units.indices.to_numpy()]
    at = _instants(_column(table, columns.at, file), columns.at, file)
    won = _marks(_column(table, columns.conversions, file), columns.conversions, file)
    worth = _optional(table, columns.value, "value", file)
    value, decimals = (np.zeros(len(unit), np.int64), None) if worth is None else _money(*worth, file)
    if (line := _first((value > 0) & ~won)) is not None:
        raise _unfit(
            file, line, Said("a touch that did not convert has a value; allowed is a value of conversions only.")
        )
    names, code = _channels(_column(table, columns.channel, file))
    order = in_order(unit, at)
    touch, conversion = order[code[order] >= 0], order[won[order]]
    made = from_touches(
        names,
        Touches(unit[touch], at[touch], code[touch]),
        Conversions(unit[conversion], at[conversion] + 1, value[conversion]),
        lookback=lookback, open_days=open_days, per_day=TICKS, direct=_codes(direct, names),
    )  # fmt: skip
    return Read(made, decimals)


# -- columns


def _table(file: Path) -> pa.Table:
    """Read the file as text, whatever of the usual signs stands between its columns."""
    import pyarrow as pa
    from pyarrow import csv

    with file.open("rb") as opened:
        head = opened.readline().decode("utf-8-sig", "replace")
    sign = max(DELIMITERS, key=head.count)
    names = next(reader([head.strip("\r\n")], delimiter=sign), [])
    try:
        table = csv.read_csv(
            file,
            read_options=csv.ReadOptions(column_names=[name.strip() for name in names], skip_rows=1),
            parse_options=csv.ParseOptions(delimiter=sign, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types={name.strip(): pa.string() for name in names}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        told = str(error).splitlines()[0]
        raise UnfitPaths(Said("{file}: this is no table: {error}.", file=file.name, error=told)) from error
    if not table.num_rows:
        raise UnfitPaths(Said("{file}: there is no row below the header; give a file with paths.", file=file.name))
    return table


def _column(table: pa.Table, name: str, file: Path) -> pa.ChunkedArray:
    if name not in table.column_names:
        raise UnfitPaths(
            Said(
                "{file} has no column {name!r}; it has {all}. Name the columns with options, see plait paths --help.",
                file=file.name, name=name, all=", ".join(table.column_names),
            )
        )  # fmt: skip
    return table.column(name)


def _optional(table: pa.Table, name: str | None, usual: str, file: Path) -> tuple[pa.ChunkedArray, str] | None:
    """Give a column that may be absent, unless somebody has named it."""
    if name is None:
        return (table.column(usual), usual) if usual in table.column_names else None
    return _column(table, name, file), name


def _first(wrong: NDArray[np.bool_]) -> int | None:
    """Give the first row that is wrong."""
    found = int(wrong.argmax()) if len(wrong) else 0
    return found if len(wrong) and wrong[found] else None


def _unfit(file: Path, row: int, problem: Said) -> UnfitPaths:
    return UnfitPaths(Said("{file} line {line}: {problem}", file=file.name, line=row + 2, problem=problem))


def _texts(*texts: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    import pyarrow as pa

    return pa.array(texts, pa.string())


def _counts(column: pa.ChunkedArray, name: str, file: Path) -> Ints:
    """Read whole numbers; nothing is 0."""
    numbers, _ = _numbers(column, 0, name, file)
    return numbers


def _money(column: pa.ChunkedArray, name: str, file: Path) -> tuple[Ints, int]:
    """Read amounts exactly, in the finest decimals that the column has (2 to 6)."""
    return _numbers(column, None, name, file)


def _numbers(column: pa.ChunkedArray, decimals: int | None, name: str, file: Path) -> tuple[Ints, int]:
    """Read numbers of at least 0 as whole multiples of 10^-decimals; each different text once."""
    import pyarrow.compute as pc

    texts = pc.utf8_trim_whitespace(column).combine_chunks().dictionary_encode()
    read = [_number(text) for text in texts.dictionary.to_pylist()]
    row = texts.indices.to_numpy()
    money = decimals is None
    finest = max((_digits(number) for number in read if number is not None), default=0)
    scale = min(max(finest, CENTS), FINEST) if decimals is None else decimals
    whole = np.zeros(len(read), np.int64)
    for place, number in enumerate(read):
        scaled = None if number is None else number.scaleb(scale)
        fits = scaled is not None and 0 <= scaled < LARGEST and (money or scaled == scaled.to_integral_value())
        if not fits:
            line = int(np.flatnonzero(row == place)[0])
            given = texts.dictionary[place].as_py()
            if money:
                problem = Said(
                    "{name} is {given!r}; allowed is an amount of 0 or more such as 12.50.", name=name, given=given
                )
            else:
                problem = Said("{name} is {given!r}; allowed are whole numbers of 0 or more.", name=name, given=given)
            raise _unfit(file, line, problem)
        whole[place] = int(scaled.to_integral_value()) if scaled is not None else 0
    found = whole[row]
    if found.sum(dtype=np.float64) >= LARGEST:
        raise UnfitPaths(Said("{file}: {name} adds up to more than can be kept exactly.", file=file.name, name=name))
    return found, scale


def _number(text: str) -> Decimal | None:
    """Read a number; nothing is 0, None what is none."""
    try:
        number = Decimal(text) if text else Decimal(0)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 40 else None  # noqa: PLR2004 - 10^40 is no money


def _digits(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _marks(column: pa.ChunkedArray, name: str, file: Path) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    text = pc.utf8_lower(pc.utf8_trim_whitespace(column))
    yes, no = (np.asarray(pc.is_in(text, value_set=_texts(*words))) for words in (YES, NO))
    if (line := _first(~(yes | no))) is not None:
        raise _unfit(
            file, line, Said("{name} is {given!r}; allowed are 1 and 0.", name=name, given=column[line].as_py())
        )
    return yes


def _instants(column: pa.ChunkedArray, name: str, file: Path) -> Ints:
    """Read instants or days in UTC as half microseconds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.utf8_trim_whitespace(column)
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return np.asarray(pc.cast(text, kind).cast("int64")) * 2
        except pa.ArrowInvalid:
            continue
    for line, one in enumerate(text.to_pylist()):
        for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
            try:
                pa.scalar(one).cast(kind)
                break
            except pa.ArrowInvalid:
                continue
        else:
            problem = Said(
                "{name} is {given!r}; allowed are instants such as 2026-01-31T10:00:00.", name=name, given=one
            )
            raise _unfit(file, line, problem)
    raise UnfitPaths(
        Said(
            "{file}: {name} has instants with and without a zone; give all of them one way.", file=file.name, name=name
        )
    )


def _split(path: pa.ChunkedArray, separator: str, file: Path) -> tuple[list[str], Ints, Ints]:
    """Cut paths into channels: names, where each path begins, and codes; names are numbered as they come."""
    import pyarrow.compute as pc

    text = pc.utf8_trim_whitespace(path).combine_chunks()
    lists = pc.split_pattern(text, pattern=separator.strip() or separator)
    empty = np.asarray(pc.equal(text, ""))
    length = np.where(empty, 0, np.asarray(pc.list_value_length(lists)))
    names = pc.utf8_trim_whitespace(pc.list_flatten(lists.filter(pc.invert(empty))))
    starts = np.concatenate([[0], np.cumsum(length)])
    if (place := _first(np.asarray(pc.equal(names, "")))) is not None:
        row = int(np.searchsorted(starts, place, "right")) - 1
        raise _unfit(file, row, Said("the path has a channel without a name; each step needs one."))
    found, code = _channels(names)
    return found, starts, code


def _channels(names: Any) -> tuple[list[str], Ints]:  # noqa: ANN401 - pyarrow has no types
    """Give channels numbers as they come; a blank has the code -1."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.utf8_trim_whitespace(names)
    text = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    told = pc.if_else(pc.equal(text, ""), None, text).dictionary_encode()
    found = told.dictionary.to_pylist()
    if not found:
        raise UnfitPaths(Said("no path names a channel; give paths such as search > mail."))
    if len(found) > MOST_CHANNELS:
        raise UnfitPaths(
            Said(
                "the paths name {count} channels; allowed are {most}: group them, or see whether --separator is right.",
                count=len(found), most=MOST_CHANNELS,
            )
        )  # fmt: skip
    return found, told.indices.fill_null(-1).to_numpy().astype(np.int64)


def _codes(direct: Sequence[str], names: list[str]) -> tuple[int, ...]:
    missing = [name for name in direct if name not in names]
    if missing:
        raise UnfitPaths(
            Said("no path names the channel {name!r}; there are {all}.", name=missing[0], all=", ".join(names[:20]))
        )
    return tuple(names.index(name) for name in direct)
