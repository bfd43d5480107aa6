"""Facts made in Python: the door for programs, with the same rules as files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256
from pathlib import Path

import duckdb
import pyarrow as pa

from plait import duck
from plait.facts import RULES, Fact
from plait.sources.expression import Check
from plait.sources.refusal import RefusedRows
from plait.store import FACTS, MONEY, QUANTITY, Part

STAGED = pa.schema([*[field for field in FACTS if field.name != "month"], ("file", pa.string()), ("line", pa.int64())])


class NaiveTime(ValueError):
    """A fact whose instant has no time zone."""


class NoSuchNumber(ValueError):
    """An amount or a quantity that no fact can hold."""


def stage_facts(facts: Iterable[Fact], *, name: str, work: Path, recorded_at: datetime) -> list[Part]:
    """Judge facts and stage them, a part for each source; `name` tells in the store where they came from.

    `recorded_at` is when we came to know; it takes the place of what a fact says of it. A fact that breaks a rule is
    refused with its number in the order given as line.
    """
    stamp = recorded_at.astimezone(UTC).replace(tzinfo=None)
    by_source: dict[str, list[dict[str, object]]] = {}
    for line, fact in enumerate(facts, 1):
        by_source.setdefault(fact.source, []).append(_row(fact, line, name, stamp))
    work.mkdir(parents=True, exist_ok=True)
    with duck.connect(work / "spill") as db:
        return [_stage(db, source, name, rows, work, stamp) for source, rows in sorted(by_source.items())]


def _stage(
    db: duckdb.DuckDBPyConnection, source: str, name: str, rows: list[dict[str, object]], work: Path, stamp: datetime
) -> Part:
    digest = sha256("\n".join(str(sorted(row.items())) for row in rows).encode()).hexdigest()[:32]
    draft = Part(
        source, name, digest, work / f"{digest}.facts.parquet", work / f"{digest}.refused.parquet", len(rows), 0, 0, 0
    )
    writer = RefusedRows(draft.refused, source=source, file=name, recorded_at=stamp)
    bad = judge(db, pa.Table.from_pylist(rows, STAGED), draft, writer)
    writer.close()
    return replace(draft, accepted=len(rows) - bad, refused_rows=bad)


def judge(db: duckdb.DuckDBPyConnection, told: pa.Table, part: Part, refused: RefusedRows) -> int:
    """Stage the facts that keep every rule, refuse the others and give how many those are; `told` has `STAGED`."""
    checks = _checks()
    broken = " ".join(f"when {check.broken} then {number}" for number, check in enumerate(checks))
    value = " ".join(f"when {number} then {check.value}" for number, check in enumerate(checks))
    more = " + ".join(f"coalesce(({check.broken})::int, 0)" for check in checks)
    db.register("told", told)
    db.execute(
        f"create or replace temp table judged as select *, case {broken} end as broken, {more} - 1 as more from told"
    )
    kept = "select * exclude (broken, more) from judged where broken is null"
    db.execute(f"copy ({kept}) to {duck.literal(str(part.facts))} (format parquet)")
    bad = db.execute(
        f"select line, broken, more, case broken {value} end, to_json(judged)::varchar from judged "
        "where broken is not null order by line"
    ).fetchall()
    db.unregister("told")
    refused.add_judged(bad, checks)
    return len(bad)


def _checks() -> list[Check]:
    return [
        Check(r.field, r.name, r.next_step, r.sql({n: n for n in STAGED.names}), f"{r.field}::varchar") for r in RULES
    ]


def _row(fact: Fact, line: int, name: str, stamp: datetime) -> dict[str, object]:
    if fact.occurred_at.tzinfo is None:
        raise NaiveTime(
            f"fact {fact.id!r} occurred at {fact.occurred_at}, which has no time zone; add one, such as UTC."
        )
    row = {field: getattr(fact, field) for field in STAGED.names if hasattr(fact, field)}
    return row | {
        "occurred_at": fact.occurred_at.astimezone(UTC).replace(tzinfo=None),
        "recorded_at": stamp,
        "keys": _canonical({key: _normalised(key, value) for key, value in fact.keys.items()}),
        "amount": _fitted(fact, fact.amount, MONEY),
        "quantity": _fitted(fact, fact.quantity, QUANTITY),
        "detail": _canonical(fact.detail),
        "file": name,
        "line": line,
    }


def _normalised(key: str, value: str) -> str:
    """Write addresses one way, as files do."""
    return value.strip().lower() if key in ("email", "domain") else value


def _canonical(names: Mapping[str, str]) -> str:
    known = {name: value for name, value in names.items() if value and not value.isspace()}
    return json.dumps(known, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _fitted(fact: Fact, number: Decimal | None, kind: pa.DataType) -> Decimal | None:
    """Round a number to the places that are kept, half away from zero."""
    if number is None:
        return None
    most = Decimal(10) ** (kind.precision - kind.scale)
    if number.is_finite() and abs(number) < most:
        fitted = number.quantize(Decimal(1).scaleb(-kind.scale), ROUND_HALF_UP)
        if abs(fitted) < most:
            return fitted
    raise NoSuchNumber(f"fact {fact.id!r} has the number {number}; it must lie between -{most:,} and {most:,}.")
