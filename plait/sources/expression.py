"""Expressions: the values and conditions of a mapping as DuckDB SQL.

A `[[file]]` becomes one query in layers, each a `with` part that reads only the one before: cells (blank is null),
looked (what other files say), texts (every value as text), typed (times, numbers), judged (the first rule that a row
breaks). Equal expressions are computed once. Names in the query are plait's own, text of the mapping is always an
escaped literal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from plait.duck import identifier, literal, literals
from plait.facts import KINDS, RULES, FactRule
from plait.sources import number as written
from plait.sources import rules
from plait.sources.cells import unguarded_sql
from plait.sources.form import (
    NUMBERS,
    REQUIRED,
    ROW,
    Column,
    Condition,
    FactMapping,
    FileMapping,
    Lookup,
    Template,
    Value,
)
from plait.sources.number import BLANKS

_TYPED = {
    "occurred_at": "timestamp", "recorded_at": "timestamp", "amount": "decimal(18, 4)", "quantity": "decimal(20, 10)",
    "line": "bigint",
}  # fmt: skip
_STAGED = (
    "id source kind occurred_at recorded_at keys object_id amount currency quantity "
    "channel campaign partner product owner text detail file line"
)
FACT_COLUMNS = {name: _TYPED.get(name, "varchar") for name in _STAGED.split()}
ARROW = {
    "varchar": pa.string(), "timestamp": pa.timestamp("us"), "bigint": pa.int64(),
    "decimal(18, 4)": pa.decimal128(18, 4), "decimal(20, 10)": pa.decimal128(20, 10),
}  # fmt: skip
EPOCHS = {"unix": 1_000_000, "unix_ms": 1_000}  # formats of times that count from 1970, in microseconds
ISO = "iso"  # the format of times that state none, for lists that go on with others
_DAY, _CLOCK = r"\d{4}-\d\d-\d\d", r"[T ]\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?"
_NAIVE = f"{_DAY}(?:{_CLOCK})?"
_OFFSET = f"{_DAY}{_CLOCK} ?(?:[Zz]|UTC|[+-]\\d\\d(?::?\\d\\d)?)"
_READ_WITH_MAPPING = ("source name", "unknown key")  # rules that a whole mapping keeps or breaks, not a row


@dataclass(frozen=True, slots=True)
class Check:
    """A rule as one fact of a file is judged by it: `broken` and `value` are SQL over the layer `typed`."""

    field: str
    rule: str
    next_step: str
    broken: str
    value: str


Promised = Callable[[Mapping[str, str], Callable[[str], str]], list[Check]]
"""Makes checks from the names of a file's cells and from the way to compute an expression once."""


@dataclass(slots=True)
class Layer:
    """One `with` part: the columns that it adds, each expression once."""

    prefix: str
    columns: dict[str, str] = field(default_factory=dict)

    def add(self, sql: str) -> str:
        """Give the name under which an expression is known in the layers above."""
        return self.columns.setdefault(sql, f"{self.prefix}{len(self.columns)}")

    def select(self) -> str:
        """Write the columns for a select list, after those of the layer below."""
        return "".join(f", {sql} as {name}" for sql, name in self.columns.items())


@dataclass(frozen=True, slots=True)
class Query:
    """The compiled `[[file]]`: the `with` parts up to `judged`, its rules, and how facts are selected from them."""

    parts: str
    checks: tuple[Check, ...]
    facts: str
    active: str


def compile_file(
    mapping: FileMapping,
    base: str,
    columns: Sequence[str],
    *,
    file: str,
    recorded_at: datetime,
    exponents: bool,
    promised: Promised | None = None,
) -> Query:
    """Compile a `[[file]]` over the query of a table, whose columns `x0`, `x1` ... are `columns`.

    `promised` gives the rules of a contract, by which rows are judged before those of their facts.
    """
    compiler = _Compiler(mapping, columns, recorded_at, exponents=exponents)
    if promised:  # over the texts of the cells, so that what the facts read of them, too, is computed once
        names = {name: compiler.texts.add(cell) for name, cell in compiler.cells.items()}
        compiler.checks += promised(names, compiler.parsed.add)
    return compiler.query(base, file)


def lookup_table(lookups: Sequence[Lookup], lookup: Lookup) -> str:
    """Give the name of the table that holds a lookup."""
    return f"lookup_{lookups.index(lookup)}"


class _Compiler:
    def __init__(self, mapping: FileMapping, columns: Sequence[str], recorded_at: datetime, *, exponents: bool) -> None:
        self.mapping, self.exponents = mapping, exponents
        self.recorded_at = f"timestamp '{recorded_at:%Y-%m-%d %H:%M:%S.%f}'"
        self.cells = {name: f"c{n}" for n, name in enumerate(columns)}
        self.stated = tuple(self.cells.values())
        self.cells |= dict.fromkeys((name for name in mapping.named() if name not in self.cells), "null::varchar")
        self.joined: dict[tuple[Lookup, str], str] = {}
        self.looked, self.texts = Layer("k"), Layer("t")
        self.parsed, self.typed = Layer("p"), Layer("v")
        self.checks: list[Check] = []

    def query(self, base: str, file: str) -> Query:
        lets = "".join(self.let(n, name, value) for n, (name, value) in enumerate(self.mapping.let))
        facts = [self.fact(fact) for fact in self.mapping.facts]
        shaped = Check("", rules.NOT_SHAPED, rules.SHAPE_IT, "not shaped", "null")
        self.checks.insert(0, shaped)
        cells = "".join(f", {self.cell(self.raw(n))} as {name}" for n, name in enumerate(self.stated))
        joins = "".join(
            f" left join {lookup_table(self.mapping.lookups(), lookup)} as {alias} on {alias}.key = {key}"
            for (lookup, key), alias in self.joined.items()
        )
        found = "".join(f", {alias}.value as {alias}_value" for alias in self.joined.values())
        broken = " ".join(f"when {check.broken} then {n}" for n, check in enumerate(self.checks))
        row = ", row" if base.endswith("row from raw)") or " as row from raw" in base else ""
        parts = f"""
with base as ({base}),
cells as (select line, shaped{cells}{row} from base),{lets}
looked as (select *{self.looked.select()} from {_above(self.mapping)}),
found as (select looked.*{found} from looked{joins}),
texts as (select *{self.texts.select()} from found),
parsed as (select *{self.parsed.select()} from texts),
typed as (select *{self.typed.select()} from parsed),
judged as (select *, case {broken} end as broken from typed)"""
        active = [fact["active"] for fact in facts]
        return Query(parts, tuple(self.checks), _select_facts(facts, file), " or ".join(active) or "false")

    def raw(self, n: int) -> str:
        return unguarded_sql(f"x{n}") if self.mapping.guarded else f"x{n}"

    def cell(self, raw: str) -> str:
        """Make blank cells null; nearly every cell begins with a printable character, which is quick to see."""
        known = f"case when {raw} >= '!' and {raw} < '~' then {raw} when trim({raw}, {BLANKS}) <> '' then {raw} end"
        if not self.mapping.nulls:
            return known
        return f"case when trim({raw}, {BLANKS}) in ({literals(self.mapping.nulls)}) then null else {known} end"

    def let(self, n: int, name: str, value: Value) -> str:
        """Compile a value that stands beside the columns: a layer of its own, so that later ones can use it."""
        made = self.part_of(value)
        if value.map:
            made = _mapped(made, value.map)
        below, join = "cells" if n == 0 else f"let{n - 1}", ""
        if value.lookup:
            table = lookup_table(self.mapping.lookups(), value.lookup)
            join, made = f" left join {table} as said on said.key = {made}", "said.value"
        if value.otherwise is not None:
            made = f"coalesce({made}, {self.template(value.otherwise)})"
        self.cells[name] = f"m{n}"
        return f"\nlet{n} as (select {below}.*, {made} as m{n} from {below}{join}),"

    # -- one fact

    def fact(self, fact: FactMapping) -> dict[str, str]:
        """Compile a fact: the SQL of each of its columns over `judged`; its rules go to `checks`."""
        active = self.typed.add(" and ".join(map(self.condition, fact.when)) or "true")
        texts = {name: self.known(value, self.text(value, name, active)) for name, value in fact.fields.items()}
        columns: dict[str, str] = dict.fromkeys(FACT_COLUMNS, "null") | texts
        columns |= {"source": literal(self.mapping.source), "recorded_at": self.recorded_at, "active": active}
        columns["occurred_at"] = self.time(fact.fields["occurred_at"], texts["occurred_at"], active)
        columns["currency"] = self.currency(texts)
        for name in NUMBERS:
            if name in texts:
                columns[name] = self.number(fact.fields[name], name, texts[name], columns["currency"], active)
        columns["keys"] = self.json(fact.keys, "keys", active)
        columns["detail"] = self.json(fact.detail, "detail", active)
        shown = columns | texts
        for rule in RULES:
            if self.can_break(rule, fact, columns):
                self.rule(rule, columns, shown, active)
        return columns

    def rule(self, rule: FactRule, columns: Mapping[str, str], shown: Mapping[str, str], active: str) -> None:
        missing = rule.name.startswith(
            "missing"
        )  # asks for the text: "not a number" is judged before, and once is enough
        step = (
            rules.STATE_CURRENCY if rule.name == "amount without currency" and self.mapping.at_home else rule.next_step
        )
        judged = rule.sql({**shown, "currency": columns["currency"]} if missing else columns)
        self.check(active, rule.field, rule.name, step, broken=judged, value=shown[rule.field])

    def can_break(self, rule: FactRule, fact: FactMapping, columns: Mapping[str, str]) -> bool:
        """Tell whether a row can break a rule at all: the engine need not judge what the mapping has settled."""
        if rule.name in _READ_WITH_MAPPING:
            return False
        template = fact.fields["kind"].template
        kind = template[0] if len(template) == 1 and columns["kind"] == literal(str(template[0])) else None
        if isinstance(kind, str) and rule.name.startswith("missing"):
            return rule.field in (*REQUIRED, *KINDS[kind].needs) and rule.field != "kind"
        if isinstance(kind, str) and rule.field in ("kind", "quantity"):
            return rule.field == "quantity" and KINDS[kind].between is not None
        if rule.name == "unknown currency":
            return "currency" in fact.fields
        return rule.name.startswith("missing") or columns[rule.field] != "null"

    def check(self, active: str, field_: str, rule: str, next_step: str, *, broken: str, value: str) -> None:
        condition = broken if active == "true" else f"{active} and ({broken})"
        self.checks.append(Check(field_, rule, next_step, condition, value))

    def condition(self, condition: Condition) -> str:
        cell = self.cells[condition.column]
        if condition.present is not None:
            return f"{cell} is not null" if condition.present else f"{cell} is null"
        if condition.above is not None or condition.below is not None:
            return written.compared(cell, self.mapping.decimal, above=condition.above, below=condition.below)
        if condition.negated:
            return f"coalesce({cell} not in ({literals(condition.values)}), true)" if condition.values else "true"
        return f"coalesce({cell} in ({literals(condition.values)}), false)" if condition.values else "false"

    # -- values as text

    def template(self, template: Template) -> str:
        return " || ".join(self.part(one) for one in template)

    def part_of(self, value: Value) -> str:
        made = self.template(value.template)
        if value.split is None:
            return made
        mark, number = value.split
        return f"nullif(trim(split_part({made}, {literal(mark)}, {number}), {BLANKS}), '')"

    def part(self, part: Column | str) -> str:
        if part == ROW:
            return "lpad(line::varchar, 9, '0')"
        return self.cells[part.name] if isinstance(part, Column) else literal(part)

    def text(self, value: Value, name: str, active: str) -> str:
        """Compile a value up to its text: template, split, map, lookup, else."""
        made = self.part_of(value)
        mapped = made
        if value.map:
            mapped = _mapped(made, value.map)
        result = self.found(value.lookup, mapped) if value.lookup else mapped
        if value.only:
            self.only(value, name, made=made, result=result, active=active)
        if value.otherwise is not None:
            result = f"coalesce({result}, {self.template(value.otherwise)})"
        constant = value.lookup is None and not any(isinstance(part, Column) for part in value.template)
        return (
            result if constant else self.texts.add(_normalised(name, result))
        )  # of constants the engine can judge once

    def found(self, lookup: Lookup, key_sql: str) -> str:
        key = self.looked.add(key_sql)
        alias = self.joined.setdefault((lookup, key), f"l{len(self.joined)}")
        return f"{alias}_value"

    def only(self, value: Value, name: str, *, made: str, result: str, active: str) -> None:
        if value.lookup:
            file = value.lookup.name
            rule, step = rules.NOT_FOUND.format(file=file), rules.ADD_TO_FILE.format(column=value.lookup.key, file=file)
            if value.lookup.shape:
                step = rules.ADD_EXPORT.format(export=f"{self.mapping.source} {file}".replace("_", " "))
            absent = f"({made}) is not null and ({result}) is null"
        else:
            allowed = [old for old, _ in value.map]
            rule, step = rules.NOT_IN_MAP, rules.ADD_TO_MAP.format(allowed=", ".join(allowed))
            absent = f"({made}) not in ({literals(allowed)})"
        self.check(active, name, rule, step, broken=absent, value=made)

    def json(self, named: Sequence[tuple[str, Value]], what: str, active: str) -> str:
        """Compile keys or detail to a canonical JSON object: names in order, known values only, no blanks."""
        texts = [(name, self.text(value, f"{what}.{name}", active)) for name, value in named]
        members = [f"{literal(json.dumps(name, ensure_ascii=False) + ':')} || to_json({text})" for name, text in texts]
        guarded = [
            f"case when {text} is not null then {sql} end" for sql, (_, text) in zip(members, texts, strict=True)
        ]
        if not guarded:
            return "'{}'"
        inner = guarded[0] if len(guarded) == 1 else f"concat_ws(',', {', '.join(guarded)})"
        return self.typed.add(f"'{{' || coalesce({inner}, '') || '}}'")

    def currency(self, texts: Mapping[str, str]) -> str:
        given, default = texts.get("currency"), self.mapping.currency
        if "amount" not in texts or default is None:
            return given or "null"
        fallback = f"case when {texts['amount']} is not null then {literal(default)} end"
        return self.parsed.add(f"coalesce({given}, {fallback})" if given else fallback)

    # -- times

    def time(self, value: Value, text: str, active: str) -> str:
        """Compile a time to naive UTC; what is not a time, has no zone, or falls into a skipped hour is refused."""
        zone = value.timezone or self.mapping.timezone
        local, instant = _with_formats(value.formats, text) if value.formats else iso(text)
        naive, aware = self.parsed.add(local), self.parsed.add(instant)
        self.check(active, "occurred_at", rules.NOT_A_TIME, _time_help(value), value=text,
                   broken=f"{text} is not null and {naive} is null and {aware} is null")  # fmt: skip
        if zone is None:
            self.check(active, "occurred_at", rules.NO_ZONE, rules.STATE_ZONE,
                       broken=f"{naive} is not null and {aware} is null", value=text)  # fmt: skip
            return aware
        if zone in ("UTC", "Etc/UTC", "Etc/GMT", "GMT"):
            return self.typed.add(f"coalesce({aware}, {naive})")
        there = f"timezone({literal(zone)}, {naive})"
        self.check(active, "occurred_at", rules.SKIPPED, rules.CORRECT_ZONE.format(zone=zone),
                   broken=f"{aware} is null and timezone({literal(zone)}, {there}) <> {naive}", value=text)  # fmt: skip
        return self.typed.add(f"coalesce({aware}, timezone('UTC', {there}))")

    # -- numbers

    def number(self, value: Value, name: str, text: str, currency: str, active: str) -> str:
        """Compile a number to its decimal type; what is not one, or too large for it, is refused."""
        mark, kind = value.decimal or self.mapping.decimal, FACT_COLUMNS[name]
        bare = written.without(text, value.signs)
        is_number, cast = written.number(bare, mark, kind, exponents=self.exponents)
        above = value.unit == "minor" or value.reckons()  # they read what stands in `parsed`: currency, other numbers
        layer = self.typed if above else self.parsed
        others: list[str] = []
        if value.reckons():
            cast, others = self.reckoned(value, cast, mark, currency, active)
        elif value.unit != "major":
            one = f"{written.minor_unit(currency)} * 0.0001" if value.unit == "minor" else "0.000001"
            cast = f"try_cast({cast} * cast({one} as decimal(7, 6)) as {kind})"
        number = layer.add(f"case when {is_number} then {cast} end")
        whole = "".join(f" and {other} is not null" for other in others)
        self.check(active, name, rules.NOT_A_NUMBER, _number_help(kind, mark),
                   broken=f"{text} is not null and {number} is null{whole}", value=text)  # fmt: skip
        return number

    def reckoned(self, value: Value, cast: str, mark: str, currency: str, active: str) -> tuple[str, list[str]]:
        """Compile an amount that is reckoned from several numbers, given beside; one that is none refuses the row."""
        kinds = {"less": FACT_COLUMNS["amount"], "times": written.FACTOR, "per": written.FACTOR}
        parts: dict[str, list[str]] = {}
        for name, kind in kinds.items():
            parts[name] = []
            for template in getattr(value, name):
                text = self.texts.add(self.template(template))
                is_number, read = written.number(text, mark, kind, exponents=self.exponents)
                part = self.parsed.add(f"case when {is_number} then {read} end")
                self.check(active, "amount", rules.NOT_A_NUMBER, _number_help(kind, mark),
                           broken=f"{text} is not null and {part} is null", value=text)  # fmt: skip
                parts[name].append(part)
        units = {"major": ("1", 1), "minor": (written.minor_unit(currency), 10_000), "micro": ("1", 1_000_000)}
        made = written.reckoned(cast, kinds["less"], **parts, unit=units[value.unit])
        return made, [part for group in parts.values() for part in group]

    def known(self, value: Value, text: str) -> str:
        """Give the text of a number; where one that it is reckoned with is unknown, so is it."""
        others = [self.template(template) for template in (*value.less, *value.times, *value.per)]
        known = " and ".join(f"({other}) is not null" for other in others)
        return self.texts.add(f"case when {known} then {text} end") if others else text


def _number_help(kind: str, mark: str) -> str:
    whole, places = (int(n) for n in kind[8:-1].split(","))
    if mark == written.EITHER:
        return rules.WRITE_PLAINLY.format(digits=whole - places)
    return rules.WRITE_NUMBER.format(digits=whole - places, mark=mark)


def _normalised(name: str, sql: str) -> str:
    """Write e-mail addresses, domains and currencies one way."""
    if name == "keys.email":
        return f"nullif(lower(trim({sql}, {BLANKS})), '')"
    if name == "keys.domain":
        address = r"^(?:[a-z][a-z0-9+.-]*:)?(?://)?(?:[^/@?#]*@)?(?:www\.)?([^/:?#\s]+)"
        return f"nullif(rtrim(regexp_extract(lower(trim({sql}, {BLANKS})), {literal(address)}, 1), '.'), '')"
    return f"upper(trim({sql}))" if name == "currency" else sql


def _mapped(made: str, pairs: Sequence[tuple[str, str]]) -> str:
    cases = " ".join(f"when {literal(old)} then {literal(new)}" for old, new in pairs)
    return f"case {made} {cases} else {made} end"


def _above(mapping: FileMapping) -> str:
    """Name the layer that holds the cells and all that stands beside them."""
    return f"let{len(mapping.let) - 1}" if mapping.let else "cells"


def iso(text: str) -> tuple[str, str]:
    """Give the SQL of a time as ISO 8601 writes it: without a zone as it is said, with one in UTC; null where none."""
    trimmed = f"trim({text})"
    local = f"try_cast(replace({trimmed}, ',', '.') as timestamp)"
    naive = f"case when regexp_full_match({trimmed}, {literal(_NAIVE)}) then {local} end"
    # The engine wants seconds, +02:00 with its colon, and no blank before it.
    written = f"replace(replace(upper({trimmed}), 'UTC', 'Z'), ',', '.')"
    written = f"regexp_replace({written}, '([T ]\\d{{1,2}}:\\d\\d)( ?[Z+-])', '\\1:00\\2')"
    written = f"regexp_replace({written}, ' ?(Z|[+-]\\d\\d):?(\\d\\d)?$', '\\1:\\2')"
    instant = f"timezone('UTC', try_cast(rtrim({written}, ':') as timestamptz))"
    return naive, f"case when regexp_full_match({trimmed}, {literal(_OFFSET)}) then {instant} end"


def has_zone(time_format: str) -> bool:
    """Tell whether a format reads a zone."""
    return time_format in (*EPOCHS, ISO) or any(mark in time_format.replace("%%", "") for mark in ("%z", "%Z"))


def _with_formats(formats: Sequence[str], text: str) -> tuple[str, str]:
    naive, aware = [], []
    for form in formats:
        if form == ISO:
            local, instant = iso(text)
            naive.append(local)
            aware.append(instant)
        elif form in EPOCHS:
            aware.append(_since_epoch(text, EPOCHS[form]))
        elif has_zone(form):
            aware.append(f"timezone('UTC', try_strptime(trim({text}), {literal(form)}))")
        else:
            naive.append(f"try_strptime(trim({text}), {literal(form)})")
    local, instant = (f"coalesce({', '.join(reads)})" if reads else "null::timestamp" for reads in (naive, aware))
    return local, instant


def _since_epoch(text: str, microseconds: int) -> str:
    """Read a count of seconds or milliseconds since 1970; what lies beyond the year 9999 is none."""
    number = f"try_cast(trim({text}) as decimal(24, 6))"
    return (
        f"case when {number} between 0 and {253402300799 * 1_000_000 // microseconds} "
        f"then make_timestamp(({number} * {microseconds})::bigint) end"
    )


def _time_help(value: Value) -> str:
    if value.formats:
        formats = ("2026-01-31 10:20" if form == ISO else form for form in value.formats)
        return rules.WRITE_FORMAT.format(formats=" or ".join(formats))
    return rules.WRITE_TIME


def _select_facts(facts: Sequence[Mapping[str, str]], file: str) -> str:
    """Write the facts of the rows that break no rule: a row once for each of its facts.

    A row that breaks one is marked by a fact without a kind, so that nobody need look for it in the file again.
    """
    if not facts:  # others look values up in its rows, which are read all the same to be counted
        none = ", ".join(f"null::{kind} as {name}" for name, kind in FACT_COLUMNS.items())
        return f"select {none} from judged where broken < 0"
    columns = []
    for name, kind in FACT_COLUMNS.items():
        made = [literal(file) if name == "file" else "line" if name == "line" else fact[name] for fact in facts]
        told = _by_fact(made) if name != "kind" else f"case when broken is null then {_by_fact(made)} end"
        columns.append(f"cast({told} as {kind}) as {identifier(name)}")
    active = [fact["active"] for fact in facts]
    source = (
        "judged"
        if len(facts) == 1
        else f"(select *, unnest([{', '.join(map(str, range(len(facts))))}]) as n from judged)"
    )
    marked = "true" if len(facts) == 1 else "n = 0"
    kept = f"case when broken is null then {_by_fact(active)} else {marked} end"
    return f"select {', '.join(columns)} from {source} where {kept}"


def _by_fact(made: Sequence[str]) -> str:
    if len(set(made)) == 1:
        return made[0]
    return f"case n {' '.join(f'when {n} then {sql}' for n, sql in enumerate(made))} end"
