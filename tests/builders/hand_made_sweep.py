"""Results of sweeps made by hand: every question's outcome is written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from argo_ml.results.metrics import cell_metrics
from argo_ml.results.records import CellResult, DecisionResult, PolicyTable, Results
from builders import result_builders

REASON_COST = 0.02
NO_TABLE = PolicyTable(
    states=(),
    value=(),
    q_retrieve=(),
    q_reason=(),
    q_stop=(),
    actions=(),
    theta_cont=None,
    theta_star=None,
    policy_value=None,
    policy_regret=None,
)
SPEC = {
    "mu": 1.0,
    "reason_cost": REASON_COST,
    "difficulty": "hard",
    "dataset": "atlas",
    "model": "smollm2-135m",
    "seed": 42,
}


def cell(
    strategy: str,
    price: float,
    correct: str,
    actions: Sequence[Sequence[str]] | Sequence[str] = (),
    **by_question: Sequence[Any],
) -> CellResult:
    """``correct`` is a 1 or 0 per question.

    ``actions`` are those of every question, or a list for each; every other keyword is a field of
    the questions' results, one value for each.
    """
    n = len(correct)
    if actions and not isinstance(actions[0], str):
        taken = [list(each) for each in actions]
    else:
        taken = [[str(action) for action in actions]] * n
    prices = {"retrieve": price, "reason": REASON_COST}
    rows = [
        result_builders.row(
            f"q{index}",
            taken[index],
            prices,
            correct=mark == "1",
            answer="Lima" if mark == "1" else "Quito",
            **{name: values[index] for name, values in by_question.items()},
        )
        for index, mark in enumerate(correct)
    ]
    return CellResult(
        cell_id=f"{strategy}-{price:g}",
        run_id=f"run-{strategy}-{price:g}",
        strategy=strategy,
        retrieval_cost=price,
        metrics=cell_metrics(rows, 1.0, NO_TABLE),
        policy=NO_TABLE,
        questions=tuple(rows),
    )


def results(*cells: CellResult, **spec: object) -> Results:
    return Results(
        sweep_id="s1",
        spec={**SPEC, **spec},
        digests={},
        floors={"majority_position": 0.3, "longest_choice": 0.35, "random": 0.25},
        strategies=tuple(dict.fromkeys(each.strategy for each in cells)),
        prices=tuple(sorted({each.retrieval_cost for each in cells})),
        cells=cells,
    )


def scored(*scores: float) -> list[tuple[DecisionResult, ...]]:
    """One decision about each question, to stop, with a gate's score."""
    return [(DecisionResult(action="stop", score=score),) for score in scores]


def gated(score: float, retrieves: bool, **seen: Any) -> tuple[DecisionResult, ...]:
    """A gate's decisions about one question."""
    first = DecisionResult(action="retrieve" if retrieves else "stop", score=score, **seen)
    return (first, DecisionResult(action="stop")) if retrieves else (first,)
