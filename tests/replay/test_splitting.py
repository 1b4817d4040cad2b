"""Which questions calibrate: the files say, else the field, else a draw."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from builders.recorded_outcomes import choice_line, open_line

from argo_ml.config import ReplaySpec
from argo_ml.errors import DataError
from argo_ml.replay.splitting import Parts, read_parts

MakeSpec = Callable[..., ReplaySpec]
FEWEST = 10


def lines(begin: int, end: int, **fields: object) -> list[dict[str, Any]]:
    return [{**open_line(number), **fields} for number in range(begin, end)]


def ids(parts: Parts) -> tuple[list[str], list[str]]:
    return [each.id for each in parts.calibration], [each.id for each in parts.test]


def test_a_second_file_calibrates_whatever_the_lines_say(make_spec: MakeSpec) -> None:
    spec = make_spec(lines(0, 3, split="calibration"), lines(3, 13, split="test"))
    calibration, test = ids(read_parts(spec))
    assert calibration == [f"open-{number}" for number in range(3, 13)]
    assert test == ["open-0", "open-1", "open-2"]


def test_of_two_files_a_split_that_says_otherwise_is_told(
    make_spec: MakeSpec, caplog: pytest.LogCaptureFixture
) -> None:
    read_parts(make_spec(lines(0, 3, split="calibration"), lines(3, 13, split="test")))
    assert (
        "line 1: has split=calibration and is tested on all the same, and so are 2" in caplog.text
    )
    assert "line 1: has split=test and is calibrated on all the same, and so are 9" in caplog.text


def test_the_field_decides_in_one_file(make_spec: MakeSpec) -> None:
    given = lines(0, 10, split="calibration") + lines(10, 12, split="tune")
    calibration, test = ids(read_parts(make_spec(given + lines(12, 13, split="test"))))
    assert len(calibration) == 10
    assert test == ["open-10", "open-11", "open-12"]


def test_a_line_without_the_field_that_others_have_is_refused(make_spec: MakeSpec) -> None:
    spec = make_spec(lines(0, 10, split="calibration") + lines(10, 11))
    message = "line 11: split is missing, which other lines have; give it to every line, or to none"
    with pytest.raises(DataError, match=message):
        read_parts(spec)


def test_else_a_share_is_drawn_by_id_and_seed(make_spec: MakeSpec) -> None:
    given = lines(0, 200)
    calibration, test = ids(read_parts(make_spec(given)))
    assert 80 <= len(calibration) <= 120
    assert sorted(calibration + test) == sorted(line["id"] for line in given)
    # Neither order nor company of the others changes where a question belongs.
    fewer, _ = ids(read_parts(make_spec(given[:120][::-1])))
    assert set(fewer) == set(calibration) & {line["id"] for line in given[:120]}
    other, _ = ids(read_parts(make_spec(given, seed=1)))
    assert set(other) != set(calibration)
    small, _ = ids(read_parts(make_spec(given, calibration_share=0.2)))
    assert set(small) < set(calibration)


def repeated(line: dict[str, Any]) -> dict[str, Any]:
    """The same question under another id."""
    return {**line, "id": f"again-{line['id']}", "question": f" {line['question'].upper()}!"}


def test_a_draw_does_not_part_equal_questions(make_spec: MakeSpec) -> None:
    given = lines(0, 200)
    before, _ = ids(read_parts(make_spec(given)))
    calibration, test = ids(read_parts(make_spec(given + [repeated(line) for line in given[:80]])))
    for part in (calibration, test):
        again = {name.removeprefix("again-") for name in part if name.startswith("again-")}
        assert len(again) > 20
        assert again <= set(part)
    assert [name for name in calibration if not name.startswith("again-")] == before


def test_of_equal_questions_the_first_is_drawn(make_spec: MakeSpec) -> None:
    given = [line for own in lines(0, 200) for line in (repeated(own), own)]
    calibration, _ = ids(read_parts(make_spec(given)))
    alone, _ = ids(read_parts(make_spec(given[::2])))
    assert [name for name in calibration if name.startswith("again-")] == alone


def test_a_question_that_its_lines_part_is_refused(make_spec: MakeSpec) -> None:
    tested = [{**repeated(open_line(3)), "split": "test"}, *lines(20, 22, split="test")]
    given = lines(0, 10, split="calibration") + tested
    with pytest.raises(DataError, match="line 11: its question is among the calibration's"):
        read_parts(make_spec(given))
    _, test = ids(read_parts(make_spec(given, repeated_questions="leave_out")))
    assert test == ["open-20", "open-21"]


def test_an_id_of_both_files_is_refused(make_spec: MakeSpec) -> None:
    spec = make_spec(lines(8, 14), lines(0, 10))
    with pytest.raises(DataError, match=r"line 1: id 'open-8' is among .*, and so are 1 others"):
        read_parts(spec)


def test_too_few_to_calibrate_on_are_refused(make_spec: MakeSpec) -> None:
    spec = make_spec(lines(20, 30), lines(0, FEWEST - 1))
    message = (
        r"calibration_outcomes=.*calibration\.jsonl: 9 lines calibrate, and at least 10 have to"
    )
    with pytest.raises(DataError, match=f"{message}, better 300; record more$"):
        read_parts(spec)
    assert len(read_parts(make_spec(lines(20, 30), lines(0, FEWEST))).calibration) == FEWEST


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        (lines(0, 12), "or raise calibration_share"),
        (
            [*lines(0, 9, split="calibration"), *lines(9, 12, split="test")],
            "or give more of them split=calibration",
        ),
    ],
)
def test_too_few_of_one_file_are_refused_with_what_would_be_enough(
    make_spec: MakeSpec, given: list[dict[str, Any]], remedy: str
) -> None:
    message = rf"outcomes=.*outcomes\.jsonl: \d of its 12 lines calibrate, .* record more, {remedy}"
    with pytest.raises(DataError, match=message):
        read_parts(make_spec(given))


@pytest.mark.parametrize(
    ("split", "remedy"),
    [({"split": "calibration"}, "give some of them split=test"), ({}, "lower calibration_share")],
)
def test_nothing_to_test_on_is_refused(
    make_spec: MakeSpec, split: dict[str, str], remedy: str
) -> None:
    spec = make_spec(lines(0, 12, **split), calibration_share=0.999)
    message = rf"outcomes=.*: all 12 lines calibrate, so .* to test on; {remedy}, or record more$"
    with pytest.raises(DataError, match=message):
        read_parts(spec)


def test_a_file_of_test_lines_alone_is_refused_as_such(make_spec: MakeSpec) -> None:
    message = "no line has split=calibration, all 12 have test; give it to some, or leave split out"
    with pytest.raises(DataError, match=message):
        read_parts(make_spec(lines(0, 12, split="test")))


def test_a_question_of_both_parts_is_refused_or_left_out(
    make_spec: MakeSpec, caplog: pytest.LogCaptureFixture
) -> None:
    copied = repeated(open_line(3))
    given = [*lines(20, 22), copied]
    with pytest.raises(DataError, match=r"outcomes.jsonl: line 3: its question is among the cal"):
        read_parts(make_spec(given, lines(0, 10)))
    _, test = ids(read_parts(make_spec(given, lines(0, 10), repeated_questions="leave_out")))
    assert test == ["open-20", "open-21"]
    assert caplog.messages == ["1 questions are left out of the test: they calibrate"]
    with pytest.raises(DataError, match="so do all that are tested on; test on other questions"):
        read_parts(make_spec([copied], lines(0, 10), repeated_questions="leave_out"))


def test_equal_questions_of_other_choices_are_others(make_spec: MakeSpec) -> None:
    other = {**choice_line(3), "id": "other", "choices": ["alpha", "beta", "gamma", "omega"]}
    calibrating = [choice_line(number) for number in range(10)]
    assert len(read_parts(make_spec([other], calibrating)).test) == 1


def test_questions_of_the_same_words_are_counted(
    make_spec: MakeSpec, caplog: pytest.LogCaptureFixture
) -> None:
    words = open_line(3)["question"].removesuffix("?").split()
    alike = {**open_line(3), "id": "other", "question": " ".join(["The", *reversed(words)])}
    assert len(read_parts(make_spec([alike, *lines(20, 22)], lines(0, 10))).test) == 3
    [warning] = caplog.messages
    assert "line 1: has the same words as a question of the calibration" in warning
    assert "have 0 others" in warning


def test_confidences_count_where_every_question_has_one(
    make_spec: MakeSpec, caplog: pytest.LogCaptureFixture
) -> None:
    whole = [open_line(number, confidence=0.5) for number in range(12)]
    parts = read_parts(make_spec(whole[:2], whole[2:]))
    assert {each.confidence for each in parts.all} == {0.5}
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING):
        parts = read_parts(make_spec([*whole[:2], open_line(12)], whole[2:]))
    assert {each.confidence for each in parts.all} == {None}
    assert "line 3: outcomes.none.confidence is missing" in caplog.text


def test_a_signal_that_only_some_answers_have_tells_nothing(make_spec: MakeSpec) -> None:
    given = [open_line(number) for number in range(12)]
    assert read_parts(make_spec(given[:2], given[2:])).common.means == {
        "logprob",
        "entropy",
        "margin",
    }
    del given[5]["outcomes"]["none"]["margin"]
    assert read_parts(make_spec(given[:2], given[2:])).common.means == {"logprob", "entropy"}
