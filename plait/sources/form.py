"""Forms: what a mapping is, once it is understood: files, facts, values, conditions, control totals."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from plait.failure import Said, Unfit

REQUIRED = ("kind", "id", "occurred_at")
NUMBERS = ("amount", "quantity")


class BadMapping(Unfit, ValueError):
    """A mapping that cannot be used; the message lists every problem found."""

    def __init__(self, path: str, problems: Sequence[str]) -> None:
        if len(problems) == 1:
            says = Said("{file}: {problem}", file=path, problem=problems[0])
        else:
            says = Said("{file}: ", file=path)
            for problem in problems:
                says = Said("{above}\n- {problem}", above=says, problem=problem)
        super().__init__(says)
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file, by its trimmed name."""

    name: str


Template = tuple[Column | str, ...]
"""Constant texts and columns, to be put one after the other."""

ROW = Column("@row")  # not a column of the file: the line of the row in nine digits, so that ids sort as the rows do


HOME = "home"  # as a timezone or currency: the one that the home states


@dataclass(frozen=True, slots=True)
class Lookup:
    """A value found in another file of the folder: where column `key` has our value, take column `value`.

    The file is named, or it is every file of the load that was recognised as `shape`; without one nothing is found.
    Of several values that stand for one key, which are refused otherwise, `first` takes the first and `latest` the one
    of the row whose column of that name is greatest.
    """

    file: str
    key: str
    value: str
    shape: str = ""
    first: bool = False
    latest: str = ""

    @property
    def name(self) -> str:
        """Name the file, or the shape, for people."""
        return self.file or self.shape

    def columns(self) -> list[str]:
        """Give the names of the columns it reads there."""
        return [self.key, self.value, *([self.latest] if self.latest else [])]


@dataclass(frozen=True, slots=True)
class Value:
    """How one field of a fact is made from a row: `template`, then `split`, `map`, `lookup`, `otherwise`.

    `split` parts a text that holds several and takes one, counted from 1, or from the end by a number below 0.

    Of an amount, what `less` says is taken off, then it is multiplied by all of `times` and divided by all of `per`.
    """

    template: Template
    map: tuple[tuple[str, str], ...] = ()
    only: bool = False
    lookup: Lookup | None = None
    otherwise: Template | None = None
    formats: tuple[str, ...] = ()
    timezone: str | None = None
    unit: str = "major"
    decimal: str | None = None
    less: tuple[Template, ...] = ()
    times: tuple[Template, ...] = ()
    per: tuple[Template, ...] = ()
    split: tuple[str, int] | None = None
    signs: tuple[str, ...] = ()  # that stand beside a number and are taken off it

    def reckons(self) -> bool:
        """Tell whether it is reckoned from several numbers."""
        return bool(self.less or self.times or self.per)

    def columns(self) -> list[str]:
        """Give the names of the columns it reads."""
        reckoned = (part for template in (*self.less, *self.times, *self.per) for part in template)
        parts = (*self.template, *(self.otherwise or ()), *reckoned)
        return [part.name for part in parts if isinstance(part, Column) and part != ROW]


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of one column: it has one of `values`, or none of them (`negated`), or is filled in (`present`).

    Or it is a number greater than `above`, or smaller than `below`.
    """

    column: str
    values: tuple[str, ...] = ()
    negated: bool = False
    present: bool | None = None
    above: Decimal | None = None
    below: Decimal | None = None


@dataclass(frozen=True, slots=True)
class FactMapping:
    """One fact that a row gives where all conditions of `when` hold."""

    fields: Dict[str, Value]
    keys: tuple[tuple[str, Value], ...]
    detail: tuple[tuple[str, Value], ...]
    when: tuple[Condition, ...]

    def values(self) -> list[Value]:
        """Give every value of the fact."""
        return [*self.fields.values(), *(value for _, value in (*self.keys, *self.detail))]

    def columns(self) -> list[str]:
        """Give the names of the columns it reads."""
        return [name for value in self.values() for name in value.columns()] + [c.column for c in self.when]


@dataclass(frozen=True, slots=True)
class FileMapping:
    """How files of one shape are read, and the facts their rows give.

    A file is of this shape where one of `patterns` fits its name and its header has all of `columns`; either may be
    empty. Where `columns` are stated, any other column that is named may be missing, which leaves its values unknown.
    `let` names values that stand beside the columns: each may use those before it. `own` are the names of a file's
    columns, where it writes them another way than the shape does.
    """

    patterns: tuple[str, ...]
    source: str
    facts: tuple[FactMapping, ...]
    timezone: str | None = None
    currency: str | None = None
    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str = "."
    sheet: str | None = None
    skip: int = 0
    member: str | None = None
    nulls: tuple[str, ...] = ()
    shape: str = ""
    columns: tuple[str, ...] = ()
    comment: str | None = None
    let: tuple[tuple[str, Value], ...] = ()
    about: str = ""
    guarded: bool = False
    at_home: bool = False  # money whose currency is not named is in that of the home
    escape: str | None = None
    own: tuple[str, ...] = ()

    def lookups(self) -> list[Lookup]:
        """Give the distinct lookups of its facts."""
        found = (value.lookup for value in (*(v for _, v in self.let), *(v for f in self.facts for v in f.values())))
        return list(dict.fromkeys(lookup for lookup in found if lookup))

    def named(self) -> list[str]:
        """Give the names of the columns that it reads."""
        made = {name for name, _ in self.let}
        read = [name for fact in self.facts for name in fact.columns()]
        read += [name for _, value in self.let for name in value.columns()]
        return list(dict.fromkeys(name for name in read if name not in made))

    def required(self) -> tuple[str, ...]:
        """Give the names of the columns that a file must have."""
        return self.columns or tuple(self.named())


@dataclass(frozen=True, slots=True)
class Control:
    """What the exporting system says a sum must be: of `kind` in `source`, before an instant (UTC), if one is given."""

    source: str
    kind: str
    before: datetime | None
    facts: int | None
    amount: Decimal | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole mapping file; `digest` is the SHA-256 of its bytes."""

    name: str
    files: tuple[FileMapping, ...]
    controls: tuple[Control, ...]
    digest: str
    about: str = ""

    def at_home(self, zone: str, currency: str | None) -> Mapping:
        """Put a home's zone and currency where a file says that its own are those."""
        files = tuple(
            replace(
                file,
                timezone=zone if file.timezone == HOME else file.timezone,
                currency=currency if file.currency == HOME else file.currency,
                at_home=file.currency == HOME,
            )
            for file in self.files
        )
        return replace(self, files=files)
