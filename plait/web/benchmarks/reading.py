"""Published figures: read with year, population and source, or refused."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from plait.failure import Said, Unfit
from plait.sources.file import write_through

PUBLISHED = Path(__file__).parent / "published.csv"
FILE = "benchmarks.csv"  # of a home: its own rows
COLUMNS = ("id", "value", "unit", "statement", "comparator", "population", "study", "year", "source")
OPTIONAL = ("comparator", "study")
YEAR = re.compile(r"(<=)?(19|20)\d\d")
SECONDARY = "sec_"  # rows of sources that quote another; hidden until the study itself is checked


class BadBenchmarks(Unfit, ValueError):
    """A file of published figures that cannot be shown; `problems` says why, one sentence each."""

    def __init__(self, file: str, problems: Sequence[str]) -> None:
        says = Said("{file} has figures that cannot be shown:", file=file)
        for problem in problems:
            says = Said("{above}\n- {problem}", above=says, problem=problem)
        super().__init__(says)
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One published figure. `year` is "2016", or "<=2016" for that year or before."""

    id: str
    value: Decimal
    unit: str
    statement: str
    comparator: str
    population: str
    study: str
    year: str
    source: str

    @property
    def checked(self) -> bool:
        """Tell whether the study itself was looked at."""
        return not self.id.startswith(SECONDARY)


def read_benchmarks(path: Path) -> list[Benchmark]:
    """Read published figures; a row without year, population or source refuses the whole file."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadBenchmarks(path.name, [Said("it cannot be read: {error}", error=str(error))]) from error
    lines = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in COLUMNS if name not in (lines.fieldnames or ())]
    if missing:
        says = Said(
            "it lacks the columns {missing}; it needs: {all}.", missing=", ".join(missing), all=", ".join(COLUMNS)
        )
        raise BadBenchmarks(path.name, [says])
    found: dict[str, Benchmark] = {}
    problems: list[str] = []
    for row in lines:
        told = {name: (row[name] or "").strip() for name in COLUMNS}
        wrong = _problems(told, lines.line_num, known=told["id"] in found)
        problems += wrong
        if not wrong:
            found[told["id"]] = Benchmark(**{**told, "value": Decimal(told["value"])})  # type: ignore[arg-type]
    if problems:
        raise BadBenchmarks(path.name, problems)
    return list(found.values())


def load(home: Path, path: Path) -> list[Benchmark]:
    """Keep a firm's own file of figures in its home, in place of the one before."""
    found = read_benchmarks(path)
    kept = home / FILE
    temporary = kept.with_suffix(".tmp")
    temporary.write_bytes(path.read_bytes())
    write_through(temporary)
    temporary.rename(kept)
    return found


def benchmarks(home: Path) -> list[Benchmark]:
    """Give what plait comes with and what the home has of its own; of one id the home's row holds."""
    own = home / FILE
    known = {one.id: one for one in read_benchmarks(PUBLISHED)}
    known |= {one.id: one for one in (read_benchmarks(own) if own.exists() else ())}
    return list(known.values())


def _problems(row: Mapping[str, str], line: int, *, known: bool) -> list[str]:
    """Say all that is wrong with a row."""
    said: list[str] = [
        Said("line {line}: {column} is empty; every figure is shown with its year, population and source.",
             line=line, column=name)
        for name in COLUMNS
        if name not in OPTIONAL and not row[name]
    ]  # fmt: skip
    if row["year"] and not YEAR.fullmatch(row["year"]):
        said.append(Said("line {line}: year is {year!r}; write 2016, or <=2016 for that year or before.",
                         line=line, year=row["year"]))  # fmt: skip
    if row["value"] and _number(row["value"]) is None:
        said.append(
            Said("line {line}: value is {value!r}; write a number such as 66.7.", line=line, value=row["value"])
        )
    if known:
        said.append(Said("line {line}: the id {id!r} stands there twice; give each figure its own.",
                         line=line, id=row["id"]))  # fmt: skip
    return said


def _number(text: str) -> Decimal | None:
    try:
        read = Decimal(text)
    except InvalidOperation:
        return None
    return read if read.is_finite() else None
