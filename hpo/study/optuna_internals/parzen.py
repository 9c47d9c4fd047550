"""The densities of Optuna's TPE, one candidate at a time.

``_MixtureOfProductDistribution.log_pdf`` (Optuna 5.0.0) builds arrays of candidates x trials x parameters. Each has
several MB at 5,000 trials, more than any cache holds. Here one candidate's row is updated in place. Every operation and
its order are Optuna's, so the results are equal to the last bit; tests compare them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.samplers._tpe._truncnorm import _log_gauss_mass, _norm_pdf_logC
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator
from optuna.samplers._tpe.probability_distributions import (
    _BatchedCategoricalDistributions,
    _log_gauss_mass_unique,
    _MixtureOfProductDistribution,
    _unique_inverse_2d,
)
from typing_extensions import override

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
_PAIRWISE = 8
NEEDS = {_ParzenEstimator: ("_mixture_distribution", "_transform")}
"""Optuna's private names that this module uses, beside what it imports (see ``substitutes``)."""


class QuickParzenEstimator(_ParzenEstimator):
    """Optuna's estimator with a quicker ``log_pdf``."""

    @override
    def log_pdf(self, samples_dict: dict[str, Floats]) -> Floats:
        """Return the log density of each candidate, shape (candidates,).

        ``samples_dict``: values by parameter, each of that shape.
        """
        return _log_pdf(self._mixture_distribution, self._transform(samples_dict))


@dataclass
class _Choices:
    """The kernels of a categorical parameter."""

    log_weights: Floats
    """Log weights, shape (choices, kernels)."""
    chosen: Indices
    """Index of the chosen category, by candidate."""

    @staticmethod
    def of(known: _BatchedCategoricalDistributions, values: Floats) -> _Choices:
        return _Choices(np.ascontiguousarray(np.log(known.weights).T), values.astype(np.intp))

    def add(self, row: Floats, place: int) -> None:
        row += self.log_weights[self.chosen[place]]


@dataclass
class _Steps:
    """The kernels of a parameter with steps. There many kernels are equal, and so are many candidates."""

    log_mass: Floats
    """Log mass of a kernel within half a step of a value: shape (different values, different kernels)."""
    log_whole: Floats
    """Log mass of a kernel within the parameter's bounds: shape (different kernels,)."""
    value: Indices
    """Index of the value in ``log_mass``, by candidate."""
    kernel: Indices
    """Index of the kernel in ``log_mass``, by kernel."""

    @staticmethod
    def of(known: Any, values: Floats) -> _Steps:
        values, value = np.unique(values, return_inverse=True)
        mu, sigma, kernel = _unique_inverse_2d(known.mu, known.sigma)
        left, right = values - known.step / 2, values + known.step / 2
        if known.is_log:
            left, right = np.log(left), np.log(right)
        mass = _log_gauss_mass_unique((left[:, np.newaxis] - mu) / sigma, (right[:, np.newaxis] - mu) / sigma)
        whole = _log_gauss_mass((known.adapted_low - mu) / sigma, (known.adapted_high - mu) / sigma)
        return _Steps(mass, whole, value, kernel)

    def add(self, row: Floats, place: int) -> None:
        row += self.log_mass[self.value[place]][self.kernel]
        row -= self.log_whole[self.kernel]


@dataclass
class _Continuous:
    """The kernels of all parameters without steps. Arrays have shape (parameters, kernels) unless stated otherwise."""

    mu: Floats
    sigma: Floats
    low: Floats
    """Lower bounds, shape (parameters, 1), like ``high``."""
    high: Floats
    log_mass: Floats
    """Log mass of a normal distribution within the bounds."""
    log_sigma: Floats
    values: Floats
    """Values, shape (candidates, parameters, 1)."""
    scratch: Floats
    """Buffer that each candidate overwrites."""

    @staticmethod
    def of(known: list[Any], columns: list[Floats]) -> _Continuous:
        mu, sigma = np.asarray([each.mu for each in known]), np.asarray([each.sigma for each in known])
        low = np.asarray([[each.adapted_low] for each in known])
        high = np.asarray([[each.adapted_high] for each in known])
        log_mass = _log_gauss_mass((low - mu) / sigma, (high - mu) / sigma)
        pairs = zip(known, columns, strict=True)
        values = np.asarray([np.log(column) if each.is_log else column for each, column in pairs]).T[..., np.newaxis]
        return _Continuous(mu, sigma, low, high, log_mass, np.log(sigma), values, np.empty(mu.shape))

    def add(self, row: Floats, place: int) -> None:
        values = self.values[place]
        terms = np.subtract(values, self.mu, out=self.scratch)
        terms /= self.sigma
        terms *= terms
        terms *= -0.5
        terms -= _norm_pdf_logC
        terms -= self.log_mass
        terms -= self.log_sigma
        # Optuna compares in units of sigma, where rounding keeps the order: the answer is the same, found once and not
        # once for each kernel
        terms[((values < self.low) | (values > self.high))[:, 0]] = -np.inf
        # from eight terms on, numpy adds contiguous values in another order, so that the last bit may differ
        row += terms.sum(axis=0) if len(terms) < _PAIRWISE else np.ascontiguousarray(terms.T).sum(axis=-1)


def _parts(mixture: _MixtureOfProductDistribution, samples: Floats) -> list[_Choices | _Steps | _Continuous]:
    """Return the parts in the order in which Optuna adds them."""
    parts: list[_Choices | _Steps | _Continuous] = []
    smooth: list[Any] = []
    columns: list[Floats] = []
    for known, column in zip(mixture.distributions, samples.T, strict=True):
        if isinstance(known, _BatchedCategoricalDistributions):
            parts.append(_Choices.of(known, column))
        elif known.step != 0.0:
            parts.append(_Steps.of(known, column))
        else:
            smooth.append(known)
            columns.append(column)
    return [*parts, _Continuous.of(smooth, columns)] if smooth else parts


def _log_pdf(mixture: _MixtureOfProductDistribution, samples: Floats) -> Floats:
    parts, log_weights = _parts(mixture, samples), np.log(mixture.weights)
    found = np.empty(len(samples))
    for place in range(len(samples)):
        row = np.zeros(len(log_weights))
        for part in parts:
            part.add(row, place)
        row += log_weights
        largest = row.max()
        if np.isneginf(largest):
            largest = 0.0
        row -= largest
        with np.errstate(divide="ignore"):
            found[place] = np.log(np.exp(row, out=row).sum()) + largest
    return found
