"""The row of one question under one policy, from what is recorded of the plan that it took."""

from __future__ import annotations

from dataclasses import dataclass

from argo_ml.calibration.plans import NONE, actions_of, after
from argo_ml.datasets.answers import Grade
from argo_ml.replay.recorded import RecordedOutcome, RecordedQuestion
from argo_ml.results.records import DecisionResult, QuestionResult, usage_fields
from argo_ml.results.trajectories import CONFIDENCE_DECIMALS
from argo_ml.types import NOTHING_EXPECTED, Action, Answer, Expectation, StopReason

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
    def root(self) -> Expectation:
        """What the policy expected before the first step."""
        return self.expected


@dataclass(frozen=True, slots=True)
class Walk(ReplayDecision):
    """A policy's way through the recorded sequences; ``expected`` is of its stop.

    ``before`` are, step by step, what it expected, and whether it had probed the answer.
    """

    before: tuple[tuple[Expectation, bool], ...] = ()
    stop_reason: StopReason = StopReason.POLICY

    @property
    def root(self) -> Expectation:
        return self.before[0][0] if self.before else self.expected


def question_row(recorded: RecordedQuestion, decision: ReplayDecision) -> QuestionResult:
    """A row as a sweep's, but for its cost.

    Calls are not recorded and count as 0, and so do tokens and seconds where they are not. Every
    retrieval counts as one that found something unless it is recorded otherwise.
    """
    question = recorded.question
    outcome, taken = _given(recorded, decision), recorded.outcomes[decision.plan]
    graded, answer = outcome.grade, outcome.answer
    actions = recorded.actions(decision.plan) or ()
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
        retrieval_successes=_successes(recorded, actions),
        decomposer_fallbacks=0,
        cost=0.0,
        stop_reason=_stop_reason(decision).value,
        lm_calls_paid=0,
        # A withheld answer was made as well, to be looked at.
        **usage_fields(taken.course.usage),
        confidence=_confidence(decision, outcome),
        decisions=_walked(recorded, decision)
        if isinstance(decision, Walk)
        else decisions_of(recorded, decision),
        difficulty=None if question.difficulty is None else question.difficulty.value,
    )


def _given(recorded: RecordedQuestion, decision: ReplayDecision) -> RecordedOutcome:
    """The outcome of the answer that the policy gives, or withholds."""
    return ABSTENTION if decision.abstains else recorded.outcomes[decision.plan]


def _stop_reason(decision: ReplayDecision) -> StopReason:
    if decision.abstains:
        return StopReason.ABSTAIN
    return decision.stop_reason if isinstance(decision, Walk) else StopReason.POLICY


def _successes(recorded: RecordedQuestion, actions: tuple[str, ...]) -> int:
    """Retrievals on the way that found something."""
    ways = (after(actions[: n_steps + 1]) for n_steps in range(len(actions)))
    return sum(
        action == Action.RETRIEVE.value
        and (way not in recorded.outcomes or recorded.outcomes[way].course.succeeded)
        for action, way in zip(actions, ways, strict=True)
    )


def _walked(recorded: RecordedQuestion, walk: Walk) -> tuple[DecisionResult, ...]:
    """The decisions step by step; none of a policy that neither probed nor expected anything."""
    made = (*walk.before, (walk.expected, walk.has_probed_answer))
    if all(expected == NOTHING_EXPECTED and not probed for expected, probed in made):
        return ()
    actions = actions_of(walk.plan) or ()
    probes_any = any(probed for _, probed in made)
    ways = (after(actions[:n_steps]) for n_steps in range(len(actions)))
    outcomes = (*(recorded.outcomes[way] for way in ways), _given(recorded, walk))
    return tuple(
        DecisionResult(
            action=(*actions, Action.STOP.value)[n_steps],
            confidence=expected.confidence,
            expected_gain=expected.gain,
            score=expected.score,
            correct=outcome.correct
            if (probed if n_steps < len(actions) else actions and probes_any)
            else None,
        )
        for n_steps, ((expected, probed), outcome) in enumerate(zip(made, outcomes, strict=True))
    )


def _confidence(decision: ReplayDecision, outcome: RecordedOutcome) -> float | None:
    """Confidence in the answer given: what the policy expected of it, else its probability."""
    return confidence_in_answer(decision, max(outcome.probabilities, default=None))


def confidence_in_answer(decision: ReplayDecision, of_answer: float | None) -> float | None:
    """The policy's own where it stops with the answer that it looked at, else ``of_answer``."""
    stops_there = decision.plan == NONE or isinstance(decision, Walk)
    own = decision.expected.confidence if stops_there else None
    confidence = of_answer if own is None else own
    return None if confidence is None else round(confidence, CONFIDENCE_DECIMALS)


def decisions_of(
    recorded: RecordedQuestion, decision: ReplayDecision
) -> tuple[DecisionResult, ...]:
    """What was decided at once; nothing of a policy that neither probed nor expected anything.

    A retrieval ends in a stop.
    """
    if decision.expected == NOTHING_EXPECTED and not decision.has_probed_answer:
        return ()
    retrieves, has_probed = decision.plan != NONE, decision.has_probed_answer
    first = DecisionResult(
        action=(Action.RETRIEVE if retrieves else Action.STOP).value,
        confidence=decision.expected.confidence,
        expected_gain=decision.expected.gain,
        score=decision.expected.score,
        correct=recorded.outcomes[NONE].correct if has_probed and retrieves else None,
    )
    if not retrieves:
        return (first,)
    last = _given(recorded, decision).correct if has_probed else None
    return first, DecisionResult(action=Action.STOP.value, correct=last)
