"""Outcomes as JSON values: trajectories, and the per-question results behind every metric."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from argo_ml.datasets.answers import grade
from argo_ml.engine.loop import Finished
from argo_ml.pipeline.probing import choice_probabilities
from argo_ml.results.records import DecisionResult, QuestionResult, usage_fields
from argo_ml.results.text_signals import seen_signals
from argo_ml.state import Outcome
from argo_ml.types import NOTHING_EXPECTED, Action, Answer, Expectation, Passage, Question, Step

CONFIDENCE_DECIMALS = 4


def question_result(question: Question, finished: Finished) -> QuestionResult:
    outcome = finished.outcome
    graded = grade(question, outcome.answer)
    return QuestionResult(
        question_id=question.id,
        answer=outcome.answer.text,
        choice=outcome.answer.choice,
        correct=graded.correct,
        exact_match=graded.exact_match,
        token_f1=graded.token_f1,
        contains=graded.contains,
        parsed=outcome.answer.parsed,
        actions=tuple(step.action.value for step in outcome.steps),
        retrieval_successes=sum(
            step.succeeded for step in outcome.steps if step.action is Action.RETRIEVE
        ),
        decomposer_fallbacks=sum(step.fallback for step in outcome.steps),
        cost=outcome.cost,
        stop_reason=outcome.stop_reason.value,
        lm_calls_paid=finished.paid_calls,
        **usage_fields(outcome.usage),
        confidence=_confidence(outcome),
        decisions=_decisions(question, outcome),
        difficulty=question.difficulty and question.difficulty.value,
        repeated_retrievals=outcome.repeated_retrievals,
        unanswered=outcome.unanswered,
    )


def _confidence(outcome: Outcome) -> float | None:
    """The confidence without the digits that depend on the batch that scored the answer."""
    confidence = outcome.expected.confidence
    if confidence is None:
        confidence = max(choice_probabilities(outcome.answer), default=None)
    return None if confidence is None else round(confidence, CONFIDENCE_DECIMALS)


def _decisions(question: Question, outcome: Outcome) -> tuple[DecisionResult, ...]:
    """The decisions; none of a policy that neither probed nor expected anything."""
    decisions = [(step.action, step.expected, step.before) for step in outcome.steps]
    last = outcome.answer if any(seen for _, _, seen in decisions) else None
    decisions.append((Action.STOP, outcome.expected, last))
    if all(expected == NOTHING_EXPECTED and seen is None for _, expected, seen in decisions):
        return ()
    return tuple(_decision(question, *decision) for decision in decisions)


def _decision(
    question: Question, action: Action, expected: Expectation, seen: Answer | None
) -> DecisionResult:
    return DecisionResult(
        action=action.value,
        confidence=expected.confidence,
        expected_gain=expected.gain,
        score=expected.score,
        correct=None if seen is None else grade(question, seen).correct,
    )


def trajectory(question: Question, outcome: Outcome) -> dict[str, Any]:
    """One line of ``trajectories.jsonl``; passages are named by id, their texts kept apart."""
    return {
        "question_id": question.id,
        "question": question.text,
        "choices": list(question.choices),
        "gold": list(question.gold) if question.choices else list(question.answers),
        "steps": [_step(step) for step in outcome.steps],
        "stop_reason": outcome.stop_reason.value,
        "progress": outcome.progress,
        "cost": outcome.cost,
        "answer": outcome.answer.text,
        "choice": outcome.answer.choice,
        "parsed": outcome.answer.parsed,
        "scores": list(outcome.answer.scores),
        **({"unanswered": outcome.unanswered} if outcome.unanswered else {}),
        **({"expected": expected} if (expected := _expected(outcome.expected)) else {}),
        **({"seen": seen} if (seen := seen_signals(outcome.observations)) else {}),
    }


def cited_passages(outcomes: Iterable[Outcome]) -> dict[str, Passage]:
    return {
        hit.passage.id: hit.passage
        for outcome in outcomes
        for step in outcome.steps
        for hit in step.evidence
    }


def passage_record(passage: Passage) -> dict[str, str]:
    return {
        "id": passage.id,
        "title": passage.title,
        "text": passage.text,
        "source": passage.source,
    }


def _step(step: Step) -> dict[str, Any]:
    line = _plain_step(step)
    if step.query is not None:
        line["query"] = step.query
    if step.top_k is not None:
        line["top_k"] = step.top_k
    if step.expected != NOTHING_EXPECTED:
        line["expected"] = _expected(step.expected)
    if step.before is not None:
        line["answer_before"] = step.before.text
    return line


def _expected(expected: Expectation) -> dict[str, float]:
    values = {
        "confidence": expected.confidence,
        "gain": expected.gain,
        "score": expected.score,
    }
    return {name: value for name, value in values.items() if value is not None}


def _plain_step(step: Step) -> dict[str, Any]:
    return {
        "action": step.action.value,
        "sub_question": step.sub_question,
        "sub_answer": step.sub_answer,
        "succeeded": step.succeeded,
        "fallback": step.fallback,
        "evidence": [
            {"passage_id": hit.passage.id, "similarity": round(hit.similarity, 6)}
            for hit in step.evidence
        ],
        "progress": step.progress,
        "cost": step.cost,
        "tokens": list(step.tokens),
    }
