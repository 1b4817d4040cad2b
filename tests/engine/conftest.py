from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from argo_ml.corpus.base import Vectors
from argo_ml.models.base import Completion, Generation, Scores, Scoring
from argo_ml.models.scripted import ScriptedModel, Table
from argo_ml.types import Evidence, Passage


@dataclass
class Recorder:
    """A scripted model and a retriever that remember the batches they were given."""

    model: ScriptedModel = field(default_factory=lambda: ScriptedModel(Table(default="hash")))
    generated: list[list[Generation]] = field(default_factory=list)
    scored: list[list[Scoring]] = field(default_factory=list)
    retrieved: list[tuple[list[str], int]] = field(default_factory=list)

    @property
    def identity(self) -> str:
        return self.model.identity

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        self.generated.append(list(requests))
        return self.model.generate(requests)

    def score(self, requests: Sequence[Scoring]) -> list[Scores]:
        self.scored.append(list(requests))
        return self.model.score(requests)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.model.count_tokens(texts)

    def retrieve(self, queries: Sequence[str], top_k: int) -> list[tuple[Evidence, ...]]:
        self.retrieved.append((list(queries), top_k))
        return [
            tuple(Evidence(Passage(f"{query}/{rank}", query), 0.9) for rank in range(top_k))
            for query in queries
        ]

    def embed(self, queries: Sequence[str]) -> Vectors:
        return np.ones((len(queries), 1), dtype=np.float32)

    @property
    def n_executed(self) -> int:
        return sum(map(len, self.generated)) + sum(map(len, self.scored))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
