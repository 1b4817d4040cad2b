"""How well a confidence tells right answers from wrong ones, and how well it is calibrated."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from argo_ml.statistics.columns import Column, outcome_column, score_column, top_sums
from argo_ml.statistics.intervals import Interval, wilson
from argo_ml.statistics.resampling import ratio, resample

Rows = npt.NDArray[np.float64]
"""(draws, answers)."""

MAX_BINS = 15
MIN_PER_BIN = 10
MIN_PER_DIAGRAM_BIN = 20
"""Answers that a bin needs to be shown: fewer leave its share of right ones nearly unknown."""
MIN_PER_DIAGRAM = 2 * MIN_PER_DIAGRAM_BIN
"""Questions below which a diagram of bins shows nothing."""
N_DRAWS = 200


@dataclass(frozen=True, slots=True)
class ConfidenceMetrics:
    """Metrics of a confidence over ``n`` answers about ``n_questions`` questions.

    ``roc_auc`` and ``prr`` are None where all answers are right or all are wrong.
    """

    roc_auc: float | None
    brier: float
    ece: float
    ece_if_calibrated: float
    aurc: float
    prr: float | None
    n: int
    n_questions: int


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """``n`` answers of neighboring confidence, with the 95 % interval of ``share_correct``."""

    mean_confidence: float
    share_correct: float
    interval: Interval
    n: int


def confidence_metrics(
    confidences: Sequence[float],
    correct: Sequence[bool],
    questions: Sequence[Hashable] | None = None,
) -> ConfidenceMetrics:
    """ROC-AUC, Brier score, ECE, AURC and PRR of confidences in [0, 1].

    ``questions`` name the question of each answer where several are about one; without them each
    answer is about a question of its own.

    - ``ece``: expected calibration error (Naeini et al. 2015) over equal-mass bins (Nixon et al.
      2019), 15 or as many fewer as leave at least 10 questions for each, but at least one. Equal
      confidences share a bin, so ties can make bins larger or smaller than that.
    - ``ece_if_calibrated``: what ``ece`` would be on average if answers were right exactly as often
      as these confidences say (consistency resampling, Bröcker and Smith 2007): the error that few
      answers make by themselves. 200 draws, the same ones every time; the answers about one
      question share their draw, so that they count as no more than one.
    - ``aurc``: mean selective risk over the coverages 1/n to 1, the area under the risk-coverage
      curve of Geifman and El-Yaniv (2017); lower is better.
    - ``prr``: prediction rejection ratio (Malinin and Gales 2021). Answers are handed to an oracle
      from the least confident on; the area by which the errors left, a share of all n, fall below
      random rejection is divided by the area by which ideal rejection does. For right-or-wrong
      answers it equals 2 * roc_auc - 1, so that it adds no information to ``roc_auc``.

    The last two are expectations over all orders of equal confidences. Raises ValueError for a
    confidence outside [0, 1], for unpaired columns and without any answer.
    """
    from sklearn.metrics import brier_score_loss, roc_auc_score  # type: ignore[import-untyped]

    column = _confidence_column(confidences)
    outcomes = outcome_column(correct, column.size)
    clusters = _clusters(questions, column.size)
    n_questions = column.size if clusters is None else int(clusters.max()) + 1
    n_bins = min(MAX_BINS, max(1, n_questions // MIN_PER_BIN))
    is_mixed = 0.0 < outcomes.mean() < 1.0
    errors_kept = top_sums(column, 1.0 - outcomes)
    return ConfidenceMetrics(
        roc_auc=float(roc_auc_score(outcomes, column)) if is_mixed else None,
        brier=float(brier_score_loss(outcomes, column)),
        ece=_calibration_error(column, outcomes[None, :], n_bins),
        ece_if_calibrated=_error_if_calibrated(column, clusters, n_bins),
        aurc=float(np.mean(errors_kept[1:] / np.arange(1, column.size + 1))),
        prr=_rejection_ratio(errors_kept) if is_mixed else None,
        n=column.size,
        n_questions=n_questions,
    )


def reliability_bins(
    confidences: Sequence[float],
    correct: Sequence[bool],
    n_bins: int,
    questions: Sequence[Hashable] | None = None,
    least: int = 1,
) -> tuple[ReliabilityBin, ...]:
    """At most ``n_bins`` equal-mass bins of a reliability diagram, by confidence ascending.

    Equal confidences share a bin, and bins of fewer than ``least`` answers join their neighbor.
    Intervals are Wilson's; where ``questions`` name the question of each answer, they are
    bootstrapped over questions. Raises ValueError as `confidence_metrics` does, and for ``n_bins``
    below 1.
    """
    if n_bins < 1:
        raise ValueError(f"n_bins={n_bins}: needs at least 1")
    column = _confidence_column(confidences)
    outcomes = outcome_column(correct, column.size)
    clusters = _clusters(questions, column.size)
    n_fitting = max(1, column.size // least)
    bins = joined_bins(equal_mass_bins(column, min(n_bins, n_fitting)), least)
    members = [bins == number for number in np.unique(bins)]
    intervals = _intervals(outcomes, members, clusters)
    return tuple(
        ReliabilityBin(
            mean_confidence=float(column[own].mean()),
            share_correct=float(outcomes[own].mean()),
            interval=interval,
            n=int(own.sum()),
        )
        for own, interval in zip(members, intervals, strict=True)
    )


def equal_mass_bins(column: Column, n_bins: int) -> npt.NDArray[np.int64]:
    """Bin of each row, by its middle rank, which is the same for equal values."""
    from scipy import stats  # type: ignore[import-untyped]

    doubled_ranks = (2 * stats.rankdata(column)).astype(np.int64)
    bins: npt.NDArray[np.int64] = (doubled_ranks - 1) * n_bins // (2 * column.size)
    return bins


def joined_bins(bins: npt.NDArray[np.int64], least: int) -> npt.NDArray[np.int64]:
    """The bins, each joined with those after it until it has ``least`` rows, the last with those
    before it."""
    numbers, sizes = np.unique(bins, return_counts=True)
    joined, size = 0, 0
    targets = []
    for own in sizes:
        if size >= least:
            joined, size = joined + 1, 0
        targets.append(joined)
        size += int(own)
    if size < least:
        targets = [min(target, max(joined - 1, 0)) for target in targets]
    found: npt.NDArray[np.int64] = np.asarray(targets)[np.searchsorted(numbers, bins)]
    return found


def _clusters(questions: Sequence[Hashable] | None, n: int) -> npt.NDArray[np.int64] | None:
    """The number of the question of each answer; None where every answer has its own."""
    if questions is None:
        return None
    if len(questions) != n:
        raise ValueError(f"{len(questions)} questions cannot be paired with {n} answers")
    ordered = sorted(set(questions), key=lambda question: (str(type(question)), str(question)))
    number = {question: index for index, question in enumerate(ordered)}
    return np.array([number[question] for question in questions])


def _intervals(
    outcomes: Column,
    members: Sequence[npt.NDArray[np.bool_]],
    clusters: npt.NDArray[np.int64] | None,
) -> Iterator[Interval]:
    if clusters is None:
        yield from (wilson(int(outcomes[own].sum()), int(own.sum())) for own in members)
        return
    n = int(clusters.max()) + 1
    counts = [np.bincount(clusters[own], minlength=n).astype(float) for own in members]
    sums = [np.bincount(clusters[own], outcomes[own], minlength=n).astype(float) for own in members]
    for right, answers in zip(resample(sums), resample(counts), strict=True):
        estimate = ratio(right, answers)
        yield Interval(estimate.low, estimate.high)


def _confidence_column(confidences: Sequence[float]) -> Column:
    column = score_column(confidences)
    for confidence in column[(column < 0.0) | (column > 1.0)]:
        raise ValueError(f"confidence={confidence}: needs 0 <= confidence <= 1")
    return column


def _calibration_error(column: Column, outcomes: Rows, n_bins: int) -> float:
    """Mean over rows of ``outcomes``, each of which has one for every confidence."""
    is_inside = np.equal.outer(equal_mass_bins(column, n_bins), np.arange(n_bins))
    gaps = (outcomes - column) @ is_inside.astype(float)
    return float(np.abs(gaps).sum(axis=1).mean() / column.size)


def _error_if_calibrated(
    column: Column, clusters: npt.NDArray[np.int64] | None, n_bins: int
) -> float:
    generator = np.random.default_rng(0)
    if clusters is None:
        # Sorted, so that the draws do not depend on the order of the answers.
        column = np.sort(column)
        uniform = generator.random((N_DRAWS, column.size))
    else:
        uniform = generator.random((N_DRAWS, int(clusters.max()) + 1))[:, clusters]
    return _calibration_error(column, (uniform < column).astype(float), n_bins)


def _rejection_ratio(errors_kept: Column) -> float:
    """PRR from the expected errors among the k most confident, k = 0 to n."""
    from scipy import integrate

    n = errors_kept.size - 1
    error_rate = errors_kept[-1] / n
    area = integrate.trapezoid(errors_kept) / n**2
    random_area, oracle_area = error_rate / 2, error_rate**2 / 2
    return float((random_area - area) / (random_area - oracle_area))
