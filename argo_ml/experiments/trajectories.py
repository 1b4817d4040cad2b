"""Outcomes as JSON values: trajectories, and the per-question results behind every metric."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from argo_ml.datasets.answers import grade
from argo_ml.engine.loop import Finished
from argo_ml.experiments.results import QuestionResult
from argo_ml.types import Action, Outcome, Passage, Question, Step


def question_result(question: Question, finished: Finished) -> QuestionResult:
    outcome, usage = finished.outcome, finished.outcome.usage
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
        fallbacks=sum(step.fallback for step in outcome.steps),
        cost=outcome.cost,
        stop_reason=outcome.stop_reason.value,
        decomposer_calls=usage.decomposer_calls,
        reader_calls=usage.reader_calls,
        reasoner_calls=usage.reasoner_calls,
        synthesizer_calls=usage.synthesizer_calls,
        lm_calls_paid=finished.paid_calls,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        lm_seconds=usage.seconds,
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
    }
