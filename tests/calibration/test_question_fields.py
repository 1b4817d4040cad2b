"""Fields of metadata that part questions into segments."""

from __future__ import annotations

import logging

import pytest

from argo_ml.calibration.question_fields import segment_fields
from argo_ml.types import Question


def questions(answers: list[str], **fields: list[object]) -> list[Question]:
    return [
        Question(f"q{n}", "?", (answer,), metadata={name: own[n] for name, own in fields.items()})
        for n, answer in enumerate(answers)
    ]


def test_a_field_known_of_a_question_that_is_asked_parts_them() -> None:
    asked = questions(["yes", "no", "yes", "no"] * 10, source=["wiki", "wiki", "news", "news"] * 10)
    assert segment_fields(asked)[:3] == ({"source": "wiki"}, {"source": "wiki"}, {"source": "news"})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("label", ["a", "a", "b", "b"]),
        ("answer_idx", [0, 1, 1, 0]),
        ("Target", ["x", "x", "y", "y"]),
        ("is_so", [True, False, True, False]),
        ("verdict", ["YES", "no", " Yes", "NO"]),
        ("code", ["s", "r", "s", "r"]),
    ],
)
def test_a_field_that_tells_the_answer_parts_nothing(
    name: str, values: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    asked = questions(["yes", "no", "yes", "no"] * 10, **{name: values * 10})
    with caplog.at_level(logging.INFO):
        assert segment_fields(asked) == ()
    assert caplog.messages == [f"fields of metadata that tell the answer part nothing: {name}"]


@pytest.mark.parametrize(
    "answers",
    [
        [f"name {n}" for n in range(40)],
        ["yes"] * 40,
        ["yes", "no", "yes", "yes"] * 10,
    ],
)
def test_a_field_that_goes_along_with_answers_by_chance_is_kept(answers: list[str]) -> None:
    asked = questions(answers, kind=["bridge", "comparison", "comparison", "bridge"] * 10)
    assert len(segment_fields(asked)) == 40
