"""Which figures there are enough questions for, and what is said of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from argo_ml.evaluation.record import Evaluation, GainBin, ReliabilityPoint
from argo_ml.statistics.confidence import MIN_PER_DIAGRAM, MIN_PER_DIAGRAM_BIN

Bin = TypeVar("Bin", ReliabilityPoint, GainBin)


def gains_by_strategy(evaluation: Evaluation) -> dict[str, list[GainBin]]:
    by_strategy: dict[str, list[GainBin]] = {}
    for gain_bin in evaluation.gains:
        by_strategy.setdefault(gain_bin.strategy, []).append(gain_bin)
    return by_strategy


def large_enough(by_strategy: Mapping[str, Sequence[Bin]]) -> dict[str, Sequence[Bin]]:
    """The strategies with as many questions as make two bins."""
    return {
        name: bins for name, bins in by_strategy.items() if n_questions(bins) >= MIN_PER_DIAGRAM
    }


def not_drawn(evaluation: Evaluation) -> tuple[str, ...]:
    """What there are too few questions to draw, one sentence each."""
    by_strategy = gains_by_strategy(evaluation)
    sentences = (
        _too_few("reliability diagram", evaluation.reliability),
        _too_few("figure of expected and realised gains", by_strategy),
    )
    return tuple(filter(None, sentences))


def _too_few(what: str, by_strategy: Mapping[str, Sequence[Bin]]) -> str:
    if not by_strategy or large_enough(by_strategy):
        return ""
    most = max(map(n_questions, by_strategy.values()))
    return (
        f"No {what}: bins of at least {MIN_PER_DIAGRAM_BIN} questions need {MIN_PER_DIAGRAM}, and "
        f"there are {most}."
    )


def n_questions(bins: Sequence[Bin]) -> int:
    """The questions that bins are of; those of earlier versions knew only decisions."""
    if not bins:
        return 0
    known = bins[0].n_questions if isinstance(bins[0], GainBin) else None
    return sum(own.n for own in bins) if known is None else known
