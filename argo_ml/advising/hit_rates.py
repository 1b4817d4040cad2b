"""How often a gold answer stands in what is retrieved, by retriever; no language model is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec

import numpy as np

from argo_ml.config import AdviseSpec
from argo_ml.corpus.base import Corpus, Retriever
from argo_ml.datasets.grading import contains
from argo_ml.statistics.permutation import sign_flip_p_value
from argo_ml.types import Evidence, Question

REACH = 50
"""Nearest passages among which a gold answer is looked for at all."""
MOST_PASSAGES = 200_000
"""Passages beyond which other retrievers are not tried: their words would fill the memory."""
MATTERS = 0.05
"""By how much a retriever's hit rate has to exceed the chosen one's to be named."""
SIGNIFICANCE = 0.05

Ranks = list[int | None]
"""By question, the place, from 0, of the first passage that holds a gold answer."""


@dataclass(frozen=True, slots=True)
class HitRates:
    """Shares of questions with a gold answer in the ``top_k`` nearest passages, and in `REACH`.

    None without questions. ``hits`` says by retriever, the chosen one among them, for which
    questions the nearest passages hold one.
    """

    near: float | None = None
    far: float | None = None
    hits: Mapping[str, Sequence[bool]] = field(default_factory=dict)

    @property
    def by_retriever(self) -> dict[str, float]:
        return {name: float(np.mean(own)) for name, own in self.hits.items()}


def hit_rates(spec: AdviseSpec, corpus: Corpus, questions: Sequence[Question]) -> HitRates:
    """Those of ``corpus``, which ``spec`` names, and of the other retrievers over its passages.

    Raises `CorpusIndexError`.
    """
    # Importing Chroma takes seconds, and what advises is imported by other commands.
    from argo_ml.corpus.ranking import retrievers_over

    if not questions:
        return HitRates()
    ranks = _ranks(corpus.retriever, questions, max(REACH, spec.top_k))
    near = _within(ranks, spec.top_k)
    far = _within(ranks, max(REACH, spec.top_k))
    hits = {spec.retriever: near}
    if corpus.n_passages <= MOST_PASSAGES and find_spec("bm25s") is not None:
        for name, other in retrievers_over(corpus.retriever).items():
            if name != spec.retriever:
                hits[name] = _within(_ranks(other, questions, spec.top_k), spec.top_k)
    return HitRates(float(np.mean(near)), float(np.mean(far)), hits)


def better_retriever(spec: AdviseSpec, rates: HitRates) -> Iterator[str]:
    """A sentence about the retriever that finds gold answers most often, where it is another.

    It has to find them for more questions by `MATTERS`, and by the sign-flip test of pairs.
    """
    shares = rates.by_retriever
    if len(shares) < 2:
        return
    best = max(shares, key=lambda name: shares[name])
    chosen = np.asarray(rates.hits[spec.retriever], dtype=float)
    differences = np.asarray(rates.hits[best], dtype=float) - chosen
    if differences.mean() >= MATTERS and sign_flip_p_value(differences) <= SIGNIFICANCE:
        yield (
            f"With retriever={best} {100 * shares[best]:.0f} % of the questions have a gold answer "
            f"in the {spec.top_k} nearest passages, with {spec.retriever} "
            f"{100 * shares[spec.retriever]:.0f} %: that may do more than any policy."
        )


def gold_texts(question: Question) -> tuple[str, ...]:
    """The gold answers as texts to look for."""
    return tuple(question.choices[index] for index in question.gold) or question.answers


def holds_gold(question: Question, hits: Sequence[Evidence]) -> float:
    """Whether a gold answer stands in any of the passages, as whole words."""
    return max((contains(hit.passage.text, gold_texts(question)) for hit in hits), default=0.0)


def _ranks(retriever: Retriever, questions: Sequence[Question], n_passages: int) -> Ranks:
    evidence = retriever.retrieve([question.text for question in questions], n_passages)
    return [_rank(question, hits) for question, hits in zip(questions, evidence, strict=True)]


def _rank(question: Question, hits: Sequence[Evidence]) -> int | None:
    return next((rank for rank, hit in enumerate(hits) if holds_gold(question, [hit])), None)


def _within(ranks: Ranks, n_passages: int) -> list[bool]:
    return [rank is not None and rank < n_passages for rank in ranks]
