"""What decisions expected to gain, and what was gained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from argo_ml.config import money_of
from argo_ml.evaluation.record import GainBin
from argo_ml.evaluation.roles import is_ceiling
from argo_ml.results.question_rows import column_blocks
from argo_ml.results.records import CellResult, Results
from argo_ml.results.row_columns import RowColumns
from argo_ml.statistics.columns import Column
from argo_ml.statistics.confidence import MIN_PER_DIAGRAM_BIN, equal_mass_bins, joined_bins
from argo_ml.statistics.resampling import ratio, resample
from argo_ml.types import Action, Prices

N_BINS = 5


def gain_bins(results: Results) -> tuple[GainBin, ...]:
    """By strategy, its decisions over all prices in bins of equally many, by expected gain.

    The interval is bootstrapped over questions, as decisions about one of them go together. There
    are as many bins, at most 5, as leave 20 questions and 20 decisions for each; equal
    expectations share one. Left out is the strategy that knows the answers, whose decisions are
    those of others.
    """
    acted = {
        strategy: np.concatenate([acted_on(cell, results.spec) for cell in results.row(strategy)])
        for strategy in results.strategies
        if not is_ceiling(strategy)
    }
    bins = [own for strategy, rows in acted.items() if len(rows) for own in _bins(strategy, rows)]
    n_questions = len(results.cells[0].questions)
    sums = resample([own.by_question(own.realised, n_questions) for own in bins])
    counts = resample([own.by_question(None, n_questions) for own in bins])
    return tuple(
        GainBin(
            strategy=own.strategy,
            expected=float(own.expected.mean()),
            realised=ratio(total, count),
            n=own.expected.size,
            n_questions=len(np.unique(acted[own.strategy]["question"])),
        )
        for own, total, count in zip(bins, sums, counts, strict=True)
    )


ACTED = np.dtype([("question", np.int64), ("expected", float), ("realised", float)])
"""A decision to act: what it expected to add to stopping there, and what it added."""


def acted_on(cell: CellResult, spec: Mapping[str, Any]) -> npt.NDArray[Any]:
    """The decisions to act that expected a gain and saw the answer they would have stopped with, of
    type `ACTED`: question by question, the last first.

    Realised: correct in the end - correct there - mu x the price of the actions from there on. The
    price of the probes from there on (``probe_cost``) is left out. None where questions cost what
    they used, of which a row knows the whole alone.
    """
    if money_of(spec) is not None:
        return np.empty(0, dtype=ACTED)
    prices = Prices(cell.retrieval_cost, float(spec["reason_cost"])).scaled(float(spec["mu"]))
    blocks, n_before = [np.empty(0, dtype=ACTED)], 0
    for rows in column_blocks(cell.questions):
        acted = _acted_in(rows, prices)
        acted["question"] += n_before
        n_before += rows.n
        blocks.append(acted)
    return np.concatenate(blocks)


def _acted_in(rows: RowColumns, prices: Prices) -> npt.NDArray[Any]:
    names, of_action = rows.actions()
    expected, of_decision = rows.decided("expected_gain")
    there, _ = rows.decided("correct")
    n_actions, n_decisions = (
        np.bincount(own, minlength=rows.n) for own in (of_action, of_decision)
    )
    # The last decision, to stop, has no action; who expects nothing has none on record.
    n_both = np.minimum(n_actions, n_decisions)
    first_action, first_decision = (np.cumsum(own) - own for own in (n_actions, n_decisions))
    paid = np.zeros(len(names))
    for action in (Action.RETRIEVE, Action.REASON):
        paid[names == action.value] = prices.of(action)
    correct, ahead = rows.field("correct").astype(float), np.zeros(rows.n)
    steps = []
    for step in reversed(range(max(n_both, default=0))):
        own = np.flatnonzero(n_both > step)
        ahead[own] += paid[first_action[own] + step]
        decision = first_decision[own] + step
        acted = np.empty(len(own), dtype=ACTED)
        acted["question"], acted["expected"] = own, expected[decision]
        acted["realised"] = correct[own] - there[decision] - ahead[own]
        steps.append(acted[~np.isnan(acted["expected"] + acted["realised"])])
    acted = np.concatenate([np.empty(0, dtype=ACTED), *steps])
    return acted[np.argsort(acted["question"], kind="stable")]


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


def _bins(strategy: str, acted: npt.NDArray[Any]) -> Iterator[_Bin]:
    questions, expected, realised = (acted[name] for name in ACTED.names or ())
    n_fitting = len(np.unique(questions)) // MIN_PER_DIAGRAM_BIN
    equal = equal_mass_bins(expected, max(1, min(N_BINS, n_fitting)))
    bins = joined_bins(equal, MIN_PER_DIAGRAM_BIN)
    for number in np.unique(bins):
        own = bins == number
        yield _Bin(strategy, questions[own], expected[own], realised[own])
