"""The model: logistic regression held back by a penalty, calibrated on later rows than those it was fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.failure import Said, Unfit
from plait.stats.chance.design import Array, Columns, Feature, learn, matrix, take

PENALTY = 0.1  # C: the smaller, the more the coefficients are held back
CALIBRATED_ON = 0.3  # of the rows that are learned from: the latest
LEAST_EVENTS = 10  # of the rarer outcome for each parameter
LEAST_CALIBRATING = 50  # outcomes: with fewer the calibration would be chance
LEAST_SLOPE, MOST_SLOPE = 0.05, 20.0
Z95 = 1.959963984540054


class NotEnough(Unfit, ValueError):
    """Too few outcomes for a model: any would say more than is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A fitted model. The calibrated logit is `intercept` + the sum of `weights` times the features.

    `covariance` is that of (intercept, weights), of the fit alone; `slope` and `shift` are the calibration already in
    them, (1, 0) where it could not be learned.
    """

    features: tuple[Feature, ...]
    weights: Array
    intercept: float
    covariance: Array
    slope: float
    shift: float
    rows: int
    events: int

    def logit(self, columns: Columns) -> Array:
        """Give the log-odds of each row."""
        return matrix(columns, self.features) @ self.weights + self.intercept

    def chance(self, columns: Columns) -> Array:
        """Give the chance of each row."""
        return expit(self.logit(columns))

    def interval(self, columns: Columns) -> tuple[Array, Array]:
        """Give the limits that hold each row's chance in 95 of 100 cases, by the width of the coefficients alone."""
        made = matrix(columns, self.features)
        row = np.column_stack([np.ones(len(made)), made])
        logit = made @ self.weights + self.intercept
        width = Z95 * np.sqrt(np.maximum(((row @ self.covariance) * row).sum(axis=1), 0.0))
        return expit(logit - width), expit(logit + width)

    def contributions(self, columns: Columns) -> dict[str, Array]:
        """Give what each column adds to the log-odds of each row; with the intercept they sum to the logit."""
        parts = matrix(columns, self.features) * self.weights
        names = dict.fromkeys(one.column for one in self.features)
        return {
            name: parts[:, [one.column == name for one in self.features]].sum(axis=1) for name in names
        }  # fmt: skip

    def told(self) -> dict[str, object]:
        """Give it as JSON keeps it."""
        return {
            "features": [[one.column, one.level, one.mean, one.scale] for one in self.features],
            "weights": self.weights.tolist(), "intercept": self.intercept, "covariance": self.covariance.tolist(),
            "slope": self.slope, "shift": self.shift, "rows": self.rows, "events": self.events,
        }  # fmt: skip

    @classmethod
    def of(cls, told: Mapping[str, object]) -> Model:
        """Give what `told` has told."""
        features, numbers = told["features"], {name: float(str(told[name])) for name in ("intercept", "slope", "shift")}
        assert isinstance(features, list)  # noqa: S101 - as `told` has written it
        return cls(
            tuple(Feature(str(column), level, float(mean), float(scale)) for column, level, mean, scale in features),
            np.asarray(told["weights"], np.float64), numbers["intercept"], np.asarray(told["covariance"], np.float64),
            numbers["slope"], numbers["shift"], int(str(told["rows"])), int(str(told["events"])),
        )  # fmt: skip


def expit(logit: Array) -> Array:
    """Give the chance that has these log-odds."""
    return 1.0 / (1.0 + np.exp(-np.clip(logit, -500, 500)))


def fit(columns: Columns, happened: Array, *, penalty: float = PENALTY, calibrate: bool = True) -> Model:
    """Fit to rows in the order of time: `happened` is 0 or 1 for each.

    The calibration is learned on the latest three tenths by a model of the rows before them, then the model is fitted
    to all of them. Refused with fewer than ten of the rarer outcome for each parameter.
    """
    features = learn(columns)
    events = int(min(happened.sum(), happened.size - happened.sum()))
    if events < LEAST_EVENTS * max(1, len(features)):
        raise NotEnough(
            Said(
                "not enough: {events} outcomes for {parameters} parameters, it takes {least} for each; use fewer "
                "columns or more rows.",
                events=events, parameters=len(features), least=LEAST_EVENTS,
            )
        )  # fmt: skip
    slope, shift = _calibration(columns, happened, penalty) if calibrate else (1.0, 0.0)
    made = matrix(columns, features)
    weights, intercept = _logistic(made, happened, penalty)
    covariance = _covariance(made, expit(made @ weights + intercept), penalty)
    return Model(
        features, slope * weights, slope * intercept + shift, slope**2 * covariance, slope, shift, happened.size, events
    )


def _calibration(columns: Columns, happened: Array, penalty: float) -> tuple[float, float]:
    """Give slope and shift of the logit, learned on the latest rows; (1, 0) where these say nothing of it."""
    cut = int(happened.size * (1 - CALIBRATED_ON))
    early, late = np.arange(cut), np.arange(cut, happened.size)
    if (
        min(happened[late].sum(), late.size - happened[late].sum()) < LEAST_CALIBRATING
        or len(set(happened[early])) == 1
    ):
        return 1.0, 0.0
    before, after = take(columns, early), take(columns, late)
    features = learn(before)
    if not features:
        return 1.0, 0.0
    weights, intercept = _logistic(matrix(before, features), happened[early], penalty)
    logit = matrix(after, features) @ weights + intercept
    slope, shift = line(logit, happened[late])
    return (slope, shift) if LEAST_SLOPE <= slope <= MOST_SLOPE else (1.0, 0.0)


def line(logit: Array, happened: Array) -> tuple[float, float]:
    """Give slope and shift of the log-odds that what happened has on a foretold logit: (1, 0) is calibrated."""
    if np.ptp(logit) < 1e-9 or len(set(happened)) == 1:  # noqa: PLR2004 - nothing that a line could be laid through
        return 1.0, 0.0
    weights, shift = _logistic(logit[:, None], happened, 1e6)
    return float(weights[0]), shift


def _logistic(made: Array, happened: Array, penalty: float) -> tuple[Array, float]:
    from sklearn.linear_model import LogisticRegression

    # Newton's method: exact in a few steps where rows are many and columns few
    fitted = LogisticRegression(C=penalty, solver="newton-cholesky", max_iter=200).fit(made, happened)
    return np.asarray(fitted.coef_[0], np.float64), float(fitted.intercept_[0])


def _covariance(made: Array, chance: Array, penalty: float) -> npt.NDArray[np.float64]:
    """Give the inverse of the curvature at the optimum, the penalty with it."""
    row = np.column_stack([np.ones(len(made)), made])
    curvature = (row * (chance * (1 - chance))[:, None]).T @ row
    curvature[np.arange(1, len(curvature)), np.arange(1, len(curvature))] += 1 / penalty
    return np.asarray(np.linalg.pinv(curvature), np.float64)
