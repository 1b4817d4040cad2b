"""The cells of a sweep as columns over its questions, all resampled alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from argo_ml.evaluation.roles import is_ceiling, is_fixed
from argo_ml.results.metrics import utilities
from argo_ml.results.question_rows import question_ids, row_numbers, same_behavior
from argo_ml.results.records import CellResult, Results
from argo_ml.results.row_files import check_has_rows
from argo_ml.statistics.intervals import best_of
from argo_ml.statistics.resampling import Resampled, resample


@dataclass(frozen=True, slots=True, eq=False)
class JudgedCell:
    """A cell's result with the utility of each question and whether it was answered right."""

    result: CellResult
    utility: Resampled
    correct: Resampled

    @property
    def strategy(self) -> str:
        return self.result.strategy

    @property
    def price(self) -> float:
        return self.result.retrieval_cost

    @property
    def is_fixed(self) -> bool:
        return is_fixed(self.strategy)

    @property
    def is_ceiling(self) -> bool:
        return is_ceiling(self.strategy)

    def acts_like(self, other: JudgedCell) -> bool:
        """Whether both took the same actions and gave the same answer on every question."""
        return same_behavior(self.result.questions, other.result.questions)


def judge_cells(results: Results) -> tuple[JudgedCell, ...]:
    """The cells in the order of the results.

    Raises ValueError where two cells have other questions, and `DataError` for one without rows.
    """
    check_has_rows(results)
    cells, mu = results.cells, float(results.spec["mu"])
    _check_paired(cells)
    resampled = resample(
        [np.asarray(utilities(cell, mu)) for cell in cells]
        + [row_numbers(cell.questions, "correct") for cell in cells]
    )
    utility, correct = resampled[: len(cells)], resampled[len(cells) :]
    return tuple(map(JudgedCell, cells, utility, correct))


def by_strategy(cells: Sequence[JudgedCell]) -> Mapping[str, list[JudgedCell]]:
    """The cells of each strategy, in the order in which strategies appear."""
    grouped: dict[str, list[JudgedCell]] = {}
    for cell in cells:
        grouped.setdefault(cell.strategy, []).append(cell)
    return grouped


def mean_utilities(cells: Sequence[JudgedCell]) -> dict[str, float]:
    """The utility of each strategy, averaged over its prices."""
    return {
        strategy: fmean(cell.utility.mean for cell in own)
        for strategy, own in by_strategy(cells).items()
    }


def acts_alike_at_all_prices(cells: Sequence[CellResult]) -> bool:
    """Whether the cells, of one strategy, have the same actions and answers on every question."""
    return all(same_behavior(cell.questions, cells[0].questions) for cell in cells[1:])


def best_fixed(cells: Sequence[JudgedCell]) -> Mapping[float, JudgedCell]:
    """By price the fixed strategy with the best mean utility, of equal ones the first.

    It is chosen on the questions that it is compared on, which favors it.
    """
    by_price: dict[float, dict[str, JudgedCell]] = {}
    for cell in cells:
        if cell.is_fixed:
            by_price.setdefault(cell.price, {})[cell.strategy] = cell
    return {
        price: own[best_of({name: cell.utility.mean for name, cell in own.items()})]
        for price, own in by_price.items()
    }


def _check_paired(cells: Sequence[CellResult]) -> None:
    first = question_ids(cells[0].questions) if cells else []
    for cell in cells:
        if question_ids(cell.questions) != first:
            raise ValueError(f"{cell.name}: has other questions than {cells[0].name}")
