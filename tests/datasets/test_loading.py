from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from argo_ml.config import ExperimentSpec, build
from argo_ml.datasets import DATASETS, Dataset, check_dataset, load_questions
from argo_ml.datasets.atlas import Atlas
from argo_ml.datasets.loading import load_all
from argo_ml.datasets.sampling import (
    SPLIT_PERCENT,
    in_split,
    questions_digest,
    sample,
    shuffle_all_choices,
)
from argo_ml.errors import ConfigError, DataError
from argo_ml.types import Difficulty

WriteLines = Callable[..., Path]
BuildSpec = Callable[..., ExperimentSpec]


def _lines(n: int, **more: object) -> list[dict[str, object]]:
    return [
        {"id": f"q{i}", "question": f"q{i}?", "golden_answers": ["a"], **more} for i in range(n)
    ]


def test_atlas_is_sampled_shuffled_and_repeatable() -> None:
    first, again, other = (
        load_questions(build(ExperimentSpec, {"mode": "medium", "seed": seed}))
        for seed in (42, 42, 43)
    )
    assert len(first.questions) == 100
    assert {q.difficulty for q in first.questions} == {Difficulty.HARD}
    assert first.digest == again.digest
    assert first.digest != other.digest
    assert first.source == "argo_ml atlas"
    assert {q.gold for q in first.questions} == {(0,), (1,), (2,), (3,)}


def test_questions_without_difficulty_are_all_used_and_said_so(
    write_lines: WriteLines, jsonl_spec: BuildSpec, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_lines(*_lines(20))
    with caplog.at_level(logging.INFO):
        question_set = load_questions(
            jsonl_spec(path, split="all", difficulty="hard", n_questions=20)
        )
    assert len(question_set.questions) == 20
    assert caplog.text.count("have no difficulty") == 1


def test_questions_carry_the_scorer_of_the_spec(
    write_lines: WriteLines, jsonl_spec: BuildSpec
) -> None:
    spec = jsonl_spec(write_lines(*_lines(4)), split="all", scorer="f1:0.5")
    assert {question.scorer for question in load_questions(spec).questions} == {"f1:0.5"}


def test_questions_with_difficulty_are_filtered(
    write_lines: WriteLines, jsonl_spec: BuildSpec
) -> None:
    hard = [{**line, "id": f"h{i}"} for i, line in enumerate(_lines(3, metadata={"level": "hard"}))]
    for line in hard:
        line["question"] = f"hard {line['question']}"
    path = write_lines(*_lines(5, metadata={"level": "easy"}), *hard)
    question_set = load_questions(jsonl_spec(path, split="all", difficulty="hard", n_questions=3))
    assert {q.id for q in question_set.questions} == {"h0", "h1", "h2"}


@pytest.mark.parametrize("dataset", ["atlas", "mlflow:mine"])
@pytest.mark.parametrize("load", [load_questions, load_all])
def test_questions_that_a_dataset_does_not_read_are_refused(
    load: Callable[[ExperimentSpec], object], dataset: str
) -> None:
    spec = build(ExperimentSpec, {"questions": "my.jsonl", "dataset": dataset})

    with pytest.raises(ConfigError) as raised:
        load(spec)

    assert str(raised.value) == (
        f"questions=my.jsonl: dataset={dataset} brings its own; add dataset=jsonl, or leave "
        "questions out"
    )


def test_what_was_begun_with_such_questions_goes_on() -> None:
    values = {"n_questions": 3}
    begun = load_questions(build(ExperimentSpec, values))

    spec = build(ExperimentSpec, {**values, "questions": "my.jsonl"})

    assert load_questions(spec, begun.digest).digest == begun.digest


def test_mode_shrinks_to_what_there_is_with_a_warning(
    write_lines: WriteLines, jsonl_spec: BuildSpec, caplog: pytest.LogCaptureFixture
) -> None:
    question_set = load_questions(jsonl_spec(write_lines(*_lines(4)), split="all", mode="medium"))
    assert len(question_set.questions) == 4
    assert "using all of them instead of the 100 of mode=medium" in caplog.text


def test_wish_for_more_than_there_is_raises(write_lines: WriteLines, jsonl_spec: BuildSpec) -> None:
    spec = jsonl_spec(write_lines(*_lines(4)), split="all", n_questions=5)
    with pytest.raises(DataError, match=r"n_questions=5: .*has 4 questions.*at most 4"):
        load_questions(spec)


def test_empty_difficulty_raises(write_lines: WriteLines, jsonl_spec: BuildSpec) -> None:
    path = write_lines(*_lines(4, metadata={"level": "easy"}))
    with pytest.raises(DataError, match="has 0 questions with split=all, difficulty=hard"):
        load_questions(jsonl_spec(path, split="all", difficulty="hard"))


def test_lines_set_aside_are_kept_and_logged(
    write_lines: WriteLines, jsonl_spec: BuildSpec, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_lines(*_lines(2), "oops", "oops", "oops", "oops")
    question_set = load_questions(jsonl_spec(path, split="all"))
    assert [r.line for r in question_set.rejected] == [3, 4, 5, 6]
    assert "set aside 4 lines: questions.jsonl:3 not JSON; questions.jsonl:4" in caplog.text
    assert "questions.jsonl:6" not in caplog.text


def test_an_unknown_dataset_is_named_with_the_known_ones() -> None:
    spec = build(ExperimentSpec, {"dataset": "atlsa"})
    reason = "dataset=atlsa is unknown; did you mean 'atlas'? known: atlas, oran_bench, jsonl"
    with pytest.raises(ConfigError, match=re.escape(reason)):
        load_questions(spec)


def test_only_a_dataset_without_documents_needs_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "quiz", Dataset(open=lambda spec: Atlas()))
    for dataset, documents in (("atlas", ""), ("oran_bench", ""), ("quiz", "folder")):
        check_dataset(dataset, documents)
    with pytest.raises(ConfigError, match="dataset=quiz brings no documents; give documents=FOLD"):
        check_dataset("quiz", "")


def test_file_of_ones_own_says_how_many_the_split_took(
    write_lines: WriteLines, jsonl_spec: BuildSpec, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_lines(*_lines(12))
    with caplog.at_level(logging.INFO):
        question_set = load_questions(jsonl_spec(path, split="test", mode="medium"))
    n_taken = len(question_set.questions)
    assert 0 < n_taken < 12
    assert f"split=test takes {n_taken} of its 12 questions; --split all takes all" in caplog.text
    assert f"has {n_taken} questions with split=test: using all of them" in caplog.text


def test_file_of_ones_own_says_what_the_mode_leaves_out(
    write_lines: WriteLines, jsonl_spec: BuildSpec, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_lines(*_lines(12))
    with caplog.at_level(logging.INFO):
        load_questions(jsonl_spec(path, split="all", mode="small"))
    assert "split=all: mode=small asks 10 of them; --n_questions 12 asks all" in caplog.text


def _asked_twice(n: int) -> list[dict[str, object]]:
    """Every question under two ids, with other answers."""
    return [
        {"id": f"{name}-{i}", "question": text.format(i), "golden_answers": [name]}
        for i in range(n)
        for name, text in (("first", "Who wrote book {}?"), ("second", "who wrote book {}"))
    ]


def test_no_split_asks_in_the_words_of_an_earlier_one(
    write_lines: WriteLines, jsonl_spec: BuildSpec, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_lines(*_asked_twice(40))
    with caplog.at_level(logging.INFO):
        sets = [
            load_questions(jsonl_spec(path, split=split, mode="full")).questions
            for split in ("calibration", "tune", "test")
        ]
    words = [{question.text.removesuffix("?").lower() for question in own} for own in sets]
    assert len(words[0] | words[1] | words[2]) == sum(map(len, words)) == 40
    assert re.search(
        r"split=test leaves out 17 questions .*such as first-\d+, which is", caplog.text
    )


def test_repeats_count_nowhere_where_all_splits_are_asked(
    write_lines: WriteLines, jsonl_spec: BuildSpec
) -> None:
    spec = jsonl_spec(write_lines(*_asked_twice(40)), split="all", mode="full")
    assert len(load_questions(spec).questions) == 80
    by_split = load_all(spec).questions
    assert sum(len(in_split(by_split, split)) for split in SPLIT_PERCENT) == len(by_split) < 80


def test_what_has_begun_goes_on_with_its_repeats(
    write_lines: WriteLines, jsonl_spec: BuildSpec
) -> None:
    spec = jsonl_spec(write_lines(*_asked_twice(40)), split="test", mode="full")
    everything = load_questions(spec.model_copy(update={"split": "all"})).questions
    of_before = sample(in_split(everything, "test"), 80, spec.seed)
    begun = load_questions(spec, begun_with=questions_digest(of_before))
    assert (begun.questions, begun.is_begun) == (tuple(of_before), True)
    assert len(load_questions(spec).questions) == len(of_before) - 17 == 32
    assert load_questions(spec, begun_with="another").questions == load_questions(spec).questions


@pytest.mark.parametrize("begun_with", ["", "itself", "another"])
def test_what_a_split_takes_is_said_once(
    begun_with: str,
    write_lines: WriteLines,
    jsonl_spec: BuildSpec,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spec = jsonl_spec(write_lines(*_asked_twice(40)), split="test", mode="medium")
    digest = load_questions(spec).digest if begun_with == "itself" else begun_with
    caplog.clear()

    with caplog.at_level(logging.INFO):
        load_questions(spec, begun_with=digest)

    assert re.findall(r"split=test takes (\d+) of", caplog.text) == ["32"]
    assert caplog.text.count("using all of them instead of") == 1


def test_what_has_begun_goes_on_with_its_order_of_choices(
    write_lines: WriteLines, jsonl_spec: BuildSpec, caplog: pytest.LogCaptureFixture
) -> None:
    choices = ["a", "b", "Both 1 and 2"]
    lines = [{"question": f"q{n}?", "choices": choices, "golden_answers": [2]} for n in range(9)]
    spec = jsonl_spec(write_lines(*lines), split="all", mode="small")
    with caplog.at_level(logging.INFO):
        chosen = load_questions(spec)
    assert {question.gold for question in chosen.questions} == {(2,)}
    assert "9 questions keep the order of their choices" in caplog.text
    of_before = [shuffle_all_choices(question, spec.seed) for question in chosen.questions]
    begun = load_questions(spec, begun_with=questions_digest(of_before))
    assert (begun.questions, begun.is_begun) == (tuple(of_before), True)
    assert load_questions(spec, begun_with=chosen.digest).questions == chosen.questions
