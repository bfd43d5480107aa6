"""Special functions of scipy, imported on first use: who only lists measures need not wait for them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Number = Array | float


def inner(u: Array, v: Array) -> float:
    """Sum the products: the same on every machine, and without threads that wait for one another."""
    return float((u * v).sum())


def sums_by(of: Index, values: Array, size: int = 0) -> Array:
    """Sum the values that belong to each of 0, 1, 2, ...; `size` is how many there are at least."""
    return np.bincount(of, values, size).astype(np.float64)


def different(values: Array) -> tuple[Array, Index]:
    """Give the different values, sorted, and the place of each value among them."""
    found = np.unique(values)
    return found, np.searchsorted(found, values)


def log_gamma(x: Number) -> Array:
    """Give ln Γ(x)."""
    from scipy.special import gammaln

    return np.asarray(gammaln(x), np.float64)


def digamma(x: Number) -> Array:
    """Give ψ(x), the derivative of ln Γ(x)."""
    from scipy.special import psi

    return np.asarray(psi(x), np.float64)


def log_beta(u: Number, v: Number) -> Array:
    """Give ln B(u, v)."""
    from scipy.special import betaln

    return np.asarray(betaln(u, v), np.float64)


def hypergeometric(u: float, v: float, w: float, z: float) -> float:
    """Give Gauss's ₂F₁(u, v; w; z)."""
    from scipy.special import hyp2f1

    return float(hyp2f1(u, v, w, z))


def negative_binomial_tail(least: Number, size: Number, success: Number) -> Array:
    """Give P(N >= least) of a negative binomial with `size` and `success`."""
    from scipy.special import betainc

    return np.asarray(betainc(least, size, 1.0 - success), np.float64)


def gamma_quantile(share: Array, shape: Array) -> Array:
    """Give the quantile of a gamma distribution with scale 1."""
    from scipy.special import gammaincinv

    return np.asarray(gammaincinv(shape, share), np.float64)


def beta_prime_quantile(share: Array, u: Array, v: Array) -> Array:
    """Give the quantile of the ratio of two independent gammas of shapes `u` and `v`."""
    from scipy.special import betaincinv

    part = np.asarray(betaincinv(u, v, share), np.float64)
    return part / np.maximum(1.0 - part, 1e-300)


def student_quantile(share: float, freedom: int) -> float:
    """Give the quantile of Student's t with `freedom` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))
