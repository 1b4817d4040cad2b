"""A shard: some questions and all cells for them, run together and stored together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from argo_ml.types import Question


@dataclass(frozen=True, slots=True)
class Shard:
    index: int
    questions: tuple[Question, ...]


def make_shards(questions: Sequence[Question], size: int) -> list[Shard]:
    """Consecutive shards of at most ``size`` questions."""
    return [
        Shard(index, tuple(questions[start : start + size]))
        for index, start in enumerate(range(0, len(questions), size))
    ]
