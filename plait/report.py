"""Reports: a measure's answer as text for people, spreadsheets and programs. One number is the same in all of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import simplejson

from plait.facts import CURRENCIES
from plait.measure import MONEY_UNIT, Cell, Table
from plait.sources.cells import guarded


def as_json(table: Table) -> str:
    """Give an answer as JSON; money is written with all its digits, a day as ISO 8601, unknown as null."""
    return simplejson.dumps(
        {
            "measure": table.measure.name,
            "version": table.version,
            "definition": table.definition.told(),
            "as_of": table.as_of.isoformat().replace("+00:00", "Z"),
            "facts_version": table.facts_version,
            "options": {name: _plain(value) for name, value in table.options.items()},
            "columns": [{"name": name, "unit": unit} for name, unit in table.columns.items()],
            "rows": [{name: _plain(cell) for name, cell in rounded(record).items()} for record in table.records()],
            "sql": table.sql,
            "estimates": table.estimates,
            "warnings": table.warnings,
            "took": round(table.took, 4),
        },
        use_decimal=True,
        ensure_ascii=False,
        indent=2,
    )


def as_csv(table: Table) -> str:
    """Give an answer as CSV with a header; text that a spreadsheet would run as a formula is marked with one `'`."""
    return csv_text(list(table.columns), (list(rounded(record).values()) for record in table.records()))


def csv_text(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Give rows of cells as CSV with a header, formulas marked as in `as_csv`."""
    told = ([guarded(cell) if isinstance(cell, str) else _plain(cell) for cell in row] for row in rows)
    return _csv_line(heads) + "".join(map(_csv_line, told))


def _csv_line(cells: Sequence[object]) -> str:
    """Write one row. Python puts a text into quotes only for the line ends in use; a lone CR begins a row too."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().removesuffix("\r\n") + "\n"


def rounded(record: Mapping[str, Cell]) -> dict[str, Cell]:
    """Round the money of a row to the minor unit of its currency, half away from zero."""
    digits = CURRENCIES.get(str(record.get("currency")), 2)
    unit = Decimal(1).scaleb(-digits)
    return {
        name: cell.quantize(unit, ROUND_HALF_UP) if isinstance(cell, Decimal) else cell for name, cell in record.items()
    }


def shown(cell: Cell, unit: str) -> str:
    """Give a cell as a person reads it: shares in percent, unknown as a dash."""
    if cell is None:
        return "–"
    if unit == "share":
        return f"{cell:.1%}"
    if unit == "score":
        return f"{100 * cell:.0f}" if isinstance(cell, float) else str(cell)
    if isinstance(cell, float):
        return f"{cell:,.1f}" if unit in ("days", "months", "minutes") else f"{cell:,.2f}"
    if unit == MONEY_UNIT or isinstance(cell, int):
        return f"{cell:,}"
    return str(cell)


def _plain(value: object) -> object:
    """Give what JSON and CSV can hold."""
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
