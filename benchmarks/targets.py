"""What `argo_advantage` learns from, right and wrong or the gold choice's probability, and whether
looking further ahead than one step pays, where more were explored.

Cross-validation over the questions of one calibration whose choices were scored, so that no
question that is tested on is read: predictors of every learner and of both targets, fitted on four
fifths and judged on the others by right and wrong, in utility above the plan that was best on the
four fifths.

    python -m benchmarks.targets mlruns/1/RUN_ID/artifacts/calibration.json
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argo_ml.calibration.exploration import Exploration
from argo_ml.calibration.node import Node
from argo_ml.calibration.record import Calibration
from argo_ml.config import SweepSpec, build
from argo_ml.mdp.process import MDPSpec
from argo_ml.policies.argo_advantage import (
    NO_FIELDS,
    Fitting,
    best_step,
    fit_advantages,
    fittings,
)
from argo_ml.policies.best_plan import Deciding, best_plan, earned
from argo_ml.policies.plan_outcomes import Plan
from argo_ml.types import Action, Prices
from benchmarks.reporting import report

Floats = NDArray[np.float64]


def gains(explored: Exploration, fitting: Fitting, prices: Prices, ahead: int) -> Floats:
    """Utility of deciding by the predictors minus that of the best plan, by question left out."""
    differences: dict[int, float] = {}
    for fitted_on, held_out in explored.folds:
        own = earned(held_out, deciding(fitted_on, fitting, prices, ahead), prices)
        plain = earned(held_out, following(best_plan(fitted_on, prices)), prices)
        differences |= {question: own[question] - plain[question] for question in own}
    return np.array([differences[question] for question in sorted(differences)])


def deciding(fitted_on: Exploration, fitting: Fitting, prices: Prices, ahead: int) -> Deciding:
    predictors = fitted_on.once(fit_advantages, fitting)

    def decide(node: Node) -> Action:
        n_steps = len(node.actions)
        if n_steps >= len(predictors):
            return Action.STOP
        advantages = predictors[n_steps].advantages(fitting.inputs(node))
        return best_step(advantages, prices, ahead)[0]

    return decide


def following(plan: Plan) -> Deciding:
    return lambda node: (*plan, Action.STOP)[min(len(node.actions), len(plan))]


def rows(calibration: Calibration) -> Iterator[dict[str, Any]]:
    explored = calibration.exploration
    all_prices = build(SweepSpec, {"n_prices": 10}).prices
    made: dict[tuple[str, bool, int], Floats] = {}
    aheads = dict.fromkeys((1, calibration.horizon))
    for fitting, ahead in product(fittings(calibration, NO_FIELDS), aheads):
        by_price = [
            gains(explored, fitting, MDPSpec(retrieval_cost=price).prices, ahead)
            for price in all_prices
        ]
        own = np.mean(by_price, axis=0)
        made[fitting.learner, fitting.on_probabilities, ahead] = own
        yield {
            "learner": fitting.learner,
            "targets": "gold probability" if fitting.on_probabilities else "0 and 1",
            "steps ahead": ahead,
            "questions": len(own),
            "gain (points)": 100 * own.mean(),
            "error": 100 * _error(own),
            **_beside("0 and 1", own, made[fitting.learner, False, ahead]),
            **_beside("one step ahead", own, made[fitting.learner, fitting.on_probabilities, 1]),
            "lowest at a price": 100 * min(float(values.mean()) for values in by_price),
        }


def _beside(name: str, own: Floats, other: Floats) -> dict[str, float]:
    difference = own - other
    return {
        f"beside {name}": 100 * float(difference.mean()),
        f"error beside {name}": 100 * _error(difference),
    }


def _error(values: Floats) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calibration", type=Path)
    given = parser.parse_args()
    text = given.calibration.read_text(encoding="utf-8")
    report("targets", list(rows(Calibration.model_validate_json(text))))


if __name__ == "__main__":
    main()
