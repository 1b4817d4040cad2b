"""Which kind of strategy the rows of an evaluation are of."""

from __future__ import annotations

from enum import Enum

from argo_ml.evaluation.record import Evaluation, StrategyRow


class Kind(Enum):
    """Fixed ones treat all questions alike, gates decide once, stepwise ones before every step."""

    CEILING = "ceiling"
    FIXED = "fixed"
    STEPWISE = "stepwise"
    GATE = "gate"


def kind_of(row: StrategyRow) -> Kind:
    if row.is_ceiling:
        return Kind.CEILING
    if row.is_fixed:
        return Kind.FIXED
    return Kind.STEPWISE if row.fire_share is None else Kind.GATE


def kinds(evaluation: Evaluation) -> dict[str, Kind]:
    """The kind of every strategy, in the order of the evaluation."""
    by_strategy: dict[str, Kind] = {}
    for row in evaluation.rows:
        by_strategy.setdefault(row.strategy, kind_of(row))
    return by_strategy


def of_kind(evaluation: Evaluation, *wanted: Kind) -> list[str]:
    """The strategies of these kinds, in the order of the evaluation."""
    return [strategy for strategy, kind in kinds(evaluation).items() if kind in wanted]
