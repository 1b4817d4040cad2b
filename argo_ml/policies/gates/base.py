"""A gate decides once, before the first step, whether to retrieve: a score against a threshold."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import fmean
from typing import Protocol

from argo_ml.calibration.plans import NONE, ONCE
from argo_ml.calibration.record import Calibration, CalibrationQuestion
from argo_ml.errors import ConfigError
from argo_ml.policies.base import NO_PROBES, Decision, Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.certified import least_confidence, least_score, promises_errors
from argo_ml.policies.parameters import GateParameters
from argo_ml.policies.planned import PLAN_ENDED
from argo_ml.state import CONFIDENCE_PROBES
from argo_ml.statistics.frontiers import threshold_by_line, threshold_for_budget
from argo_ml.types import Action, Expectation, Question, StopReason


@dataclass(frozen=True, slots=True)
class SignalReading:
    """A signal's value for a question; the higher ``score``, the more it asks for a retrieval.

    ``confidence`` is that of `Expectation`; ``gain`` is what a retrieval is predicted to add to
    accuracy, before its price. None where the signal predicts nothing of the kind.
    """

    score: float
    confidence: float | None = None
    gain: float | None = None

    def expected(self, price: float | None) -> Expectation:
        """The expectation of a retrieval at ``price``, or of stopping where that is None."""
        gain = self.gain
        if gain is not None:
            gain = 0.0 if price is None else gain - price
        return Expectation(self.confidence, gain, self.score)


class Signal(Protocol):
    """Reads a question before the first step."""

    def required_probes(self, question: Question) -> frozenset[Probe]:
        """The probes that ``read`` needs."""

    def read(self, state: State) -> SignalReading:
        """The reading of a state whose required probes were made."""


@dataclass(frozen=True, slots=True)
class Trust:
    """The p-hat that an answer needs to be given."""

    calibration: Calibration = field(compare=False)
    least: float

    def stop(self, state: State, score: float | None = None) -> Decision:
        """Stop with the answer of a state whose answer was probed, or without one."""
        confidence = self.calibration.confidence(state)
        reason = StopReason.ABSTAIN if confidence < self.least else StopReason.POLICY
        return Decision(Action.STOP, reason, expected=Expectation(confidence, score=score))


@dataclass(frozen=True, slots=True)
class Gate:
    """Retrieves once where the signal's score is at least ``threshold``, then answers.

    ``calibration_scores`` are those that the threshold was chosen by, ``price`` is what a retrieval
    costs, probes included, in units of accuracy. With ``trust`` it gives no answer of too small a
    p-hat.
    """

    signal: Signal
    threshold: float
    calibration_scores: tuple[float, ...] = field(default=(), compare=False)
    price: float = field(default=0.0, compare=False)
    trust: Trust | None = None

    def required_probes(self, state: State) -> frozenset[Probe]:
        own = NO_PROBES if state.steps else self.signal.required_probes(state.question)
        return own if self.trust is None else own | CONFIDENCE_PROBES

    def decide(self, state: State, rng: random.Random) -> Decision:
        if state.steps:
            return PLAN_ENDED if self.trust is None else self.trust.stop(state)
        reading = self.signal.read(state)
        if reading.score >= self.threshold:
            return Decision(Action.RETRIEVE, expected=reading.expected(self.price))
        if self.trust is not None:
            return self.trust.stop(state, reading.score)
        return Decision(Action.STOP, StopReason.POLICY, expected=reading.expected(None))


def make_gate(
    context: PolicyContext, signal: Signal, scores: Sequence[float] | None = None
) -> Gate:
    """The gate with the threshold that suits the calibration's questions.

    ``scores`` are theirs, from models that have not seen them; a signal that was not fitted reads
    them itself.
    """

    @cache
    def read() -> list[float]:
        return [signal.read(own.state()).score for own in context.calibrated.questions]

    if scores is None:
        scores = read()
    extra = extra_probes(context, signal)
    threshold = max(choose_threshold(context, scores, extra), least_score(context, scores, read))
    least = least_confidence(context, scores, threshold)
    trust = None if least is None else Trust(context.calibrated, least)
    price = context.prices.retrieve + extra
    return Gate(signal, threshold, tuple(map(float, scores)), price, trust)


def choose_threshold(context: PolicyContext, scores: Sequence[float], extra: float = 0.0) -> float:
    """The threshold within the budget, else that of the line from scores to benefits.

    ``scores`` are of all its questions; ``extra`` is what a retrieval costs beside its price.
    Raises `ConfigError` where no question has the outcomes that the price is to be weighed against.
    """
    budget = context.parameters_as(GateParameters).gate_budget
    if budget is not None:
        return threshold_for_budget(scores, budget)
    rows = [
        (score, question.outcomes[NONE], question.outcomes[ONCE])
        for score, question in zip(scores, context.calibrated.questions, strict=True)
        if has_outcomes(question, NONE, ONCE)
    ]
    if not rows:
        raise missing_outcomes(NONE, ONCE)
    known_scores, without, with_ = zip(*rows, strict=True)
    price = context.prices.retrieve + extra
    return threshold_by_line(known_scores, without, with_, price)


def extra_probes(context: PolicyContext, signal: Signal) -> float:
    """The price of the probes that a gate pays for only where it retrieves.

    An answer that was probed is the final one where the gate stops, and serves the decision alone
    where it retrieves; a gate that promises an error rate looks at every answer. Every other probe
    costs the same either way.
    """
    if promises_errors(context):
        return context.prices.probe
    questions = context.calibrated.questions
    share = fmean(Probe.ANSWER in signal.required_probes(own.question) for own in questions)
    return share * context.prices.probe


def has_outcomes(question: CalibrationQuestion, *plans: str) -> bool:
    """Whether it is on record if the question was answered right by each of ``plans``."""
    return all(plan in question.outcomes for plan in plans)


def missing_outcomes(*plans: str) -> ConfigError:
    return ConfigError(
        f"calibration: no question has the outcomes of {', '.join(plans)}; "
        "make one with argo-ml calibrate"
    )


def unexplored(strategy: str, n_steps: int) -> ConfigError:
    return ConfigError(
        f"strategy={strategy} needs histories explored to {n_steps} steps, and this calibration "
        f"has none; make one: argo-ml calibrate --max_steps {n_steps}"
    )


class NotProbedError(ConfigError):
    """``what`` is the part of a question that is read and was not probed."""

    what: str = ""


def not_probed(question: Question, what: str) -> NotProbedError:
    error = NotProbedError(f"question {question.id!r}: its {what} was not probed")
    error.what = what
    return error


def root_confidences(calibration: Calibration) -> list[float]:
    """p-hat of each question before any step, by models that have not seen the question.

    Where that is not on record, by the model of all.
    """
    recorded = {node.question: node.confidence for node in calibration.nodes if not node.actions}
    return [
        recorded[index] if index in recorded else calibration.confidence(question.state())
        for index, question in enumerate(calibration.questions)
    ]
