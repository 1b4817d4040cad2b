"""How well a confidence tells right answers from wrong ones, and how well it is calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import integrate, stats  # type: ignore[import-untyped]
from sklearn.metrics import brier_score_loss, roc_auc_score  # type: ignore[import-untyped]

from argo_ml.statistics.columns import Column, outcome_column, score_column, top_sums
from argo_ml.statistics.intervals import Interval, wilson

Rows = npt.NDArray[np.float64]
"""(draws, answers)."""

MAX_BINS = 15
MIN_PER_BIN = 10
N_DRAWS = 200


@dataclass(frozen=True, slots=True)
class ConfidenceMetrics:
    """Metrics of a confidence over ``n`` answers.

    ``roc_auc`` and ``prr`` are None where all answers are right or all are wrong.
    """

    roc_auc: float | None
    brier: float
    ece: float
    ece_if_calibrated: float
    aurc: float
    prr: float | None
    n: int


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """``n`` answers of neighboring confidence; ``interval`` is Wilson's of ``share_correct``."""

    mean_confidence: float
    share_correct: float
    interval: Interval
    n: int


def confidence_metrics(confidences: Sequence[float], correct: Sequence[bool]) -> ConfidenceMetrics:
    """ROC-AUC, Brier score, ECE, AURC and PRR of confidences in [0, 1].

    - ``ece``: expected calibration error (Naeini et al. 2015) over equal-mass bins (Nixon et al.
      2019), 15 or as many fewer as leave each at least 10 answers, but at least one. Equal
      confidences share a bin, so ties can make bins larger or smaller than that.
    - ``ece_if_calibrated``: what ``ece`` would be on average if answers were right exactly as often
      as these confidences say (consistency resampling, Bröcker and Smith 2007): the error that few
      answers make by themselves. 200 draws, the same ones every time.
    - ``aurc``: mean selective risk over the coverages 1/n to 1, the area under the risk-coverage
      curve of Geifman and El-Yaniv (2017); lower is better.
    - ``prr``: prediction rejection ratio (Malinin and Gales 2021). Answers are handed to an oracle
      from the least confident on; the area by which the errors left, a share of all n, fall below
      random rejection is divided by the area by which ideal rejection does. For right-or-wrong
      answers it equals 2 * roc_auc - 1, so that it adds no information to ``roc_auc``.

    The last two are expectations over all orders of equal confidences. Raises ValueError for a
    confidence outside [0, 1], for unpaired columns and without any answer.
    """
    column = _confidence_column(confidences)
    outcomes = outcome_column(correct, column.size)
    is_mixed = 0.0 < outcomes.mean() < 1.0
    errors_kept = top_sums(column, 1.0 - outcomes)
    return ConfidenceMetrics(
        roc_auc=float(roc_auc_score(outcomes, column)) if is_mixed else None,
        brier=float(brier_score_loss(outcomes, column)),
        ece=_calibration_error(column, outcomes[None, :]),
        ece_if_calibrated=_error_if_calibrated(column),
        aurc=float(np.mean(errors_kept[1:] / np.arange(1, column.size + 1))),
        prr=_rejection_ratio(errors_kept) if is_mixed else None,
        n=column.size,
    )


def reliability_bins(
    confidences: Sequence[float], correct: Sequence[bool], n_bins: int
) -> tuple[ReliabilityBin, ...]:
    """Equal-mass bins of a reliability diagram, by confidence ascending.

    Equal confidences share a bin, so that ties can leave fewer than ``n_bins``. Raises ValueError
    as `confidence_metrics` does, and for ``n_bins`` below 1.
    """
    if n_bins < 1:
        raise ValueError(f"n_bins={n_bins}: needs at least 1")
    column = _confidence_column(confidences)
    outcomes = outcome_column(correct, column.size)
    bins = equal_mass_bins(column, n_bins)
    return tuple(
        _bin(column[bins == number], outcomes[bins == number]) for number in np.unique(bins)
    )


def equal_mass_bins(column: Column, n_bins: int) -> npt.NDArray[np.int64]:
    """Bin of each row, by its middle rank, which is the same for equal values."""
    doubled_ranks = (2 * stats.rankdata(column)).astype(np.int64)
    bins: npt.NDArray[np.int64] = (doubled_ranks - 1) * n_bins // (2 * column.size)
    return bins


def _confidence_column(confidences: Sequence[float]) -> Column:
    column = score_column(confidences)
    for confidence in column[(column < 0.0) | (column > 1.0)]:
        raise ValueError(f"confidence={confidence}: needs 0 <= confidence <= 1")
    return column


def _bin(column: Column, outcomes: Column) -> ReliabilityBin:
    return ReliabilityBin(
        mean_confidence=float(column.mean()),
        share_correct=float(outcomes.mean()),
        interval=wilson(int(outcomes.sum()), outcomes.size),
        n=outcomes.size,
    )


def _calibration_error(column: Column, outcomes: Rows) -> float:
    """Mean over rows of ``outcomes``, each of which has one for every confidence."""
    n_bins = min(MAX_BINS, max(1, column.size // MIN_PER_BIN))
    is_inside = np.equal.outer(equal_mass_bins(column, n_bins), np.arange(n_bins))
    gaps = (outcomes - column) @ is_inside.astype(float)
    return float(np.abs(gaps).sum(axis=1).mean() / column.size)


def _error_if_calibrated(column: Column) -> float:
    # Sorted, so that the draws do not depend on the order of the answers.
    ordered = np.sort(column)
    drawn = np.random.default_rng(0).random((N_DRAWS, ordered.size)) < ordered
    return _calibration_error(ordered, drawn.astype(float))


def _rejection_ratio(errors_kept: Column) -> float:
    """PRR from the expected errors among the k most confident, k = 0 to n."""
    n = errors_kept.size - 1
    error_rate = errors_kept[-1] / n
    area = integrate.trapezoid(errors_kept) / n**2
    random_area, oracle_area = error_rate / 2, error_rate**2 / 2
    return float((random_area - area) / (random_area - oracle_area))
