"""Columns: the part of a contract that speaks of one column, as rules for its values."""

from __future__ import annotations

import re
import zoneinfo
from decimal import Decimal

import duckdb

from plait.sources.contract.form import NUMBERED, OPERATORS, TIMED, Column, Limit, Rule
from plait.sources.contract.spec import (
    ARGUMENTS,
    COLUMN_METRICS,
    JAVA,
    OPTIONS,
    PROPERTY,
    QUALITY,
    QUALITY_TYPES,
    WHOLE,
    WIDER,
)
from plait.sources.contract.values import Given, Values, part

TEXT_FORMATS = ("email", "uuid", "uri", "hostname", "ipv4", "ipv6")
_UNTESTED_FORMATS = ("password", "byte", "binary")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?")
_CLOCK = re.compile(r"\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?")
_JAVA_PART = re.compile(r"'(?P<quoted>(?:[^']|'')*)'|(?P<letters>([A-Za-z])\3*)|(?P<other>.)")
_BOUNDS = (("minimum", "least", "above"), ("maximum", "most", "below"))


class ColumnReader(Values):
    """Reads what a contract says of columns."""

    def column(self, table: Given, where: str) -> tuple[Column, list[Rule]]:
        """Read a property: the column and its rules."""
        self.keys(table, PROPERTY, where)
        self.own(table, (), where)
        name = self.text(table, "physicalName", where) or self.text(table, "name", where)
        kind = self.choice(table, "logicalType", tuple(OPTIONS), where)
        options = self.table(table.get("logicalTypeOptions"), part(where, "logicalTypeOptions"))
        if options and not kind and "logicalType" not in table:
            self.wrong(where, "logicalTypeOptions need a logicalType")
        here = part(where, "logicalTypeOptions")
        self.keys(options, OPTIONS.get(kind, (tuple(options), ())), here)
        column = self.typed(name, kind, options, here)
        if kind in ("object", "array"):
            self.not_judged.append((str(where), f"logicalType {kind}"))
        rules = [*self.of_type(table, column, where), *self.bounds(options, column, here)]
        if kind == "string":
            rules += self.of_text(options, column, here)
        return column, rules + self.qualities(table, column, where)

    def typed(self, name: str, kind: str, options: Given, where: str) -> Column:
        """Read how the days and instants of a column are written."""
        if kind not in TIMED:
            return Column(name, kind)
        zone = "UTC"
        if kind == "timestamp":
            zone = self.text(options, "defaultTimezone", where) or "UTC"
            if zone not in (zones := zoneinfo.available_timezones()):
                self.unknown("defaultTimezone", zone, sorted(zones)[:8], where)
                zone = "UTC"
        zoned = kind == "timestamp" and bool(self.flag(options, "timezone", where))
        return Column(name, kind, self.written(self.text(options, "format", where), where), zoned, zone)

    def written(self, java: str, where: str) -> str:
        """Read a format of days and times, and give it as the engine writes it."""
        if not java:
            return ""
        made = []
        for match in _JAVA_PART.finditer(re.sub(r"(?<=d)T(?=H)", "'T'", java)):
            letters = match["letters"]
            if letters and letters not in JAVA:
                has = ", ".join(JAVA)
                self.wrong(where, "format: no letters {letters!r}; allowed: {allowed}", letters=letters, allowed=has)
            other = match["other"] or (match["quoted"] or "").replace("''", "'")
            made.append(JAVA.get(letters, "") if letters else other.replace("%", "%%"))
        found = "".join(made)
        try:
            duckdb.execute("select try_strptime('', ?)", [found])
        except duckdb.Error:
            self.wrong(where, "format {given!r} is not understood; write one such as yyyy-MM-dd", given=java)
            return ""
        return found

    def of_type(self, table: Given, column: Column, where: str) -> list[Rule]:
        """Read type, required and unique."""
        flags = {name: self.flag(table, name, where) for name in ("required", "unique", "primaryKey")}
        required = flags["required"] or (flags["primaryKey"] and flags["required"] is None)
        rules = [Rule((column,), "required")] if required else []
        if column.type and column.type not in ("object", "array", "string"):
            rules.append(Rule((column,), "type", (column.type,)))
        if column.zoned:
            rules.append(Rule((column,), "zoned"))
        return [*rules, Rule((column,), "unique")] if flags["unique"] else rules

    def bounds(self, options: Given, column: Column, where: str) -> list[Rule]:
        """Read ranges and multiples; `exclusiveMinimum: true` is how 3.0 makes `minimum` strict."""
        rules = []
        for name, closed, strict in _BOUNDS:
            other = f"exclusive{name[0].upper()}{name[1:]}"
            if options.get(other) is True and name in options:
                rules += self.bound(options, name, column, strict, where)
            else:
                rules += self.bound(options, name, column, closed, where)
                rules += self.bound(options, other, column, strict, where) if options.get(other) is not False else []
        if column.type in NUMBERED:
            unit = self.number(options, "multipleOf", where)
            if unit is not None and unit <= 0:
                self.wrong(where, "multipleOf is above 0, not {given}", given=unit)
            elif unit is not None:
                rules.append(Rule((column,), "multiple", (f"{unit:f}",)))
        if column.type == "integer" and (bits := self.choice(options, "format", (*WHOLE, *WIDER), where)) in WHOLE:
            least, most = WHOLE[bits]
            rules += [Rule((column,), "least", (str(least),)), Rule((column,), "most", (str(most),))]
        return rules

    def bound(self, options: Given, name: str, column: Column, asks: str, where: str) -> list[Rule]:
        """Read one end of a range."""
        given = options.get(name)
        if given is None or column.type not in (*NUMBERED, *TIMED):
            return []
        if column.type in NUMBERED:
            number = self.number(options, name, where)
            return [] if number is None else [Rule((column,), asks, (f"{number:f}",))]
        shape = _CLOCK if column.type == "time" else _INSTANT
        if not shape.fullmatch(str(given)) or not _exists(str(given), column.type):
            such = "09:30" if column.type == "time" else "2026-01-31"
            self.wrong(where, "{name} is written as {such}, not {given!r}", name=name, such=such, given=str(given))
            return []
        return [Rule((column,), asks, (str(given),))]

    def of_text(self, options: Given, column: Column, where: str) -> list[Rule]:
        """Read lengths, pattern and format of a text."""
        rules = []
        for name, asks in (("minLength", "shortest"), ("maxLength", "longest")):
            length = self.length(options, name, where)
            rules += [] if length is None else [Rule((column,), asks, (str(length),))]
        rules += self.pattern(options, column, where)
        form = self.choice(options, "format", (*TEXT_FORMATS, *_UNTESTED_FORMATS), where)
        if form in _UNTESTED_FORMATS:
            self.not_judged.append((str(where), f"format {form}"))
        elif form:
            rules.append(Rule((column,), "written", (form,)))
        return rules

    def pattern(self, options: Given, column: Column, where: str) -> list[Rule]:
        """Read a regular expression."""
        pattern = self.text(options, "pattern", where)
        if not pattern:
            return []
        try:
            duckdb.execute("select regexp_matches('', ?)", [pattern])
        except duckdb.Error as error:
            because = str(error).split(": ", 1)[-1]
            self.wrong(
                where, "pattern {given!r} cannot be judged: {because}; write it without looking ahead or back",
                given=pattern, because=because,
            )  # fmt: skip
            return []
        return [Rule((column,), "pattern", (pattern,))]

    # -- quality

    def qualities(self, table: Given, column: Column, where: str) -> list[Rule]:
        """Read the quality rules of a column."""
        found = [
            self.quality(item, COLUMN_METRICS, part(where, f"quality {n}"))
            for n, item in enumerate(self.tables(table, "quality", where), 1)
        ]
        return [
            rule
            for metric, arguments, limits, here in (one for one in found if one)
            for rule in self.measured(metric, arguments, limits, column, here)
        ]

    def quality(
        self, table: Given, metrics: tuple[str, ...], where: str
    ) -> tuple[str, Given, tuple[Limit, ...], str] | None:
        """Read one quality rule: its metric, arguments and limits; None where it is not judged."""
        self.keys(table, QUALITY, where)
        kind = self.choice(table, "type", QUALITY_TYPES, where) or "library"
        if kind == "sql":
            self.wrong(
                where, "type sql is not run: it is written for another database; say it by a metric ({metrics}), "
                "or take it out", metrics=", ".join(metrics),
            )  # fmt: skip
            return None
        if kind != "library":
            self.not_judged.append((str(where), f"type {kind}"))
            return None
        metric = self.choice(table, "metric" if "metric" in table else "rule", metrics, where)
        if not metric:
            if "metric" not in table and "rule" not in table:
                self.wrong(where, "needs a metric: {metrics}", metrics=", ".join(metrics))
            return None
        arguments = self.table(table.get("arguments"), part(where, "arguments"))
        self.keys(arguments, (ARGUMENTS[metric], ()), part(where, "arguments"))
        return metric, arguments, self.limits(table, where), where

    def limits(self, table: Given, where: str) -> tuple[Limit, ...]:
        """Read the operators of a rule: all of them hold."""
        percent = self.choice(table, "unit", ("rows", "percent"), where) == "percent"
        found = []
        for name in (name for name in OPERATORS if name in table):
            given = table[name]
            two = name.endswith("Between")
            if two and not (isinstance(given, list) and len(given) == 2):  # noqa: PLR2004
                self.wrong(where, "{name} is a list of two numbers, not {given}", name=name, given=repr(given))
                continue
            ends = [
                self.decimal(one, part(where, name)) for one in (given if two and isinstance(given, list) else [given])
            ]
            if all(end is not None for end in ends):
                least, most = ends[0] or Decimal(0), ends[-1] or Decimal(0)
                if two and least >= most:
                    self.wrong(where, "{name} has the smaller number first", name=name)
                found.append(Limit(name, least, most if two else Decimal(0), percent))
        if not any(name in table for name in OPERATORS):
            self.wrong(where, "needs what the count must be: {operators}", operators=", ".join(OPERATORS))
        return tuple(found)

    def measured(
        self, metric: str, arguments: Given, limits: tuple[Limit, ...], column: Column, where: str
    ) -> list[Rule]:
        """Give the rules of a metric: for each row where none may break it, else with the limit of their count."""
        if metric == "nullValues":
            bare = [Rule((column,), "required")]
        elif metric == "duplicateValues":
            bare = [Rule((column,), "unique")]
        elif metric == "missingValues":
            barred = self.texts(arguments.get("missingValues", []), part(where, "missingValues"))
            bare = [Rule((column,), "barred", barred) if any(barred) else Rule((column,), "required")]
        else:
            bare = self.pattern(arguments, column, where)
            if "validValues" in arguments:
                allowed = self.texts(arguments["validValues"], part(where, "validValues"))
                bare.append(Rule((column,), "allowed", tuple(value for value in allowed if value)))
            if not bare and "pattern" not in arguments:
                self.wrong(where, "invalidValues needs validValues or a pattern in its arguments")
        return [Rule(rule.columns, rule.asks, rule.than, None if limit.none else limit)
                for rule in bare for limit in limits]  # fmt: skip


def _exists(text: str, kind: str) -> bool:
    such = {"time": "time"}.get(kind, "timestamptz")
    found = duckdb.execute(f"select try_cast(? as {such}) is not null", [text]).fetchall()
    return bool(found[0][0])
