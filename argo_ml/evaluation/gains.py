"""What decisions expected to gain, and what was gained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from argo_ml.config import money_of
from argo_ml.evaluation.record import GainBin
from argo_ml.evaluation.roles import is_ceiling
from argo_ml.results.question_rows import row_values
from argo_ml.results.records import CellResult, Results
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
    acted = {
        strategy: _acted(
            decision for cell in results.row(strategy) for decision in decisions(cell, results.spec)
        )
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


_ACTED = np.dtype([("question", np.int64), ("expected", float), ("realised", float)])


def _acted(decided: Iterable[Acted]) -> npt.NDArray[Any]:
    """The decisions as a table, which takes a tenth of the memory."""
    rows = ((own.question, own.expected, own.realised) for own in decided)
    return np.fromiter(rows, dtype=_ACTED)


def decisions(cell: CellResult, spec: Mapping[str, Any]) -> Iterator[Acted]:
    """The decisions to act that expected a gain and saw the answer they would have stopped with.

    Realised: correct in the end - correct there - mu x the price of the actions from there on. The
    price of the probes from there on (``probe_cost``) is left out. None where questions cost what
    they used, of which a row knows the whole alone.
    """
    if money_of(spec) is not None:
        return
    prices = Prices(cell.retrieval_cost, float(spec["reason_cost"])).scaled(float(spec["mu"]))
    columns = row_values(cell.questions, "correct", "actions", "decisions")
    for index, (correct, actions, decided) in enumerate(columns):
        ahead = 0.0
        # The last decision, to stop, has no action; who expects nothing has none on record.
        for action, decision in reversed(list(zip(actions, decided, strict=False))):
            ahead += prices.of(Action(action))
            if decision.expected_gain is not None and decision.correct is not None:
                realised = float(correct) - float(decision.correct) - ahead
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


def _bins(strategy: str, acted: npt.NDArray[Any]) -> Iterator[_Bin]:
    questions, expected, realised = (acted[name] for name in _ACTED.names or ())
    n_fitting = len(np.unique(questions)) // MIN_PER_DIAGRAM_BIN
    equal = equal_mass_bins(expected, max(1, min(N_BINS, n_fitting)))
    bins = joined_bins(equal, MIN_PER_DIAGRAM_BIN)
    for number in np.unique(bins):
        own = bins == number
        yield _Bin(strategy, questions[own], expected[own], realised[own])
