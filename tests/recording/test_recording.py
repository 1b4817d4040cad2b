"""A pipeline recorded into a file and a run, and the file replayed."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

import argo_ml
from argo_ml.interface.returned import RecordResult
from argo_ml.recording import Asked
from argo_ml.tracking.runs import ERROR, KIND, NOTE

QUESTIONS = [
    {"id": f"q{n}", "question": f"Which number follows {n}?", "golden_answers": [str(n + 1)]}
    for n in range(40)
]
Record = Callable[..., RecordResult]


def without(questions: list[str]) -> list[dict[str, Any]]:
    """Knows what follows the even numbers, and is surer of that."""
    asked = [int(question[:-1].split()[-1]) for question in questions]
    return [
        {
            "answer": str(number + 1) if number % 2 == 0 else "many",
            "token_logprobs": [-0.1 if number % 2 == 0 else -2.0],
        }
        for number in asked
    ]


def with_retrieval(questions: list[str]) -> list[str]:
    return [str(int(question[:-1].split()[-1]) + 1) for question in questions]


@pytest.fixture
def record(tmp_path: Path, tracking_uri: str, monkeypatch: pytest.MonkeyPatch) -> Record:
    monkeypatch.chdir(tmp_path)
    common = {"name": "counting", "cache_dir": tmp_path / "cache", "max_retries": 0}

    def recorded(pipeline: Any = (without, with_retrieval), **options: Any) -> RecordResult:
        questions = options.pop("questions", QUESTIONS)
        return argo_ml.record(
            pipeline, questions, **{**common, "tracking_uri": tracking_uri, **options}
        )

    return recorded


def runs(tracking_uri: str) -> list[Run]:
    client = MlflowClient(tracking_uri)
    [experiment] = [own for own in client.search_experiments() if own.name == "argo_ml"]
    return list(client.search_runs([experiment.experiment_id]))


def test_the_file_is_what_replay_reads(record: Record, tmp_path: Path, tracking_uri: str) -> None:
    recorded = record()
    replayed = argo_ml.replay(
        outcomes=recorded,
        policies=["never", "single", "oracle"],
        retrieval_costs=[0.1],
        tracking_uri=tracking_uri,
        cache_dir=tmp_path / "cache",
    )
    accuracy = replayed.to_frame("cell").set_index("strategy").accuracy
    assert accuracy["single"] == 1.0
    assert 0.2 < accuracy["never"] < 0.8
    assert "never" in replayed.answer


@pytest.mark.slow
@pytest.mark.usefixtures("quick_figures")
def test_a_pipeline_is_advised_on_to_the_steps_that_are_recorded(
    record: Record, tmp_path: Path, tracking_uri: str
) -> None:
    questions = [
        {"id": f"q{n}", "question": f"Which number follows {n}?", "golden_answers": [str(n + 1)]}
        for n in range(200)
    ]
    advised = argo_ml.advise(
        outcomes=record(questions=questions),
        policies=["never", "single", "argo_calibrated"],
        retrieval_costs=[0.1, 0.3],
        tracking_uri=tracking_uri,
        cache_dir=tmp_path / "cache",
    )
    frame = advised.to_frame().set_index("price")
    # How sure the pipeline is says exactly when retrieval helps: for the half of the questions.
    assert list(frame.do) == ["decide by the question"] * 2
    assert frame.accuracy.tolist() == [1.0, 1.0]
    assert frame.retrieval_share[0.1] == pytest.approx(0.5, abs=0.2)
    assert "an unnamed model" in advised.advice.question
    assert advised.judged.run_id != advised.run_id
    assert "decide by the question" in advised._repr_html_()


def test_a_run_keeps_outcomes_and_accuracies(record: Record, tracking_uri: str) -> None:
    recorded = record()
    client = MlflowClient(tracking_uri)
    run = client.get_run(recorded.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags[KIND] == "recording"
    metrics = run.data.metrics
    assert (metrics["accuracy_none"], metrics["accuracy_retrieve"]) == (0.5, 1.0)
    assert [artifact.path for artifact in client.list_artifacts(recorded.run_id)] == [
        "outcomes.jsonl"
    ]
    [asked] = run.inputs.dataset_inputs
    assert (asked.dataset.name, json.loads(asked.dataset.source)) == ("questions", {"uri": "given"})


def test_lines_have_question_gold_and_how_sure_it_looked(record: Record) -> None:
    line = json.loads(record(split="test").path.read_text().splitlines()[0])
    assert (line["id"], line["golden_answers"], line["split"]) == ("q0", ["1"], "test")
    none = line["outcomes"]["none"]
    assert (none["answer"], none["logprob"], none["n_tokens"]) == ("1", -0.1, 1)
    assert line["outcomes"]["retrieve"]["answer"] == "1"


def test_a_frame_has_a_row_per_question_and_plan(record: Record) -> None:
    recorded = record()
    assert len(recorded.to_frame()) == 80
    assert recorded.to_frame().groupby("plan").correct.mean().to_dict() == {
        "none": 0.5,
        "retrieve": 1.0,
    }
    assert "<td>retrieve</td><td>1</td>" in recorded._repr_html_()


def test_a_pipeline_that_continues_is_asked_step_by_step(record: Record) -> None:
    def further(asked: list[Asked]) -> list[str]:
        return [f"{own.answers[-1]['answer']}.{len(own.answers)}" for own in asked]

    recorded = record((without, with_retrieval, further), max_steps=3)
    first = json.loads(recorded.path.read_text().splitlines()[0])["outcomes"]
    assert list(first) == ["none", "retrieve", "retrieve>retrieve", "retrieve>retrieve>retrieve"]
    assert first["retrieve>retrieve>retrieve"]["answer"] == "1.2.3"


def test_a_failure_ends_the_run_and_the_next_recording_goes_on(
    record: Record, tracking_uri: str, tmp_path: Path
) -> None:
    asked: list[str] = []

    def failing(questions: list[str]) -> list[str]:
        if "Which number follows 2?" in questions:
            raise ConnectionError("the gateway is down")
        asked.extend(questions)
        return with_retrieval(questions)

    message = r"with retrieval, question 'q2': raised ConnectionError: the gateway is down; what"
    with pytest.raises(argo_ml.ArgoError, match=message):
        record((without, failing), batch_size=4)
    [run] = runs(tracking_uri)
    assert run.info.status == "FAILED"
    assert "the gateway is down" in run.data.tags[ERROR]
    assert not (tmp_path / "outcomes.jsonl").exists()
    assert sorted(asked) == sorted(str(own["question"]) for own in QUESTIONS if own["id"] != "q2")

    def remembering(questions: list[str]) -> list[str]:
        asked.extend(questions)
        return with_retrieval(questions)

    record((without, remembering))
    assert sorted(asked) == sorted(question["question"] for question in QUESTIONS)


def test_a_question_that_fails_is_left_out_of_what_follows(record: Record) -> None:
    continued: list[str] = []

    def failing(questions: list[str]) -> list[str]:
        if "Which number follows 2?" in questions:
            raise PermissionError("the filter refuses it")
        return with_retrieval(questions)

    def further(questions: list[Asked]) -> list[str]:
        texts = [own.question for own in questions]
        continued.extend(texts)
        return with_retrieval(texts)

    with pytest.raises(argo_ml.ArgoError, match=r"'q2': raised PermissionError: .*: record again"):
        record((failing, with_retrieval, further), max_steps=2, batch_size=40)
    assert len(continued) == 39
    assert "Which number follows 2?" not in continued


def test_no_answer_is_a_wrong_one(record: Record) -> None:
    def refused(questions: list[str]) -> list[dict[str, Any]]:
        return [{"answer": "", "token_logprobs": []}, *without(questions)[1:]]

    recorded = record((refused, with_retrieval), batch_size=40)
    assert not recorded.to_frame().set_index(["question_id", "plan"]).correct["q0", "none"]
    first = json.loads(recorded.path.read_text().splitlines()[0])["outcomes"]["none"]
    assert (first["answer"], first["n_tokens"]) == ("", 0)


def test_a_recording_says_what_was_asked_and_what_was_kept(
    record: Record, tracking_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    record()
    assert not [own for own in caplog.records if own.levelno >= logging.WARNING]
    again = record()
    assert (
        "0 of 80 answers asked, 80 kept from earlier recordings of counting@1; another version "
        "asks anew"
    ) in caplog.text
    run = MlflowClient(tracking_uri).get_run(again.run_id)
    assert "0 of 80 answers asked" in run.data.tags[NOTE]
    metrics = run.data.metrics
    assert (metrics["answers_asked"], metrics["answers_kept"]) == (0.0, 80.0)
    assert "n_asked=0, n_kept=80" in repr(again)
    assert "0 answers asked, 80 kept from earlier recordings" in again._repr_html_()


def test_all_bad_lines_of_a_file_are_named(record: Record, tmp_path: Path) -> None:
    lines = [{**question, "golden_answers": []} for question in QUESTIONS[:14]] + QUESTIONS[14:]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, lines)))
    message = (
        r"own.jsonl:1 has no golden_answers; .*; and 13 more: 2, 3, .*, 11 and 3 more; mend it or"
    )
    with pytest.raises(argo_ml.ArgoError, match=message):
        record(questions="own.jsonl")


def test_repeated_lines_of_a_file_are_told_of(
    record: Record, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [*QUESTIONS, {**QUESTIONS[0], "id": "again"}]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert len(record(questions="own.jsonl").to_frame()) == 80
    assert "1 lines repeat a question of an earlier one" in caplog.text


def test_a_mended_pipeline_of_the_same_version_goes_on(record: Record) -> None:
    def too_sure(questions: list[str]) -> list[dict[str, Any]]:
        sure = {"Which number follows 39?": 1.5}
        own = zip(questions, without(questions), strict=True)
        return [{**answer, "confidence": sure.get(question, 0.5)} for question, answer in own]

    with pytest.raises(argo_ml.ArgoError, match=r"'q39': gave .* confidence=1.5: input should be"):
        record((too_sure, with_retrieval))
    frame = record().to_frame()
    assert len(frame) == 80


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pipeline": without}, "give two callables"),
        ({"pipeline": (without, None)}, "pipeline: with_retrieval=None cannot be called"),
        ({"name": " "}, "name is empty; name the pipeline"),
        ({"questions": []}, "questions is empty"),
        ({"questions": [QUESTIONS[0]] * 2}, "repeats id 'q0'"),
        ({"questions": [{"question": "Why?"}]}, "number 1: has no golden_answers"),
        (
            {"questions": [{**QUESTIONS[0], "golden_answers": math.nan}, *[{}] * 2]},
            "number 1: a golden answer is nan, .*; and 2 more: 2, 3$",
        ),
        ({"questions": "nowhere.jsonl"}, "questions=nowhere.jsonl: no such file"),
        ({"output": "/proc/none/outcomes.jsonl"}, "cannot be written"),
        ({"scorer": "near"}, "scorer=near: is no scorer"),
        ({"scorer": "no_such_grading:judge"}, "scorer=no_such_grading:judge: .*no_such_grading"),
        (
            {"questions": [QUESTIONS[0], {**QUESTIONS[1], "metadata": {"date": date(2024, 5, 1)}}]},
            "questions: number 2: metadata cannot be kept .*date",
        ),
        ({"batch_size": 0}, "batch_size=0"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(
    record: Record, options: dict[str, Any], message: str
) -> None:
    asked: list[str] = []

    def answering(questions: list[str]) -> list[str]:
        asked.extend(questions)
        return with_retrieval(questions)

    with pytest.raises(argo_ml.ArgoError, match=message):
        record(**{"pipeline": (answering, answering), **options})
    assert not asked


def test_numbers_of_numpy_in_questions_are_kept(record: Record) -> None:
    questions = [{**question, "metadata": {"year": np.int64(1900)}} for question in QUESTIONS]
    line = json.loads(record(questions=questions).path.read_text().splitlines()[0])
    assert line["metadata"] == {"year": 1900}
