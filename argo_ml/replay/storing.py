"""A replay as an MLflow run with a child per policy and price."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from argo_ml.config import ReplaySpec
from argo_ml.errors import ConfigError
from argo_ml.escaping import markdown
from argo_ml.evaluation.firing import fire_share, is_degenerate
from argo_ml.evaluation.record import Evaluation
from argo_ml.garbage import rarely_collected
from argo_ml.policies.base import explained
from argo_ml.progress import OnProgress, ignore_progress
from argo_ml.replay.deciding import DecidedCell
from argo_ml.replay.judging import evaluate_replay, predictions, replay_results, stored_spec
from argo_ml.replay.needs import check_replayable
from argo_ml.replay.replaying import Replay, replay
from argo_ml.replay.splitting import Parts
from argo_ml.reporting import store_report
from argo_ml.results.artifacts import (
    CALIBRATION,
    EVALUATION,
    PREDICTIONS,
    RESULTS,
    STEPWISE_CALIBRATION,
    cell_name,
)
from argo_ml.results.metrics import MEASURES, by_price, sweep_metrics
from argo_ml.results.records import CellResult, Results
from argo_ml.results.row_files import write_results
from argo_ml.results.unit import unit_of_money
from argo_ml.statistics.resampling import shared_draws
from argo_ml.sweep.evaluating import evaluation_metrics
from argo_ml.sweep.parent_run import ParentRun
from argo_ml.tracking import runs
from argo_ml.tracking.input_datasets import InputDataset
from argo_ml.tracking.names import spec_params
from argo_ml.tracking.reconciling import open_experiment
from argo_ml.tracking.runs import TrackedRun, Tracking

KIND = "replay"
MOST_KEPT = 5_000
"""Questions calibrated on up to which a replay keeps its calibrations: about 10 kB each."""
UNKNOWN = frozenset(
    {
        *(measure.name for measure in MEASURES if not measure.is_replayed),
        "lm_calls_total",
        "lm_calls_paid_total",
        "retrieval_success_rate",
    }
)
"""Metrics that recorded outcomes say nothing of: no run has them."""
OF_GOLD_TEXTS = frozenset({"exact_match", "token_f1", "contains"})
"""Metrics that are not known where lines have no golden answers."""


@dataclass(frozen=True, slots=True)
class StoredReplay:
    """What a replay's run has stored."""

    results: Results
    evaluation: Evaluation


@rarely_collected()
def run_replay(
    spec: ReplaySpec,
    on_progress: OnProgress = ignore_progress,
    parent: ParentRun | None = None,
    parts: Parts | None = None,
) -> StoredReplay:
    """Replay, evaluate, and keep everything, below ``parent`` where one is given.

    ``parts`` are the questions of the spec where they have been read. Raises `ArgoError`; there is
    no run then where nothing was judged.
    """
    check_replayable(spec.policies)
    if not spec.outcomes:
        raise ConfigError("outcomes is empty; name a JSONL file, see docs/replay.md")
    tracking = parent.tracking if parent else open_experiment(spec.tracking_uri, spec.experiment)
    replayed = replay(spec, on_progress, parts)
    name, tags = f"replay {Path(spec.outcomes).name}", {runs.KIND: KIND}
    run = parent.create_child(name, tags) if parent else tracking.adopt_or_create(name, tags)
    with run.recording_failure():
        run.log(params=spec_params(stored_spec(spec)))
        children = [_child(cell, run, tracking) for cell in replayed.cells]
        unknown = UNKNOWN if _is_graded(replayed) else UNKNOWN | OF_GOLD_TEXTS
        results = replay_results(replayed, spec, run.run_id, [child.run_id for child in children])
        for child, cell in zip(children, results.cells, strict=True):
            _end(child, cell, spec, results.digests, unknown)
        with shared_draws():
            evaluation = evaluate_replay(replayed, results)
            _store(run, replayed, results, evaluation)
            store_report(run, evaluation, results)
        run.describe_experiment(evaluation.answer)
        run.end()
    return StoredReplay(results, evaluation)


def _child(cell: DecidedCell, run: TrackedRun, tracking: Tracking) -> TrackedRun:
    name = cell_name(cell.strategy, cell.retrieval_cost)
    tags = {runs.KIND: "cell", runs.SWEEP_ID: run.run_id}
    if rule := explained(cell.policy):
        tags[runs.NOTE] = f"In words: {markdown(rule)}."
    return tracking.create_child(run, name, tags)


def _is_graded(replayed: Replay) -> bool:
    """Whether every question that is tested on has golden answers."""
    return all(state.recorded.question.is_graded for state in replayed.tested)


def _end(
    run: TrackedRun,
    cell: CellResult,
    spec: ReplaySpec,
    digests: Mapping[str, str],
    unknown: AbstractSet[str],
) -> None:
    """Everything of a cell in one request but the ``unknown`` metrics; its rows are in the replay's
    own results."""
    share = fire_share(cell)
    fired = {} if share is None else {"fire_share": share}
    degenerate = {runs.DEGENERATE: "true"} if is_degenerate(share) else {}
    run.log(
        params=spec_params(
            {
                "strategy": cell.strategy,
                "retrieval_cost": cell.retrieval_cost,
                "price": unit_of_money(spec.money).own_price(cell.retrieval_cost),
                "mu": spec.mu,
                "gate_budget": spec.gate_budget,
                **({"guarantee": spec.guarantee, "delta": spec.delta} if spec.guarantee else {}),
                "seed": spec.seed,
                **digests,
            }
        ),
        metrics={**_known(cell.metrics, unknown), **fired},
        tags={runs.CELL_ID: cell.cell_id, **degenerate},
    )
    run.end()


def _store(run: TrackedRun, replayed: Replay, results: Results, evaluation: Evaluation) -> None:
    n_tested = len(replayed.tested)
    source = str(results.spec["outcomes"])
    digest = results.digests["questions_digest"]
    lines = f"{evaluation.answer}\n{_note(replayed, results)}".splitlines()
    run.log_inputs([InputDataset(Path(source).name, digest, source, "questions", n_tested)])
    run.log(
        params=spec_params(results.digests),
        metrics=_known({**sweep_metrics(results), **evaluation_metrics(evaluation)}, UNKNOWN),
        tags={runs.NOTE: "\n\n".join(map(markdown, lines))},
        curves=by_price(results),
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_results(results, folder / RESULTS, indent=None)
        text = evaluation.model_dump_json(indent=1)
        (folder / EVALUATION).write_text(text, encoding="utf-8")
        _write_calibrations(replayed, folder)
        encode = json.JSONEncoder(ensure_ascii=False).encode
        with (folder / PREDICTIONS).open("w", encoding="utf-8") as file:
            file.writelines(f"{encode(line)}\n" for line in predictions(replayed))
        run.log_folder(folder)


def _write_calibrations(replayed: Replay, folder: Path) -> None:
    """What the policies are made of again where one is published."""
    if len(replayed.calibrating) > MOST_KEPT:
        return
    learned = replayed.learned
    (folder / CALIBRATION).write_text(learned.at_once.model_dump_json(), encoding="utf-8")
    if learned.stepwise.knows_steps:
        text = learned.stepwise.model_dump_json()
        (folder / STEPWISE_CALIBRATION).write_text(text, encoding="utf-8")


def _known(metrics: Mapping[str, float], unknown: AbstractSet[str]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name not in unknown}


def _note(replayed: Replay, results: Results) -> str:
    return (
        f"{len(results.strategies)} policies x {len(results.prices)} retrieval costs on the "
        f"recorded outcomes of {len(replayed.tested)} questions with {results.spec['model']}, "
        f"calibrated on {len(replayed.calibrating)} others."
    )
