"""Measures: questions with a definition.

A measure is a plain function `(facts, *, options) -> ibis table` under `@measure`. Its docstring is the definition on
every surface, its keyword-only arguments are the options, the decorator names owner, grain and the unit of each column.
What the command line, the API, the pages, the docs and the free tests need is read from here and written nowhere else.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from plait.facts import DEPARTMENTS, KINDS, OFTEN, nearest
from plait.failure import Misused, Said
from plait.points.kept import beginning
from plait.points.rules import Scoring
from plait.stages import shipped

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

    from plait.facts import Kind
    from plait.stages import RuleSet

# How the value of a cell is read, by the unit its column declares; any other unit is a count of the things it names.
TEXT_UNITS = frozenset({"text", "id", "cohort", "stage", "currency"})
DATE_UNITS = frozenset({"day", "month"})
FLOAT_UNITS = frozenset(
    {"share", "score", "ratio", "days", "months", "minutes", "seconds", "points", "credit", "touches", "expected"}
)  # a score is -1 to 1, read times 100
MONEY_UNIT = "money"  # in the major unit of the row's `currency` column

# A day that a measure is given: a value of the query, so that one query does for all days. As an option it is a date.
if TYPE_CHECKING:
    Day: TypeAlias = ir.DateScalar
else:
    Day = date

Cell: TypeAlias = str | int | float | Decimal | date | None

# What a number is to the firm: money, a count of things that happened, or a sign that only stands for an outcome.
Sort: TypeAlias = Literal["money", "count", "proxy"]
State: TypeAlias = Literal["unsigned", "half-signed", "signed", "changed"]
AXES = frozenset({"by", "since", "until", "show", "most", "account"})  # options that choose what is shown of a number


class UnknownMeasure(Misused, LookupError):
    """Somebody asked for a measure that nobody has defined."""

    def __init__(self, name: str, known: Iterator[str]) -> None:
        names = list(known)
        says = Said(
            "no measure {name!r}; {hint}`plait measures` lists all {n}.",
            name=name, hint=nearest(name, names), n=len(names),
        )  # fmt: skip
        super().__init__(says)


class BadOption(Misused, ValueError):
    """An option that the measure does not have, or a value that it does not take."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The smallest and the largest value an option takes, both included."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What a measure sees: the facts of the timeline that had happened before `as_of`, with account and person.

    `table` has the columns of `plait.facts.Fact` (`detail` as JSON text) less `keys`, for which `account` and `person`
    stand, and `occurred_on`, the local day in the firm's time zone; `often` (y or n) tells whether the kind is one of
    `plait.facts.OFTEN`, which lie in files of their own. `rejects` holds the refused rows
    (`plait.facts.Refusal` and `recorded_at`), `loads` what each file and each segment of live events brought
    (`plait.store.LOADS`). `as_of` is an instant in naive UTC, the first one not seen; `today` its local day, and
    `began` the instant at which the last day that is seen began: what is due on that day is not late yet. All three
    are values of the query, not of Python. `currency` is the currency the firm reports in, None when it has named
    none. `read` collects the kinds that a measure has asked for, `scoring` is what the firm scores accounts by.
    `rules` are the versions of the firm's stage rules, of which the last one holds.
    """

    table: ir.Table
    rejects: ir.Table
    loads: ir.Table
    as_of: ir.TimestampScalar
    today: ir.DateScalar
    began: ir.TimestampScalar
    currency: str | None = None
    read: set[str] = field(default_factory=set)
    scoring: Scoring = field(default_factory=beginning)
    rules: Sequence[RuleSet] = field(default_factory=lambda: (shipped(),))

    @property
    def stages(self) -> RuleSet:
        """Give the stage rules that hold."""
        return self.rules[-1]

    def stages_of(self, version: int | None) -> RuleSet:
        """Give a version of the stage rules; None are those that hold."""
        if version is None:
            return self.rules[-1]
        if version >= len(self.rules):
            says = "there is no version {n} of the stage rules; allowed: 0 to {last}, or none for those that hold."
            raise BadOption(Said(says, n=version, last=len(self.rules) - 1))
        return self.rules[version]

    def every(self) -> ir.Table:
        """Give the facts of all kinds."""
        self.read.update(KINDS)
        return self.table

    def of(self, *kinds: str) -> ir.Table:
        """Give the facts of these kinds."""
        often = {known_kind(kind).name in OFTEN for kind in kinds}
        self.read.update(kinds)
        told = self.table.filter(self.table.kind.isin(kinds))
        return told.filter(told.often == ("y" if often.pop() else "n")) if len(often) == 1 else told


@dataclass(frozen=True, slots=True)
class Caution:
    """A warning that holds when `where` has rows.

    `says` is printed with `{n}`, the number of rows, `{some}`, the first column of the first three of them, and the
    texts in `names`. It is one sentence whatever is asked, so that every language can have it.
    """

    where: ir.Table
    says: str
    names: Mapping[str, str] = field(default_factory=dict)


def remark(says: str, names: Mapping[str, str], *, n: int, some: Sequence[str]) -> Said:
    """Say a caution that holds for `n` rows, of which `some` are the first."""
    first = ", ".join(some)
    examples = Said("{first} and others", first=first) if n > len(some) else first
    return Said(says, n=n, some=examples, **{name: Said(text) for name, text in names.items()})


@dataclass(frozen=True, slots=True)
class Solution:
    """What mathematics makes of a measure's sums: the rows of the answer, and what must be said beside them.

    `estimates` says what the numbers estimate, and under which assumption; `remarks` also say why there are none.
    """

    rows: Sequence[tuple[object, ...]]
    remarks: Sequence[str] = ()
    estimates: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A measure's rows together with the cautions that the reader must see beside them.

    A measure of two steps lets the engine add up what its mathematics needs and no more: then `rows` are those sums,
    and `solve` makes the rows of the measure from them, whatever order they come in.
    """

    rows: ir.Table
    cautions: tuple[Caution, ...] = ()
    solve: Callable[[pa.Table], Solution] | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a measure: what it may be and what it is when nobody says.

    `type` is `int`, `float`, `str`, `bool`, `date` or `tuple` (of texts); `choices` is empty where any value will do.
    """

    name: str
    type: type
    default: object
    optional: bool = False
    choices: tuple[str, ...] = ()
    bounds: Bounds | None = None

    def read(self, value: object) -> object:
        """Turn text or a Python value into what the measure takes, or raise `BadOption` with what is allowed."""
        if value is None or (isinstance(value, str) and value.lower() == "none"):
            if self.optional:
                return None
            raise self._refused(value)
        read = self._typed(value)
        if read != read or (self.choices and read not in self.choices):  # noqa: PLR0124 - NaN is no number
            raise self._refused(value)
        if self.bounds and not self.bounds.least <= Decimal(str(read)) <= self.bounds.most:
            raise self._refused(value)
        return read

    def _typed(self, value: object) -> object:
        try:
            if self.type is tuple:
                parts = value.split(",") if isinstance(value, str) else list(value)  # type: ignore[call-overload]
                return tuple(str(part).strip() for part in parts)
            if self.type is bool and isinstance(value, str):
                return {"true": True, "yes": True, "false": False, "no": False}[value.lower()]
            if self.type is date:
                return value if isinstance(value, date) else date.fromisoformat(str(value))
            return self.type(value)
        except (ValueError, TypeError, KeyError):
            raise self._refused(value) from None

    def _refused(self, value: object) -> BadOption:
        return BadOption(
            Said(
                "option {name} cannot be {value!r}; allowed: {allowed}.",
                name=self.name,
                value=value,
                allowed=self.allowed(),
            )
        )

    def allowed(self) -> str:
        """Say in words what the option takes."""
        words = {
            int: Said("a whole number"),
            float: Said("a number"),
            str: Said("a text"),
            bool: Said("yes or no"),
            date: Said("a day like 2026-01-31"),
        }
        said = ", ".join(self.choices) or words.get(self.type, Said("names separated by commas"))
        if self.bounds:
            said = Said("{what} from {least} to {most}", what=said, least=self.bounds.least, most=self.bounds.most)
        return Said("{what}, or none", what=said) if self.optional else said


@dataclass(frozen=True, slots=True)
class Signature:
    """One department's agreement to a definition: who gave it, and when (naive UTC)."""

    department: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Definition:
    """How far a firm has agreed on the definition that a number was made by.

    `number` counts a measure's definitions in a home, 0 is the one that plait came with. `options` are the agreed
    values of the options that change what is counted; `departs` names those that a question chose otherwise. `state`
    is unsigned, half-signed (one department has), signed, or changed: both have, and plait's own definition has become
    another since.
    """

    number: int = 0
    state: State = "unsigned"
    options: tuple[tuple[str, object], ...] = ()
    signatures: tuple[Signature, ...] = ()
    departs: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Tell whether both departments have signed what the number was made by."""
        return self.state == "signed" and not self.departs

    def asked(self, options: Mapping[str, object]) -> Definition:
        """Give the same definition with the names of the options that a question chose otherwise than was agreed."""
        departs = tuple(name for name, value in self.options if name in options and options[name] != value)
        return replace(self, departs=departs)

    def told(self) -> dict[str, object]:
        """Give it as programs read it: departments and days, no names of people."""
        signed = [{"department": one.department, "on": one.at.date().isoformat()} for one in self.signatures]
        return {"version": self.number, "state": self.state, "signed_by": signed, "departs": list(self.departs)}


UNAGREED = Definition()


@dataclass(frozen=True, slots=True)
class Measure:
    """A question, its definition and how to answer it.

    `means` is the docstring; `columns` maps each column of the answer to its unit; `grain` says what one row is;
    `origin` names the paper or the standard the definition follows, empty where it is our own; `version` rises when a
    change of the definition changes numbers. `parent` is the measure that this one helps to explain, empty where it is
    an outcome itself; `proxy` is true where it only stands for an outcome, as the mood of customers does for revenue.
    """

    name: str
    owner: str
    grain: str
    columns: Mapping[str, str]
    means: str
    origin: str
    version: int
    options: Mapping[str, Option]
    build: Callable[..., ir.Table | Answer]
    parent: str = ""
    proxy: bool = False

    @property
    def names_customers(self) -> bool:
        """Tell whether its rows name accounts or people: then only who may see customers may see them."""
        return "id" in self.columns.values()

    @property
    def sort(self) -> Sort:
        """Tell whether it is money, a count or a proxy."""
        if self.proxy:
            return "proxy"
        return "money" if MONEY_UNIT in self.columns.values() else "count"

    @property
    def signers(self) -> tuple[str, str]:
        """Name the two departments that agree on the definition: its owner and finance for money, else sales."""
        money = MONEY_UNIT in self.columns.values()
        other, instead = ("finance", "marketing") if money else ("sales", "marketing")
        return (instead if self.owner == other else self.owner), other

    @property
    def digest(self) -> str:
        """Give a short name of the whole definition: another text, column, option or version has another one."""
        options = [(o.name, o.type.__name__, o.default, o.choices) for o in self.options.values()]
        told = repr((self.means, self.version, self.grain, list(self.columns.items()), options))
        return sha256(told.encode()).hexdigest()[:16]

    def read_options(self, given: Mapping[str, object], agreed: Sequence[tuple[str, object]] = ()) -> dict[str, object]:
        """Check and complete the options that somebody gave; what nobody named is as agreed, else as by default."""
        for name in given:
            if name not in self.options:
                hint, has = nearest(name, list(self.options)), ", ".join(self.options) or Said("none")
                raise BadOption(
                    Said(
                        "{measure} has no option {name!r}; {hint}it has: {has}.",
                        measure=self.name,
                        name=name,
                        hint=hint,
                        has=has,
                    )
                )
        unnamed = {name: option.default for name, option in self.options.items()} | dict(agreed)
        return {
            name: option.read(given[name]) if name in given else unnamed[name] for name, option in self.options.items()
        }

    def answer(self, facts: Facts, options: Mapping[str, object]) -> Answer:
        """Build the answer's expression; nothing is run yet."""
        import ibis

        given = {name: ibis.literal(value) if isinstance(value, date) else value for name, value in options.items()}
        built = self.build(facts, **given)
        return built if isinstance(built, Answer) else Answer(built)


@dataclass(frozen=True, slots=True)
class Table:
    """An answer: rows that never travel without their definition and their query.

    `as_of` is aware UTC; `facts_version` the version of the facts it was read from; `took` in seconds. `estimates` is
    what the numbers of a model estimate, empty where nothing is estimated; `definition` who has agreed on them.
    """

    measure: Measure
    as_of: datetime
    facts_version: int
    options: Mapping[str, object]
    rows: list[tuple[Cell, ...]]
    sql: str
    warnings: Sequence[str] = ()
    took: float = 0.0
    estimates: str = ""
    definition: Definition = UNAGREED

    @property
    def version(self) -> int:
        """The version of the definition."""
        return self.measure.version

    @property
    def columns(self) -> Mapping[str, str]:
        """Each column's name and unit, in order."""
        return self.measure.columns

    def records(self) -> list[dict[str, Cell]]:
        """Give the rows as records, column names as keys."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


registry: dict[str, Measure] = {}


def measure(
    *,
    owner: str,
    grain: str,
    columns: Mapping[str, str],
    origin: str = "",
    version: int = 1,
    parent: str = "",
    proxy: bool = False,
) -> Callable[[Callable[..., ir.Table | Answer]], Measure]:
    """Register a function as a measure. `owner` is a department; `columns` maps names to units, in order."""
    if owner not in DEPARTMENTS:
        message = f"owner {owner!r} is no department; allowed: {', '.join(DEPARTMENTS)}."
        raise ValueError(message)

    def register(build: Callable[..., ir.Table | Answer]) -> Measure:
        made = Measure(
            name=build.__name__,
            owner=owner,
            grain=grain,
            columns=dict(columns),
            means=inspect.getdoc(build) or "",
            origin=origin,
            version=version,
            options=_options_of(build),
            build=build,
            parent=parent,
            proxy=proxy,
        )
        registry[made.name] = made
        return made

    return register


def known_measure(name: str) -> Measure:
    """Find a measure by name, or raise `UnknownMeasure` with the nearest one."""
    if name not in registry:
        raise UnknownMeasure(name, iter(sorted(registry)))
    return registry[name]


def known_kind(name: str) -> Kind:
    """Find a kind by name, or raise `BadOption` with the nearest one."""
    if name not in KINDS:
        says = Said(
            "no kind {name!r}; {hint}docs/kinds.md lists all {n}.", name=name, hint=nearest(name, KINDS), n=len(KINDS)
        )
        raise BadOption(says)
    return KINDS[name]


def _options_of(build: Callable[..., ir.Table | Answer]) -> dict[str, Option]:
    """Read the options from the keyword-only arguments: type, bounds, choices and default."""
    parameters = [p for p in inspect.signature(build).parameters.values() if p.kind is p.KEYWORD_ONLY]
    hints = get_type_hints(build, include_extras=True)
    return {p.name: _option(p.name, hints[p.name], p.default) for p in parameters}


def _option(name: str, hint: Any, default: object) -> Option:  # noqa: ANN401 - a type hint is any object
    option = Option(name, str, default)
    while get_origin(hint) in (Annotated, types.UnionType, Union):  # in either order: bounded or none, none or bounded
        if get_origin(hint) is Annotated:
            hint, bounds = get_args(hint)
            option = replace(option, bounds=bounds)
        else:
            (hint,) = (part for part in get_args(hint) if part is not type(None))
            option = replace(option, optional=True)
    if get_origin(hint) is Literal:
        return replace(option, choices=get_args(hint))
    return replace(option, type=get_origin(hint) or hint)
