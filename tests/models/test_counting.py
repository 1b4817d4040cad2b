from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from argo_ml.models.base import Completion, Generation, Scores, Scoring
from argo_ml.models.cache.store import CallCache
from argo_ml.models.counting import counted_once, kept_counts


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


@dataclass
class Words:
    """Counts words and keeps what it was asked; nothing else is called here."""

    identity: str = "words"
    counted: list[str] = field(default_factory=list)

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        raise NotImplementedError

    def score(self, requests: Sequence[Scoring]) -> list[Scores]:
        raise NotImplementedError

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        self.counted.extend(texts)
        return [len(text.split()) for text in texts]


def test_kept_counts_need_no_model(tmp_path: Path) -> None:
    model, cache = Words(), CallCache(tmp_path / "calls.sqlite")
    assert kept_counts(model, cache)(["a b", "c", "a b"]) == [2, 1, 2]
    assert kept_counts(model, cache)(["c", "d e f", "a b"]) == [1, 3, 2]
    assert model.counted == ["a b", "c", "d e f"]


def test_another_model_counts_for_itself(tmp_path: Path) -> None:
    cache = CallCache(tmp_path / "calls.sqlite")
    kept_counts(Words(), cache)(["a b"])
    other = Words("others")
    assert kept_counts(other, cache)(["a b"]) == [2]
    assert other.counted == ["a b"]
