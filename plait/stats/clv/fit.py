"""Maximum likelihood for a few positive parameters: climbed in logs, finished by Newton, errors from curvature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plait.failure import Misused, Said, Unfit
from plait.stats.clv.special import Array, Flags

Z95 = 1.959963984540054
STEP = 1e-5  # of the central differences, in logs
LIMIT = np.log(
    1e5
)  # a parameter, beside its natural scale, beyond which the data say no more than "very large (small)"
VAGUE = 5.0  # a standard error of a log beyond which nothing is known of a parameter
LEAST_REPEATS = 30
NOTHING = 1e-9  # a step in logs, or what is left to climb in log-likelihood, that changes no digit

Surface = Callable[[Array], tuple[float, Array]]  # parameters to log-likelihood and its gradient


class TooFew(Unfit, ValueError):
    """Too few customers came back, or left, to say anything about the others."""


class NotIdentified(Unfit, ValueError):
    """The data fit equally well with a parameter as large, or as small, as one likes."""


class UnknownModel(Misused, ValueError):
    """Somebody named a model that there is not."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A parameter, how far it may be off, and the 95 % interval (made in logs: it never goes below zero)."""

    value: float
    standard_error: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A model as the data have it.

    `covariance_of_logs` is the covariance of the logarithms of `parameters`, in their order. `time_unit` of a rate is
    that of the rows it was fitted to. `notes` are what a reader must know beside the numbers.
    """

    model: str
    parameters: Mapping[str, Estimate]
    log_likelihood: float
    covariance_of_logs: Array
    customers: int
    notes: tuple[Said, ...] = ()

    @property
    def values(self) -> Array:
        """Give the parameters as an array, in their order."""
        return np.array([one.value for one in self.parameters.values()])


@dataclass(frozen=True, slots=True)
class Model:
    """The name of a model and of its parameters, each with the size that is natural for it in the data at hand."""

    name: str
    parameters: tuple[str, ...]
    scales: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Rough:
    """The surface of a part of the rows, and how many customers they stand for: enough to find the hill."""

    surface: Surface
    customers: float


def maximise(
    model: Model, surface: Surface, starts: Sequence[Sequence[float]], *, customers: int, rough: Rough | None = None
) -> Fit:
    """Find the parameters under which the data are likeliest.

    BFGS from every one of `starts`, on `rough` where one is given, then Newton's steps on `surface` until they change
    nothing. The curvature, by central differences of the exact gradient,
    gives the standard errors. Refused when a parameter runs away or the curvature leaves it open.
    """
    hill = _in_logs(surface if rough is None else rough.surface)
    logs = _climb(hill, [np.log(start) for start in starts], customers if rough is None else rough.customers)
    _refuse_bounds(model, logs)
    curvature = _curvature(hill, logs)
    if rough is not None:
        curvature = curvature * (customers / rough.customers)
    logs, curvature = _polish(_in_logs(surface), logs, curvature)
    _refuse_bounds(model, logs)
    covariance = _covariance(model, curvature)
    values, errors = np.exp(logs), np.sqrt(np.diag(covariance))
    estimates = {
        name: Estimate(float(value), float(value * error), *_between(value, error))
        for name, value, error in zip(model.parameters, values, errors, strict=True)
    }
    return Fit(model.name, estimates, surface(values)[0], covariance, customers)


def _between(value: float, error: float) -> tuple[float, float]:
    return float(value * np.exp(-Z95 * error)), float(value * np.exp(Z95 * error))


def _in_logs(surface: Surface) -> Surface:
    """Give a surface of logs: a parameter stays positive, its gradient is multiplied by it."""

    def of_logs(logs: Array) -> tuple[float, Array]:
        values = np.exp(np.clip(logs, -25.0, 25.0))
        height, gradient = surface(values)
        return height, gradient * values

    return of_logs


def _climb(surface: Surface, starts: Sequence[Array], customers: float) -> Array:
    """Give the highest place that BFGS reaches from any of the starts."""
    from scipy.optimize import minimize

    def down(logs: Array) -> tuple[float, Array]:
        height, gradient = surface(logs)
        return -height / customers, -gradient / customers

    options = {"gtol": 1e-6, "maxiter": 300}
    ends = [minimize(down, start, jac=True, method="BFGS", options=options) for start in starts]
    best = min(ends, key=lambda end: float(end.fun) if np.isfinite(end.fun) else np.inf)
    return np.asarray(best.x, np.float64)


def _polish(surface: Surface, logs: Array, curvature: Array, *, most: int = 50) -> tuple[Array, Array]:
    """Take Newton's steps to the top; give the place and the curvature there (minus the Hessian).

    A curvature is kept as long as it makes each step a quarter of the one before: to look at it costs eight steps.
    """
    height, gradient = surface(logs)
    before = np.inf
    for _ in range(most):
        if not _positive(curvature):
            break
        step: Array = np.linalg.solve(curvature, gradient).astype(np.float64)
        if float(step @ gradient) < NOTHING:
            break
        step, reached, slope = _uphill(surface, logs, step, height)
        size = float(np.abs(step).max())
        logs, height, gradient = logs + step, reached, slope
        if size < NOTHING:
            break
        if size > before / 4:
            curvature = _curvature(surface, logs)
        before = size
    return logs, _curvature(surface, logs)


def _uphill(surface: Surface, logs: Array, step: Array, height: float) -> tuple[Array, float, Array]:
    """Halve a step until it leads up; give it, and the height and gradient where it leads."""
    while True:
        reached, slope = surface(logs + step)
        if reached >= height or float(np.abs(step).max()) < NOTHING:
            return step, reached, slope
        step = step / 2


def _curvature(surface: Surface, logs: Array) -> Array:
    columns = []
    for place in range(logs.size):
        aside = np.zeros_like(logs)
        aside[place] = STEP
        columns.append((surface(logs - aside)[1] - surface(logs + aside)[1]) / (2 * STEP))
    square = np.stack(columns)
    return np.asarray((square + square.T) / 2, np.float64)


def _positive(square: Array) -> bool:
    return bool(np.isfinite(square).all() and np.linalg.eigvalsh(square)[0] > 0)


def _refuse_bounds(model: Model, logs: Array) -> None:
    """Refuse a place where a parameter has run away."""
    away = np.abs(logs - np.log(model.scales)) > LIMIT
    if away.any() or not np.isfinite(logs).all():
        raise _open(model, away)


def _covariance(model: Model, curvature: Array) -> Array:
    if not _positive(curvature):
        raise _open(model, np.ones(len(model.parameters), bool))
    covariance = np.linalg.inv(curvature)
    vague = np.sqrt(np.diag(covariance)) > VAGUE
    if vague.any():
        raise _open(model, vague)
    return np.asarray(covariance, np.float64)


def _open(model: Model, which: Flags) -> NotIdentified:
    names = ", ".join(name for name, one in zip(model.parameters, which, strict=True) if one)
    return NotIdentified(
        Said(
            "{model} is not identified: {names} may be as large or as small as one likes. Customers do not seem to "
            "differ in it; take more customers or a longer time, or another model.",
            model=model.name,
            names=names or ", ".join(model.parameters),
        )
    )


def refuse_few(model: str, repeat: int, customers: int) -> None:
    """Refuse data in which too few customers bought again."""
    if repeat < LEAST_REPEATS:
        raise TooFew(
            Said(
                "{repeat} of {customers} customers bought again; {model} needs {least} that did. Take more customers "
                "or a longer time.",
                repeat=repeat,
                customers=customers,
                model=model,
                least=LEAST_REPEATS,
            )
        )
