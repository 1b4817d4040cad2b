# ruff: noqa: RUF001

from __future__ import annotations

import pytest

from argo_ml.pipeline.option_numbers import read_number

READ = [
    ("3", 3),
    ("3.", 3),
    ("(2)", 2),
    ("[2]", 2),
    ("**2**", 2),
    ("#2", 2),
    (" 2\n", 2),
    ("２", 2),
    ("②", 2),
    ("2. 44", 2),
    ("2) Paris", 2),
    ("2: Paris, founded in 1100", 2),
    ("2, because 4 is wrong", 2),
    ("4 - the capital of 3 provinces", 4),
    ("Option 1 is right", 1),
    ("Option 2 is correct because option 1 is not.", 2),
    ("The 3rd option", 3),
    ("Out of the 4 options, the right one is 2.", 2),
    ("Of the 4 options, option 2 is the best.", 2),
    ("Of the 4 options I would choose number 3.", 3),
    ("I'd go with option 3", 3),
    ("**Answer:** 2", 2),
    ("Answer: (2) Paris", 2),
    ("The answer is 2.", 2),
    ("The correct option is **2**.", 2),
    ("The correct answer is option 3, not 4.", 3),
    ("The answer is number 2 of 4.", 2),
    ("1 is wrong. The answer is 2.", 2),
    ("The right choice: 4", 4),
    ("There are 4 options and it is 1", 1),
    ("Considering all 4: 3", 3),
    ("Since 2.5 % are left, option 3", 3),
]

UNREAD = [
    "",
    "0",
    "5",
    "12",
    "two",
    "B",
    "Paris",
    "-1",
    "1.5",
    "50%",
    "2/4",
    "1 or 2",
    "Options 1 and 3",
    "The answer is 2 or 3.",
    "Either option 2 or option 3",
    "The answer is 7.",
    "It happened in 1995",
    "I do not know.",
    "The answer is not given.",
    "10:30",
]


@pytest.mark.parametrize(("text", "number"), READ)
def test_reply_that_names_one_of_four_options(text: str, number: int) -> None:
    assert read_number(text, 4) == number - 1


@pytest.mark.parametrize("text", UNREAD)
def test_reply_that_names_none_of_four_options(text: str) -> None:
    assert read_number(text, 4) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", 2),
        ("Option 1 is right", 0),
        ("(2)", 1),
        ("2. 44", 1),
        ("0", None),
        ("4", None),
        ("12", None),
        ("", None),
        ("two", None),
    ],
)
def test_read_number_of_three_choices(text: str, expected: int | None) -> None:
    assert read_number(text, 3) == expected
