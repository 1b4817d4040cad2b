from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from builders import result_builders

from argo_ml.engine.stages import StageTimes
from argo_ml.study.evaluation import Evaluator
from argo_ml.study.objectives import EveryPrice, Valuation, values
from argo_ml.types import Prices

COSTS = {"retrieve": 0.1, "reason": 0.02}


def test_of_a_trial_what_it_is_valued_by_is_kept_once_for_equal_questions() -> None:
    spec = SimpleNamespace(shard_size=10, max_unanswered=0.1)
    context: Any = SimpleNamespace(spec=spec, questions=SimpleNamespace(questions=()))
    evaluator = Evaluator(context, StageTimes())
    rows = [
        result_builders.row(f"q{n}", ["retrieve", "reason"], COSTS, correct=n % 2 == 0)
        for n in range(100)
    ]

    evaluator.remember({"theta_star": 0.5}, rows)

    kept = evaluator.rows({"theta_star": 0.5}, "nobody")
    objective = EveryPrice(Valuation(Prices(0.1, 0.02), mu=2.0))
    assert values(objective, kept) == values(objective, rows)
    assert len({id(row) for row in kept}) == 2
