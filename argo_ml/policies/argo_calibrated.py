"""ARGO on measured progress: a Markov decision process of p-hat, estimated and solved backwards.

State: the bucket of p-hat, and how many retrievals and reasoning steps were taken. Reward of
stopping: p-hat, as far as it came true in its bucket. Transitions: as often as the calibration has
seen them, smoothed. Where deciding so does not pay on questions left out, the best plan is followed
(`argo_ml.policies.best_plan`).
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from argo_ml.calibration.exploration import Exploration
from argo_ml.calibration.node import Node
from argo_ml.calibration.record import Calibration
from argo_ml.policies.base import Decision, Policy, Probe, State
from argo_ml.policies.best_plan import fitted_where_it_pays
from argo_ml.policies.context import PolicyContext
from argo_ml.state import CONFIDENCE_PROBES
from argo_ml.types import Action, Expectation, Prices, StopReason

WIDTH = 0.1
"""Width of a bucket of p-hat."""
FEWEST = 25
"""Least number of explored states in a bucket."""
SMOOTHING = 8.0
"""How many transitions a coarser state's distribution counts for (Dirichlet prior)."""
ACTIONS = (Action.RETRIEVE, Action.REASON)

Counts = tuple[int, int]
"""Retrievals and reasoning steps so far."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Values:
    """What stopping and acting are worth in one state, prices taken off."""

    stop: float
    retrieve: float
    reason: float

    @property
    def best(self) -> Action:
        """The action of the highest value; of equal ones stopping, then reasoning."""
        options = {
            Action.STOP: self.stop,
            Action.REASON: self.reason,
            Action.RETRIEVE: self.retrieve,
        }
        return max(options, key=options.__getitem__)

    @property
    def gain(self) -> float:
        """What the best action adds to stopping."""
        return max(self.stop, self.retrieve, self.reason) - self.stop


@dataclass(frozen=True, slots=True)
class ArgoCalibrated:
    """Acts by the table; where the calibration has not been, it stops.

    ``table`` is by counts, then by bucket; ``bounds`` are the inner bounds of the buckets.
    """

    calibration: Calibration
    bounds: tuple[float, ...]
    table: Mapping[Counts, tuple[Values, ...]]

    def required_probes(self, state: State) -> frozenset[Probe]:
        return CONFIDENCE_PROBES

    def decide(self, state: State, rng: random.Random) -> Decision:
        confidence = self.calibration.confidence(state)
        counts = state.count(Action.RETRIEVE), state.count(Action.REASON)
        values = self._values(counts, confidence)
        if values is None:
            expected = Expectation(confidence)
            return Decision(Action.STOP, StopReason.POLICY, expected=expected)
        expected = Expectation(confidence, values.gain)
        reason = StopReason.POLICY if values.best is Action.STOP else None
        return Decision(values.best, reason, expected=expected)

    def at(self, node: Node) -> Action:
        values = self._values(_counts(node), node.confidence)
        return Action.STOP if values is None else values.best

    def _values(self, counts: Counts, confidence: float) -> Values | None:
        row = self.table.get(counts)
        return None if row is None else row[_bucket(self.bounds, confidence)]


def argo_calibrated(context: PolicyContext) -> Policy:
    """Solve the estimated process at the cell's price; no model is asked."""
    calibration, prices = context.calibrated, context.prices
    horizon = min(calibration.horizon, context.max_steps)

    def fit(explored: Exploration) -> ArgoCalibrated:
        process = explored.once(estimate_process)
        return ArgoCalibrated(calibration, process.bounds, process.solve(prices, horizon))

    return fitted_where_it_pays(calibration, prices, horizon, [fit])


@dataclass(frozen=True, slots=True)
class Process:
    """The estimated process: ``rewards`` of stopping by bucket, and transitions.

    ``seen`` are counts of transitions (buckets, buckets) by action and by the counts before it.
    """

    bounds: tuple[float, ...]
    rewards: Floats
    seen: Mapping[tuple[Action, Counts], Floats]

    def solve(self, prices: Prices, horizon: int) -> dict[Counts, tuple[Values, ...]]:
        """Finite-horizon backward induction (Puterman 1994, section 4.5), undiscounted."""
        best: dict[Counts, Floats] = defaultdict(lambda: self.rewards)
        table: dict[Counts, tuple[Values, ...]] = {}
        for n_steps in reversed(range(horizon)):
            for n_retrieve in range(n_steps + 1):
                counts = n_retrieve, n_steps - n_retrieve
                retrieve, reason = (
                    self._ahead(action, counts, best) - prices.with_probe(action)
                    for action in ACTIONS
                )
                table[counts] = tuple(map(Values, self.rewards, retrieve, reason))
                best[counts] = np.maximum(self.rewards, np.maximum(retrieve, reason))
        return table

    def _ahead(self, action: Action, counts: Counts, best: Mapping[Counts, Floats]) -> Floats:
        """What is to come after an action, by bucket; an action that nobody took leads nowhere."""
        if not any(own is action for own, _ in self.seen):
            return np.full(len(self.rewards), -np.inf)
        return self.transitions(action, counts) @ best[_next(counts, action)]

    def transitions(self, action: Action, counts: Counts) -> Floats:
        """P(bucket after | bucket, action, counts), rows adding up to 1.

        Where there are few of a kind the distribution leans on that of a coarser state: first
        whatever the counts, then whatever the bucket as well, last staying where it is.
        """
        alike = sum((seen for (a, _), seen in self.seen.items() if a is action), self._nothing())
        anywhere = np.broadcast_to(alike.sum(axis=0), alike.shape)
        here = self.seen.get((action, counts), self._nothing())
        distributions: Floats = np.eye(len(self.rewards))
        for counted in (anywhere, alike, here):
            total = counted.sum(axis=1, keepdims=True)
            distributions = (counted + SMOOTHING * distributions) / (total + SMOOTHING)
        return distributions

    def _nothing(self) -> Floats:
        n_buckets = len(self.rewards)
        return np.zeros((n_buckets, n_buckets))


def estimate_process(explored: Exploration) -> Process:
    """The process of the explored histories of questions."""
    nodes = explored.nodes
    confidences = np.array([node.confidence for node in nodes])
    bounds = bucket_bounds(confidences)
    buckets = np.searchsorted(bounds, confidences, side="right")
    n_buckets = len(bounds) + 1
    seen: dict[tuple[Action, Counts], Floats] = {}
    for edge in explored.edges:
        key = edge.action, _counts(edge.before)
        counted = seen.setdefault(key, np.zeros((n_buckets, n_buckets)))
        before, after = edge.before.confidence, edge.after.confidence
        counted[_bucket(bounds, before), _bucket(bounds, after)] += 1
    correct = np.array([node.correct for node in nodes], dtype=float)
    rewards = np.array(
        [_reward(confidences[inside], correct[inside]) for inside in _masks(buckets, n_buckets)]
    )
    return Process(bounds, rewards, seen)


def _masks(buckets: NDArray[np.int64], n_buckets: int) -> Iterator[NDArray[np.bool_]]:
    """By bucket, which of the states are in it."""
    return (buckets == bucket for bucket in range(n_buckets))


def _reward(confidences: Floats, correct: Floats) -> float:
    """The share of right answers of a bucket, leaning on its mean p-hat.

    Within a kind of state p-hat also differs by what means nothing; the share does not.
    """
    total = float(correct.sum()) + SMOOTHING * float(confidences.mean())
    return total / (len(correct) + SMOOTHING)


def bucket_bounds(confidences: Floats) -> tuple[float, ...]:
    """Inner bounds of buckets as wide as `WIDTH`, wider where one would have too few values.

    Buckets of equally many values would put apart what differs by nothing, and together what
    differs by much.
    """
    bounds: list[float] = []
    below = 0.0
    for bound in np.arange(WIDTH, 1.0 - WIDTH / 2, WIDTH):
        n_inside = int(np.sum((confidences >= below) & (confidences < bound)))
        if n_inside >= FEWEST and int(np.sum(confidences >= bound)) >= FEWEST:
            below = round(float(bound), 10)
            bounds.append(below)
    return tuple(bounds)


def _bucket(bounds: Sequence[float], confidence: float) -> int:
    return bisect_right(bounds, confidence)


def _counts(node: Node) -> Counts:
    return node.actions.count(Action.RETRIEVE.value), node.actions.count(Action.REASON.value)


def _next(counts: Counts, action: Action) -> Counts:
    n_retrieve, n_reason = counts
    if action is Action.RETRIEVE:
        return n_retrieve + 1, n_reason
    return n_retrieve, n_reason + 1
