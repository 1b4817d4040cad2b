"""RASER: one retrieval for all, a second where its answer can be recovered (arXiv 2606.02488)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from argo_ml.calibration.record import Calibration
from argo_ml.errors import ConfigError
from argo_ml.policies.base import NO_PROBES, Decision, Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.base import unexplored
from argo_ml.policies.gates.benefit_gate import expected_utility
from argo_ml.policies.gates.learned import ClassModel, fit_classes
from argo_ml.policies.planned import PLAN_ENDED
from argo_ml.state import CONFIDENCE_PROBES
from argo_ml.types import Action, Expectation, StopReason

FEATURES = (
    "answer_words",
    "answer_doubts",
    "answer_in_question",
    "answer_in_evidence",
    "best_similarity",
    "question_words",
)
"""Of the answer after one retrieval, its passages and the question."""
N_FIRST, N_MOST = 1, 2
"""Retrievals that every question has, and those of the ones that are escalated."""


@dataclass(frozen=True, slots=True)
class Raser:
    """Retrieves once, and again where that is predicted to gain more right answers than its price.

    The paper's routers are gradient-boosted and escalate to PRUNE or to IRCoT; this one is a
    multinomial logistic regression, and escalates to a second retrieval. They read six features of
    one-shot RAG, of which its abstract says no more. As many of that kind stand in for them: those
    that every calibration keeps of a state, so that nothing more is asked or stored.
    """

    calibration: Calibration
    columns: tuple[int, ...]
    model: ClassModel
    price: float

    def required_probes(self, state: State) -> frozenset[Probe]:
        return CONFIDENCE_PROBES if len(state.steps) == N_FIRST else NO_PROBES

    def decide(self, state: State, rng: random.Random) -> Decision:
        if not state.steps:
            return Decision(Action.RETRIEVE)
        if len(state.steps) >= N_MOST:
            return PLAN_ENDED
        inputs = self.calibration.inputs(state)
        recovered = self.model.probabilities(chosen(inputs, self.columns))
        gain = expected_utility(recovered) - self.price
        if gain > 0:
            return Decision(Action.RETRIEVE, expected=Expectation(gain=gain))
        return Decision(Action.STOP, StopReason.POLICY, expected=Expectation(gain=0.0))


def raser(context: PolicyContext) -> Raser:
    """Raises `ConfigError` where no second retrieval was explored, or features are missing."""
    calibration = context.calibrated
    paths = [path for path in calibration.exploration.retrieving_paths if len(path) > N_MOST]
    if not paths:
        raise unexplored("raser", N_MOST)
    columns = _columns(calibration)
    rows = [chosen(path[N_FIRST].features, columns) for path in paths]
    changes = [int(path[N_MOST].correct) - int(path[N_FIRST].correct) for path in paths]
    price = context.prices.with_probe(Action.RETRIEVE)
    return Raser(calibration, columns, fit_classes(rows, changes), price)


def chosen(features: Sequence[float], columns: Sequence[int]) -> tuple[float, ...]:
    return tuple(features[column] for column in columns)


def _columns(calibration: Calibration) -> tuple[int, ...]:
    """Where the features stand. Raises `ConfigError` for a calibration of an earlier version, which
    lacks some of them."""
    names = calibration.feature_names
    lacking = [name for name in FEATURES if name not in names]
    if lacking:
        raise ConfigError(
            f"strategy=raser needs the features {', '.join(lacking)}, and this calibration is of "
            f"an argo_ml without them; make one: argo-ml calibrate --max_steps {N_MOST}"
        )
    return tuple(names.index(name) for name in FEATURES)
