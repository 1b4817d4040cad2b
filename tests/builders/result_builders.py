"""Results of sweeps that were never run, computed by the package from made-up question rows."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from argo_ml.config import CellSpec, SweepSpec
from argo_ml.mdp.process import Solution, solve
from argo_ml.results.metrics import cell_metrics
from argo_ml.results.records import CellResult, PolicyTable, QuestionResult, Results
from argo_ml.sweep import cells as grid
from argo_ml.sweep.cells import cell_id
from argo_ml.types import Action

DIGESTS = {
    "questions_digest": "q1",
    "corpus_digest": "c1",
    "model_digest": "m1",
    "prompts_digest": "p1",
}
FLOORS = {"majority_position": 0.3, "longest_choice": 0.35, "random": 0.25}

Actions = Callable[[PolicyTable, random.Random], list[str]]


def row(
    question_id: str, actions: Sequence[str], prices: dict[str, float], **changes: object
) -> QuestionResult:
    """All retrievals succeed; every call but the synthesizer's is paid by nobody."""
    n_retrievals, n_reasons = actions.count("retrieve"), actions.count("reason")
    values: dict[str, object] = {
        "question_id": question_id,
        "answer": "Lima",
        "choice": 0,
        "correct": True,
        "exact_match": 1.0,
        "token_f1": 1.0,
        "contains": 1.0,
        "parsed": True,
        "actions": tuple(actions),
        "retrieval_successes": n_retrievals,
        "decomposer_fallbacks": 0,
        "cost": sum(prices[action] for action in actions),
        "stop_reason": "threshold",
        "decomposer_calls": max(len(actions) - 1, 0),
        "reader_calls": n_retrievals,
        "reasoner_calls": n_reasons,
        "synthesizer_calls": 1,
        "lm_calls_paid": 1,
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "lm_seconds": 0.5,
    }
    return QuestionResult(**{**values, **changes})  # type: ignore[arg-type]


def actions_of(strategy: str, solution: Solution, rng: random.Random) -> list[str]:
    """What a strategy does when every retrieval succeeds."""
    if strategy in ("never", "single"):
        return ["retrieve"] if strategy == "single" else []
    progress, taken = 0.0, []
    while progress < solution.theta_star - 1e-9 and len(taken) < 20:
        if strategy == "always_retrieve":
            retrieves = True
        elif strategy == "always_reason":
            retrieves = False
        elif strategy.startswith("argo"):
            retrieves = progress < solution.theta_cont - 1e-9
        else:
            retrieves = rng.random() < 0.5
        taken.append("retrieve" if retrieves else "reason")
        progress = min(1.0, progress + (0.25 if retrieves else 0.08))
    return taken


def policy_table(spec: CellSpec) -> PolicyTable:
    solution = solve(spec.mdp(spec.retrieval_cost))
    return grid.policy_table(solution, grid.cell_policy(spec, solution))


def cell(spec: CellSpec, cell_id: str, run_id: str = "") -> CellResult:
    """Correct more often the more was retrieved; the same actions give the same answer."""
    table, solution = policy_table(spec), solve(spec.mdp(spec.retrieval_cost))
    prices = {Action.RETRIEVE.value: spec.retrieval_cost, Action.REASON.value: spec.reason_cost}
    rows = []
    for index in range(spec.question_limit):
        actions = actions_of(spec.strategy, solution, random.Random(index))
        share = actions.count("retrieve") / max(len(actions), 1)
        correct = random.Random(f"{index} {actions}").random() < 0.35 + 0.5 * share
        rows.append(
            row(
                f"question-{index}",
                actions,
                prices,
                correct=correct,
                choice=0 if correct else 1,
                answer="Lima" if correct else "Quito",
                difficulty=None if spec.difficulty == "all" else spec.difficulty,
            )
        )
    return CellResult(
        cell_id=cell_id,
        run_id=run_id or f"run-{cell_id}",
        strategy=spec.strategy,
        retrieval_cost=spec.retrieval_cost,
        metrics=cell_metrics(rows, spec.mu, table),
        policy=table,
        questions=tuple(rows),
    )


def results(spec: SweepSpec, sweep_id: str = "0123456789abcdef0123456789abcdef") -> Results:
    return Results(
        sweep_id=sweep_id,
        spec=spec.model_dump(mode="json"),
        digests=DIGESTS,
        floors=FLOORS,
        strategies=spec.strategies,
        prices=spec.prices,
        cells=tuple(cell(each, cell_id(each, DIGESTS)) for each in spec.cells()),
    )


def in_tokens(results: Results) -> Results:
    """The same results with prices in tokens, of which a right answer is worth 2,000."""
    money = {"value_of_correct": 2000.0, "price_unit": "tokens"}
    return results.model_copy(update={"spec": {**results.spec, **money}})
