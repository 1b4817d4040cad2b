"""A replay as an MLflow run with a child per policy and price."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from argo_ml.config import ReplaySpec
from argo_ml.errors import ConfigError
from argo_ml.evaluation.firing import fire_share, is_degenerate
from argo_ml.evaluation.record import FILE as EVALUATION
from argo_ml.evaluation.record import Evaluation
from argo_ml.replay.deciding import DecidedCell
from argo_ml.replay.judging import judge, predictions, recorded, results
from argo_ml.replay.needs import check_replayable
from argo_ml.replay.replaying import Replay, replay
from argo_ml.reporting import store_report
from argo_ml.results.metrics import sweep_metrics
from argo_ml.results.records import CellResult, Results
from argo_ml.sweep.evaluating import evaluation_metrics
from argo_ml.tracking import runs
from argo_ml.tracking.runs import InputDataset, TrackedRun, Tracking, connect

RESULTS = "results.json"
PREDICTIONS = "predictions.jsonl"
KIND = "replay"
UNKNOWN = frozenset(
    {
        "lm_calls",
        "lm_calls_paid",
        "lm_calls_total",
        "lm_calls_paid_total",
        "decomposer_calls",
        "reader_calls",
        "reasoner_calls",
        "synthesizer_calls",
        "probe_calls",
        "sample_calls",
        "prompt_tokens",
        "completion_tokens",
        "lm_seconds",
        "fallbacks",
        "retrieval_success_rate",
    }
)
"""Metrics that recorded outcomes say nothing of: no run has them."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay's run has stored."""

    results: Results
    evaluation: Evaluation


def run_replay(spec: ReplaySpec) -> Replayed:
    """Replay, evaluate, and keep everything.

    Raises `ArgoError`; the run has then ended as FAILED with it.
    """
    check_replayable(spec.policies)
    if not spec.outcomes:
        raise ConfigError("outcomes is empty; name a JSONL file, see docs/replay.md")
    tracking = connect(spec.tracking_uri, spec.experiment)
    name = f"replay {Path(spec.outcomes).name}"
    run = tracking.adopt_or_create(name, {runs.KIND: KIND})
    with run.recording_failure():
        run.log(params=recorded(spec))
        found = replay(spec)
        children = [_child(cell, run, tracking) for cell in found.cells]
        made = results(found, spec, run.run_id, [child.run_id for child in children])
        for child, cell in zip(children, made.cells, strict=True):
            _end(child, cell, spec, made.digests)
        evaluation = judge(found, made)
        _store(run, found, made, evaluation)
        store_report(run, evaluation, made)
        run.end()
    return Replayed(made, evaluation)


def _child(cell: DecidedCell, run: TrackedRun, tracking: Tracking) -> TrackedRun:
    name = f"{cell.strategy} c_r={cell.retrieval_cost:g}"
    return tracking.create_child(run, name, {runs.KIND: "cell", runs.SWEEP_ID: run.run_id})


def _end(run: TrackedRun, cell: CellResult, spec: ReplaySpec, digests: Mapping[str, str]) -> None:
    """Everything of a cell in one request; its rows are in the replay's own results."""
    share = fire_share(cell)
    fired = {} if share is None else {"fire_share": share}
    degenerate = {runs.DEGENERATE: "true"} if is_degenerate(share) else {}
    run.log(
        params={
            "strategy": cell.strategy,
            "retrieval_cost": cell.retrieval_cost,
            "mu": spec.mu,
            "gate_budget": spec.gate_budget,
            "seed": spec.seed,
            **digests,
        },
        metrics={**_known(cell.metrics), **fired},
        tags={runs.CELL_ID: cell.cell_id, **degenerate},
        step=len(cell.questions),
    )
    run.end()


def _store(run: TrackedRun, found: Replay, made: Results, evaluation: Evaluation) -> None:
    n_tested = len(found.tested)
    source = str(made.spec["outcomes"])
    digest = made.digests["questions_digest"]
    run.log_inputs([InputDataset("outcomes", digest, source, "questions", n_tested)])
    run.log(
        params=made.digests,
        metrics=_known({**sweep_metrics(made), **evaluation_metrics(evaluation)}),
        tags={runs.NOTE: _note(found, made)},
        step=n_tested,
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        text = made.model_dump_json(exclude_defaults=True)
        (folder / RESULTS).write_text(text, encoding="utf-8")
        text = evaluation.model_dump_json(indent=1)
        (folder / EVALUATION).write_text(text, encoding="utf-8")
        with (folder / PREDICTIONS).open("w", encoding="utf-8") as file:
            for line in predictions(found):
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        run.log_folder(folder)


def _known(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name not in UNKNOWN}


def _note(found: Replay, made: Results) -> str:
    return (
        f"{len(made.strategies)} policies x {len(made.prices)} retrieval costs on the recorded "
        f"outcomes of {len(found.tested)} questions with {made.spec['model']}, calibrated on "
        f"{len(found.calibrating)} others."
    )
