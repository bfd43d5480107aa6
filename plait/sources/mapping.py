"""Mapping: a TOML file that says which files belong to a source and which facts each row gives.

The grammar is explained in `docs/mapping.md`. Reading it finds every problem it can without looking at a single data
file, and lists them all at once.
"""

from __future__ import annotations

import codecs
import re
import tomllib
import zoneinfo
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TypeGuard

from plait.facts import CURRENCIES, KEY_NAME, KINDS, PERSON_KEYS, SOURCE_NAME, nearest
from plait.failure import Said
from plait.sources.form import (
    HOME,
    NUMBERS,
    REQUIRED,
    BadMapping,
    Column,
    Condition,
    Control,
    FactMapping,
    FileMapping,
    Lookup,
    Mapping,
    Template,
    Value,
)
from plait.sources.number import MARKS
from plait.store import SAME

__all__ = ["BadMapping", "Control", "Mapping", "read_mapping"]

FORMATS = ("csv", "jsonl", "parquet", "xlsx")
UNITS = ("minor", "major", "micro")
OPTIONAL = ("object_id", *NUMBERS, "currency", "channel", "campaign", "partner", "product", "owner", "text")
_CONTEXT = ("source", "timezone", "currency")
_FILE = (
    *_CONTEXT, "shape", "about", "columns", "pattern", "format", "encoding", "delimiter", "decimal", "sheet", "skip",
    "comment", "escape", "guarded", "member", "nulls", "let", "fact",
)  # fmt: skip
_FACT = (*REQUIRED, *OPTIONAL, "keys", "detail", "same", "when")
_CONTROL = ("source", "kind", "before", "facts", "amount", "currency")
_VALUE = ("from", "split", "part", "map", "only", "lookup", "else")
_RECKONED = ("less", "times", "per")
_TOP = Said("top level")
_TEMPLATE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def read_mapping(path: Path) -> Mapping:
    """Read and check a mapping file; every problem found stands in the `BadMapping` that is raised."""
    try:
        content = path.read_bytes()
        table = tomllib.loads(content.decode("utf-8-sig"), parse_float=Decimal)
    except OSError as error:
        raise BadMapping(path.name, [Said("cannot be read: {because}", because=str(error.strerror))]) from error
    except UnicodeDecodeError as error:
        raise BadMapping(path.name, [Said("is not UTF-8 (byte {n}): save it as UTF-8", n=error.start)]) from error
    except tomllib.TOMLDecodeError as error:
        raise BadMapping(path.name, [Said("is no TOML: {error}", error=str(error))]) from error
    reader = _Reader()
    mapping = reader.mapping(table, path.name, sha256(content).hexdigest())
    if reader.problems:
        raise BadMapping(path.name, reader.problems)
    return mapping


@cache
def _zones() -> frozenset[str]:
    """Give the names of all time zones: looking for them goes through hundreds of files."""
    return frozenset(zoneinfo.available_timezones())


def _part(where: str, name: str) -> Said:
    return Said("{where}: {name}", where=where, name=name)


def _is_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


class _Reader:
    """Walks the parsed TOML and collects problems instead of stopping at the first."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def mapping(self, table: Dict[str, object], name: str, digest: str) -> Mapping:
        self.known(table, (*_CONTEXT, "about", "file", "control"), _TOP)
        files = self.tables(table, "file", _TOP)
        if not files:
            self.problems.append(Said("a mapping needs at least one [[file]] with a pattern and a [[file.fact]]"))
        read = tuple(self.file(item, table, Said("file {n}", n=n)) for n, item in enumerate(files, 1))
        controls = tuple(
            self.control(item, table, read, Said("control {n}", n=n))
            for n, item in enumerate(self.tables(table, "control", _TOP), 1)
        )
        return Mapping(name, read, controls, digest, self.text(table, "about", _TOP) or "")

    def wrong(self, where: str, says: str, /, **values: object) -> None:
        self.problems.append(Said("{where}: {problem}", where=where, problem=Said(says, **values)))

    # -- the three kinds of tables

    def file(self, table: Dict[str, object], top: Dict[str, object], where: str) -> FileMapping:
        self.known(table, _FILE, where)
        source, timezone, currency = self.context(table, top, where)
        facts = self.tables(table, "fact", where)
        shape, columns = self.text(table, "shape", where) or "", self.texts(table, "columns", where)
        if not facts and not shape:
            self.wrong(where, "gives no fact: add a [[file.fact]]")
        patterns = self.texts(table, "pattern", where)
        if not patterns and not columns:
            self.wrong(where, "needs a pattern such as 'deals*.csv', or the columns that tell it")
        skip = table.get("skip", 0)
        if not isinstance(skip, int) or isinstance(skip, bool) or skip < 0:
            self.wrong(where, "skip is a number of lines, not {given}", given=repr(skip))
            skip = 0
        return FileMapping(
            patterns=patterns, source=source, timezone=timezone, currency=currency, skip=skip,
            format=self.choice(table, "format", FORMATS, where), encoding=self.encoding(table, where),
            delimiter=self.delimiter(table, where), decimal=self.choice(table, "decimal", MARKS, where) or ".",
            sheet=self.text(table, "sheet", where), member=self.text(table, "member", where),
            nulls=self.texts(table, "nulls", where), shape=shape, columns=columns,
            comment=self.text(table, "comment", where), about=self.text(table, "about", where) or "",
            let=self.lets(table, where), guarded=self.flag(table, "guarded", where),
            escape=self.choice(table, "escape", ("\\",), where),
            facts=tuple(
                self.fact(item, Said("{where}, fact {n}", where=where, n=n)) for n, item in enumerate(facts, 1)
            ),
        )  # fmt: skip

    def fact(self, table: Dict[str, object], where: str) -> FactMapping:
        self.known(table, _FACT, where)
        fields = {
            name: self.value(table[name], name, _part(where, name)) for name in (*REQUIRED, *OPTIONAL) if name in table
        }
        for name in REQUIRED:
            if name not in fields:
                self.wrong(where, "needs {names}", names=name)
        kind = fields["kind"].template if "kind" in fields else ()
        if len(kind) == 1 and isinstance(kind[0], str) and not fields["kind"].map and kind[0] not in KINDS:
            self.kind(kind[0], where)
        elif len(kind) == 1 and isinstance(kind[0], str):
            self.needs(kind[0], fields, where)
        for name, code in fields["kind"].map if "kind" in fields else ():
            if code not in KINDS:
                self.kind(code, Said("{where}: map of {name!r}", where=where, name=name))
        keys, detail = self.named(table, "keys", where), self.named(table, "detail", where)
        if "same" in table:
            detail = tuple(sorted([*detail, (SAME, self.value(table["same"], "same", _part(where, "same")))]))
        for name, _ in keys:
            if not KEY_NAME.fullmatch(name):
                hint, known = nearest(name, ["domain", *PERSON_KEYS]), ", ".join(PERSON_KEYS)
                self.wrong(
                    where, "no key {name!r}; {hint}keys are {known}, person.<system>, domain, account.<system>",
                    name=name, hint=hint, known=known,
                )  # fmt: skip
        return FactMapping(fields=fields, keys=keys, detail=detail, when=self.conditions(table.get("when", {}), where))

    def control(
        self, table: Dict[str, object], top: Dict[str, object], files: Sequence[FileMapping], where: str
    ) -> Control:
        self.known(table, _CONTROL, where)
        sources = {file.source: file for file in files}
        source = self.text(table, "source", where) or self.text(top, "source", where) or ""
        if source not in sources:
            known = ", ".join(sources)
            self.wrong(where, "source {name!r} is read by no [[file]]; there are {known}", name=source, known=known)
        kind = self.text(table, "kind", where) or ""
        if kind not in KINDS:
            self.kind(kind, where)
        zone = sources[source].timezone if source in sources else None
        facts, amount = table.get("facts"), table.get("amount")
        if facts is None and amount is None:
            self.wrong(where, "says nothing: give facts, amount or both")
        if facts is not None and (not isinstance(facts, int) or isinstance(facts, bool) or facts < 0):
            self.wrong(where, "facts is a whole number, not {given}", given=repr(facts))
        if amount is not None and (not isinstance(amount, int | Decimal) or isinstance(amount, bool)):
            self.wrong(where, "amount is a number, not {given}", given=repr(amount))
        currency = self.currency(table, where) or (sources[source].currency if source in sources else None)
        if amount is not None and currency is None:
            self.wrong(where, "an amount needs its currency")
        return Control(
            source, kind, self.before(table, zone, where), facts if isinstance(facts, int) else None,
            Decimal(amount) if isinstance(amount, int | Decimal) else None, currency,
        )  # fmt: skip

    # -- parts of tables

    def context(
        self, table: Dict[str, object], top: Dict[str, object], where: str
    ) -> tuple[str, str | None, str | None]:
        source = self.text(table, "source", where) or self.text(top, "source", _TOP) or ""
        if not source:
            self.wrong(where, "needs a source, at the top level or in the [[file]]")
        elif not SOURCE_NAME.fullmatch(source):
            self.wrong(
                where, "source {name!r} is no source name: lower case letters, digits and underscores, a letter first",
                name=source,
            )  # fmt: skip
        timezone = self.timezone(table, where) or self.timezone(top, _TOP)
        return source, timezone, self.currency(table, where) or self.currency(top, _TOP)

    def lets(self, table: Dict[str, object], where: str) -> tuple[tuple[str, Value], ...]:
        """Read the values that stand beside the columns, in the order in which they are written."""
        given = table.get("let", {})
        if not isinstance(given, dict):
            self.wrong(where, "{name} is a table of values, not {given}", name="let", given=repr(given))
            return ()
        made = tuple((name, self.value(item, "let", _part(where, f"let.{name}"))) for name, item in given.items())
        for name, value in made:
            if value.only:
                self.wrong(where, "let.{name} cannot refuse rows: write only = true where a fact uses it", name=name)
        return made

    def value(self, given: object, field: str, where: str) -> Value:
        if isinstance(given, str):
            return Value(self.template(given, where))
        if not isinstance(given, dict) or "from" not in given:
            self.problems.append(
                Said(
                    '{where} is a text such as "{{column}}" or a table with `from`, not {given}',
                    where=where, given=repr(given),
                )
            )  # fmt: skip
            return Value(())
        timed, counted = field == "occurred_at", field in NUMBERS
        allowed = [*_VALUE, *(("format", "timezone") if timed else ()), *(("decimal", "sign") if counted else ())]
        self.known(given, (*allowed, "unit", *_RECKONED) if field == "amount" else allowed, where)
        reckoned = {name: tuple(self.template(t, where) for t in self.texts(given, name, where)) for name in _RECKONED}
        otherwise = self.text(given, "else", where)
        value = Value(
            template=self.template(self.text(given, "from", where) or "", where), map=self.replacements(given, where),
            only=self.flag(given, "only", where), lookup=self.lookup(given.get("lookup"), where),
            otherwise=None if otherwise is None else self.template(otherwise, where),
            formats=self.texts(given, "format", where), timezone=self.timezone(given, where),
            unit=self.choice(given, "unit", UNITS, where) or "major",
            decimal=self.choice(given, "decimal", MARKS, where), split=self.split(given, where),
            signs=self.texts(given, "sign", where), **reckoned,
        )  # fmt: skip
        if value.only and not (value.map or value.lookup):
            self.wrong(where, "only = true needs a map or a lookup that says what is allowed")
        return value

    def split(self, table: Dict[str, object], where: str) -> tuple[str, int] | None:
        mark, part = self.text(table, "split", where), table.get("part", 0)
        if mark is None and "part" not in table:
            return None
        if not mark or not isinstance(part, int) or isinstance(part, bool) or part == 0:
            self.wrong(where, "split is the text between parts, and part the number of one: 1, 2, or -1 for the last")
            return None
        return mark, part

    def template(self, text: str, where: str) -> Template:
        parts: list[Column | str] = []
        end = 0
        for match in _TEMPLATE.finditer(text):
            parts.append(text[end : match.start()])
            end, mark = match.end(), match.group()
            if match.group(1) is not None and match.group(1).strip():
                parts.append(Column(match.group(1).strip()))
            elif mark in ("{{", "}}"):
                parts.append(mark[0])
            else:
                self.wrong(
                    where, "a brace stands alone in {text!r}: write {{column}}, or {{{{ for a brace itself", text=text
                )
        parts.append(text[end:])
        joined: list[Column | str] = []
        for part in parts:
            if isinstance(part, str) and joined and isinstance(joined[-1], str):
                joined[-1] += part
            elif part != "":
                joined.append(part)
        return tuple(joined) or ("",)

    def conditions(self, given: object, where: str) -> tuple[Condition, ...]:
        if not isinstance(given, dict):
            self.wrong(where, 'when is a table such as {{ stage = "Won" }}, not {given}', given=repr(given))
            return ()
        return tuple(
            c for name, test in given.items() for c in self.condition(name.strip(), test, _part(where, f"when {name}"))
        )

    def condition(self, column: str, test: object, where: str) -> list[Condition]:
        if isinstance(test, str) or _is_texts(test):
            return [Condition(column, (test,) if isinstance(test, str) else tuple(test))]
        if not isinstance(test, dict) or not test:
            self.problems.append(
                Said(
                    "{where} is a text, a list of texts, {{ not = ... }} or {{ present = true }}, not {given}",
                    where=where, given=repr(test),
                )
            )  # fmt: skip
            return []
        self.known(test, ("not", "present", "above", "below"), where)
        above, below = self.bound(test, "above", where), self.bound(test, "below", where)
        bounds = [] if above is None and below is None else [Condition(column, above=above, below=below)]
        found = [Condition(column, self.texts(test, "not", where), negated=True)] if "not" in test else []
        found += [Condition(column, present=self.flag(test, "present", where))] if "present" in test else []
        return found + bounds

    def bound(self, table: Dict[str, object], name: str, where: str) -> Decimal | None:
        given = table.get(name)
        if given is None or (isinstance(given, int | Decimal) and not isinstance(given, bool)):
            return None if given is None else Decimal(given)
        self.wrong(where, "{name} is a number, not {given}", name=name, given=repr(given))
        return None

    def lookup(self, given: object, where: str) -> Lookup | None:
        if given is None:
            return None
        if not isinstance(given, dict):
            self.wrong(where, "lookup is a table with file, key and value, not {given}", given=repr(given))
            return None
        there = _part(where, "lookup")
        self.known(given, ("file", "shape", "key", "value", "first", "latest"), there)
        named = "shape" if "shape" in given else "file"
        names = {name: self.text(given, name, there) or "" for name in (named, "key", "value")}
        if missing := [name for name, text in names.items() if not text]:
            self.wrong(where, "lookup needs {names}", names=", ".join(missing))
        if "file" in given and "shape" in given:
            self.wrong(where, "lookup names a file or a shape, not both")
        return Lookup(
            names.get("file", ""),
            names["key"],
            names["value"],
            names.get("shape", ""),
            self.flag(given, "first", there),
            self.text(given, "latest", there) or "",
        )

    def needs(self, kind: str, fields: Dict[str, Value], where: str) -> None:
        for name in KINDS[kind].needs:
            if name not in fields and name != "currency":
                self.wrong(where, "a {kind} needs {name}", kind=kind, name=name)

    def kind(self, kind: str, where: str) -> None:
        self.wrong(
            where, "no kind {kind!r}; {hint}the vocabulary has {n}", kind=kind, hint=nearest(kind, KINDS), n=len(KINDS)
        )

    # -- single settings

    def known(self, table: Dict[str, object], allowed: Sequence[str], where: str) -> None:
        for name in table:
            if name not in allowed:
                hint, has = nearest(name, list(allowed)), ", ".join(allowed)
                self.wrong(where, "no key {name!r} here; {hint}allowed: {allowed}", name=name, hint=hint, allowed=has)

    def tables(self, table: Dict[str, object], name: str, where: str) -> list[dict[str, object]]:
        given = table.get(name, [])
        if isinstance(given, list) and all(isinstance(item, dict) for item in given):
            return given
        whole = name if where is _TOP else f"file.{name}"
        self.wrong(where, "{name} is written as [[{whole}]]", name=name, whole=whole)
        return []

    def named(self, table: Dict[str, object], name: str, where: str) -> tuple[tuple[str, Value], ...]:
        given = table.get(name, {})
        if not isinstance(given, dict):
            self.wrong(where, "{name} is a table of values, not {given}", name=name, given=repr(given))
            return ()
        return tuple(
            (key, self.value(item, name, _part(where, f"{name}.{key}"))) for key, item in sorted(given.items())
        )

    def text(self, table: Dict[str, object], name: str, where: str) -> str | None:
        given = table.get(name)
        if given is not None and not isinstance(given, str):
            self.wrong(where, "{name} is a text, not {given}", name=name, given=repr(given))
            return None
        return given

    def texts(self, table: Dict[str, object], name: str, where: str) -> tuple[str, ...]:
        given = table.get(name, [])
        if isinstance(given, str):
            return (given,)
        if _is_texts(given):
            return tuple(given)
        self.wrong(where, "{name} is a text or a list of texts, not {given}", name=name, given=repr(given))
        return ()

    def flag(self, table: Dict[str, object], name: str, where: str) -> bool:
        given = table.get(name, False)
        if not isinstance(given, bool):
            self.wrong(where, "{name} is true or false, not {given}", name=name, given=repr(given))
        return given is True

    def choice(self, table: Dict[str, object], name: str, allowed: Sequence[str], where: str) -> str | None:
        given = self.text(table, name, where)
        if given is not None and given not in allowed:
            choices = Said("{name!r}", name=allowed[0])
            for other in allowed[1:]:
                choices = Said("{choices} or {other!r}", choices=choices, other=other)
            self.wrong(where, "{name} is {choices}, not {given!r}", name=name, choices=choices, given=given)
            return None
        return given

    def encoding(self, table: Dict[str, object], where: str) -> str | None:
        given = self.text(table, "encoding", where)
        try:
            return codecs.lookup(given).name if given else None
        except LookupError:
            self.wrong(where, "no encoding {given!r}; for example utf-8, utf-16, windows-1252, cp949", given=given)
            return None

    def delimiter(self, table: Dict[str, object], where: str) -> str | None:
        given = self.text(table, "delimiter", where)
        if given is not None and (len(given) != 1 or not given.isascii() or given in '"\r\n'):
            self.wrong(where, "delimiter is one ASCII character and no quote, not {given!r}", given=given)
            return None
        return given

    def timezone(self, table: Dict[str, object], where: str) -> str | None:
        given = self.text(table, "timezone", where)
        if given not in (None, HOME) and given not in (zones := _zones()):
            hint = nearest(given or "", sorted(zones))
            self.wrong(where, "no timezone {given!r}; {hint}names are those of IANA", given=given, hint=hint)
            return None
        return given

    def currency(self, table: Dict[str, object], where: str) -> str | None:
        given = self.text(table, "currency", where)
        if given not in (None, HOME) and given not in CURRENCIES:
            hint = nearest(given or "", CURRENCIES)
            self.wrong(where, "no currency {given!r}; {hint}codes are those of ISO 4217", given=given, hint=hint)
            return None
        return given

    def replacements(self, table: Dict[str, object], where: str) -> tuple[tuple[str, str], ...]:
        given = table.get("map", {})
        if not isinstance(given, dict) or not _is_texts(list(given.values())):
            self.wrong(where, "map is a table of texts, not {given}", given=repr(given))
            return ()
        return tuple((str(key), str(item)) for key, item in given.items())

    def before(self, table: Dict[str, object], zone: str | None, where: str) -> datetime | None:
        given = table.get("before")
        if given is None:
            return None
        if isinstance(given, datetime) or not isinstance(given, date):
            self.wrong(where, "before is a day such as 2026-11-01, not {given}", given=repr(given))
            return None
        return datetime.combine(given, time(), zoneinfo.ZoneInfo(zone) if zone else UTC).astimezone(UTC)
