from __future__ import annotations

import pytest
from builders import hand_made_sweep as sweep

from argo_ml.results.naming import (
    asked_questions,
    described_questions,
    listed_floors,
    source_name,
    told_apart,
)


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (["a/x", "c/y"], ["x", "y"]),
        (["a/x", "b/x", "c/y"], ["a/x", "b/x", "c/y"]),
        (["/runs/a/final", "/runs/b/final"], ["a/final", "b/final"]),
        (["x", "a/x"], ["x", "a/x"]),
        (["a/x"], ["x"]),
        ([], []),
    ],
)
def test_models_are_named_as_briefly_as_tells_them_apart(
    models: list[str], names: list[str]
) -> None:
    assert told_apart(models) == dict(zip(models, names, strict=True))


def test_difficulty_is_named_where_questions_have_one() -> None:
    results = sweep.results(sweep.cell("never", 0.1, "10", difficulty=["hard", "hard"]))

    assert described_questions(results) == "2 hard atlas questions"
    assert source_name(results) == "atlas, hard"


def test_difficulty_of_the_spec_says_nothing_of_questions_without() -> None:
    results = sweep.results(sweep.cell("never", 0.1, "1"), dataset="jsonl")

    assert described_questions(results) == "1 jsonl question"
    assert source_name(results) == "jsonl"


@pytest.mark.parametrize(
    ("questions", "difficulty", "dataset", "text"),
    [
        ("", "hard", "atlas", "hard atlas questions"),
        ("", "all", "atlas", "all-difficulty atlas questions"),
        ("/data/mine.jsonl", "hard", "jsonl", "questions of mine.jsonl"),
    ],
)
def test_file_of_ones_own_is_named(
    questions: str, difficulty: str, dataset: str, text: str
) -> None:
    assert asked_questions(questions, difficulty, dataset) == text


def test_open_questions_have_no_floors() -> None:
    assert listed_floors({}) == ""
    assert listed_floors({"random": 0.0, "longest_choice": 0.0}) == ""
    assert listed_floors({"random": 0.25, "longest_choice": 0.0}) == (
        "random 0.250, longest choice 0.000"
    )
