"""Every strategy that does not treat all questions alike, against the best that does."""

from __future__ import annotations

from collections.abc import Sequence

from argo_ml.evaluation.comparison import is_identical
from argo_ml.evaluation.judged_cells import JudgedCell, best_fixed
from argo_ml.evaluation.record import Contrast
from argo_ml.results.metrics import retrieval_calls
from argo_ml.results.records import CellResult
from argo_ml.statistics.effects import NON_INFERIORITY_MARGIN
from argo_ml.statistics.intervals import holm, mcnemar

REFERENCE = "always_retrieve"
"""What savings of retrievals are relative to."""


def contrasts(judged: Sequence[JudgedCell]) -> tuple[Contrast, ...]:
    """In the order given, where a fixed strategy ran at the price; ceilings are left out."""
    fixed = best_fixed(judged)
    references = {one.price: one for one in judged if one.strategy == REFERENCE}
    pairs = [
        (one, fixed[one.price])
        for one in judged
        if not one.is_fixed and not one.is_ceiling and one.price in fixed
    ]
    differences = [one.utility - other.utility for one, other in pairs]
    p_utility = {index: difference.p_value for index, difference in enumerate(differences)}
    p_accuracy = {
        index: mcnemar(_correct(one.cell), _correct(other.cell))
        for index, (one, other) in enumerate(pairs)
    }
    holm_utility, holm_accuracy = holm(p_utility), holm(p_accuracy)
    found = []
    for index, (one, other) in enumerate(pairs):
        contrast = Contrast(
            strategy=one.strategy,
            retrieval_cost=one.price,
            baseline=other.strategy,
            utility=differences[index].estimate,
            p_utility=p_utility[index],
            holm_utility=holm_utility[index],
            p_accuracy=p_accuracy[index],
            holm_accuracy=holm_accuracy[index],
            is_identical=is_identical(one.cell, other.cell),
        )
        found.append(_with_reference(contrast, one, references.get(one.price)))
    return tuple(found)


def _with_reference(contrast: Contrast, one: JudgedCell, reference: JudgedCell | None) -> Contrast:
    """The contrast with what it saves and loses against retrieving always."""
    if reference is None:
        return contrast
    accuracy = (one.correct - reference.correct).estimate
    n_retrieved = _n_retrievals(reference.cell)
    saved = 1.0 - _n_retrievals(one.cell) / n_retrieved if n_retrieved else None
    return contrast.model_copy(
        update={
            "accuracy_against_always_retrieve": accuracy,
            "retrieval_reduction": saved,
            "is_accuracy_matched": accuracy.low > -NON_INFERIORITY_MARGIN,
        }
    )


def _correct(cell: CellResult) -> list[bool]:
    return [row.correct for row in cell.questions]


def _n_retrievals(cell: CellResult) -> int:
    return sum(map(retrieval_calls, cell.questions))
