from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from argo_ml.config import ExperimentSpec, build
from argo_ml.datasets import load_questions
from argo_ml.datasets.answers import majority_position_share
from argo_ml.datasets.oran_bench import OranBench
from argo_ml.datasets.sampling import questions_digest, shuffle_choices
from argo_ml.errors import DataError
from argo_ml.types import Difficulty

WriteOran = Callable[..., Path]
OPTIONS = ["1. a", "2. b", "3. c", "4. d"]
REAL = Path(__file__).parents[3] / "shared" / "data" / "oran-bench-13k"


def test_reads_question_options_and_gold(write_oran: WriteOran) -> None:
    folder = write_oran(H=[["What is X?", ["1. 2. GHz", "2. 1. b", "3.c", "4. 45 ms"], "3"]])
    question = OranBench(folder).load().questions[-1]
    assert question.id == "fin_H-1"
    assert question.difficulty is Difficulty.HARD
    assert question.choices == ("2. GHz", "1. b", "c", "45 ms")
    assert question.gold == (2,)
    assert question.answers == ("c",)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "empty line"),
        ("{not json", "not JSON"),
        (["Q?", OPTIONS], "not [question, options, answer]"),
        (["Q?", OPTIONS[:3], "1"], "has 3 options, not 4"),
        (["Q?", [], "1"], "has 0 options, not 4"),
        (["Q?", "abcd", "1"], "has no options, not 4"),
        (["Q?", OPTIONS, "5"], "answer '5' is not one of its 4 options"),
        (["Q?", OPTIONS, 1], "answer 1 is not one of its 4 options"),
        ([" ", OPTIONS, "1"], "the question is empty"),
        (["Q?", ["1. a", "2. ", "3. c", "4. d"], "1"], "option 2 is empty"),
        (["Q?", ["1. a", None, "3. c", "4. d"], "1"], "option 2 is not a text"),
        ('["\\ud800?", ["1. a", "2. b", "3. c", "4. d"], "1"]', "half of a surrogate pair"),
    ],
)
def test_malformed_line_is_set_aside(write_oran: WriteOran, line: object, reason: str) -> None:
    folder = write_oran(M=[["Sound?", OPTIONS, "1"], line, ["Sound too?", OPTIONS, "1"]])
    loaded = OranBench(folder).load()
    [rejected] = loaded.rejected
    assert (rejected.file, rejected.line) == ("fin_M.json", 2)
    assert reason in rejected.reason
    assert len(loaded.questions) == 4


def test_repeated_question_is_dropped_and_counted(write_oran: WriteOran) -> None:
    same = ["Same?", OPTIONS, "1"]
    loaded = OranBench(write_oran(E=[same, same], H=[same])).load()
    assert loaded.n_repeated == 2
    assert [q.id for q in loaded.questions] == ["fin_E-1", "fin_M-1"]


def test_the_same_text_with_other_options_is_another_question(write_oran: WriteOran) -> None:
    others = ["1. e", "2. f", "3. g", "4. h"]
    loaded = OranBench(write_oran(E=[["Same?", OPTIONS, "1"], ["Same?", others, "2"]])).load()
    assert loaded.n_repeated == 0
    assert [q.id for q in loaded.questions] == ["fin_E-1", "fin_E-2", "fin_M-1", "fin_H-1"]


def test_what_has_begun_goes_on_without_texts_that_stood_before(
    write_oran: WriteOran, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [[f"q{n % 9}?", [f"{at}. {n} {at}" for at in range(1, 5)], "1"] for n in range(18)]
    values = {"dataset": "oran_bench", "questions": str(write_oran(E=lines)), "split": "all"}
    spec = build(ExperimentSpec, {**values, "difficulty": "easy", "mode": "medium"})
    chosen = load_questions(spec).questions
    of_before = [question for question in chosen if int(question.id.removeprefix("fin_E-")) < 10]
    caplog.clear()

    with caplog.at_level(logging.INFO):
        begun = load_questions(spec, begun_with=questions_digest(of_before))

    assert (len(chosen), len(of_before)) == (18, 9)
    assert (begun.questions, begun.is_begun) == (tuple(of_before), True)
    assert "has 9 questions" in caplog.text
    assert "has 18 questions" not in caplog.text


def test_missing_files_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"argo-ml fetch --what oran.*questions=FOLDER"):
        OranBench(tmp_path).load()


def test_nothing_usable_names_the_first_reason(write_oran: WriteOran) -> None:
    folder = write_oran(E=["x"], M=["x"], H=["x"])
    with pytest.raises(DataError, match=r"no usable line.*fin_E.json:1 not JSON"):
        OranBench(folder).load()


def test_empty_questions_means_the_fetched_folder(tmp_path: Path) -> None:
    spec = build(ExperimentSpec, {"dataset": "oran_bench", "cache_dir": tmp_path})
    with pytest.raises(DataError, match=f"{tmp_path}/data/oran-bench-13k"):
        load_questions(spec)


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data/oran-bench-13k is not here")
def test_real_files_hold_what_was_counted_line_by_line() -> None:
    loaded = OranBench(REAL).load()
    n_options = Counter(r.file for r in loaded.rejected if "options, not 4" in r.reason)
    n_empty = Counter(r.file for r in loaded.rejected if r.reason == "the question is empty")
    assert n_options == {"fin_M.json": 34, "fin_H.json": 15}
    assert n_empty == {"fin_M.json": 84, "fin_H.json": 4}
    assert len(loaded.rejected) == 34 + 15 + 84 + 4
    # 363 lines repeat a text, with the same options and answer only these, each in its own file.
    assert loaded.n_repeated == 11 + 23 + 8
    assert len(loaded.once_dropped) == 363 - loaded.n_repeated
    assert len(loaded.questions) == 1139 + 9570 + 3243 - 137 - loaded.n_repeated
    easy = [q for q in loaded.questions if q.difficulty is Difficulty.EASY]
    assert len(easy) == 1139 - 11
    assert not any(c.startswith(("1. ", "2. ")) for q in loaded.questions for c in q.choices)


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data/oran-bench-13k is not here")
def test_real_gold_positions_are_skewed_until_shuffled() -> None:
    hard = [q for q in OranBench(REAL).load().questions if q.difficulty is Difficulty.HARD]
    assert majority_position_share(hard) > 0.38
    assert majority_position_share([shuffle_choices(q, 42) for q in hard]) < 0.28
