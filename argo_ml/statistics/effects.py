"""What retrieval does to answers, and what a gate saves, keeps and loses against a reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from argo_ml.statistics.frontiers import FrontierPoint

NON_INFERIORITY_MARGIN = 0.01
"""One point of accuracy."""

_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class EffectRates:
    """Shares of questions whose answer retrieval corrects, spoils and leaves as right or wrong."""

    benefit: float
    harm: float
    neutral: float


def effect_rates(without: Sequence[bool], with_: Sequence[bool]) -> EffectRates:
    """Effects of retrieval on whether answers are right; raises ValueError for unpaired columns."""
    if len(without) != len(with_):
        raise ValueError(f"{len(without)} outcomes cannot be paired with {len(with_)}")
    if not without:
        raise ValueError("no outcomes, so retrieval has no effect to measure")
    n = len(without)
    n_benefit = sum(after and not before for before, after in zip(without, with_, strict=True))
    n_harm = sum(before and not after for before, after in zip(without, with_, strict=True))
    return EffectRates(n_benefit / n, n_harm / n, (n - n_benefit - n_harm) / n)


def retrieval_reduction(
    points: Sequence[FrontierPoint],
    reference_accuracy: float,
    reference_retrieval_share: float,
    margin: float = NON_INFERIORITY_MARGIN,
) -> float | None:
    """Largest 1 - share / reference share among points within ``margin`` of the reference accuracy.

    Negative where all of them retrieve more than the reference, None where no point is accurate
    enough. Raises ValueError for a reference that does not retrieve and for a negative margin.
    """
    if not 0.0 < reference_retrieval_share <= 1.0:
        raise ValueError(
            f"reference_retrieval_share={reference_retrieval_share}: needs 0 < share <= 1"
        )
    if not margin >= 0.0:
        raise ValueError(f"margin={margin}: needs at least 0")
    lowest_accuracy = reference_accuracy - margin - _ROUNDING
    return max(
        (
            1.0 - point.retrieval_share / reference_retrieval_share
            for point in points
            if point.accuracy >= lowest_accuracy
        ),
        default=None,
    )
