"""Graders as code scorers of `mlflow.genai.evaluate`: the accuracy of a sweep, without a judge.

import mlflow
from argo_ml.serving.scorers import answering, evaluation_records, graders

policy = argo_ml.load_policy("models:/support-bot@champion")
mlflow.genai.evaluate(
    data=evaluation_records(questions),
    predict_fn=answering(policy, price=0.05),
    scorers=graders(),
)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mlflow.genai.scorers import Scorer, scorer

from argo_ml.datasets.answers import grade
from argo_ml.datasets.jsonl import parse_question
from argo_ml.datasets.lines import LineError
from argo_ml.errors import DataError
from argo_ml.serving.loading import Policy
from argo_ml.tracking.evaluation_datasets import expected_answers
from argo_ml.tracking.traces import EXPECTED
from argo_ml.types import Answer, Question

MEASURES = ("correct", "exact_match", "token_f1", "contains")


def answering(policy: Policy, price: float | None = None) -> Callable[..., dict[str, Any]]:
    """A function of a question, of its choices and its metadata, for ``predict_fn``."""

    def answer(
        question: str,
        choices: Sequence[str] = (),
        id: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        answered = policy.answer(question, tuple(choices), price, metadata, question_id=id)
        return {
            "answer": answered.text,
            "choice": answered.choice,
            "parsed": answered.parsed,
            "retrievals": answered.actions.count("retrieve"),
            "cost": answered.cost,
        }

    return answer


def graders(judged_by: str = "auto") -> list[Scorer]:
    """The measures of a sweep's rows as scorers; ``judged_by`` is the sweep's ``scorer``."""
    return [_grader(name, judged_by) for name in MEASURES]


def _grader(name: str, judged_by: str) -> Scorer:
    def measure(
        inputs: Mapping[str, Any], outputs: Any, expectations: Mapping[str, Any]
    ) -> bool | float:
        question = graded_question(inputs, expectations, judged_by)
        value: bool | float = getattr(grade(question, given_answer(question, outputs)), name)
        return value

    made: Scorer = scorer(measure, name=name)
    return made


def graded_question(
    inputs: Mapping[str, Any], expectations: Mapping[str, Any], judged_by: str = "auto"
) -> Question:
    """The question of a record. Raises `DataError` for one without a gold answer."""
    line = {
        "question": inputs["question"],
        "choices": list(inputs.get("choices") or ()),
        "golden_answers": expected_answers(expectations),
    }
    try:
        question = parse_question(line, 1)
    except LineError as error:
        raise DataError(f"question={inputs['question']!r}: {error}") from None
    return Question(
        question.id,
        question.text,
        answers=question.answers,
        choices=question.choices,
        gold=question.gold,
        scorer=judged_by,
    )


def given_answer(question: Question, outputs: Any) -> Answer:
    """What was answered: a text, or a mapping that has ``answer`` and may have ``choice``, an
    index, and ``parsed``. A text that is one of the choices chooses it; any other was not read."""
    given: Mapping[str, Any] = {"answer": outputs} if isinstance(outputs, str) else outputs
    text = "" if given.get("answer") is None else str(given["answer"])
    if not question.choices:
        return Answer(text, parsed=given.get("parsed", bool(text)))
    choice = given.get("choice")
    if choice is None and text.strip() in question.choices:
        choice = question.choices.index(text.strip())
    return Answer(text, choice, parsed=choice is not None and given.get("parsed", True))


def evaluation_records(
    questions: Iterable[Question], with_metadata: bool = False
) -> list[dict[str, Any]]:
    """The records of `mlflow.genai.evaluate`, and of an evaluation dataset, for these questions.

    Their metadata, and their ids, by which strategies draw, are inputs only where they are asked
    for: a function of one's own need not know them.
    """
    return [_record(question, with_metadata) for question in questions]


def _record(question: Question, with_metadata: bool) -> dict[str, Any]:
    inputs: dict[str, Any] = {"question": question.text}
    if question.choices:
        inputs["choices"] = list(question.choices)
    if with_metadata:
        inputs["id"] = question.id
        if question.metadata:
            inputs["metadata"] = dict(question.metadata)
    gold = list(question.gold) if question.choices else list(question.answers)
    texts = [question.choices[index] for index in question.gold] or question.answers
    # What MLflow's own scorers look for.
    expectations = {"golden_answers": gold, EXPECTED: " | ".join(texts)}
    return {"inputs": inputs, "expectations": expectations}
