"""What was fitted, as plain numbers: read without running anything of it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from operator import itemgetter, mul
from typing import Literal

from pydantic import BaseModel, ConfigDict

MappedBy = Literal["platt", "isotonic", "constant"]


class LinearModel(BaseModel):
    """A linear function of features: intercept + weights . ((features - means) / scales)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    @classmethod
    def of(
        cls,
        means: Iterable[float],
        scales: Iterable[float],
        weights: Iterable[float],
        intercept: float,
    ) -> LinearModel:
        """The model of fitted arrays, such as those of NumPy."""
        means, scales, weights = (tuple(map(float, values)) for values in (means, scales, weights))
        return cls(means=means, scales=scales, weights=weights, intercept=float(intercept))

    @classmethod
    def constant(cls, value: float, n_features: int) -> LinearModel:
        """The model that gives ``value`` whatever the features."""
        zeros, ones = (0.0,) * n_features, (1.0,) * n_features
        return cls(means=zeros, scales=ones, weights=zeros, intercept=value)

    def spread(self, columns: Sequence[int], n_features: int) -> LinearModel:
        """The model of ``n_features`` features, of which those beside ``columns``, its own ones,
        weigh nothing."""
        means, scales, weights = [0.0] * n_features, [1.0] * n_features, [0.0] * n_features
        for place, column in enumerate(columns):
            means[column], scales[column] = self.means[place], self.scales[place]
            weights[column] = self.weights[place]
        return LinearModel.of(means, scales, weights, self.intercept)

    def value(self, features: Sequence[float]) -> float:
        if len(features) != len(self.weights):
            raise ValueError(f"{len(features)} features for {len(self.weights)} weights")
        return self.offset + math.fsum(map(mul, self.slopes, features))

    def values(self, rows: Sequence[Sequence[float]]) -> list[float]:
        return list(map(self.value, rows))

    @cached_property
    def slopes(self) -> tuple[float, ...]:
        """Weights of the features as they are."""
        return tuple(
            weight / scale for weight, scale in zip(self.weights, self.scales, strict=True)
        )

    @cached_property
    def offset(self) -> float:
        """The value where all features are 0."""
        return self.intercept - math.fsum(map(mul, self.slopes, self.means))


class ProbabilityModel(BaseModel):
    """The calibrated probability that an answer is right, as a function of features.

    ``points`` are (score, probability) pairs of the isotonic map, ``platt`` Platt's (a, b).

    ``brier`` is the out-of-fold Brier score of each way that was tried, ``constant`` (the mean of
    the labels, whatever the features) among them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    linear: LinearModel
    mapped_by: MappedBy
    platt: tuple[float, float] = (1.0, 0.0)
    points: tuple[tuple[float, float], ...] = ()
    base_rate: float
    brier: Mapping[str, float]

    def probability(self, features: Sequence[float]) -> float:
        """p-hat in [0, 1]."""
        if self.mapped_by == "constant":
            return self.base_rate
        score = self.linear.value(features)
        if self.mapped_by == "platt":
            slope, offset = self.platt
            return logistic(slope * score + offset)
        return interpolated(self.points, score)


def interpolated(points: Sequence[tuple[float, float]], at: float) -> float:
    """The value at ``at``: linear between ``points`` (x, y), beyond them that of the nearest."""
    after = bisect_right(points, at, key=itemgetter(0))
    if after == 0:
        return points[0][1]
    if after == len(points):
        return points[-1][1]
    (x0, y0), (x1, y1) = points[after - 1], points[after]
    return y0 + (y1 - y0) * (at - x0) / (x1 - x0)


def logistic(value: float) -> float:
    """1 / (1 + exp(-value)), by tanh, which does not overflow."""
    return 0.5 * (1.0 + math.tanh(0.5 * value))
