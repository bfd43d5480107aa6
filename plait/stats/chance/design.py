"""Design: columns of numbers and texts as a matrix, the same way for what is learned from and for what is foretold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]
Columns = Mapping[str, "Array | Texts"]
MOST_LEVELS = 50
OTHER, MISSING = "(other)", "(missing)"


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the matrix, made of `column`: a number, or whether a text is `level`.

    It is centred and scaled by what was learned from. A missing number is the mean; whether it is missing is a feature
    of its own where any was.
    """

    column: str
    level: str | None
    mean: float
    scale: float

    @property
    def name(self) -> str:
        """How people read it."""
        return self.column if self.level is None else f"{self.column} = {self.level}"


def take(columns: Columns, rows: npt.NDArray[np.int64] | Flags) -> Columns:
    """Give some rows of columns."""
    return {name: column[rows] for name, column in columns.items()}


def learn(columns: Columns) -> tuple[Feature, ...]:
    """Learn which features there are; columns that never change bring none."""
    features: list[Feature] = []
    for name, column in columns.items():
        if column.dtype == object:
            found = [
                Feature(name, level, share, float(np.sqrt(share * (1 - share)))) for level, share in _shares(column)
            ]
        else:
            found = _of_numbers(name, column.astype(np.float64))
        features += [one for one in found if one.scale > 1e-12]  # noqa: PLR2004 - what never changes tells nothing
    return tuple(features)


def matrix(columns: Columns, features: Sequence[Feature]) -> Array:
    """Give the matrix of some rows: a column for each feature, in units of its standard deviation."""
    size = len(next(iter(columns.values()))) if columns else 0
    made = np.empty((size, len(features)))
    for name in dict.fromkeys(one.column for one in features):
        mine = [place for place, one in enumerate(features) if one.column == name]
        for place, raw in zip(mine, _raw(columns[name], [features[place].level for place in mine]), strict=True):
            one = features[place]
            made[:, place] = np.where(np.isnan(raw), 0.0, (raw - one.mean) / one.scale)
    return made


def _of_numbers(name: str, numbers: Array) -> list[Feature]:
    missing = np.isnan(numbers)
    known = numbers[~missing]
    if not known.size:
        return []
    share = float(missing.mean())
    return [
        Feature(name, None, float(known.mean()), float(known.std())),
        Feature(name, MISSING, share, float(np.sqrt(share * (1 - share)))),
    ]


def _shares(column: Array | Texts) -> list[tuple[str, float]]:
    """Give the texts of a column and the share of each, the most frequent first, those beyond 50 as one."""
    names, counts = np.unique(column.astype(str), return_counts=True)
    order = np.lexsort((names, -counts))
    kept = [(str(names[place]), float(counts[place] / column.size)) for place in order[:MOST_LEVELS]]
    rest = 1.0 - sum(share for _name, share in kept)
    return [*kept, (OTHER, rest)] if len(names) > MOST_LEVELS else kept


def _raw(column: Array | Texts, levels: Sequence[str | None]) -> Iterator[Array]:
    """Give a column as the numbers of each of its features."""
    if column.dtype != object:
        numbers = column.astype(np.float64)
        for level in levels:
            yield np.isnan(numbers).astype(np.float64) if level == MISSING else numbers
        return
    names, place = np.unique(column.astype(str), return_inverse=True)
    for level in levels:
        mine = ~np.isin(names, [one for one in levels if one is not None]) if level == OTHER else names == level
        yield mine[place].astype(np.float64)
