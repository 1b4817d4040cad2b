"""TASR: retrieve until the answer repeats itself and is sure enough (arXiv 2606.13814)."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from argo_ml.calibration.features import FEATURES, agreement
from argo_ml.calibration.fitted_models import interpolated
from argo_ml.calibration.signals import margin
from argo_ml.policies.base import Decision, Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.base import unexplored
from argo_ml.policies.gates.drafts import probed_answer
from argo_ml.types import Action, Expectation, StopReason

PROBES = frozenset({Probe.ANSWER})
EQUAL = 1e-9
"""Utilities that differ by no more are equal."""
AGREEMENT, MARGIN = (list(FEATURES).index(name) for name in ("agreement", "margin"))

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Tasr:
    """Stops where the answer is that before the last retrieval and m > ``threshold``.

    m is the calibrated margin: in the paper isotonic regression of the gap between the two largest
    logits of the answer's first token, stopping at m > 0.25. Here it is of `signals.margin`: p(1) -
    p(2) of the choices, or of a text the mean over its tokens of 1 - p(2) / p(1); ``points`` are
    (margin, share of right answers) of the isotonic map. The answer without evidence counts as the
    round before the first retrieval.
    """

    points: Points
    threshold: float
    horizon: int

    def required_probes(self, state: State) -> frozenset[Probe]:
        return PROBES

    def decide(self, state: State, rng: random.Random) -> Decision:
        confidence = interpolated(self.points, margin(probed_answer(state)))
        expected = Expectation(confidence)
        is_sure = bool(agreement(state)) and confidence > self.threshold
        if is_sure or len(state.steps) >= self.horizon:
            return Decision(Action.STOP, StopReason.POLICY, expected=expected)
        return Decision(Action.RETRIEVE, expected=expected)


@dataclass(frozen=True, slots=True)
class Round:
    """The answer after so many retrievals, as the rule sees it; ``value`` is m."""

    agrees: bool
    value: float
    correct: bool


def tasr(context: PolicyContext) -> Tasr:
    """The threshold of the highest utility on the explored histories that only retrieve.

    A ``gate_budget`` is of single decisions and plays no part. Raises `ConfigError` where nothing
    was explored.
    """
    paths = context.calibrated.exploration.retrieving_paths
    if not any(len(path) > 1 for path in paths):
        raise unexplored("tasr", 1)
    nodes = [node for path in paths for node in path]
    points = fit_points([node.features[MARGIN] for node in nodes], [node.correct for node in nodes])
    rounds = [
        [
            Round(
                bool(node.features[AGREEMENT]),
                interpolated(points, node.features[MARGIN]),
                node.correct,
            )
            for node in path
        ]
        for path in paths
    ]
    horizon = min(max(map(len, paths)) - 1, context.max_steps)
    price = context.prices.with_probe(Action.RETRIEVE)
    return Tasr(points, best_threshold(rounds, horizon, price), horizon)


def best_threshold(rounds: Sequence[Sequence[Round]], horizon: int, price: float) -> float:
    """Highest mean of correct - price * retrievals; of equally good ones the fewest retrievals."""
    values = sorted({answer.value for path in rounds for answer in path})
    candidates = [-math.inf, *values]

    def utility(threshold: float) -> float:
        stops = [stop_at(path, threshold, horizon) for path in rounds]
        return sum(
            path[n].correct - price * n for path, n in zip(rounds, stops, strict=True)
        ) / len(rounds)

    utilities = list(map(utility, candidates))
    least = max(utilities) - EQUAL
    # A lower threshold never stops later.
    return next(
        threshold for threshold, value in zip(candidates, utilities, strict=True) if value >= least
    )


def stop_at(path: Sequence[Round], threshold: float, horizon: int) -> int:
    """The number of retrievals after which the rule stops."""
    last = min(horizon, len(path) - 1)
    stops = (
        n for n, answer in enumerate(path[: last + 1]) if answer.agrees and answer.value > threshold
    )
    return next(stops, last)


def fit_points(values: Sequence[float], correct: Sequence[bool]) -> Points:
    from argo_ml.calibration.fitting import fit_isotonic

    return fit_isotonic(np.asarray(values, dtype=float), np.asarray(correct, dtype=float))
