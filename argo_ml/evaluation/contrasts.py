"""Every strategy that does not treat all questions alike, against the best that does."""

from __future__ import annotations

from collections.abc import Sequence

from argo_ml.evaluation.judged_cells import JudgedCell, best_fixed
from argo_ml.evaluation.record import Contrast
from argo_ml.policies.always_retrieve import ALWAYS_RETRIEVE
from argo_ml.results.question_rows import action_counts, row_flags
from argo_ml.results.records import CellResult
from argo_ml.statistics.effects import NON_INFERIORITY_MARGIN
from argo_ml.statistics.intervals import Estimate, change_estimate, holm, mcnemar
from argo_ml.types import Action


def contrasts(cells: Sequence[JudgedCell]) -> tuple[Contrast, ...]:
    """The contrasts in the order of the cells, where a fixed strategy ran at the price.

    Ceilings are left out.
    """
    fixed = best_fixed(cells)
    references = {cell.price: cell for cell in cells if cell.strategy == ALWAYS_RETRIEVE}
    pairs = [
        (cell, fixed[cell.price])
        for cell in cells
        if not cell.is_fixed and not cell.is_ceiling and cell.price in fixed
    ]
    differences = [cell.utility - baseline.utility for cell, baseline in pairs]
    p_utility = {index: difference.p_value for index, difference in enumerate(differences)}
    p_accuracy = {
        index: mcnemar(_correct(cell.result), _correct(baseline.result))
        for index, (cell, baseline) in enumerate(pairs)
    }
    holm_utility, holm_accuracy = holm(p_utility), holm(p_accuracy)
    return tuple(
        _with_reference(
            Contrast(
                strategy=cell.strategy,
                retrieval_cost=cell.price,
                baseline=baseline.strategy,
                utility=differences[index].estimate,
                p_utility=p_utility[index],
                holm_utility=holm_utility[index],
                p_accuracy=p_accuracy[index],
                holm_accuracy=holm_accuracy[index],
                is_identical=cell.acts_like(baseline),
                sign=differences[index].sign,
            ),
            cell,
            references.get(cell.price),
        )
        for index, (cell, baseline) in enumerate(pairs)
    )


def contrasts_of(strategy: str, cells: Sequence[JudgedCell]) -> tuple[Contrast, ...]:
    """The contrasts of one strategy, by price in the order of the cells."""
    return tuple(contrast for contrast in contrasts(cells) if contrast.strategy == strategy)


def _with_reference(contrast: Contrast, cell: JudgedCell, reference: JudgedCell | None) -> Contrast:
    """The contrast with what the cell saves and loses against retrieving always."""
    if reference is None:
        return contrast
    is_alike = cell.acts_like(reference)
    accuracy = _accuracy_difference(cell, reference, is_alike)
    n_retrieved = _n_retrievals(reference.result)
    saved = 1.0 - _n_retrievals(cell.result) / n_retrieved if n_retrieved else None
    return contrast.model_copy(
        update={
            "accuracy_against_always_retrieve": accuracy,
            "retrieval_reduction": saved,
            "is_accuracy_matched": is_alike or accuracy.low > -NON_INFERIORITY_MARGIN,
        }
    )


def _accuracy_difference(cell: JudgedCell, reference: JudgedCell, is_alike: bool) -> Estimate:
    """Cells that act and answer alike differ by nothing, whatever else is asked."""
    difference = cell.correct - reference.correct
    return difference.estimate if is_alike else change_estimate(list(difference.values))


def _correct(cell: CellResult) -> list[bool]:
    return row_flags(cell.questions, "correct")


def _n_retrievals(cell: CellResult) -> int:
    return int(action_counts(cell.questions, Action.RETRIEVE).sum())
