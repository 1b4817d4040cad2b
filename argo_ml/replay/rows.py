"""The row of one question under one policy, from what is recorded of the plan that it took."""

from __future__ import annotations

from dataclasses import dataclass

from argo_ml.calibration.plans import NONE
from argo_ml.datasets.answers import Grade
from argo_ml.replay.recorded import RecordedOutcome, RecordedQuestion
from argo_ml.results.records import DecisionResult, QuestionResult
from argo_ml.results.trajectories import CONFIDENCE_DECIMALS
from argo_ml.types import NOTHING_EXPECTED, Action, Answer, Expectation, StopReason

ABSTENTION = RecordedOutcome(Answer(""), Grade(False, 0.0, 0.0, 0.0))
"""Nothing, which is never right and was not misread."""


@dataclass(frozen=True, slots=True)
class ReplayDecision:
    """The plan that a policy took, what it expected, and whether it had looked at the answer."""

    plan: str
    expected: Expectation = NOTHING_EXPECTED
    looked: bool = False
    abstains: bool = False

    @property
    def decision(self) -> str:
        """In a word."""
        return "abstain" if self.abstains else self.plan

    @property
    def actions(self) -> tuple[str, ...]:
        return () if self.plan == NONE else (Action.RETRIEVE.value,)


def question_row(recorded: RecordedQuestion, taken: ReplayDecision) -> QuestionResult:
    """As a sweep's, but for its cost. Calls, tokens and seconds are not recorded and count as 0,
    and every retrieval counts as one that found something."""
    question = recorded.question
    outcome = ABSTENTION if taken.abstains else recorded.outcomes[taken.plan]
    graded, answer, actions = outcome.grade, outcome.answer, taken.actions
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
        fallbacks=0,
        cost=0.0,
        stop_reason=(StopReason.ABSTAIN if taken.abstains else StopReason.POLICY).value,
        decomposer_calls=0,
        reader_calls=0,
        reasoner_calls=0,
        synthesizer_calls=0,
        lm_calls_paid=0,
        prompt_tokens=0,
        completion_tokens=0,
        lm_seconds=0.0,
        confidence=_confidence(taken, outcome),
        decisions=_decisions(recorded, taken, outcome),
        difficulty=None if question.difficulty is None else question.difficulty.value,
    )


def _confidence(taken: ReplayDecision, outcome: RecordedOutcome) -> float | None:
    """Of the answer given: what the policy expected of it, else its probability."""
    found = None if taken.actions else taken.expected.confidence
    if found is None:
        found = max(outcome.probabilities, default=None)
    return None if found is None else round(found, CONFIDENCE_DECIMALS)


def _decisions(
    recorded: RecordedQuestion, taken: ReplayDecision, outcome: RecordedOutcome
) -> tuple[DecisionResult, ...]:
    """None of a policy that neither looked nor expected anything; a retrieval ends in a stop."""
    if taken.expected == NOTHING_EXPECTED and not taken.looked:
        return ()
    retrieves = bool(taken.actions)
    first = DecisionResult(
        action=(*taken.actions, Action.STOP.value)[0],
        confidence=taken.expected.confidence,
        expected_gain=taken.expected.gain,
        score=taken.expected.score,
        correct=recorded.outcomes[NONE].correct if taken.looked and retrieves else None,
    )
    if not retrieves:
        return (first,)
    last = outcome.correct if taken.looked else None
    return first, DecisionResult(action=Action.STOP.value, correct=last)
