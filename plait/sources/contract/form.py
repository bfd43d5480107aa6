"""Forms: what a data contract promises, once it is understood: shapes of files, rules for rows, bands, owners."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import PurePosixPath

from plait.failure import Said, Unfit
from plait.sources.file import pattern_fits
from plait.sources.form import Control

NUMBERED = ("number", "integer")
TIMED = ("date", "timestamp", "time")
IN_FORCE = ("active", "deprecated")
STATUSES = ("proposed", "draft", *IN_FORCE, "retired")

Holds = Callable[[Decimal, Decimal, Decimal], bool]
OPERATORS: dict[str, tuple[str, Holds]] = {
    "mustBe": ("exactly {least}", lambda n, least, _most: n == least),
    "mustNotBe": ("anything but {least}", lambda n, least, _most: n != least),
    "mustBeGreaterThan": ("more than {least}", lambda n, least, _most: n > least),
    "mustBeGreaterOrEqualTo": ("at least {least}", lambda n, least, _most: n >= least),
    "mustBeLessThan": ("less than {least}", lambda n, least, _most: n < least),
    "mustBeLessOrEqualTo": ("at most {least}", lambda n, least, _most: n <= least),
    "mustBeBetween": ("more than {least} and less than {most}", lambda n, least, most: least < n < most),
    "mustNotBeBetween": ("at most {least}, or at least {most}", lambda n, least, most: not least < n < most),
}
"""The operators of the standard; its text says that between is `mustBeGreaterThan` with `mustBeLessThan`."""


class BadContract(Unfit, ValueError):
    """A contract that cannot be used; the message lists every problem found."""

    def __init__(self, name: str, problems: Sequence[str]) -> None:
        says = Said("{file}: ", file=name) if len(problems) > 1 else Said("{file}: {problem}", file=name,
                                                                         problem=problems[0])  # fmt: skip
        for problem in problems if len(problems) > 1 else ():
            says = Said("{above}\n- {problem}", above=says, problem=problem)
        super().__init__(says)
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a contract speaks of: its name in the file, its type, and how its days or times are written.

    `zoned` tells whether an instant must name its zone; `zone` is the one that it is in where it names none.
    """

    name: str
    type: str = ""
    format: str = ""
    zoned: bool = False
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Limit:
    """What a count must be: an operator of the standard with its numbers, of rows or in percent of the rows."""

    operator: str
    least: Decimal
    most: Decimal = Decimal(0)
    percent: bool = False

    def holds(self, count: int, rows: int) -> bool:
        """Tell whether a count keeps to it; a share of no rows is none."""
        judged = Decimal(count) * 100 / rows if self.percent and rows else Decimal(count)
        return OPERATORS[self.operator][1](judged, self.least, self.most)

    def words(self) -> Said:
        """Say it: "at most 5 % of the rows"."""
        said = Said(OPERATORS[self.operator][0], least=f"{self.least:,f}", most=f"{self.most:,f}")
        return Said("{limit} % of the rows", limit=said) if self.percent else Said("{limit} rows", limit=said)

    @property
    def none(self) -> bool:
        """Tell whether it lets no row pass: a rule for each row, not for a count of them."""
        at_most = self.operator in ("mustBe", "mustBeLessOrEqualTo") and self.least == 0
        return at_most or (self.operator == "mustBeLessThan" and not self.percent and 0 < self.least <= 1)


ASKS = {
    "required": "{column} is filled in",
    "type": "{column} is {than}",
    "zoned": "{column} names its time zone",
    "least": "{column} is at least {than}",
    "above": "{column} is above {than}",
    "most": "{column} is at most {than}",
    "below": "{column} is below {than}",
    "multiple": "{column} is a multiple of {than}",
    "shortest": "{column} has at least {than} letters",
    "longest": "{column} has at most {than} letters",
    "pattern": "{column} fits the pattern {than}",
    "written": "{column} is written as {than}",
    "allowed": "{column} is one of {than}",
    "barred": "{column} is none of {than}",
    "unique": "{column} is there once",
}
TYPE_WORDS = {
    "string": "text",
    "date": "a day",
    "timestamp": "an instant",
    "time": "a time of day",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "yes or no",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One promise about the rows of a shape: what is asked of a column, or of several together.

    `than` is what a value is held against. Without a `limit` a row that breaks it is refused; with one the broken rows
    are counted, and the load is judged by their count.
    """

    columns: tuple[Column, ...]
    asks: str
    than: tuple[str, ...] = ()
    limit: Limit | None = None

    @property
    def name(self) -> str:
        """The columns, as people read them."""
        return ", ".join(column.name for column in self.columns)

    def words(self) -> Said:
        """Say it: "`amount` is at least 0"."""
        than = Said(TYPE_WORDS[self.than[0]]) if self.asks == "type" else ", ".join(one or '""' for one in self.than)
        said = Said(ASKS[self.asks], column=self.name, than=than)
        return Said("{rule}, broken by {limit}", rule=said, limit=self.limit.words()) if self.limit else said


@dataclass(frozen=True, slots=True)
class Shape:
    """Files of one shape: which they are, their columns, the rules for their rows and how many rows they have.

    `whole` says that each export is the whole: what is there once is so within an export, not within all of them.
    """

    name: str
    pattern: str
    columns: tuple[Column, ...]
    needed: tuple[str, ...]
    rules: tuple[Rule, ...]
    volume: tuple[Limit, ...] = ()
    whole: bool = False

    def fits(self, file: str, read_as: str = "") -> bool:
        """Tell whether a file is of this shape: by its name (of an archive's member the last part), or by its kind."""
        by_name = pattern_fits(self.pattern, file) or pattern_fits(self.pattern, PurePosixPath(file).name)
        return by_name or (bool(read_as) and self.name == read_as)

    def column(self, name: str) -> Column | None:
        """Give a column by its name in the file."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class Promise:
    """How fresh a source is: an age that is not exceeded; `column` tells the age of a row (shape, column), if named."""

    age: timedelta
    said: str
    column: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Who stands for a source: a person, how to reach them, and for the department's side which department."""

    name: str
    address: str
    department: str = ""


@dataclass(frozen=True, slots=True)
class Contract:
    """A whole contract file; `not_judged` names what the standard has and plait does not judge, with where it stands.

    `latency` is how old the newest row may be when it is loaded, `frequency` how long until the next load. With
    `refuses` a load that breaks a rule is refused whole, before anything is stored.
    """

    text: str
    source: str
    name: str
    version: str
    status: str
    about: str
    it: Owner
    department: Owner
    shapes: tuple[Shape, ...]
    latency: tuple[Promise, ...]
    frequency: Promise | None
    totals: tuple[Control, ...]
    refuses: bool
    not_judged: tuple[tuple[str, str], ...]

    @property
    def in_force(self) -> bool:
        """Tell whether loads are judged by it."""
        return self.status in IN_FORCE

    def shape_of(self, file: str, read_as: str = "") -> Shape | None:
        """Give the shape that a file is of; `read_as` is what its columns told it as, such as `deals`."""
        return next((shape for shape in self.shapes if shape.fits(file, read_as)), None)


def texts() -> Iterator[str]:
    """Give the English texts that say a contract's rules, so that every language has them."""
    yield from ASKS.values()
    yield from TYPE_WORDS.values()
    yield from (text for text, _holds in OPERATORS.values())
