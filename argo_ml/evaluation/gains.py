"""What decisions expected to gain, and what was gained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from argo_ml.evaluation.record import GainBin
from argo_ml.evaluation.roles import is_ceiling
from argo_ml.results.records import CellResult, QuestionResult, Results
from argo_ml.statistics.columns import Column
from argo_ml.statistics.confidence import MIN_PER_DIAGRAM_BIN, equal_mass_bins, joined_bins
from argo_ml.statistics.resampling import ratio, resample
from argo_ml.types import Action, Prices

N_BINS = 5


@dataclass(frozen=True, slots=True)
class Acted:
    """A decision to act: what it expected to add to stopping there, and what it added."""

    question: int
    expected: float
    realised: float


def gain_bins(results: Results) -> tuple[GainBin, ...]:
    """By strategy, its decisions over all prices in bins of equally many, by expected gain.

    The interval is bootstrapped over questions, as decisions about one of them go together. There
    are as many bins, at most 5, as leave 20 questions and 20 decisions for each; equal
    expectations share one. Left out is the strategy that knows the answers, whose decisions are
    those of others.
    """
    by_strategy = {
        strategy: [
            decision for cell in results.row(strategy) for decision in decisions(cell, results.spec)
        ]
        for strategy in results.strategies
        if not is_ceiling(strategy)
    }
    bins = [
        gain_bin
        for strategy, acted in by_strategy.items()
        if acted
        for gain_bin in _bins(strategy, acted)
    ]
    n_questions = len(results.cells[0].questions)
    sums = resample([own.by_question(own.realised, n_questions) for own in bins])
    counts = resample([own.by_question(None, n_questions) for own in bins])
    return tuple(
        GainBin(
            strategy=own.strategy,
            expected=float(own.expected.mean()),
            realised=ratio(total, count),
            n=own.expected.size,
            n_questions=len({decision.question for decision in by_strategy[own.strategy]}),
        )
        for own, total, count in zip(bins, sums, counts, strict=True)
    )


def decisions(cell: CellResult, spec: Mapping[str, Any]) -> Iterator[Acted]:
    """The decisions to act that expected a gain and saw the answer they would have stopped with.

    Realised: correct in the end - correct there - mu x the price of the actions from there on. The
    price of the probes from there on (``probe_cost``) is left out.
    """
    prices = Prices(cell.retrieval_cost, float(spec["reason_cost"])).scaled(float(spec["mu"]))
    for index, row in enumerate(cell.questions):
        yield from _of_question(index, row, prices)


def _of_question(index: int, row: QuestionResult, prices: Prices) -> Iterator[Acted]:
    ahead = 0.0
    # The last decision, to stop, has no action; who expects nothing has no decisions on record.
    for action, decision in reversed(list(zip(row.actions, row.decisions, strict=False))):
        ahead += prices.of(Action(action))
        if decision.expected_gain is not None and decision.correct is not None:
            realised = float(row.correct) - float(decision.correct) - ahead
            yield Acted(index, decision.expected_gain, realised)


@dataclass(frozen=True, slots=True, eq=False)
class _Bin:
    """Decisions of a strategy, row by row."""

    strategy: str
    questions: npt.NDArray[np.int64]
    expected: Column
    realised: Column

    def by_question(self, values: Column | None, n_questions: int) -> Column:
        """Sum of ``values`` over each question's rows; without them the number of rows."""
        summed = np.bincount(self.questions, weights=values, minlength=n_questions)
        return summed.astype(float)


def _bins(strategy: str, acted: Sequence[Acted]) -> Iterator[_Bin]:
    questions = np.array([decision.question for decision in acted])
    expected = np.array([decision.expected for decision in acted])
    realised = np.array([decision.realised for decision in acted])
    n_fitting = len(np.unique(questions)) // MIN_PER_DIAGRAM_BIN
    equal = equal_mass_bins(expected, max(1, min(N_BINS, n_fitting)))
    bins = joined_bins(equal, MIN_PER_DIAGRAM_BIN)
    for number in np.unique(bins):
        own = bins == number
        yield _Bin(strategy, questions[own], expected[own], realised[own])
