"""Stop-RAG: retrieve while going on is worth more than stopping (arXiv 2510.14337)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from argo_ml.calibration.fitted_models import LinearModel
from argo_ml.calibration.fitting import fit_ridge
from argo_ml.calibration.node import Node
from argo_ml.calibration.record import Calibration
from argo_ml.policies.base import Decision, Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.base import unexplored
from argo_ml.state import CONFIDENCE_PROBES
from argo_ml.types import Action, Expectation, StopReason

TRACE = 0.5
"""Lambda: 1 has the value of retrieving to the end, 0 that of deciding by the fit one step on.

The paper lowers it while its network is trained, by a cosine from 1.0 to 0.1 (Table 5), which is
0.55 on average. A ridge regression is fitted once, so that there is nothing to lower it along: it
stands at the middle of its range. A calibration to one step does not read it.
"""


@dataclass(frozen=True, slots=True)
class ActionValues:
    """Q of stopping and of going on, after so many retrievals."""

    stop: LinearModel
    go_on: LinearModel

    def advantage(self, inputs: Sequence[float]) -> float:
        return self.go_on.value(inputs) - self.stop.value(inputs)

    def best(self, inputs: Sequence[float]) -> float:
        return max(self.go_on.value(inputs), self.stop.value(inputs))


@dataclass(frozen=True, slots=True)
class StopRag:
    """Retrieves while Q of going on exceeds that of stopping, at most as often as was explored.

    The paper's Q is a fine-tuned encoder that reads the question and all documents; here it is a
    ridge regression on the features of p-hat. Its reward is the quality of the answer alone; here
    retrievals are paid as well.
    """

    calibration: Calibration
    values: tuple[ActionValues, ...]

    def required_probes(self, state: State) -> frozenset[Probe]:
        return CONFIDENCE_PROBES

    def decide(self, state: State, rng: random.Random) -> Decision:
        inputs = self.calibration.inputs(state)
        confidence = self.calibration.confidence(state, inputs)
        n_steps = len(state.steps)
        gain = self.values[n_steps].advantage(inputs) if n_steps < len(self.values) else 0.0
        if gain > 0:
            return Decision(Action.RETRIEVE, expected=Expectation(confidence, gain))
        return Decision(Action.STOP, StopReason.POLICY, expected=Expectation(confidence, 0.0))


def stop_rag(context: PolicyContext) -> StopRag:
    """Raises `ConfigError` where nothing was explored."""
    calibration = context.calibrated
    paths = calibration.exploration.retrieving_paths
    horizon = min(min(map(len, paths), default=1) - 1, context.max_steps)
    if horizon < 1:
        raise unexplored("stop_rag", 1)
    price = context.prices.with_probe(Action.RETRIEVE)
    optional = calibration.optional_features
    return StopRag(calibration, fit_values(paths, price, horizon, optional))


def fit_values(
    paths: Sequence[Sequence[Node]], price: float, horizon: int, optional: Sequence[int] = ()
) -> tuple[ActionValues, ...]:
    """Q by the number of retrievals, fitted from the last to the first.

    The target of going on is the full-width forward view: what the path on record comes to in the
    end counts ``TRACE``, the better of both actions after the next retrieval the rest.
    """
    fitted: list[ActionValues] = []
    ends = [float(path[horizon].correct) for path in paths]
    for n_steps in reversed(range(horizon)):
        if fitted:
            after = [fitted[0].best(path[n_steps + 1].features) for path in paths]
            ends = [
                TRACE * end + (1 - TRACE) * value for end, value in zip(ends, after, strict=True)
            ]
        ends = [end - price for end in ends]
        rows = [path[n_steps].features for path in paths]
        now = [float(path[n_steps].correct) for path in paths]
        fits = (fit_ridge(rows, targets, optional) for targets in (now, ends))
        fitted.insert(0, ActionValues(*fits))
    return tuple(fitted)
