"""Does deciding by the question pay? Chosen on the tune split, judged on the test split.

One calibration, one sweep of the tune split that chooses between `argo_calibrated` and
`argo_fitted` at every price, one sweep of the test split that judges the chosen one against the
best fixed strategy, and a sweep at other prices that must ask no model. All are MLflow runs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from argo_ml.config import CalibrateSpec, SweepSpec, build
from argo_ml.engine.shards import make_shards
from argo_ml.engine.stages import StageTimes
from argo_ml.evaluation.record import Evaluation
from argo_ml.exploring.calibrate import run_calibration
from argo_ml.results.artifacts import EVALUATION
from argo_ml.results.metrics import utilities
from argo_ml.results.records import CellResult, Results
from argo_ml.statistics.resampling import mean_estimate
from argo_ml.sweep.context import LocalContext, prepare_cells
from argo_ml.sweep.record import open_record
from argo_ml.sweep.running import run_sweep
from benchmarks.reporting import report

FIXED = ("never", "single", "always_retrieve", "always_reason")
CANDIDATES = ("argo_calibrated", "argo_fitted")
MARGIN = 0.01
"""Of utility and accuracy: what counts as not below."""
ORIGINAL = ("argo", "always_retrieve", "always_reason", "random")
GATES = (
    "entropy_gate",
    "margin_gate",
    "variance_gate",
    "max_prob_gate",
    "graded",
    "benefit_gate",
    "flare",
    "skr_knn",
    "adaptive_rag",
    "question_only",
    "tasr",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-calibration", type=int, default=300)
    parser.add_argument("--n-tune", type=int, default=300)
    parser.add_argument("--n-test", type=int, default=300)
    parser.add_argument("--max-steps", type=int, default=2)
    parser.add_argument("--explorations", type=int, default=2)
    parser.add_argument("--difficulty", default="all")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--tracking-uri", default="")
    parser.add_argument("--calibration", default="", help="run id of one that is there already")
    given = parser.parse_args()
    common = {
        "difficulty": given.difficulty,
        "model": given.model,
        "max_steps": given.max_steps,
        "tracking_uri": given.tracking_uri,
        "shard_size": 50,
    }
    seconds: dict[str, float] = {}
    calls: dict[str, float] = {}

    started = time.perf_counter()
    calibration = given.calibration
    if not calibration:
        wanted = {"n_questions": given.n_calibration, "explorations": given.explorations}
        found = run_calibration(build(CalibrateSpec, {**common, **wanted}))
        calibration = found.run_id
        calls["calibration"] = found.metrics["lm_calls_paid_total"]
    seconds["calibration"] = time.perf_counter() - started

    def sweep_spec(strategies: Sequence[str], **values: object) -> SweepSpec:
        wanted = {
            "n_prices": 10,
            "n_questions": given.n_test,
            "calibration": calibration,
            "oracle_steps": given.max_steps,
            "strategies": ",".join(strategies),
        }
        return build(SweepSpec, {**common, **wanted, **values})

    def sweep(name: str, strategies: Sequence[str], **values: object) -> Results:
        begun = time.perf_counter()
        results = run_sweep(sweep_spec(strategies, **values))
        seconds[name] = time.perf_counter() - begun
        calls[name] = sum(row.lm_calls_paid for cell in results.cells for row in cell.questions)
        return results

    sweep("original four", ORIGINAL)
    sweep("oracle", ("oracle",))
    everything = (*ORIGINAL, "never", "single", *CANDIDATES, *GATES, "oracle")
    test = sweep("test", everything)
    tune = sweep("tune", (*FIXED, *CANDIDATES), split="tune", n_questions=given.n_tune)
    sweep("other prices", (*FIXED, *CANDIDATES), retrieval_costs=_other_prices(0.013))
    sweep("other prices, both policies", CANDIDATES, retrieval_costs=_other_prices(0.011))
    others = sweep_spec(CANDIDATES, retrieval_costs=_other_prices(0.009))
    seconds["other prices, both policies, without records"] = _deciding_seconds(others)
    rows = [_judged(price, tune, test) for price in test.prices]
    report(
        "adaptive",
        rows,
        calibration=calibration,
        test_sweep=test.sweep_id,
        tune_sweep=tune.sweep_id,
        seconds=seconds,
        calls_paid=calls,
        **_claims(rows, calls),
        **_evaluated(test.sweep_id, given.tracking_uri),
    )


def _other_prices(first: float) -> str:
    return ",".join(f"{first + 0.021 * number:.3f}" for number in range(10))


def _deciding_seconds(spec: SweepSpec) -> float:
    """Of solving the policies and running them on the questions, everything being loaded."""
    context = LocalContext.open(spec)
    begun = time.perf_counter()
    cells = prepare_cells(context.spec.cells(), context)
    shards = make_shards(context.questions.questions, spec.shard_size)
    executor = context.executor(cells, "other prices", StageTimes())
    n_episodes = sum(
        len(rows)
        for finished in executor.run(shards, lambda n_finished: None)
        for rows in finished.record.results.values()
    )
    assert n_episodes == len(cells) * len(context.questions.questions)
    return time.perf_counter() - begun


def _claims(rows: Sequence[Mapping[str, Any]], calls: Mapping[str, float]) -> dict[str, object]:
    """What the table says at once, and calls against their bound."""
    paid = sum(calls[name] for name in ("original four", "oracle", "test"))
    return {
        "prices_not_below": sum(row["low"] > -MARGIN for row in rows),
        "prices_above": sum(row["low"] > 0 for row in rows),
        "prices_of_matched_accuracy_at_half_the_retrievals": sum(
            row["accuracy"] >= row["Always-Retrieve accuracy"] - MARGIN
            and row["retrievals"] <= row["its retrievals"] / 2
            for row in rows
        ),
        "calls_of_all_strategies": paid,
        "twice_the_original_and_the_oracle": 2 * calls["original four"] + calls["oracle"],
    }


def _evaluated(sweep_id: str, tracking_uri: str) -> dict[str, object]:
    """Of p-hat on the test split, and of the conservative thresholds, by the sweep's evaluation."""
    with tempfile.TemporaryDirectory() as folder:
        record = open_record(sweep_id, tracking_uri, "argo_ml", Path(folder))
        text = record.artifact(EVALUATION).read_text(encoding="utf-8")
    evaluation = Evaluation.model_validate_json(text)
    exceeded = [
        each.conservative_exceedance
        for each in evaluation.frontiers
        if each.conservative_exceedance is not None
    ]
    confidences = [row.confidence for row in evaluation.rows_of("argo_calibrated")]
    return {
        "answer": evaluation.answer,
        "largest_conservative_exceedance": max(exceeded, default=None),
        "ece_by_price": [round(each.ece, 4) for each in confidences if each],
        "roc_auc_by_price": [each.roc_auc for each in confidences if each],
        "mean_utilities": dict(evaluation.mean_utilities),
    }


def _judged(price: float, tune: Results, test: Results) -> dict[str, object]:
    """The candidate that was better on the tune split, against the best fixed strategy on test."""
    mu = float(test.spec["mu"])
    chosen = max(CANDIDATES, key=lambda name: _utility(_cell(tune, name, price), mu))
    mine = _cell(test, chosen, price)
    fixed = max((_cell(test, name, price) for name in FIXED), key=lambda cell: _utility(cell, mu))
    pairs = zip(utilities(mine, mu), utilities(fixed, mu), strict=True)
    difference = mean_estimate([own - other for own, other in pairs])
    always = _cell(test, "always_retrieve", price)
    return {
        "c_r": price,
        "chosen on tune": chosen,
        "utility": _utility(mine, mu),
        "best fixed": fixed.strategy,
        "its utility": _utility(fixed, mu),
        "difference": difference.mean,
        "low": difference.low,
        "high": difference.high,
        "accuracy": mine.metrics["accuracy"],
        "retrievals": mine.metrics["retrieval_calls"],
        "Always-Retrieve accuracy": always.metrics["accuracy"],
        "its retrievals": always.metrics["retrieval_calls"],
        "oracle": _utility(_cell(test, "oracle", price), mu),
    }


def _cell(results: Results, strategy: str, price: float) -> CellResult:
    [found] = [cell for cell in results.row(strategy) if cell.retrieval_cost == price]
    return found


def _utility(cell: CellResult, mu: float) -> float:
    return fmean(utilities(cell, mu))


if __name__ == "__main__":
    main()
