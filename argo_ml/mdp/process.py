"""The Markov decision process of one retrieval price, solved exactly.

In state U (progress), with U+ the state after a success:

    Q(U, retrieve) = -mu c_r + gamma (p_s V(U+) + (1 - p_s) V(U))
    Q(U, reason)   = -mu c_p + gamma V(U+)
    Q(U, stop)     = sigma(U / u_max)
    V              = max Q
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from argo_ml.mdp.progress import FixedGains, Successors, transitions
from argo_ml.mdp.quality import QUALITIES
from argo_ml.types import Action, Prices

VALUE_TOLERANCE = 1e-12
"""Values that differ by no more are equal; rewards are at most 1."""


@dataclass(frozen=True, slots=True)
class MDPSpec:
    """Prices, gains and discount of the process.

    ``quality`` is one of `QUALITIES`; ``alpha`` its steepness. Raises ValueError for a value
    that makes no such process, or one with too many states.
    """

    retrieval_cost: float
    reason_cost: float = 0.02
    delta_r: float = 0.25
    delta_p: float = 0.08
    p_s: float = 0.8
    mu: float = 1.0
    gamma: float = 0.98
    u_max: float = 1.0
    quality: str = "linear"
    alpha: float = 3.0

    def __post_init__(self) -> None:
        for name in ("retrieval_cost", "reason_cost", "delta_r", "delta_p", "u_max", "alpha"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name}={value} must be a finite number above 0")
        for name in ("p_s", "gamma"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ValueError(f"{name}={value} must be above 0 and at most 1")
        if not (self.mu >= 0 and math.isfinite(self.mu)):
            raise ValueError(f"mu={self.mu} must be a finite number, at least 0")
        if self.quality not in QUALITIES:
            raise ValueError(f"quality={self.quality!r} is unknown; known: {', '.join(QUALITIES)}")
        transitions(self.gains)

    @property
    def prices(self) -> Prices:
        return Prices(self.retrieval_cost, self.reason_cost)

    @property
    def gains(self) -> FixedGains:
        return FixedGains(self.delta_r, self.delta_p, self.u_max)


@dataclass(frozen=True, slots=True)
class Solution:
    """The solved process on the states reachable from 0 (ascending, the last is u_max).

    Every tuple has one entry per state. ``threshold_value`` is the exact value from U = 0 of
    acting by (``theta_cont``, ``theta_star``), the best such pair. Each threshold is the state at
    which it is met: the progress after the last retrieval, and after the last step of all.
    """

    spec: MDPSpec
    states: tuple[float, ...]
    value: tuple[float, ...]
    q_retrieve: tuple[float, ...]
    q_reason: tuple[float, ...]
    q_stop: tuple[float, ...]
    actions: tuple[Action, ...]
    theta_cont: float
    theta_star: float
    threshold_value: float

    @property
    def optimal_value(self) -> float:
        """V*(0)."""
        return self.value[0]

    @property
    def policy_regret(self) -> float:
        """V*(0) - V_theta(0): what acting by two thresholds costs."""
        return self.optimal_value - self.threshold_value


def solve(spec: MDPSpec) -> Solution:
    """Solve by one backward pass over the states reachable from 0.

    Of equal values (to `VALUE_TOLERANCE`), reason comes before retrieve and stop comes last. Ties
    are common: with the default gains the thirteenth reasoning step is worth exactly its price.
    """
    successors = transitions(spec.gains)
    states = tuple(successors)
    rows: dict[float, _Row] = {}
    for progress in reversed(states):
        rows[progress] = _solve_state(spec, progress, successors[progress], rows)
    best = _best_thresholds(spec, successors)
    ordered = [rows[progress] for progress in states]
    return Solution(
        spec=spec,
        states=states,
        value=tuple(row.value for row in ordered),
        q_retrieve=tuple(row.q_retrieve for row in ordered),
        q_reason=tuple(row.q_reason for row in ordered),
        q_stop=tuple(row.q_stop for row in ordered),
        actions=tuple(row.action for row in ordered),
        theta_cont=best.theta_cont,
        theta_star=best.theta_star,
        threshold_value=best.value,
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """One solved state."""

    value: float
    q_retrieve: float
    q_reason: float
    q_stop: float
    action: Action


def _solve_state(
    spec: MDPSpec, progress: float, successors: Successors, rows: Mapping[float, _Row]
) -> _Row:
    q_stop = _stop(spec, progress)
    if progress == spec.u_max:
        # Progress cannot grow, and qualities are not negative: going on only costs.
        q_retrieve, q_reason = _retrieve(spec, q_stop, q_stop), _reason(spec, q_stop)
        return _Row(q_stop, q_retrieve, q_reason, q_stop, Action.STOP)
    after_retrieve = rows[successors.retrieve].value
    after_reason = rows[successors.reason].value
    q_reason = _reason(spec, after_reason)
    q_persist = _retrieve_until_success(spec, after_retrieve)
    value = max(q_reason, q_persist, q_stop)
    if q_reason >= value - VALUE_TOLERANCE:
        action = Action.REASON
    elif q_persist >= value - VALUE_TOLERANCE:
        action = Action.RETRIEVE
    else:
        action = Action.STOP
    return _Row(value, _retrieve(spec, after_retrieve, value), q_reason, q_stop, action)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two thresholds and the value of acting by them from some state."""

    value: float
    theta_cont: float
    theta_star: float


def _best_thresholds(spec: MDPSpec, successors: Mapping[float, Successors]) -> _Pair:
    """The pair with the largest value from 0.

    From 0 a pair makes some number of retrievals succeed, then reasons some number of times, then
    stops, and every such plan is some pair. So two nested questions find the best of all pairs:
    when to change from reasoning to stopping, and when from retrieving to that.
    """
    reasoning: dict[float, _Pair] = {}
    retrieving: dict[float, _Pair] = {}
    for progress in reversed(tuple(successors)):
        stop = _Pair(_stop(spec, progress), progress, progress)
        if progress == spec.u_max:
            reasoning[progress] = retrieving[progress] = stop
            continue
        after = reasoning[successors[progress].reason]
        reason = _Pair(_reason(spec, after.value), progress, after.theta_star)
        best = reason if reason.value >= stop.value - VALUE_TOLERANCE else stop
        reasoning[progress] = best
        after = retrieving[successors[progress].retrieve]
        value = _retrieve_until_success(spec, after.value)
        retrieve = _Pair(value, after.theta_cont, after.theta_star)
        retrieving[progress] = retrieve if value > best.value + VALUE_TOLERANCE else best
    return retrieving[0.0]


def _stop(spec: MDPSpec, progress: float) -> float:
    return QUALITIES[spec.quality](progress / spec.u_max, spec.alpha)


def _reason(spec: MDPSpec, after: float) -> float:
    return -spec.mu * spec.reason_cost + spec.gamma * after


def _retrieve(spec: MDPSpec, after: float, here: float) -> float:
    return -spec.mu * spec.retrieval_cost + spec.gamma * (spec.p_s * after + (1 - spec.p_s) * here)


def _retrieve_until_success(spec: MDPSpec, after: float) -> float:
    """The fixed point x of x = -mu c_r + gamma (p_s after + (1 - p_s) x).

    A failed retrieval leaves the state as it was, so a policy that retrieves there does so again.
    V(U) is the largest of stop, reason and this: where this x is not the largest, retrieving once
    has the value (1 - a) x + a V(U), a = gamma (1 - p_s), which does not exceed V(U) either.
    """
    gain = -spec.mu * spec.retrieval_cost + spec.gamma * spec.p_s * after
    return gain / ((1 - spec.gamma) + spec.gamma * spec.p_s)
