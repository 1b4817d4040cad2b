from __future__ import annotations

from argo_ml.datasets.jsonl import parse_question
from argo_ml.tracking.evaluation_datasets import expected_answers


def test_an_expected_response_in_brackets_is_that_text() -> None:
    answers = expected_answers({"expected_response": "[1, 2]"})
    question = parse_question({"question": "sorted({2, 1})?", "golden_answers": answers}, 1)
    assert question.answers == ("[1, 2]",)


def test_several_expected_responses_are_all_right() -> None:
    assert expected_answers({"expected_response": ["Wien", "Vienna"]}) == ["Wien", "Vienna"]
    assert expected_answers({}) is None
