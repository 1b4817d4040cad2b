"""The cells of a sweep as columns over its questions, all resampled alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from argo_ml.evaluation.roles import is_ceiling, is_fixed
from argo_ml.results.metrics import utilities
from argo_ml.results.records import CellResult, Results
from argo_ml.statistics.effects import area_under_prices
from argo_ml.statistics.resampling import Resampled, resample


@dataclass(frozen=True, slots=True, eq=False)
class JudgedCell:
    """A cell with the utility of each question and whether it was answered right."""

    cell: CellResult
    utility: Resampled
    correct: Resampled

    @property
    def strategy(self) -> str:
        return self.cell.strategy

    @property
    def price(self) -> float:
        return self.cell.retrieval_cost

    @property
    def is_fixed(self) -> bool:
        return is_fixed(self.strategy)

    @property
    def is_ceiling(self) -> bool:
        return is_ceiling(self.strategy)


def judge(results: Results) -> tuple[JudgedCell, ...]:
    """In the order of the results; raises ValueError where two cells have other questions."""
    cells, mu = results.cells, float(results.spec["mu"])
    _check_paired(cells)
    resampled = resample(
        [np.asarray(utilities(cell, mu)) for cell in cells]
        + [np.asarray([row.correct for row in cell.questions], dtype=float) for cell in cells]
    )
    utility, correct = resampled[: len(cells)], resampled[len(cells) :]
    return tuple(map(JudgedCell, cells, utility, correct))


def by_strategy(judged: Sequence[JudgedCell]) -> Mapping[str, list[JudgedCell]]:
    """In the order in which strategies appear."""
    found: dict[str, list[JudgedCell]] = {}
    for one in judged:
        found.setdefault(one.strategy, []).append(one)
    return found


def areas(judged: Sequence[JudgedCell]) -> dict[str, float]:
    """Mean utility over the prices, by strategy."""
    return {
        strategy: area_under_prices([one.price for one in own], [one.utility.mean for one in own])
        for strategy, own in by_strategy(judged).items()
    }


def best_fixed(judged: Sequence[JudgedCell]) -> Mapping[float, JudgedCell]:
    """By price the fixed strategy with the best mean utility, of equal ones the first.

    It is chosen on the questions that it is compared on, which favors it.
    """
    best: dict[float, JudgedCell] = {}
    for one in judged:
        if not one.is_fixed:
            continue
        if one.price not in best or one.utility.mean > best[one.price].utility.mean:
            best[one.price] = one
    return best


def _check_paired(cells: Sequence[CellResult]) -> None:
    asked = [[row.question_id for row in cell.questions] for cell in cells]
    for cell, ids in zip(cells, asked, strict=True):
        if ids != asked[0]:
            raise ValueError(
                f"{cell.strategy} c_r={cell.retrieval_cost:g}: has other questions than "
                f"{cells[0].strategy} c_r={cells[0].retrieval_cost:g}"
            )
