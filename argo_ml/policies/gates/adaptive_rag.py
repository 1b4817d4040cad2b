"""Adaptive-RAG: no retrieval, one, or many, by how complex the question is (arXiv 2403.14403)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import IntEnum

from argo_ml.calibration.plans import MULTI, NONE, ONCE
from argo_ml.calibration.record import CalibrationQuestion, Projection
from argo_ml.policies.base import Decision, Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.learned import ClassModel, fit_classes
from argo_ml.policies.gates.question_only import PROBES, question_inputs
from argo_ml.policies.planned import PLAN_ENDED
from argo_ml.types import Action, Difficulty


class Complexity(IntEnum):
    """The paper's classes A, B and C."""

    NONE = 0
    SINGLE = 1
    MULTI = 2


@dataclass(frozen=True, slots=True)
class AdaptiveRag:
    """Retrieves as often as the question's class asks for, at most ``horizon`` times.

    The paper's classifier is a T5-Large; this one is a logistic regression on the question's words
    and embedding.
    """

    projection: Projection
    model: ClassModel
    horizon: int

    def required_probes(self, state: State) -> frozenset[Probe]:
        return PROBES

    def decide(self, state: State, rng: random.Random) -> Decision:
        if len(state.steps) < self.n_retrievals(state):
            return Decision(Action.RETRIEVE)
        return PLAN_ENDED

    def n_retrievals(self, state: State) -> int:
        by_complexity = {Complexity.NONE: 0, Complexity.SINGLE: 1, Complexity.MULTI: self.horizon}
        return by_complexity[self.complexity(state)]

    def complexity(self, state: State) -> Complexity:
        """The most probable class; of equally probable ones the simplest."""
        shares = self.model.probabilities(question_inputs(state, self.projection))
        return Complexity(max(sorted(shares), key=shares.__getitem__, default=Complexity.NONE))


def adaptive_rag(context: PolicyContext) -> AdaptiveRag:
    """``multi`` retrieves up to the horizon that the calibration explored, as its outcome did."""
    calibration = context.calibrated
    rows = [
        question_inputs(question.state(), calibration.projection)
        for question in calibration.questions
    ]
    labels = [silver_label(question) for question in calibration.questions]
    horizon = min(calibration.horizon, context.max_steps)
    return AdaptiveRag(calibration.projection, fit_classes(rows, labels), horizon)


def silver_label(question: CalibrationQuestion) -> Complexity:
    """The simplest way that answers it right (section 3.2).

    Where none does, the paper labels by the data set: B where its questions need one document, C
    where they need several. All that is on record of a question's kind is its difficulty: hard ones
    are C here, the others B.
    """
    ways = {NONE: Complexity.NONE, ONCE: Complexity.SINGLE, MULTI: Complexity.MULTI}
    for plan, label in ways.items():
        if question.outcomes.get(plan):
            return label
    is_hard = question.difficulty == Difficulty.HARD.value
    return Complexity.MULTI if is_hard else Complexity.SINGLE
