"""Verdicts: what a whole load kept and broke of a contract, rule by rule, with what was found in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from plait import duck
from plait.failure import Said, Unfit
from plait.sources.contract.form import Contract, Limit, Promise, Rule, Shape
from plait.sources.contract.held import Judgement
from plait.sources.contract.home import Version
from plait.sources.contract.judging import texts_of
from plait.sources.form import Control
from plait.store import FACTS, Store, view_sql

ROWS, COUNT, COLUMNS, VOLUME, FRESHNESS, TOTAL = ("rows", "count", "columns", "volume", "freshness", "total")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule of a contract and what a load did with it.

    `of` tells what it is about: rows, whose breaches are refused rows, or something of the whole load. `broken` counts
    the rows that break it; `found` says what was found; `refusal` is the rule as refused rows are stored with it.
    """

    shape: str
    rule: Said
    of: str
    kept: bool
    found: Said
    broken: int = 0
    refusal: str = ""

    @property
    def key(self) -> str:
        """What makes it the same rule from load to load."""
        return f"{self.shape}: {self.rule}"

    def told(self) -> dict[str, object]:
        """Give it as JSON keeps it."""
        return {"shape": self.shape, "rule": self.rule.told(), "of": self.of, "kept": self.kept,
                "found": self.found.told(), "broken": self.broken, "refusal": self.refusal}  # fmt: skip

    @classmethod
    def of_told(cls, told: Mapping[str, Any]) -> Verdict:
        """Give what `told` has told."""
        return cls(told["shape"], Said.of(told["rule"]), told["of"], told["kept"], Said.of(told["found"]),
                   told["broken"], told["refusal"])  # fmt: skip


class Broken(Unfit, RuntimeError):
    """A load breaks a contract that lets no broken load in; nothing was loaded."""

    def __init__(self, version: Version, verdicts: Sequence[Verdict]) -> None:
        contract = version.contract
        says = Said(
            "the contract of {source} (version {n}) is broken, and it refuses the whole load; nothing was loaded.",
            source=contract.source, n=version.number,
        )  # fmt: skip
        for verdict in verdicts:
            says = Said("{above}\n- {rule}: {found}", above=says, rule=verdict.rule, found=verdict.found)
        owner = contract.it.name
        super().__init__(
            Said("{above}\nAsk {owner} for a whole export, or adopt another contract.", above=says, owner=owner)
        )
        self.verdicts = tuple(verdicts)


@dataclass(frozen=True, slots=True)
class Brought:
    """What a load brings of one source: its judged files and where their staged facts lie."""

    judgements: Sequence[Judgement]
    facts: Sequence[Path]
    at: datetime  # naive UTC


def verdicts(contract: Contract, brought: Brought, store: Store) -> list[Verdict]:
    """Judge a load by every rule of a contract."""
    found: list[Verdict] = []
    for shape in contract.shapes:
        files = [one for one in brought.judgements if one.shape == shape.name]
        if files:
            found += _of_columns(shape, files)
            found += [_of_rule(shape, rule, files) for rule in shape.rules if _judged(rule, files)]
            found += _of_volume(shape, files)
    return [*found, *_of_age(contract, brought), *_of_totals(contract, brought, store)]


def _judged(rule: Rule, files: Sequence[Judgement]) -> bool:
    return any(str(rule.words()) in one.broken for one in files)


def _of_rule(shape: Shape, rule: Rule, files: Sequence[Judgement]) -> Verdict:
    rows = sum(one.rows for one in files)
    broken = sum(one.broken.get(str(rule.words()), 0) for one in files)
    said = (
        Said("{n} of {rows} rows break it", n=f"{broken:,}", rows=f"{rows:,}") if broken else Said("kept by all rows")
    )
    if rule.limit is not None:
        return Verdict(shape.name, rule.words(), COUNT, rule.limit.holds(broken, rows), said, broken)
    return Verdict(shape.name, rule.words(), ROWS, not broken, said, broken, texts_of(rule)[0])


def _of_columns(shape: Shape, files: Sequence[Judgement]) -> list[Verdict]:
    missing = list(dict.fromkeys(name for one in files for name in one.missing))
    said = Said("missing: {names}", names=", ".join(missing)) if missing else Said("all there")
    return [Verdict(shape.name, _columns_rule(shape), COLUMNS, not missing, said)]


def _columns_rule(shape: Shape) -> Said:
    return Said("all {n} columns are there", n=len(shape.columns))


def _of_volume(shape: Shape, files: Sequence[Judgement]) -> list[Verdict]:
    rows = sum(one.rows for one in files)
    said = Said("{rows} rows", rows=f"{rows:,}")
    return [Verdict(shape.name, _volume_rule(limit), VOLUME, limit.holds(rows, rows), said) for limit in shape.volume]


def _volume_rule(limit: Limit) -> Said:
    return Said("a load has {limit}", limit=limit.words())


def _of_age(contract: Contract, brought: Brought) -> list[Verdict]:
    """Judge how old the newest row was when it was loaded."""
    found = []
    for promise in contract.latency:
        shape, column = promise.column or ("", "")
        rule = _age_rule(promise)
        if promise.column:
            files = [one for one in brought.judgements if one.shape == shape]
            if not files:
                continue
            told = [one.newest[column] for one in files if column in one.newest]
            newest = max(map(datetime.fromisoformat, told), default=None)
        else:
            newest = _newest_fact(brought.facts)
        if newest is None:
            found.append(Verdict(shape, rule, FRESHNESS, kept=False, found=Said("no row tells its time")))
            continue
        age = brought.at - newest
        found.append(Verdict(shape, rule, FRESHNESS, age <= promise.age, Said("{age} old", age=said_age(age))))
    return found


def _age_rule(promise: Promise) -> Said:
    column = promise.column[1] if promise.column else Said("event")
    return Said("the newest {column} is at most {age} old", column=column, age=promise.said)


def said_age(age: timedelta) -> str:
    """Write an age in days or, below two days, in hours; nothing is younger than nothing."""
    hours = max(age, timedelta()).total_seconds() / 3600
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"  # noqa: PLR2004


def _newest_fact(files: Sequence[Path]) -> datetime | None:
    listed = duck.text_list(map(str, files))
    with duck.connect(files[0].parent / "spill.tmp.d") as db:
        found: datetime | None = db.execute(f"select max(occurred_at) from read_parquet({listed})").fetchall()[0][0]
    return found


def _of_totals(contract: Contract, brought: Brought, store: Store) -> list[Verdict]:
    """Hold the control totals against what will be stored: what is there already and what the load brings."""
    if not contract.totals:
        return []
    with duck.connect(store.spill) as db:
        db.execute(view_sql("facts", store.snapshot(), FACTS))
        db.execute(
            f"""create temp view new as
            select source, id, kind, occurred_at, amount, currency from read_parquet({
                duck.text_list(map(str, brought.facts))
            }) anti join facts using (source, id)
            qualify row_number() over (partition by source, id order by file, line) = 1"""
        )
        return [_of_total(db, total) for total in contract.totals]


def _of_total(db: Any, total: Control) -> Verdict:  # noqa: ANN401 - the engine
    until = total.before.replace(tzinfo=None) if total.before else None
    count, amount = db.execute(
        """
        select count(*), coalesce(sum(amount) filter (currency = $currency), 0) from (
            select source, kind, occurred_at, amount, currency from facts
            union all select source, kind, occurred_at, amount, currency from new)
        where source = $source and kind = $kind and (occurred_at < $until or $until is null)
        """,
        {"source": total.source, "kind": total.kind, "until": until, "currency": total.currency},
    ).fetchall()[0]
    holds = [f"{count:,}"] if total.facts is not None else []
    holds += [f"{amount:,.2f} {total.currency}"] if total.amount is not None else []
    kept = total.facts in (None, count) and total.amount in (None, amount)
    return Verdict("", _total_rule(total), TOTAL, kept, Said("plait holds {holds}", holds=", ".join(holds)))


def _total_rule(total: Control) -> Said:
    said = [f"{total.facts:,}"] if total.facts is not None else []
    said += [f"{total.amount:,.2f} {total.currency}"] if total.amount is not None else []
    before = f" < {total.before:%Y-%m-%d}" if total.before else ""
    return Said("control total of {kind}{before}: {said}", kind=total.kind, before=before, said=", ".join(said))


def expected(contract: Contract) -> list[Verdict]:
    """Give every rule of a contract as a verdict that nothing was found for yet, in the order of the contract."""
    nothing = Said("not judged yet")
    found: list[Verdict] = []
    for shape in contract.shapes:
        found.append(Verdict(shape.name, _columns_rule(shape), COLUMNS, kept=True, found=nothing))
        for rule in shape.rules:
            of, refusal = (COUNT, "") if rule.limit else (ROWS, texts_of(rule)[0])
            found.append(Verdict(shape.name, rule.words(), of, kept=True, found=nothing, refusal=refusal))
        found += [Verdict(shape.name, _volume_rule(limit), VOLUME, True, nothing) for limit in shape.volume]  # noqa: FBT003
    for promise in contract.latency:
        shape_name = promise.column[0] if promise.column else ""
        found.append(Verdict(shape_name, _age_rule(promise), FRESHNESS, kept=True, found=nothing))
    return found + [Verdict("", _total_rule(one), TOTAL, kept=True, found=nothing) for one in contract.totals]
