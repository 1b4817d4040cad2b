"""The row of one question under one policy, from what is recorded of the plan that it took."""

from __future__ import annotations

from dataclasses import dataclass

from argo_ml.calibration.plans import NONE
from argo_ml.datasets.answers import Grade
from argo_ml.replay.recorded import RecordedOutcome, RecordedQuestion
from argo_ml.results.records import DecisionResult, QuestionResult, usage_fields
from argo_ml.results.trajectories import CONFIDENCE_DECIMALS
from argo_ml.types import NOTHING_EXPECTED, Action, Answer, Expectation, StopReason, Usage

ABSTENTION = RecordedOutcome(Answer(""), Grade(False, 0.0, 0.0, 0.0))
"""The outcome of a withheld answer, which is never right and was not misread."""


@dataclass(frozen=True, slots=True)
class ReplayDecision:
    """The plan that a policy chose, what it expected, and whether it had probed the answer."""

    plan: str
    expected: Expectation = NOTHING_EXPECTED
    has_probed_answer: bool = False
    abstains: bool = False

    @property
    def label(self) -> str:
        """The decision in a word: the plan, or that the answer is withheld."""
        return "abstain" if self.abstains else self.plan

    @property
    def actions(self) -> tuple[str, ...]:
        return () if self.plan == NONE else (Action.RETRIEVE.value,)


def question_row(recorded: RecordedQuestion, decision: ReplayDecision) -> QuestionResult:
    """A row as a sweep's, but for its cost.

    Calls, tokens and seconds are not recorded and count as 0, and every retrieval counts as one
    that found something.
    """
    question = recorded.question
    outcome = ABSTENTION if decision.abstains else recorded.outcomes[decision.plan]
    graded, answer, actions = outcome.grade, outcome.answer, decision.actions
    return QuestionResult(
        question_id=question.id,
        answer=answer.text,
        choice=answer.choice,
        correct=graded.correct,
        exact_match=graded.exact_match,
        token_f1=graded.token_f1,
        contains=graded.contains,
        parsed=answer.parsed,
        actions=actions,
        retrieval_successes=len(actions),
        decomposer_fallbacks=0,
        cost=0.0,
        stop_reason=(StopReason.ABSTAIN if decision.abstains else StopReason.POLICY).value,
        lm_calls_paid=0,
        **usage_fields(Usage()),
        confidence=_confidence(decision, outcome),
        decisions=_decisions(recorded, decision, outcome),
        difficulty=None if question.difficulty is None else question.difficulty.value,
    )


def _confidence(decision: ReplayDecision, outcome: RecordedOutcome) -> float | None:
    """Confidence in the answer given: what the policy expected of it, else its probability."""
    confidence = None if decision.actions else decision.expected.confidence
    if confidence is None:
        confidence = max(outcome.probabilities, default=None)
    return None if confidence is None else round(confidence, CONFIDENCE_DECIMALS)


def _decisions(
    recorded: RecordedQuestion, decision: ReplayDecision, outcome: RecordedOutcome
) -> tuple[DecisionResult, ...]:
    """The decisions; none of a policy that neither probed nor expected anything.

    A retrieval ends in a stop.
    """
    if decision.expected == NOTHING_EXPECTED and not decision.has_probed_answer:
        return ()
    retrieves, has_probed = bool(decision.actions), decision.has_probed_answer
    first = DecisionResult(
        action=(*decision.actions, Action.STOP.value)[0],
        confidence=decision.expected.confidence,
        expected_gain=decision.expected.gain,
        score=decision.expected.score,
        correct=recorded.outcomes[NONE].correct if has_probed and retrieves else None,
    )
    if not retrieves:
        return (first,)
    last = outcome.correct if has_probed else None
    return first, DecisionResult(action=Action.STOP.value, correct=last)
