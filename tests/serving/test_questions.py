"""What a request may say, and the line that refuses it."""

from __future__ import annotations

from typing import Any

import pytest

from argo_ml.serving.questions import RequestError, read_asked


def test_a_question_and_a_price_are_enough() -> None:
    asked = read_asked({"question": "What is it?", "retrieval_cost": 0.05})
    assert asked.as_question().text == "What is it?"
    assert asked.retrieval_cost == 0.05


def test_metadata_goes_with_the_question_as_it_is() -> None:
    asked = read_asked({"question": "Who?", "metadata": {"source": "wiki", "year": 1999}})
    assert asked.as_question().metadata == {"source": "wiki", "year": 1999}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"question": " "}, "the question is empty"),
        ({"question": "Q?", "metadata": "wiki"}, "metadata=wiki: input should be a"),
        ({"question": "Q?", "metadata": {"source": ["wiki"]}}, "metadata.source"),
        ({"question": "Q?", "retrieval_cost": 0}, "retrieval_cost=0: input should be greater than"),
        ({"question": "Q?", "retrieval_cost": float("nan")}, "retrieval_cost=nan"),
        ({"question": "Q?", "prize": 1}, "unknown 'prize'; known: choices, retrieval_cost"),
        (
            {"question": "Q?", "retrieval_cost": 0.1, "price_per_retrieval": 2},
            "retrieval_cost=0.1 is in shares of a right answer and price_per_retrieval=2 in your",
        ),
        ({"question": "Q?", "price_of_wrong": -1}, "price_of_wrong=-1: input should be greater"),
        ({"question": "Q?", "choices": ["A"]}, "choices: there is one"),
        ({"question": "Q?", "answer": "A"}, "go with decide_only: true"),
        (
            {"question": "Q?", "choices": ["A", "B"], "choice_logprobs": [-1.0]},
            "choice_logprobs has 1 values for 2 choices",
        ),
        (
            {"question": "Q?", "decide_only": True, "token_logprobs": [0.5]},
            "token_logprobs.0",
        ),
        (
            {"question": "Q?", "decide_only": True, "steps": [{"action": "think"}]},
            "steps.0.action=think: input should be 'retrieve' or 'reason'",
        ),
        ({"question": "Q?", "steps": [{"action": "reason"}]}, "steps and scores go with decide_o"),
    ],
)
def test_what_cannot_be_is_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        read_asked(values)


def test_a_value_that_is_long_is_not_repeated() -> None:
    with pytest.raises(RequestError) as refused:
        read_asked({"question": "a" * 1_000_000})
    assert len(str(refused.value)) < 200
