"""A published policy under `mlflow.genai.evaluate`: the accuracy of its sweep."""

from __future__ import annotations

from typing import Any, cast

import mlflow
import pytest
from builders.published_policy import PublishedSweep

from argo_ml.config import QuestionSpec, SweepSpec, build
from argo_ml.datasets import load_questions
from argo_ml.errors import DataError
from argo_ml.serving.loading import Policy, PolicyAnswer, load_policy
from argo_ml.serving.scorers import answering, evaluation_records, graded_question, graders
from argo_ml.types import Question

PRICE = 0.1


@pytest.mark.slow
def test_the_accuracy_of_an_evaluation_is_that_of_the_sweep(
    published_sweep: PublishedSweep, tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_GENAI_EVAL_MAX_WORKERS", "1")
    policy = load_policy(published_sweep.model, published_sweep.uri)
    [cell] = [
        own for own in published_sweep.results.row("argo_calibrated") if own.retrieval_cost == PRICE
    ]
    path = published_sweep.folder / "test.jsonl"
    values = {"dataset": "jsonl", "questions": str(path), "split": "all", "n_questions": "12"}
    asked = load_questions(build(QuestionSpec, {**values, "difficulty": "all"})).questions
    mlflow.set_tracking_uri(tracking_uri)
    # What is set from here on is unset after the test.
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "")
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
    mlflow.set_experiment("evaluated")

    evaluated = mlflow.genai.evaluate(
        data=evaluation_records(asked), predict_fn=answering(policy, PRICE), scorers=graders()
    )

    assert evaluated.metrics["correct/mean"] == pytest.approx(cell.metrics["accuracy"])
    assert evaluated.metrics["token_f1/mean"] == pytest.approx(cell.metrics["token_f1"])


@pytest.mark.slow
def test_questions_of_an_evaluation_dataset_are_those_of_the_file(
    published_sweep: PublishedSweep, tracking_uri: str
) -> None:
    path = published_sweep.folder / "test.jsonl"
    values = {"split": "all", "n_questions": "12", "difficulty": "all"}
    spec = build(QuestionSpec, {**values, "dataset": "jsonl", "questions": str(path)})
    asked = load_questions(spec).questions
    mlflow.set_tracking_uri(tracking_uri)
    made = mlflow.genai.datasets.create_dataset(name="countries")
    made.merge_records(evaluation_records(asked))

    named = {**values, "dataset": "mlflow:countries", "tracking_uri": tracking_uri}
    again = load_questions(build(SweepSpec, named)).questions

    assert {own.text: own.answers for own in again} == {own.text: own.answers for own in asked}


def test_a_dataset_that_is_not_there_is_named(tracking_uri: str) -> None:
    spec = build(SweepSpec, {"dataset": "mlflow:none", "tracking_uri": tracking_uri})
    with pytest.raises(DataError, match="dataset=mlflow:none: cannot be read"):
        load_questions(spec)


def test_a_choice_is_graded_by_its_text_or_index() -> None:
    inputs = {"question": "Which?", "choices": ["A", "B"]}
    by_text = graded_question(inputs, {"expected_response": "B"})
    by_index = graded_question(inputs, {"golden_answers": [1]})
    assert by_text.gold == by_index.gold == (1,)


class Unreadable:
    """Stands for a policy whose model has named no option."""

    def answer(self, *asked: object, **more: object) -> PolicyAnswer:
        nothing: dict[str, Any] = dict.fromkeys(("choice", "p_hat", "expected_gain"))
        took: dict[str, Any] = {"actions": (), "passages": (), "cost": 0.0}
        made = {"text": "B?", "strategy": "never", "retrieval_cost": 0.1, "parsed": False}
        return PolicyAnswer(**nothing, **took, **made)


def test_a_reply_that_was_not_read_is_wrong_as_in_a_sweep() -> None:
    outputs = answering(cast(Policy, Unreadable()))("Which?", ("A", "B"))
    assert graded(outputs) == [False, 0.0, 0.0, 0.0]
    assert graded({**outputs, "answer": "B"}) == [False, 0.0, 0.0, 0.0]


def test_an_open_answer_that_was_not_read_is_wrong_whatever_it_says() -> None:
    outputs = {"answer": "<think>It is B", "choice": None, "parsed": False}
    assert graded(outputs, choices=()) == [False, 0.0, 0.0, 0.0]
    assert graded("It is B", choices=())[-1] == 1.0


@pytest.mark.parametrize("outputs", ["B", " B", {"answer": "B"}, {"answer": "it", "choice": 1}])
def test_a_choice_is_given_by_its_text_or_index(outputs: Any) -> None:
    assert graded(outputs) == [True, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("outputs", ["Paris?", "", {"answer": None}, {"answer": "Paris?"}])
def test_an_answer_that_names_no_choice_is_wrong(outputs: Any) -> None:
    assert graded(outputs) == [False, 0.0, 0.0, 0.0]


def graded(outputs: Any, choices: tuple[str, ...] = ("A", "B")) -> list[Any]:
    """By every grader, of a question whose right answer is B."""
    inputs = {"question": "Which?", "choices": list(choices)}
    expectations = {"expected_response": "B"}
    return [
        own(inputs=inputs, outputs=outputs, expectations=expectations)
        for own in cast(list[Any], graders())
    ]


def test_a_record_without_a_gold_answer_is_named() -> None:
    with pytest.raises(DataError, match="Which"):
        graded_question({"question": "Which?"}, {})


def test_a_record_has_what_a_question_has() -> None:
    question = Question("q", "Which?", choices=("A", "B"), gold=(1,))
    [record] = evaluation_records([question])
    assert record["inputs"] == {"question": "Which?", "choices": ["A", "B"]}
    assert record["expectations"] == {"golden_answers": [1], "expected_response": "B"}


def test_a_record_has_the_gold_answers_as_scorers_of_mlflow_read_them() -> None:
    [record] = evaluation_records([Question("q", "Where?", answers=("Wien", "Vienna"))])
    assert record["expectations"]["expected_response"] == "Wien | Vienna"
    assert graded_question(record["inputs"], record["expectations"]).answers == ("Wien", "Vienna")
