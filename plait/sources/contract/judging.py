"""Judging rows: the rules of a contract as DuckDB SQL over the cells of a file, each true where a row breaks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from plait.duck import literal, literals
from plait.sources import number, rules
from plait.sources.contract.form import NUMBERED, Column, Rule
from plait.sources.expression import Check, has_zone, iso

READ = "decimal(38, 10)"  # as which numbers are read
LONGEST = 200  # letters of a list of allowed values, as a refused row shows it
YES_NO = ("true", "false", "yes", "no", "y", "n", "t", "f", "1", "0")
WRITTEN = {
    "email": r"[^@\s<>,;\"]+@[^@\s<>,;\".][^@\s<>,;\"]*\.[^@\s<>,;\".]+",
    "uuid": r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "uri": r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+",
    "hostname": r"(?i)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.?",
    "ipv4": r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)",
    "ipv6": r"(?i)[0-9a-f:]*:[0-9a-f:]*(?:\d{1,3}(?:\.\d{1,3}){3})?",
}
_DAY = r"\d{4}-\d\d-\d\d(?:[T ]00:00(?::00(?:[.,]0+)?)?)?"
_CLOCK = r"\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?"
_ZONE = r"(?:[Zz]|UTC|[+-]\d\d(?::?\d\d)?)$"
_SHORT = r"[+-]?\d{0,14}(?:\.\d{0,4})?"
_COMPARED = {
    "least": ("<", rules.CONTRACT_BELOW), "above": ("<=", rules.CONTRACT_NOT_ABOVE),
    "most": (">", rules.CONTRACT_ABOVE), "below": (">=", rules.CONTRACT_NOT_BELOW),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a file for SQL: the name of each column's cell, and where an expression is computed once.

    `mark` parts the decimals of its numbers; `exponents` says that they may come as 1e5.
    """

    names: Mapping[str, str]
    add: Callable[[str], str]
    mark: str
    exponents: bool

    def typed(self, column: Column) -> str:
        """Give the SQL of a cell as its type; null where it is none."""
        cell = self.names[column.name]
        trimmed = f"trim({cell})"
        if column.type in NUMBERED:
            return self.add(self._number(cell))
        if column.format:
            return self.add(_with_format(column, trimmed))
        if column.type == "date":
            day = f"try_cast(left({trimmed}, 10) as date)"
            return self.add(f"case when regexp_full_match({trimmed}, {literal(_DAY)}) then {day} end")
        if column.type == "time":
            return self.add(
                f"case when regexp_full_match({trimmed}, {literal(_CLOCK)}) then try_cast({trimmed} as time) end"
            )
        naive, aware = (self.add(sql) for sql in iso(cell))
        return f"coalesce({aware}, {_in_utc(naive, column.zone)})"

    def _number(self, cell: str) -> str:
        """Read a number exactly; the short ones, which nearly all are, in a tenth of the time that long ones take."""
        fits, exact = number.number(cell, self.mark, READ, exponents=self.exponents)
        _fits, quick = number.number(cell, self.mark, "decimal(18, 4)", exponents=False)
        short = f"regexp_full_match({number.plain(cell, self.mark)}, {literal(_SHORT)})"
        return f"case when {fits} then case when {short} then ({quick})::{READ} else {exact} end end"


def _with_format(column: Column, cell: str) -> str:
    read = f"try_strptime({cell}, {literal(column.format)})"
    if column.type == "timestamp":
        return f"timezone('UTC', {read})" if has_zone(column.format) else _in_utc(read, column.zone)
    return f"{read}::{column.type}"


def _in_utc(naive: str, zone: str) -> str:
    return naive if zone in ("UTC", "Etc/UTC") else f"timezone('UTC', timezone({literal(zone)}, {naive}))"


def check_of(rule: Rule, cells: Cells, repeated: str) -> Check:
    """Give a rule as rows are judged by it; `repeated` is the SQL that tells a row that is there twice."""
    column = rule.columns[0]
    cell = cells.names[column.name]
    broken = repeated if rule.asks == "unique" else broken_sql(rule, cells)
    value = (
        cell if len(rule.columns) == 1 else f"concat_ws(', ', {', '.join(cells.names[c.name] for c in rule.columns)})"
    )
    text, step = texts_of(rule)
    return Check(rule.name, text, step, broken, value)


def broken_sql(rule: Rule, cells: Cells) -> str:
    """Give the condition by which a row breaks a rule; null and false are kept."""
    column, than = rule.columns[0], rule.than
    cell = cells.names[column.name]
    if rule.asks == "required":
        return f"{cell} is null"
    if rule.asks == "type":
        return _not_of_type(column, cell, cells)
    if rule.asks == "zoned":
        return f"{cells.typed(column)} is not null and not regexp_matches(trim({cell}), {literal(_ZONE)})"
    if rule.asks in _COMPARED:
        return f"{cells.typed(column)} {_COMPARED[rule.asks][0]} {_bound(column, than[0])}"
    if rule.asks == "multiple":
        return f"{cells.typed(column)} % cast({literal(than[0])} as {READ}) <> 0"
    if rule.asks in ("shortest", "longest"):
        return f"length({cell}) {'<' if rule.asks == 'shortest' else '>'} {than[0]}"
    if rule.asks == "pattern":
        return f"not regexp_matches({cell}, {literal(than[0])})"
    if rule.asks == "written":
        return f"not regexp_full_match(trim({cell}), {literal(WRITTEN[than[0]])})"
    if rule.asks == "barred":
        empty = f"{cell} is null or " if "" in than else ""
        return f"({empty}{cell} in ({literals(than)}))"
    return f"{cell} not in ({literals(than)})" if than else f"{cell} is not null"


def _not_of_type(column: Column, cell: str, cells: Cells) -> str:
    if column.type == "boolean":
        return f"lower(trim({cell})) not in ({literals(YES_NO)})"
    typed = cells.typed(column)
    fraction = f" or {typed} % 1 <> 0" if column.type == "integer" else ""
    return f"{cell} is not null and ({typed} is null{fraction})"


def _bound(column: Column, than: str) -> str:
    if column.type in NUMBERED:
        return f"cast({literal(than)} as {READ})"
    if column.type == "time":
        return f"time {literal(than)}"
    return f"timezone('UTC', timestamptz {literal(than)})"


def texts_of(rule: Rule) -> tuple[str, str]:
    """Give the rule and the next step as a refused row is stored with them."""
    name, than = rule.name, rule.than[0] if rule.than else ""
    if rule.asks in _COMPARED:
        hole = "least" if rule.asks in ("least", "above") else "most"
        return _COMPARED[rule.asks][1].format(column=name, **{hole: than}), rules.MEND
    if rule.asks == "type":
        return rules.CONTRACT_TYPES[than].format(column=name), rules.MEND
    if rule.asks == "allowed":
        allowed = ", ".join(rule.than)
        shown = allowed if len(allowed) <= LONGEST else f"{allowed[:LONGEST]}..."
        return rules.CONTRACT_ALLOWED.format(column=name), rules.MEND_ALLOWED.format(allowed=shown)
    if rule.asks == "unique":
        return rules.CONTRACT_TWICE.format(column=name), rules.MEND_TWICE
    text = {
        "required": rules.CONTRACT_EMPTY, "zoned": rules.CONTRACT_ZONE, "multiple": rules.CONTRACT_MULTIPLE,
        "shortest": rules.CONTRACT_SHORT, "longest": rules.CONTRACT_LONG, "pattern": rules.CONTRACT_PATTERN,
        "written": rules.CONTRACT_WRITTEN, "barred": rules.CONTRACT_BARRED,
    }[rule.asks]  # fmt: skip
    return text.format(column=name, unit=than, least=than, most=than, pattern=than, form=than), rules.MEND
