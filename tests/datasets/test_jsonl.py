from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from argo_ml.datasets.jsonl import JsonLines
from argo_ml.errors import DataError
from argo_ml.types import Difficulty

WriteLines = Callable[..., Path]


def test_open_question_as_in_nq(write_lines: WriteLines) -> None:
    path = write_lines({"id": "test_0", "question": "who?", "golden_answers": ["Ann", "Ann B."]})
    [question] = JsonLines(path).load().questions
    assert question.id == "test_0"
    assert question.answers == ("Ann", "Ann B.")
    assert question.choices == ()
    assert question.difficulty is None


def test_multiple_choice_as_in_mmlu(write_lines: WriteLines) -> None:
    path = write_lines(
        {
            "id": "m",
            "question": "2+2?",
            "golden_answers": [1],
            "choices": ["3", "4"],
            "metadata": {},
        }
    )
    [question] = JsonLines(path).load().questions
    assert question.gold == (1,)
    assert question.answers == ("4",)


@pytest.mark.parametrize("gold", [0, 2, "x"])
def test_choices_of_the_same_text_are_all_gold(write_lines: WriteLines, gold: object) -> None:
    path = write_lines({"question": "q?", "choices": ["x", "y", "x"], "golden_answers": [gold]})
    [question] = JsonLines(path).load().questions
    assert set(question.gold) == {0, 2}
    assert question.answers == ("x",)


@pytest.mark.parametrize("metadata", [{"level": "hard"}, {"difficulty": "Hard", "level": "easy"}])
def test_difficulty_comes_from_metadata(write_lines: WriteLines, metadata: dict[str, str]) -> None:
    path = write_lines({"question": "q?", "golden_answers": ["a"], "metadata": metadata})
    [question] = JsonLines(path).load().questions
    assert question.difficulty is Difficulty.HARD
    assert question.metadata == metadata


def test_tolerates_single_answers_numbers_nulls_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    lines = [
        '{"question": "a?", "golden_answers": "x", "choices": null, "metadata": null}',
        '{"id": 7, "question": "b?", "golden_answers": [1945]}',
        '{"id": "c", "question": "c?", "golden_answers": ["y"], "choices": ["x", "y"]}',
    ]
    path.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    first, second, third = JsonLines(path).load().questions
    assert (first.id, first.answers) == ("line-1", ("x",))
    assert (second.id, second.answers) == ("7", ("1945",))
    assert third.gold == (1,)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1]", 'not a JSON object; write {"question": …} on a line of its own'),
        ("oops", "not JSON"),
        ({"golden_answers": ["a"]}, "question is not a text"),
        ({"question": "q?"}, "has no golden_answers; list every answer that counts as right"),
        ({"question": "q?", "golden_answers": []}, "has no golden_answers"),
        ({"question": "q?", "golden_answers": [""]}, "a golden answer is empty"),
        ({"question": "q?", "golden_answers": [True]}, "a golden answer is not a text"),
        (
            {"question": "q?", "golden_answers": math.nan},
            "a golden answer is nan, not a",
        ),
        ({"question": "q?", "golden_answers": ["a", math.inf]}, "a golden answer is inf"),
        ({"question": "q?", "golden_answers": [0], "choices": ["a", math.nan]}, "choice 1 is nan"),
        ({"question": "q?", "golden_answers": "['Wien', 'Vienna']"}, "is a text that holds a list"),
        ({"question": "q?", "golden_answers": ' ["Wien"]\n'}, "is a text that holds a list"),
        ({"question": "q?", "golden_answers": "['Wien' 'Vienna']"}, "is a text that holds a list"),
        ({"question": "q?", "golden_answers": "[]"}, "is a text that holds a list"),
        ({"question": "q?", "golden_answers": [2], "choices": ["a", "b"]}, "which begin with 0; w"),
        ({"question": "q?", "golden_answers": [-1], "choices": ["a", "b"]}, "is not an index"),
        ({"question": "q?", "golden_answers": [True], "choices": ["a", "b"]}, "write the text"),
        ({"question": "q?", "golden_answers": ["c"], "choices": ["a", "b"]}, "or its index"),
        (
            {"question": "2 + 1?", "golden_answers": [3], "choices": [1, 2, 3, 4]},
            "golden answer 3 is one of its choices and the index of another; write choices or",
        ),
        ({"question": "q?", "golden_answers": [1], "choices": [1.0, 2]}, "index of another"),
        ({"question": "q?", "golden_answers": [0], "choices": ["a"]}, "leave choices"),
        ({"question": "q?", "golden_answers": [0], "choices": ["a", "a"]}, "are all 'a'; l"),
        ({"question": "q?", "golden_answers": [0], "choices": "ab"}, 'choices="ab" is not a'),
        ({"question": "q?", "golden_answers": ["a"], "metadata": [1]}, "metadata=[1] is not"),
        ({"id": [1], "question": "q?", "golden_answers": ["a"]}, "id=[1] is neither a text n"),
        ({"id": "sound", "question": "other?", "golden_answers": ["b"]}, "repeats id 'sound'"),
    ],
)
def test_malformed_line_is_set_aside(write_lines: WriteLines, line: object, reason: str) -> None:
    path = write_lines({"id": "sound", "question": "ok?", "golden_answers": ["a"]}, line)
    loaded = JsonLines(path).load()
    [rejected] = loaded.rejected
    assert rejected.line == 2
    assert reason in rejected.reason
    assert [q.id for q in loaded.questions] == ["sound"]


@pytest.mark.parametrize(
    "answer", ["[sic]", "[", "[1, 2", "[[Paris]]", "[{[0]}]", "[" * 5000 + "]" * 5000]
)
def test_a_text_in_brackets_that_is_no_list_is_an_answer(
    write_lines: WriteLines, answer: str
) -> None:
    path = write_lines({"question": "q?", "golden_answers": answer})
    assert JsonLines(path).load().questions[0].answers == (answer,)


def test_an_answer_that_reads_like_a_list_stands_in_one(write_lines: WriteLines) -> None:
    path = write_lines({"question": "sorted({2, 1})?", "golden_answers": ["[1, 2]"]})
    assert JsonLines(path).load().questions[0].answers == ("[1, 2]",)


@pytest.mark.parametrize(
    ("choices", "golden", "answer"),
    [
        (["1", "2", "3", "4"], 3, "4"),
        ([0, 1, 2, 3], 2, "2"),
        ([10, 20, 30], 1, "20"),
        ([1, 2, 3, 4], "3", "3"),
    ],
)
def test_a_number_of_which_there_is_one_reading_is_read(
    write_lines: WriteLines, choices: list[object], golden: object, answer: str
) -> None:
    line = {"question": "q?", "choices": choices, "golden_answers": [golden]}
    [question] = JsonLines(write_lines(line)).load().questions
    assert question.answers == (answer,)


def test_same_question_again_is_dropped_and_counted(write_lines: WriteLines) -> None:
    line = {"question": "q?", "golden_answers": ["a"]}
    loaded = JsonLines(write_lines(line, line, {**line, "golden_answers": ["b"]})).load()
    assert loaded.n_repeated == 1
    assert [q.id for q in loaded.questions] == ["line-1", "line-3"]


def test_question_of_a_line_with_a_repeated_id_is_asked_where_it_stands_again(
    write_lines: WriteLines,
) -> None:
    first, second = ({"question": f"{name}?", "golden_answers": ["a"]} for name in "AB")
    path = write_lines({"id": 1, **first}, {"id": 1, **second}, {"id": 2, **second})

    loaded = JsonLines(path).load()

    assert [(q.id, q.text) for q in loaded.questions] == [("1", "A?"), ("2", "B?")]
    assert [(line.line, line.reason) for line in loaded.rejected] == [(2, "repeats id '1'")]
    assert loaded.n_repeated == 0


def test_file_without_a_usable_line_names_count_and_first_reason(write_lines: WriteLines) -> None:
    path = write_lines("[", "]")
    with pytest.raises(DataError, match=r"none of its 2 lines.*questions.jsonl:1 not JSON"):
        JsonLines(path).load()


def test_empty_file(write_lines: WriteLines) -> None:
    with pytest.raises(DataError, match="none of its 0 lines"):
        JsonLines(write_lines()).load()


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"questions=.*none.jsonl: no such file"):
        JsonLines(tmp_path / "none.jsonl").load()


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder; give a file"):
        JsonLines(tmp_path).load()


def test_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.jsonl"
    path.write_bytes(b'{"question": "caf\xe9"}')
    with pytest.raises(DataError, match=r"not UTF-8 text \(byte 17\)"):
        JsonLines(path).load()
