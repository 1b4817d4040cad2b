"""Files of outcomes: what a line says, and one-line errors that name file, line and field."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import recorded_outcomes

from argo_ml.errors import DataError
from argo_ml.replay.needs import replay_needs
from argo_ml.replay.reading import (
    ClosedBookFields,
    LineFields,
    OutcomesFields,
    StepFields,
    read_outcomes,
)
from argo_ml.replay.recorded import UNRECORDED, Course
from argo_ml.results.text_signals import TextSignals
from argo_ml.types import Answer, Difficulty

PAGE = Path(__file__).parents[2] / "docs" / "replay.md"
CHOICES = {"choices": ["red", "blue", "7"], "golden_answers": [1]}


def line(**fields: object) -> dict[str, Any]:
    base = {"id": "q", "question": "Which?", "golden_answers": ["blue"]}
    return {**base, "outcomes": outcomes(), **fields}


def outcomes(none: object = "It is blue.", **fields: object) -> dict[str, Any]:
    given = none if isinstance(none, dict) else {"answer": none}
    return {"none": given, "retrieve": {"answer": "red"}, **fields}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    def read_lines(*lines: dict[str, Any]) -> Any:
        return read_outcomes(recorded_outcomes.write(tmp_path / "o.jsonl", lines), "outcomes")

    return read_lines


def test_an_open_question_is_graded_as_elsewhere(read: Callable[..., Any]) -> None:
    [found] = read(line(metadata={"difficulty": "hard"}))
    assert found.question.answers == ("blue",)
    assert found.question.difficulty is Difficulty.HARD
    assert (found.outcomes["none"].correct, found.outcomes["retrieve"].correct) == (True, False)
    assert found.outcomes["none"].grade.exact_match == 0.0
    assert found.place.endswith("o.jsonl: line 1")


def test_an_open_question_is_graded_by_the_scorer_that_is_asked_for(tmp_path: Path) -> None:
    path = recorded_outcomes.write(tmp_path / "o.jsonl", [line()])
    [question] = read_outcomes(path, "outcomes", "exact")
    assert not question.outcomes["none"].correct


def test_answers_share_the_course_of_which_nothing_is_recorded(read: Callable[..., Any]) -> None:
    asked = {"answer": "blue", "logprob": -0.5, "samples": ["a", "b"], "confidence": 0.5}
    [plain] = read(line(outcomes=outcomes(asked)))
    assert all(outcome.course is UNRECORDED for outcome in plain.outcomes.values())
    seen = {"answer": "red", "logprob": -0.5}
    [told] = read(line(outcomes=outcomes({"answer": "blue", "reasoning": "So."}, retrieve=seen)))
    assert told.outcomes["none"].course == Course(reasoning="So.")
    assert told.outcomes["retrieve"].course == Course(TextSignals(logprob=-0.5))


def test_all_that_can_be_recorded_is_read(read: Callable[..., Any]) -> None:
    none = {
        "answer": 42,
        "logprob": -0.5,
        "entropy": 1,
        "margin": 0.25,
        "n_tokens": 4,
        "samples": ["a", "b"],
        "draft": {"entropy": 0.75},
        "confidence": 0.6,
    }
    other = {"answer": "blue"}
    given = outcomes(none, retrieve_1=other, retrieve_5=other, multi=other)
    [found] = read(line(outcomes=given, split="calibration"))
    assert list(found.outcomes) == ["none", "retrieve", "retrieve_1", "retrieve_5", "multi"]
    assert found.outcomes["none"].answer == Answer("42")
    assert (found.signals.logprob, found.signals.entropy, found.signals.n_tokens) == (-0.5, 1, 4)
    assert (found.draft.entropy, found.draft.margin) == (0.75, None)
    assert (found.samples, found.confidence, found.split) == (("a", "b"), 0.6, "calibration")


def test_without_a_draft_the_answer_is_the_draft(read: Callable[..., Any]) -> None:
    [found] = read(line(outcomes=outcomes({"answer": "blue", "entropy": 0.5})))
    assert found.draft.entropy == 0.5


@pytest.mark.parametrize(
    ("answer", "choice", "correct"),
    [
        ("blue", 1, True),
        (" blue ", 1, True),
        (1, 1, True),
        (0, 0, False),
        ("7", 2, False),
        ("Blue, I think", None, False),
        ("", None, False),
    ],
)
def test_an_answer_to_choices_is_a_text_or_an_index(
    read: Callable[..., Any], answer: object, choice: int | None, correct: bool
) -> None:
    [found] = read(line(**CHOICES, outcomes=outcomes(answer)))
    outcome = found.outcomes["none"]
    assert (outcome.answer.choice, outcome.correct) == (choice, correct)
    assert outcome.answer.parsed == (choice is not None)


@pytest.mark.parametrize("correct", [True, False])
def test_a_recorded_grade_wins(read: Callable[..., Any], correct: bool) -> None:
    for fields in ({}, CHOICES):
        for answer in ("blue", "something else"):
            given = {"answer": answer, "correct": correct}
            [found] = read(line(**fields, outcomes=outcomes(given)))
            assert found.outcomes["none"].correct is correct


def test_sequences_of_steps_are_read_with_their_course(read: Callable[..., Any]) -> None:
    step = {
        "answer": "blue",
        "logprob": -0.25,
        "reasoning": "So it is blue.",
        "completion_tokens": 7,
        "succeeded": False,
        "evidence": [{"text": "The sky is blue.", "similarity": 0.5}],
    }
    [found] = read(
        line(outcomes=outcomes(reason=step, multi={"answer": "x", "actions": ["reason"]}))
    )
    course = found.outcomes["reason"].course
    assert (course.signals.logprob, course.reasoning) == (-0.25, "So it is blue.")
    assert (course.succeeded, course.usage.completion_tokens) == (False, 7)
    assert [(hit.passage.text, hit.similarity) for hit in course.evidence] == [
        ("The sky is blue.", 0.5)
    ]
    assert set(found.sequences) == {(), ("retrieve",), ("reason",)}
    assert found.actions("multi") == ("reason",)


def test_the_documented_converter_makes_lines_that_are_read(tmp_path: Path) -> None:
    [script] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "convert.py").write_text(script, encoding="utf-8")
    record = {
        "id": "q",
        "dataset": "nq",
        "question": "Which?",
        "golden_answers": ["blue"],
        "answers": {"none": "red", "one": "blue", "ircot": "It is blue"},
        "none_reasoning": "I think red.",
    }
    calibrating = recorded_outcomes.write(tmp_path / "c.jsonl", [record])
    more = {"id": "t", "ircot_steps": 3}
    tested = recorded_outcomes.write(tmp_path / "t.jsonl", [{**record, **more}])
    command = [sys.executable, "convert.py", calibrating.name, tested.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    (tmp_path / "o.jsonl").write_text(done.stdout, encoding="utf-8")
    first, second = read_outcomes(tmp_path / "o.jsonl", "outcomes", "contains")
    assert (first.split, second.split) == ("calibration", "test")
    assert [outcome.correct for outcome in first.outcomes.values()] == [False, True, True]
    assert first.outcomes["none"].course.reasoning == "I think red."
    assert (first.actions("multi"), second.actions("multi")) == (None, ("retrieve",) * 3)


def test_one_and_zero_say_what_is_right(read: Callable[..., Any]) -> None:
    given = outcomes({"answer": "red", "correct": 1}, retrieve={"answer": "blue", "correct": 0})
    [found] = read(line(outcomes=given))
    assert [outcome.correct for outcome in found.outcomes.values()] == [True, False]


def test_no_gold_is_needed_where_every_outcome_says_what_is_right(read: Callable[..., Any]) -> None:
    given = outcomes({"answer": "red", "correct": True}, retrieve={"answer": "b", "correct": False})
    for more in ({}, {"choices": ["red", "b", "c"]}):
        [found] = read({"id": "q", "question": "Which?", "outcomes": given, **more})
        assert [outcome.correct for outcome in found.outcomes.values()] == [True, False]


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "o.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(line()).encode()))
    [found] = read_outcomes(path, "outcomes")
    assert found.id == "q"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match=r"o.jsonl.gz: is damaged or cut off .*; compress it again"):
        read_outcomes(path, "outcomes")


def test_what_was_called_right_was_read(read: Callable[..., Any]) -> None:
    [found] = read(line(**CHOICES, outcomes=outcomes({"answer": "the second", "correct": True})))
    assert found.outcomes["none"].answer.parsed


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": None}, "id is missing; give every line one of its own"),
        ({"question": " "}, "question is empty"),
        ({"golden_answers": []}, "has no golden_answers, and outcomes.none.correct is missing"),
        (
            {"outcomes": outcomes(**{"reason>retrieve": {"answer": "a"}})},
            "outcomes.reason>retrieve is recorded and outcomes.reason, which comes before it, is",
        ),
        ({"outcomes": outcomes(reason={"answr": "a"})}, "outcomes.reason.answer is missing"),
        ({"outcomes": outcomes(reason={"answer": "a", "x": 1})}, "outcomes.reason.x is unknown"),
        ({"outcomes": outcomes(**{"retrieve>guess": {}})}, "outcomes.retrieve>guess is unknown"),
        ({"splt": "test"}, "splt is unknown; did you mean 'split'?"),
        ({"price": 0.5}, "price is unknown; known: id, question"),
        ({"confidence": 0.5}, "confidence is unknown; write it as outcomes.none.confidence"),
        ({"evidence": []}, "evidence is unknown; write it as outcomes.retrieve.evidence"),
        ({"none": {}}, "none is unknown; write it as outcomes.none"),
        ({"outcomes": None}, "outcomes=null is not an object; write one, as docs/replay.md shows"),
        (
            {"outcomes": {"none": {"answer": "a"}}},
            "outcomes.retrieve is missing; record it for every question, as docs/replay.md shows",
        ),
        ({"outcomes": {"retrieve": {"answer": "a"}}}, "outcomes.none is missing; record it for"),
        ({"outcomes": outcomes({})}, "outcomes.none.answer is missing; record it for every"),
        (
            {"outcomes": outcomes({"answer": True})},
            "outcomes.none.answer=true is neither a text nor a number; write a text, empty for no",
        ),
        (
            {"outcomes": outcomes({"answer": float("nan")})},
            "outcomes.none.answer is nan, not a fin",
        ),
        ({"outcomes": outcomes(retrieve_2={})}, "outcomes.retrieve_2 is unknown"),
        ({"outcomes": outcomes({"answer": "a", "log_prob": -1})}, "none.log_prob is unknown"),
        ({"outcomes": outcomes({"answer": "a", "logprob": 0.5})}, "none.logprob=0.5: input should"),
        (
            {"outcomes": outcomes({"answer": "a", "entropy": "1"})},
            'none.entropy="1": input should be a valid number; write a number, without quotes',
        ),
        ({"outcomes": outcomes({"answer": "a", "margin": 1.5})}, "outcomes.none.margin=1.5: input"),
        ({"outcomes": outcomes({"answer": "a", "samples": ["b"]})}, 'none.samples=["b"]: list'),
        (
            {"outcomes": outcomes({"answer": "a", "correct": 2})},
            "none.correct=2: input should be a valid boolean; write true or false",
        ),
        ({"outcomes": outcomes({"answer": "a", "draft": {"x": 1}})}, "none.draft.x is unknown"),
        (
            {"outcomes": outcomes({"answer": "a", "probabilities": [0.5, 0.5]})},
            "none.probabilities has 2 values for 0 choices; give one for every choice, in their "
            "order, or leave it out",
        ),
        (
            {**CHOICES, "outcomes": outcomes({"answer": 0, "probabilities": [0.5, 0.2, 0.1]})},
            "outcomes.none.probabilities add up to 0.800, not to 1; divide them by their sum, or",
        ),
        (
            {**CHOICES, "outcomes": outcomes(3)},
            "outcomes.none.answer=3 is not an index of its 3 choices; write the text of one, or an "
            "index from 0 on",
        ),
        ({"split": "train"}, 'split="train": input should be'),
        ({"outcomes": outcomes({"answer": "a", "n_tokens": 10**9})}, "none.n_tokens=1000000000: "),
        (
            {"outcomes": outcomes(retrieve={"answer": "a", "actions": ["retrieve", "retrieve"]})},
            "outcomes.retrieve.actions=retrieve,retrieve are not those of its name; leave them "
            "out, or name the outcome retrieve>retrieve",
        ),
    ],
)
def test_a_bad_line_is_told_with_file_line_and_field(
    read: Callable[..., Any], changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(DataError) as caught:
        read(line(id="sound"), line(**changes))
    message = str(caught.value)
    assert message.startswith("outcomes=")
    assert "o.jsonl: line 2: " in message
    assert reason in message
    assert "\n" not in message


def test_several_bad_lines_are_counted(read: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match=r"line 1: id is missing; .*; and 1 more$"):
        read(line(id=""), line(id="sound"), line(outcomes=None))


def test_an_id_twice_is_refused(read: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match="line 2: repeats id 'q'; give every line an id of its"):
        read(line(), line(question="Which other?"))


def test_the_documented_lines_are_read(tmp_path: Path) -> None:
    examples = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    paths = [tmp_path / f"{number}.jsonl" for number in range(2)]
    for path, example in zip(paths, examples, strict=True):
        path.write_text(example, encoding="utf-8")
    writing, choosing = read_outcomes(paths[0], "outcomes")
    [scored] = read_outcomes(paths[1], "outcomes")
    assert scored.scores == {"my_gate": 0.7, "other": -3.1}
    assert [each.correct for each in writing.outcomes.values()] == [False, True]
    assert [each.correct for each in choosing.outcomes.values()] == [True, True]


def test_every_field_and_policy_is_documented() -> None:
    text = PAGE.read_text(encoding="utf-8")
    kinds = (ClosedBookFields, StepFields, LineFields)
    fields = {name for kind in kinds for name in kind.model_fields} | {*replay_needs()}
    assert [name for name in sorted(fields) if f"`{name}" not in text] == []
    assert [name for name in OutcomesFields.model_fields if f"`outcomes.{name}`" not in text] == []


def test_an_empty_or_missing_file_is_refused(tmp_path: Path, read: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match=r"outcomes=.*o.jsonl: is empty"):
        read()
    with pytest.raises(DataError, match=r"calibration_outcomes=.*none.jsonl: no such file"):
        read_outcomes(tmp_path / "none.jsonl", "calibration_outcomes")
