from __future__ import annotations

import math
from typing import Any

import pytest

from argo_ml.models.server.details import details_of, lower_entropy
from argo_ml.models.server.wire import RefusedError, ReportedTokens

LOG = {share: math.log(share) for share in (0.1, 0.2, 0.25, 0.5, 0.6)}


def apart(*texts: str, **changes: Any) -> ReportedTokens:
    """As ``/v1/completions`` tells it: each token has half of the probability."""
    reported = {
        "tokens": list(texts),
        "token_logprobs": [LOG[0.5]] * len(texts),
        "top_logprobs": [{text: LOG[0.5], "other": LOG[0.25]} for text in texts],
    }
    return ReportedTokens.model_validate({**reported, **changes})


def listed(*texts: str, **changes: Any) -> ReportedTokens:
    """As chats tell it."""
    top = [{"token": "x", "logprob": LOG[0.6]}, {"token": "y", "logprob": LOG[0.2]}]
    content = [
        {
            "token": text,
            "logprob": LOG[0.1],
            "bytes": list(text.encode()),
            "top_logprobs": top,
            **changes,
        }
        for text in texts
    ]
    return ReportedTokens.model_validate({"content": content})


def test_what_is_not_listed_counts_as_one_outcome() -> None:
    [token] = details_of(apart("Suva"), "Suva")
    assert token.log_probability == pytest.approx(math.log(0.5))
    assert token.entropy == pytest.approx(1.0397, abs=1e-4)
    assert token.gap == pytest.approx(math.log(2))


def test_a_token_that_is_not_among_the_most_probable_is_an_outcome_too() -> None:
    [token] = details_of(listed("Suva"), "Suva")
    assert token.log_probability == pytest.approx(math.log(0.1))
    assert token.entropy == pytest.approx(lower_entropy([LOG[0.6], LOG[0.2], LOG[0.1]]))
    assert token.gap == pytest.approx(math.log(3))


def test_an_entropy_is_a_lower_bound() -> None:
    shares = [0.5, 0.2, 0.1, 0.1, 0.1]
    exact = -sum(share * math.log(share) for share in shares)
    bounds = [lower_entropy(map(math.log, shares[:n])) for n in range(1, 6)]
    assert bounds == sorted(bounds)
    assert bounds[-1] == pytest.approx(exact)
    assert lower_entropy([0.0, -9999.0]) == 0


@pytest.mark.parametrize("tell", [apart, listed])
def test_tokens_of_no_text_are_left_out(tell: Any) -> None:
    details = details_of(tell(" Su", "va", ".\n", "Next", "<|im_end|>"), " Suva.")
    assert [token.text for token in details] == [" Su", "va", "."]


def test_white_space_that_the_server_has_left_out_is_left_out() -> None:
    details = details_of(listed("\n", " Suva", " is"), "Suva is")
    assert [token.text for token in details] == ["Suva", " is"]


def test_bytes_of_one_character_are_one_text() -> None:
    first, *others = "\u65e5".encode()
    content = [
        {
            "token": "\ufffd",
            "logprob": -1.0,
            "bytes": part,
            "top_logprobs": [{"token": text, "logprob": -1.0} for text in "ab"],
        }
        for part in ([first], others)
    ]
    details = details_of(ReportedTokens.model_validate({"content": content}), "\u65e5")
    assert [token.text for token in details] == ["", "\u65e5"]


@pytest.mark.parametrize(
    "told",
    [
        None,
        ReportedTokens(),
        ReportedTokens(content=[]),
        apart("Suva", top_logprobs=None),
        apart("Suva", top_logprobs=[None]),
        apart("Suva", top_logprobs=[{"Suva": -0.5}]),
        apart("Suva", token_logprobs=[]),
        listed("Suva", top_logprobs=[]),
        listed("Suva", top_logprobs=None),
    ],
)
def test_an_answer_that_tells_too_little_is_refused(told: ReportedTokens | None) -> None:
    with pytest.raises(RefusedError, match="log-probabilities of"):
        details_of(told, "Suva")


def test_an_answer_without_text_has_no_details() -> None:
    assert details_of(None, " ") == details_of(apart("<|im_end|>"), "") == ()
