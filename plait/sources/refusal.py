"""Refused rows: what is wrong with each, in words, written as they are found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from plait.facts import CURRENCIES, KINDS, Refusal, nearest
from plait.sources import rules
from plait.sources.delimited import BrokenRow
from plait.sources.events import Quarantined
from plait.sources.expression import Check

SCHEMA = pa.schema(
    [pa.field(f.name, pa.int64() if f.name == "line" else pa.string()) for f in fields(Refusal)]
    + [pa.field("recorded_at", pa.timestamp("us"))]
)
LONGEST_VALUE = 500  # characters shown of a value: the whole row stands beside it
BATCH = 10_000


class RefusedRows:
    """Writes refused rows to a Parquet file; `count` says how many there are."""

    def __init__(self, path: Path, *, source: str, file: str, recorded_at: datetime) -> None:
        self.source, self.file, self.recorded_at = source, file, recorded_at.replace(tzinfo=None)
        self.count = 0
        self._pending: list[Refusal] = []
        self._writer: Any = pyarrow.parquet.ParquetWriter(path, SCHEMA)

    def add_broken(self, rows: Iterable[BrokenRow]) -> None:
        """Add rows that do not have the shape of their file."""
        for row in rows:
            self._add(
                Refusal(
                    self.source,
                    self.file,
                    row.line,
                    "",
                    row.text[:LONGEST_VALUE],
                    row.rule,
                    rules.QUOTE_IT,
                    json.dumps({"raw": row.text}, ensure_ascii=False),
                )
            )

    def add_judged(self, rows: Iterable[tuple[int, int, int, str | None, str]], checks: Sequence[Check]) -> None:
        """Add rows that break a rule: line, number of the rule, how many more rules, the value, the whole row."""
        for line, number, more, value, row in rows:
            check = checks[number]
            others = rules.ONE_MORE if more == 1 else rules.MORE
            rule = others.format(rule=check.rule, more=more) if more else check.rule
            shown = value if value is None else value[:LONGEST_VALUE]
            self._add(Refusal(self.source, self.file, line, check.field, shown, rule, _next_step(check, shown), row))

    def add(self, line: int, wrong: Quarantined) -> None:
        """Add a live event that is no fact; `line` is its place among those that came with it."""
        shown = wrong.value if wrong.value is None else wrong.value[:LONGEST_VALUE]
        self._add(Refusal(self.source, self.file, line, wrong.field, shown, wrong.rule, wrong.next_step, wrong.event))

    def _add(self, refusal: Refusal) -> None:
        self.count += 1
        self._pending.append(refusal)
        if len(self._pending) >= BATCH:
            self._write()

    def _write(self) -> None:
        columns = list(zip(*map(astuple, self._pending), strict=True)) or [()] * (len(SCHEMA) - 1)
        arrays = [pa.array(values, kind.type) for values, kind in zip(columns, SCHEMA, strict=False)]
        stamp = pa.array([self.recorded_at] * len(self._pending), SCHEMA.field("recorded_at").type)
        self._writer.write_table(pa.table([*arrays, stamp], schema=SCHEMA))
        self._pending = []

    def close(self) -> None:
        """Write what is left and finish the file."""
        if self._pending:
            self._write()
        self._writer.close()


@cache
def _next_step(check: Check, value: str | None) -> str:
    if check.rule == "unknown kind" and value:
        return f"{nearest(value, KINDS)}{check.next_step}"
    if check.rule == "unknown currency" and value:
        return f"{nearest(value, CURRENCIES)}{check.next_step}"
    return check.next_step
