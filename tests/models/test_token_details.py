from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from argo_ml.models.token_details import added_texts, within
from argo_ml.types import TokenDetail


def tokens(*texts: str) -> list[TokenDetail]:
    return [TokenDetail(text, -1.0, 1.0, 0.5) for text in texts]


def texts(details: tuple[TokenDetail, ...]) -> list[str]:
    return [token.text for token in details]


def test_tokens_add_what_their_texts_add() -> None:
    assert added_texts([]) == []
    assert added_texts(["Su", "Suva", "Suva is"]) == ["Su", "va", " is"]


def test_a_character_of_several_tokens_is_that_of_the_last() -> None:
    assert added_texts(["a", "a\ufffd", "a\ufffd", "a\u65e5", "a\u65e5b"]) == [
        "a",
        "",
        "",
        "\u65e5",
        "b",
    ]


def test_tokens_are_cut_at_both_ends() -> None:
    details = within(tokens("\n", " Su", "va", ".\n", "Next"), 2, 7)
    assert texts(details) == ["Su", "va", "."]


def test_nothing_is_within_an_empty_text() -> None:
    assert within(tokens("\n", "<end>"), 0, 0) == ()


def test_tokens_without_text_go_with_the_character_that_follows() -> None:
    assert texts(within(tokens(" ", "", "\u65e5", "", "."), 1, 2)) == ["", "\u65e5"]


@given(st.lists(st.text(max_size=3), max_size=6), st.integers(0, 18), st.integers(0, 18))
def test_joined_texts_are_that_part_of_the_whole(parts: list[str], begin: int, end: int) -> None:
    details = within(tokens(*parts), begin, end)
    assert "".join(texts(details)) == "".join(parts)[begin:end]
