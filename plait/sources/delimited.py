"""Delimited text (CSV and its kin): where rows begin and end, which of them are whole, on which line each stands.

The scan is plait's own, vectorised over the bytes: a quote of even rank opens, one of odd rank closes, a line end
with an even number of quotes before it ends a row. Rows with too few or too many cells, or with a quote where none
may stand, are set aside with their text; only the whole ones go to the parser, which must then give exactly as many
rows. So no row can vanish, be glued to its neighbour or shift a column unseen. A broken quote costs its own line
only: reading goes on with the next.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from plait.failure import Said, Unfit
from plait.sources.rules import CELLS, ONE_CELL, STRAY, TOO_LONG, WRONG_QUOTE

WINDOW = 8 << 20
HEAD = 1 << 18  # bytes in which a header stands
SMALL_WINDOW = 1 << 14  # after a broken quote: scanning far ahead again and again would be quadratic
LONGEST_ROW, LONGEST_LINE = 4 << 20, 64 << 20
DELIMITERS = ",;\t|"
QUOTE, LF, CR = 34, 10, 13
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that does not have the shape of its file."""

    line: int
    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class Rows:
    """A part of a file: the bytes of its whole rows, the line on which each begins, the rows set aside."""

    content: bytes
    lines: Positions
    broken: list[BrokenRow]
    consumed: int  # bytes of the window that are dealt with
    newlines: int  # line ends among them


@dataclass(frozen=True, slots=True)
class Shape:
    """What every row of a file keeps to; `newline` is LF (a CR before it or not) or, in old files, CR alone."""

    delimiter: str
    width: int
    newline: int = LF


def scan(window: bytes, shape: Shape, *, line: int, final: bool) -> Rows:
    """Split a window that begins with a row into rows; what may go on behind the window is not consumed."""
    data = np.frombuffer(window, dtype=np.uint8)
    newlines, stray = _line_ends(data, window, shape.newline, final=final)
    delimiter = ord(shape.delimiter)
    quotes = np.flatnonzero(data == QUOTE)
    ends, delimiters = newlines, np.flatnonzero(data == delimiter)
    wrong = None
    if quotes.size:
        wrong = _first_wrong_quote(data, quotes, delimiter, final=final)
        ends, delimiters, stray = (
            marks[np.searchsorted(quotes, marks) % 2 == 0] for marks in (ends, delimiters, stray)
        )
    if wrong is not None:
        ends = ends[ends < wrong]
    rows = _rows(window, data, _Marks(ends + 1, delimiters, stray, newlines), shape, line)
    if wrong is not None:
        return _with_wrong_quote(window, rows, newlines, line=line, final=final)
    if final and rows.consumed < len(window):  # the last line has no line end
        return _last_row(window, rows, shape, line)
    return rows


def _line_ends(data: npt.NDArray[np.uint8], window: bytes, newline: int, *, final: bool) -> tuple[Positions, Positions]:
    """Give the last byte of each line end, and the stray ones: a CR alone where lines end with LF, and the reverse."""
    feeds = data == LF
    if b"\r" not in window:
        ends = np.flatnonzero(feeds)
        return (ends, ends[:0]) if newline == LF else (ends[:0], ends)
    returns = data == CR
    lone = returns.copy()
    lone[:-1] &= ~feeds[1:]
    lone[-1] &= final  # an LF may follow in the next window
    if newline == LF:
        return np.flatnonzero(feeds), np.flatnonzero(lone)
    paired = feeds.copy()
    paired[1:] &= returns[:-1]
    paired[0] = False
    return np.flatnonzero(lone | paired), np.flatnonzero(feeds & ~paired)


def _first_wrong_quote(data: npt.NDArray[np.uint8], quotes: Positions, delimiter: int, *, final: bool) -> int | None:
    """Give the first quote that neither begins a cell, nor ends one, nor is doubled."""
    borders = np.zeros(256, dtype=bool)
    borders[[delimiter, LF, CR, QUOTE]] = True
    opening, closing = quotes[0::2], quotes[1::2]
    wrong = [opening[(opening > 0) & ~borders[data[np.maximum(opening - 1, 0)]]][:1]]
    inner = closing[closing < data.size - 1]  # what follows the last byte is not known yet
    wrong.append(inner[~borders[data[inner + 1]]][:1])
    if opening.size > closing.size and (final or data.size - opening[-1] > LONGEST_ROW):
        wrong.append(opening[-1:])  # never closed
    first = np.concatenate(wrong)
    return int(first.min()) if first.size else None


@dataclass(frozen=True, slots=True)
class _Marks:
    """Positions in a window: behind each row, of delimiters and stray line ends outside quotes, of all line ends."""

    ends: Positions
    delimiters: Positions
    stray: Positions
    newlines: Positions


def _rows(window: bytes, data: npt.NDArray[np.uint8], marks: _Marks, shape: Shape, line: int) -> Rows:
    """Sort complete rows into whole ones and broken ones; empty lines are no rows."""
    ends, newlines = marks.ends, marks.newlines
    if not ends.size:
        return Rows(b"", np.empty(0, np.int64), [], 0, 0)
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
    consumed = int(ends[-1])
    before = np.searchsorted(newlines, starts) if newlines.size != ends.size else np.arange(starts.size)
    cells = np.diff(np.searchsorted(marks.delimiters, ends), prepend=0) + 1
    stray = np.diff(np.searchsorted(marks.stray, ends), prepend=0) > 0
    filled = ~(ends - starts == 1) & ~((ends - starts == 2) & (data[starts] == CR))  # noqa: PLR2004 - CR LF
    whole = (cells == shape.width) & filled & ~stray & (ends - starts <= LONGEST_ROW)
    counted = int(np.searchsorted(newlines, consumed))
    if whole.all():
        return Rows(window[:consumed], before + line, [], consumed, counted)
    broken = [
        BrokenRow(
            line + int(before[n]),
            STRAY if stray[n] else _fault(int(cells[n]), shape.width),
            _text(window[starts[n] : ends[n]]),
        )
        for n in np.flatnonzero(filled & ~whole)
    ]
    edges = np.flatnonzero(np.diff(np.concatenate(([0], whole.view(np.int8), [0]))))
    content = b"".join(window[starts[a] : ends[b - 1]] for a, b in edges.reshape(-1, 2))
    return Rows(content, before[whole] + line, broken, consumed, counted)


def _fault(cells: int, width: int) -> str:
    if cells == width:
        return TOO_LONG.format(most=LONGEST_ROW >> 20)
    return (ONE_CELL if cells == 1 else CELLS).format(cells=cells, width=width)


def _text(row: bytes) -> str:
    return row.rstrip(b"\r\n").decode(errors="replace")


def _with_wrong_quote(window: bytes, rows: Rows, newlines: Positions, *, line: int, final: bool) -> Rows:
    """Set aside the line on which the row with the wrong quote begins."""
    following = newlines[rows.newlines :]
    if not following.size and not final:
        return rows  # the line goes on behind the window
    end = int(following[0]) + 1 if following.size else len(window)
    row = BrokenRow(line + rows.newlines, WRONG_QUOTE, _text(window[rows.consumed : end]))
    return Rows(rows.content, rows.lines, [*rows.broken, row], end, rows.newlines + min(following.size, 1))


def _last_row(window: bytes, rows: Rows, shape: Shape, line: int) -> Rows:
    ended = window[rows.consumed :] + bytes([shape.newline])
    tail = scan(ended, shape, line=line + rows.newlines, final=True)
    lines = np.concatenate((rows.lines, tail.lines))
    return Rows(rows.content + tail.content, lines, [*rows.broken, *tail.broken], len(window), rows.newlines)


def read_rows(path: Path, shape: Shape, *, start: int, line: int, window_size: int = WINDOW) -> Iterator[Rows]:
    """Read a file from the byte and line at which its rows begin, window by window."""
    size, pending, ended = window_size, b"", False
    with path.open("rb") as stream:
        stream.seek(start)
        while not ended or pending:
            if not ended and len(pending) < size:
                more = stream.read(size - len(pending))
                ended = len(more) < size - len(pending)
                pending += more
            window = pending[:size]
            if not window:
                return
            final = ended and len(window) == len(pending)
            rows = scan(window, shape, line=line, final=final)
            pending = pending[rows.consumed :]
            line += rows.newlines
            size = _next_size(size, rows, window_size)
            yield rows


def _next_size(size: int, rows: Rows, usual: int) -> int:
    if not rows.consumed:
        if size >= LONGEST_LINE:
            raise RowsLost(Said("a line of more than {most} MiB: this is no text with rows", most=LONGEST_LINE >> 20))
        return size * 2
    wrong_quote = bool(rows.broken) and rows.broken[-1].rule == WRONG_QUOTE
    return min(SMALL_WINDOW, usual) if wrong_quote else min(size * 2, usual)


def parse(rows: Rows, shape: Shape, *, columns: Sequence[int] | None) -> pa.RecordBatch:
    """Parse whole rows into text columns `c0`, `c1` ..., only the ones asked for, and `line`."""
    names = [f"c{n}" for n in range(shape.width)]
    wanted = names if columns is None else [f"c{n}" for n in columns]
    table = pyarrow.csv.read_csv(
        pa.BufferReader(rows.content),  # type: ignore[arg-type,unused-ignore] # its stubs forget its own buffers
        read_options=pyarrow.csv.ReadOptions(column_names=names, block_size=len(rows.content) + 1, use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(delimiter=shape.delimiter, newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), include_columns=wanted, strings_can_be_null=False
        ),
    )
    if table.num_rows != rows.lines.size:
        raise RowsLost(
            Said(
                "from line {line}: {seen} rows were seen, {parsed} were parsed",
                line=int(rows.lines[0]),
                seen=int(rows.lines.size),
                parsed=table.num_rows,
            )
        )
    batch = table.combine_chunks().to_batches()[0]
    return pa.RecordBatch.from_arrays([pa.array(rows.lines), *batch.columns], names=["line", *wanted])


class RowsLost(Unfit, RuntimeError):
    """Two counts of the same rows disagree: a fault in plait, which stages nothing rather than too little."""


# -- the header


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a delimited file, and where its rows begin."""

    names: tuple[str, ...]
    shape: Shape
    start: int
    line: int


def read_header(
    path: Path, *, skip: int, delimiter: str | None, needed: Sequence[str], comment: str | None = None
) -> Header | None:
    """Read the header, detecting the delimiter where none is stated; None when there is none.

    Lines above it that begin with `comment` are passed over.
    """
    with path.open("rb") as stream:
        return header_in(stream.read(HEAD), skip=skip, delimiter=delimiter, needed=needed, comment=comment)


def header_in(
    head: bytes, *, skip: int, delimiter: str | None, needed: Sequence[str], comment: str | None = None
) -> Header | None:
    """Read the header from the first bytes of a file."""
    remark = comment.encode() if comment else None
    start, line = (3, 1) if head.startswith(b"\xef\xbb\xbf") else (0, 1)
    lines = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r|$)")
    while start < len(head):
        match = lines.match(head, start)
        text = match.group().strip(b"\r\n") if match else b""
        stated = re.fullmatch(rb"sep=(.)", text, re.IGNORECASE) if line == 1 else None
        if stated:  # a habit of spreadsheets
            delimiter = delimiter or stated.group(1).decode()
        elif skip <= 0 and text and not (remark and text.lstrip(b'" ').startswith(remark)):
            break
        skip -= 0 if stated else 1
        start, line = match.end() if match else len(head), line + 1
    body = head[start:]
    if not body:
        return None
    best = max(delimiter or DELIMITERS, key=lambda mark: _likelihood(body, mark, needed))
    record = _first_record(body)
    names = next(csv.reader([record.decode(errors="replace")], delimiter=best))
    newlines = len(re.findall(rb"\r\n|\n|\r", record))
    newline = CR if record.endswith(b"\r") else LF
    shape = Shape(best, len(names), newline)
    return Header(
        tuple(_named(name.strip(), n) for n, name in enumerate(names, 1)), shape, start + len(record), line + newlines
    )


def _named(name: str, number: int) -> str:
    return name or f"column {number}"


def _first_record(body: bytes) -> bytes:
    for match in re.finditer(rb"\r\n|\n|\r", body):
        if body.count(b'"', 0, match.start()) % 2 == 0:
            return body[: match.end()]
    return body


def _likelihood(body: bytes, delimiter: str, needed: Sequence[str]) -> tuple[int, int, int]:
    """Judge a delimiter: by the columns that the mapping names, by rows as wide as the header, by its width."""
    sample = body[: 1 << 16].decode(errors="replace")
    rows = list(csv.reader(sample.splitlines(keepends=True)[:100], delimiter=delimiter))
    names = {name.strip() for name in rows[0]} if rows else set()
    width = len(rows[0]) if rows else 0
    return len(names.intersection(needed)), sum(len(row) == width > 1 for row in rows), width
