"""Held: one file as it is held against its contract while it is staged.

Rules for rows are judged in the pass that makes the facts. What is there once, what is counted and how new the rows
are takes a look at the cells before it; a contract without such rules does without.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import duckdb

from plait.duck import literal, text_list
from plait.sources.contract.form import Promise, Rule, Shape
from plait.sources.contract.home import Version
from plait.sources.contract.judging import Cells, broken_sql, check_of
from plait.sources.contract.seen import names_of
from plait.sources.expression import Check, Query, compile_file
from plait.sources.form import FileMapping
from plait.sources.table import Table, Tally

SEPARATOR = "chr(31)"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a contract found of one file: `broken` counts rows by rule, `newest` tells the newest instant by column."""

    source: str
    file: str
    digest: str
    shape: str
    version: int
    rows: int
    refused: int
    broken: Mapping[str, int]
    newest: Mapping[str, str]
    missing: tuple[str, ...]

    def told(self) -> dict[str, object]:
        """Give it as JSON keeps it."""
        told = {name: getattr(self, name) for name in Judgement.__slots__}
        return told | {"broken": dict(self.broken), "newest": dict(self.newest), "missing": list(self.missing)}


@dataclass(slots=True)
class Held:
    """One file and the shape of its contract that it is of."""

    version: Version
    shape: Shape
    file: str
    digest: str
    salt: str
    known: Sequence[Path]
    columns: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    counted: dict[str, int] = field(default_factory=dict)
    newest: dict[str, str] = field(default_factory=dict)
    _repeats: set[int] = field(default_factory=set)
    _looked: bool = False

    @property
    def mark(self) -> str:
        """What the staging of the file depends on: the contract, and the keys that are known."""
        told = [self.version.contract.text, self.shape.name, *(path.name for path in self.known)]
        return sha256(json.dumps(told).encode()).hexdigest()

    def open(self, table: Table) -> None:
        """See which of the columns that the contract speaks of the file has."""
        has = set(names_of(table))
        self.columns = tuple(one.name for one in self.shape.columns if one.name in has)
        self.missing = tuple(one.name for one in self.shape.columns if one.name not in has)

    @property
    def rules(self) -> list[Rule]:
        """Give the rules whose columns are there."""
        return [rule for rule in self.shape.rules if all(column.name in self.columns for column in rule.columns)]

    @property
    def _of_rows(self) -> list[Rule]:
        return [rule for rule in self.rules if rule.limit is None]

    def _ages(self) -> list[Promise]:
        named = [one for one in self.version.contract.latency if one.column and one.column[0] == self.shape.name]
        return [one for one in named if one.column and one.column[1] in self.columns]

    # -- the look before

    def look(
        self,
        engine: duckdb.DuckDBPyConnection,
        table: Table,
        mapping: FileMapping,
        columns: Sequence[str],
        at: datetime,
    ) -> None:
        """Look at the cells for what one row does not tell: repeats, counts, the newest."""
        unique = [rule for rule in self.rules if rule.asks == "unique"]
        limited = [rule for rule in self.rules if rule.limit is not None and rule.asks != "unique"]
        if not (unique or limited or self._ages()):
            return
        alone = replace(mapping, facts=(), let=())
        made: list[str] = []

        def checks(names: Mapping[str, str], add: Callable[[str], str]) -> list[Check]:
            cells = Cells(names, add, mapping.decimal, table.exponents)
            made.extend(self._key(rule, names, columns, n) for n, rule in enumerate(unique))
            made.extend(f"coalesce({broken_sql(rule, cells)}, false) as b{n}" for n, rule in enumerate(limited))
            made.extend(f"{self._typed(one, cells)} as a{n}" for n, one in enumerate(self._ages()))
            return []

        query = compile_file(
            alone, table.query(columns, whole=False), columns, file=self.file, recorded_at=at,
            exponents=table.exponents, promised=checks,
        )  # fmt: skip
        quiet = Tally(lambda _rows: None, lambda _done: None)
        engine.register("raw", table.batches(columns, whole=False, tally=quiet))
        engine.execute(f"create temp table looked_at as {query.parts} select line, {', '.join(made)} from judged")
        engine.unregister("raw")
        self._looked = True
        self._count(engine, limited)
        engine.execute("create temp table repeated (rule integer, line bigint)")
        for n, rule in enumerate(unique):
            self._repeated(engine, rule, n)

    def _key(self, rule: Rule, names: Mapping[str, str], columns: Sequence[str], n: int) -> str:
        """Give the hashes of a row's key and, where other files count, of what is read of the row."""
        parts = f" || {SEPARATOR} || ".join(names[column.name] for column in rule.columns)
        key = f"md5_number({literal(self.salt)} || {parts}) as k{n}"
        if self.shape.whole or rule.limit is not None:
            return key
        row = ", ".join(f"coalesce({names[name]}, '')" for name in columns)
        return f"{key}, md5_number_lower(concat_ws({SEPARATOR}, {literal(self.salt)}, {row})) as r{n}"

    def _typed(self, promise: Promise, cells: Cells) -> str:
        column = self.shape.column(promise.column[1]) if promise.column else None
        assert column is not None  # noqa: S101 - read with the contract
        return f"({cells.typed(column)})::timestamp"

    def _count(self, engine: duckdb.DuckDBPyConnection, limited: Sequence[Rule]) -> None:
        ages = self._ages()
        wanted = [f"count(*) filter (b{n})" for n in range(len(limited))] + [f"max(a{n})" for n in range(len(ages))]
        if not wanted:
            return
        found = engine.execute(f"select {', '.join(wanted)} from looked_at").fetchall()[0]
        self.counted |= {str(rule.words()): count for rule, count in zip(limited, found, strict=False)}
        for promise, newest in zip(ages, found[len(limited) :], strict=True):
            if promise.column and newest is not None:
                self.newest[promise.column[1]] = newest.isoformat()

    def _repeated(self, engine: duckdb.DuckDBPyConnection, rule: Rule, n: int) -> None:
        """Find the rows whose key an earlier row has, of this file or, with other content, of another."""
        engine.execute(
            f"""insert into repeated select {n}, line from (
                select line, row_number() over (partition by k{n} order by line) as place from looked_at
                where k{n} in (select k{n} from looked_at group by k{n} having count(*) > 1)) where place > 1"""
        )
        if not self.shape.whole and rule.limit is None and self.known:
            engine.execute(
                f"""insert into repeated select distinct {n}, line from looked_at join read_parquet({
                    text_list(map(str, self.known))
                }) as known
                on known.rule = {literal(_name(rule))} and known.row <> r{n}
                and known.high = {_high(n)} and known.low = {_low(n)}"""
            )
        (count,) = engine.execute(f"select count(distinct line) from repeated where rule = {n}").fetchall()[0]
        if rule.limit is not None:
            self.counted[str(rule.words())] = count
        elif count:
            self._repeats.add(n)

    # -- the pass that makes the facts

    def promised(self, mapping: FileMapping, *, exponents: bool) -> Callable[..., list[Check]]:
        """Give the way to make the checks of a file's rows."""
        unique = [rule for rule in self.rules if rule.asks == "unique"]

        def checks(names: Mapping[str, str], add: Callable[[str], str]) -> list[Check]:
            cells = Cells(names, add, mapping.decimal, exponents)
            return [check_of(rule, cells, self._again(rule, unique)) for rule in self._of_rows]

        return checks

    def _again(self, rule: Rule, unique: Sequence[Rule]) -> str:
        n = unique.index(rule) if rule in unique else -1
        return f"line in (select line from repeated where rule = {n})" if n in self._repeats else "false"

    def flags(self, query: Query) -> str:
        """Give the columns that tell of each refused row which rules of the contract it breaks."""
        checks = query.checks[1 : 1 + len(self._of_rows)]
        return "".join(f", coalesce({check.broken}, false) as q{n}" for n, check in enumerate(checks))

    def count(self, engine: duckdb.DuckDBPyConnection) -> None:
        """Count the rows that break each rule; `rest` holds the rows that were refused."""
        rules = self._of_rows
        if rules:
            sums = ", ".join(f"count(*) filter (q{n})" for n in range(len(rules)))
            found = engine.execute(f"select {sums} from rest").fetchall()[0]
            self.counted |= {str(rule.words()): count for rule, count in zip(rules, found, strict=True)}

    def keep_keys(self, engine: duckdb.DuckDBPyConnection, path: Path, *, refused: bool) -> None:
        """Write what is there once to a file: of the rows that were accepted, for the loads to come."""
        unique = [rule for rule in self.rules if rule.asks == "unique"]
        told = [(n, rule) for n, rule in enumerate(unique) if rule.limit is None]
        if not self._looked or self.shape.whole or not told:
            return
        stay = "where line not in (select line from rest where broken is not null)" if refused else ""
        parts = " union all ".join(
            f"select {literal(_name(rule))} as rule, {_high(n)} as high, {_low(n)} as low, r{n} as row from "
            f"(select * from looked_at {stay}) where k{n} is not null"
            for n, rule in told
        )
        engine.execute(f"copy ({parts}) to {literal(str(path))} (format parquet)")

    def judgement(self, source: str, *, rows: int, refused: int) -> Judgement:
        """Give what was found."""
        broken = {str(rule.words()): self.counted.get(str(rule.words()), 0) for rule in self.rules}
        return Judgement(source, self.file, self.digest, self.shape.name, self.version.number, rows, refused, broken,
                         self.newest, self.missing)  # fmt: skip


def _high(n: int) -> str:
    return f"(k{n} >> 64)::ubigint"


def _low(n: int) -> str:
    return f"(k{n} & 18446744073709551615::uhugeint)::ubigint"


def _name(rule: Rule) -> str:
    return json.dumps([column.name for column in rule.columns])


def read_judgement(path: Path) -> Judgement:
    """Give what `Judgement.told` has told."""
    told = json.loads(path.read_text("utf-8"))
    return Judgement(**{**told, "missing": tuple(told["missing"])})
