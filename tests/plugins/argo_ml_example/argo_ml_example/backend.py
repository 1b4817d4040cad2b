"""A model backend that repeats the last words it was shown: model=parrot:WORDS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from argo_ml.config import ModelFields
from argo_ml.models.base import Completion, Generation, LanguageModel, Scores, Scoring
from argo_ml.models.chat import cut_at_stop
from argo_ml.types import TokenDetail


@dataclass(frozen=True, slots=True)
class Parrot:
    """Says the last ``n_words`` of a prompt, and prefers a choice that the prompt mentions."""

    n_words: int

    @property
    def identity(self) -> str:
        return f"parrot n_words={self.n_words}"

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        return [self._completion(request) for request in requests]

    def score(self, requests: Sequence[Scoring]) -> list[Scores]:
        return [self._scores(request) for request in requests]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def _completion(self, request: Generation) -> Completion:
        words = request.prompt.turn.split()
        last = words[-self.n_words :][: request.max_new_tokens]
        text, _ = cut_at_stop(" ".join(last), request.stop)
        said = re.findall(r"\s*\S+|\s+", text)
        details = tuple(
            TokenDetail(word, log_probability=-0.1, entropy=0.3, gap=2.0) for word in said
        )
        tokens = details if request.details else ()
        return Completion(text, len(words), len(said), seconds=0.0, tokens=tokens)

    def _scores(self, request: Scoring) -> Scores:
        words = request.prompt.turn.split()
        likelihoods = tuple(-0.1 if choice in words else -2.0 for choice in request.choices)
        return Scores(likelihoods, (1,) * len(request.choices), len(words), seconds=0.0)


def open_parrot(spec: ModelFields) -> LanguageModel:
    return Parrot(n_words=int(spec.model.partition(":")[2] or 5))
