from __future__ import annotations

from collections.abc import Sequence

from argo_ml.models.counting import counted_once


def test_a_text_is_counted_once() -> None:
    counted: list[str] = []

    def count_tokens(texts: Sequence[str]) -> list[int]:
        counted.extend(texts)
        return [len(text.split()) for text in texts]

    count = counted_once(count_tokens)

    assert count(["a b", "c", "a b"]) == [2, 1, 2]
    assert count(["c", "d e f"]) == [1, 3]
    assert count([]) == []
    assert counted == ["a b", "c", "d e f"]
