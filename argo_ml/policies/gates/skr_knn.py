"""SKR by nearest neighbours: what retrieval did for similar questions (arXiv 2310.05002)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from argo_ml.policies.base import Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.base import Gate, SignalReading, make_gate
from argo_ml.policies.gates.benefit_gate import utility
from argo_ml.types import Question

N_NEIGHBORS = 5
"""The smallest of the numbers that the authors' code tries, 5 to 10."""
PROBES = frozenset({Probe.VECTOR})

Vector = Sequence[float]


BLOCK = 1_000
"""Questions that are compared with all others at a time."""


@dataclass(frozen=True, slots=True)
class Neighbors:
    """Share of the nearest questions for which retrieval made a wrong answer right (section 3.2).

    ``vectors`` are of the questions that retrieval changed, ``helped`` says of each whether for the
    better; the authors' code leaves out the others as well. Theirs is a majority vote that the
    frequencies of both kinds shift; here the share is a score like that of any other gate.
    """

    vectors: tuple[Vector, ...]
    helped: tuple[bool, ...]
    n_neighbors: int = N_NEIGHBORS
    _units: NDArray[np.float64] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_units", unit_rows(self.vectors))

    def required_probes(self, question: Question) -> frozenset[Probe]:
        return PROBES

    def read(self, state: State) -> SignalReading:
        if not self.vectors:
            return SignalReading(0.0)
        similarity = cosines([state.observations.vector], self._units)[0]
        return SignalReading(self._share(similarity))

    def leaving_out(self) -> list[float]:
        """The scores of its own questions, each by the others."""
        if len(self.vectors) < 2:
            return [0.0] * len(self.vectors)
        scores = []
        for start in range(0, len(self.vectors), BLOCK):
            block = self.vectors[start : start + BLOCK]
            similarities = cosines(block, self._units)
            own = np.arange(len(block))
            similarities[own, start + own] = -np.inf
            scores += [self._share(row, len(self.vectors) - 1) for row in similarities]
        return scores

    def _share(self, similarity: NDArray[np.float64], at_most: int | None = None) -> float:
        # Of equally near ones the first, so that the same are taken on every machine.
        nearest = first_largest(similarity, min(self.n_neighbors, at_most or self.n_neighbors))
        return fmean(self.helped[index] for index in nearest)


def skr_knn(context: PolicyContext) -> Gate:
    questions = context.calibrated.questions
    changes = [utility(question) for question in questions]
    labelled = [index for index, change in enumerate(changes) if change]
    signal = Neighbors(
        tuple(questions[index].vector for index in labelled),
        tuple(changes[index] == 1 for index in labelled),
    )
    own = dict(zip(labelled, signal.leaving_out(), strict=True))
    scores = [
        own[index] if index in own else signal.read(question.state()).score
        for index, question in enumerate(questions)
    ]
    return make_gate(context, signal, scores)


def first_largest(values: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Indices of the ``n`` largest values, of equal ones the first, in ascending order."""
    if n >= values.size:
        return np.arange(values.size)
    least = np.partition(values, values.size - n)[values.size - n]
    above = np.flatnonzero(values > least)
    equal = np.flatnonzero(values == least)[: n - above.size]
    return np.sort(np.concatenate([above, equal]))


def cosines(vectors: Sequence[Vector], units: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cosine of every vector and row of unit length; 0 where a vector has no length."""
    similarities: NDArray[np.float64] = unit_rows(vectors) @ units.T
    return similarities


def unit_rows(vectors: Sequence[Vector]) -> NDArray[np.float64]:
    """The vectors scaled to unit length; those of length 0 as they are."""
    if not vectors:
        return np.zeros((0, 0))
    rows = np.asarray(vectors, dtype=float)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: NDArray[np.float64] = np.zeros_like(rows)
    np.divide(rows, lengths, out=scaled, where=lengths > 0)
    return scaled
