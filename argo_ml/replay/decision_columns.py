"""Decisions about all recorded questions as columns; objects only where somebody asks for one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

from argo_ml.policies.gates import SignalReading
from argo_ml.replay.rows import ReplayDecision
from argo_ml.results.trajectories import CONFIDENCE_DECIMALS
from argo_ml.types import Expectation

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

Ending = tuple[str, bool]
"""A plan, and whether the answer is withheld after it."""


@dataclass(frozen=True, eq=False)
class ExpectationColumns:
    """Expectations about all questions; not a number where one has no such part."""

    confidence: Floats
    gain: Floats
    score: Floats
    rounded_confidence: Floats
    """As rows keep it."""

    @classmethod
    def of(cls, parts: Sequence[Expectation | SignalReading]) -> ExpectationColumns:
        confidences = [own.confidence for own in parts]
        # Python's rounding and NumPy's differ in the last digit.
        rounded = [None if own is None else round(own, CONFIDENCE_DECIMALS) for own in confidences]
        gains, scores = [own.gain for own in parts], [own.score for own in parts]
        return cls(*(np.array(own, dtype=float) for own in (confidences, gains, scores, rounded)))

    @property
    def known(self) -> Flags:
        """The questions about which anything is expected."""
        parts = (self.confidence, self.gain, self.score)
        return np.asarray(~np.logical_and.reduce([np.isnan(own) for own in parts]))

    def at(self, index: int) -> Expectation:
        return _expectation(self.confidence[index], self.gain[index], self.score[index])

    def __iter__(self) -> Iterator[Expectation]:
        columns = (self.confidence.tolist(), self.gain.tolist(), self.score.tolist())
        return map(_expectation, *columns)


def _expectation(*values: float) -> Expectation:
    return Expectation(*(None if math.isnan(value) else float(value) for value in values))


@dataclass(frozen=True, eq=False)
class DecisionColumns(Sequence[ReplayDecision]):
    """One decision a question: the number of one of ``outcomes``, what the policy expected, and
    whether it had probed the answer."""

    outcomes: tuple[Ending, ...]
    outcome: Numbers
    expected: ExpectationColumns
    probed: Flags

    @classmethod
    def of(cls, decisions: Sequence[ReplayDecision]) -> DecisionColumns:
        if isinstance(decisions, DecisionColumns):
            return decisions
        outcomes = [(own.plan, own.abstains) for own in decisions]
        number = {outcome: at for at, outcome in enumerate(dict.fromkeys(outcomes))}
        return cls(
            tuple(number),
            np.array([number[outcome] for outcome in outcomes]),
            ExpectationColumns.of([own.expected for own in decisions]),
            np.array([own.has_probed_answer for own in decisions]),
        )

    def __len__(self) -> int:
        return len(self.outcome)

    @overload
    def __getitem__(self, index: int) -> ReplayDecision: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[ReplayDecision]: ...

    def __getitem__(self, index: int | slice) -> ReplayDecision | Sequence[ReplayDecision]:
        if isinstance(index, slice):
            return tuple(self[at] for at in range(*index.indices(len(self))))
        plan, abstains = self.outcomes[self.outcome[index]]
        return ReplayDecision(plan, self.expected.at(index), bool(self.probed[index]), abstains)

    @property
    def plans(self) -> frozenset[str]:
        """The plans chosen for any question whose answers are given."""
        return frozenset(plan for plan, abstains in self.outcomes if not abstains)


def decision_labels(decisions: Sequence[ReplayDecision]) -> list[str]:
    """The decisions in a word each."""
    if not isinstance(decisions, DecisionColumns):
        return [own.label for own in decisions]
    words = [ReplayDecision(plan, abstains=own).label for plan, own in decisions.outcomes]
    return [words[number] for number in decisions.outcome.tolist()]


def root_expectations(decisions: Sequence[ReplayDecision]) -> Iterator[Expectation]:
    """What was expected of each question before the first step."""
    if isinstance(decisions, DecisionColumns):
        return iter(decisions.expected)
    return (own.root for own in decisions)
