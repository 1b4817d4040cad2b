"""Know Before You Fetch (arXiv 2606.29959): no evidence, one passage, five, or no answer."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from argo_ml.calibration.plans import NONE, SIZED, SIZES
from argo_ml.calibration.record import Calibration
from argo_ml.errors import ConfigError
from argo_ml.policies.base import NO_PROBES, Decision, Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.base import (
    extra_probes,
    has_outcomes,
    missing_outcomes,
    root_confidences,
)
from argo_ml.policies.gates.grades import Grades, Trials, grades_by_line
from argo_ml.policies.gates.max_prob_gate import Uncertainty
from argo_ml.policies.parameters import GradedParameters
from argo_ml.state import CONFIDENCE_PROBES
from argo_ml.statistics.frontiers import threshold_for_budget
from argo_ml.types import NOTHING_EXPECTED, Action, Expectation, StopReason

FEW, FULL = SIZES
"""Passages of the two kinds of retrieval, the paper's."""
ONE, FIVE = SIZED


@dataclass(frozen=True, slots=True)
class Graded:
    """Retrieves at most once, the more the less it trusts the answer without evidence.

    With ``abstain_below`` it gives no answer of a smaller p-hat: that of the answer that it would
    give, after the retrieval where there is one.
    """

    calibration: Calibration
    grades: Grades
    abstain_below: float | None = None
    calibration_scores: tuple[float, ...] = field(default=(), compare=False)

    def required_probes(self, state: State) -> frozenset[Probe]:
        return NO_PROBES if state.steps and self.abstain_below is None else CONFIDENCE_PROBES

    def decide(self, state: State, rng: random.Random) -> Decision:
        if state.steps and self.abstain_below is None:
            return self._stop(NOTHING_EXPECTED)
        confidence = self.calibration.confidence(state)
        if state.steps:
            return self._stop(Expectation(confidence))
        score = 1.0 - confidence
        expected = Expectation(confidence, score=score)
        if score < self.grades.few:
            return self._stop(expected)
        top_k = FULL if score >= self.grades.full else FEW
        return Decision(Action.RETRIEVE, top_k=top_k, expected=expected)

    def _stop(self, expected: Expectation) -> Decision:
        confidence, least = expected.confidence, self.abstain_below
        abstains = confidence is not None and least is not None and confidence < least
        reason = StopReason.ABSTAIN if abstains else StopReason.POLICY
        return Decision(Action.STOP, reason, expected=expected)


def graded(context: PolicyContext) -> Graded:
    """Raises `ConfigError` where no question was answered in all three ways."""
    calibration = context.calibrated
    scores = [1.0 - confidence for confidence in root_confidences(calibration)]
    rows = [
        (score, *(question.outcomes[plan] for plan in (NONE, ONE, FIVE)))
        for score, question in zip(scores, calibration.questions, strict=True)
        if has_outcomes(question, NONE, ONE, FIVE)
    ]
    if not rows:
        raise missing_outcomes(NONE, ONE, FIVE)
    rated, none, one, five = zip(*rows, strict=True)
    parameters = context.parameters_as(GradedParameters)
    _check_promise(parameters)
    if parameters.gate_budget is not None:
        threshold = threshold_for_budget(scores, parameters.gate_budget)
        grades = Trials.of(rated, one, five).within(threshold)
    else:
        price = context.prices.retrieve + extra_probes(context, Uncertainty(calibration))
        grades = grades_by_line(rated, none, one, five, price)
    return Graded(calibration, grades, parameters.abstain_below, tuple(scores))


def _check_promise(parameters: GradedParameters) -> None:
    """Raises `ConfigError` for a promise: p-hat after one passage or five is not on record."""
    if parameters.promised is not None:
        raise ConfigError(
            f"guarantee={parameters.guarantee}: graded promises nothing; use max_prob_gate, which "
            "has the same score"
        )
