"""The end of a study: its best settings, judged and reported on its run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from argo_ml.config import ContextSpec, StudySpec
from argo_ml.models.cache.store import CallCache
from argo_ml.progress import OnProgress
from argo_ml.reporting.drawing import draw_cell
from argo_ml.reporting.figures.study import draw_study
from argo_ml.results.artifacts import (
    BEST_SETTINGS,
    FIGURES,
    PASSAGES,
    STUDY_REPORT,
    STUDY_STORAGE,
    TRAJECTORIES,
    settings_file,
)
from argo_ml.results.records import CellResult, Results
from argo_ml.results.study import Best, FrontPoint, Score, StudyReport, settings_of
from argo_ml.results.trajectories import cited_passages, passage_record, trajectory
from argo_ml.results.unit import SHARES
from argo_ml.study import storage
from argo_ml.study.evaluation import Block
from argo_ml.study.judging import REFERENCES, judge, judged_cells, utility_difference
from argo_ml.study.objectives import Rows, front, knee, valuation_at
from argo_ml.study.reconciliation import trial_runs
from argo_ml.study.search import Search
from argo_ml.sweep.cell_run import store_outcomes
from argo_ml.sweep.context import LocalContext
from argo_ml.sweep.parent_run import recorded
from argo_ml.tracking.deleted import is_deleted
from argo_ml.tracking.names import logged_metrics
from argo_ml.tracking.runs import TrackedRun

N_TRAJECTORIES = 10
"""Most trials of a front that keep their trajectories."""


def conclude(
    search: Search,
    tests: LocalContext[ContextSpec],
    trials_per_second: float | None,
    on_progress: OnProgress,
) -> StudyReport:
    """Judge the best settings, store figures and files on the study's run, and end it."""
    spec, run = search.spec, search.run
    complete = storage.in_states(search.study, TrialState.COMPLETE)
    points = front(search.objective, complete) if len(search.objective.directions) > 1 else []
    chosen = _chosen(search, complete, points)
    results = judge(
        search, tests, {price: trial for price, (trial, _) in chosen.items()}, on_progress
    )
    summary = _summary(search, points, chosen, results, trials_per_second)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / STUDY_REPORT).write_text(summary.model_dump_json(indent=1), encoding="utf-8")
        (folder / BEST_SETTINGS).mkdir()
        for best in summary.best:
            path = folder / settings_file(best.retrieval_cost)
            path.write_text(json.dumps(sweep_parameters(spec, best), indent=1), encoding="utf-8")
        storage.save_copy(search.study, folder / STUDY_STORAGE)
        draw_study(search.study, summary, folder / FIGURES)
        run.log_folder(folder)
    _store_best_trials(search, [*(trial for trial, _ in chosen.values()), *points])
    run.log(metrics=_metrics(summary))
    run.describe(_note(summary))
    return summary


def sweep_parameters(spec: StudySpec, best: Best) -> dict[str, object]:
    """What `argo-ml sweep --params FILE` takes to run these settings beside the references.

    Commands of one strategy at one price take it, too.
    """
    strategies = (*REFERENCES, spec.strategy)
    return {
        "strategies": ",".join(dict.fromkeys(strategies)),
        "retrieval_costs": f"{best.retrieval_cost:g}",
        "strategy": spec.strategy,
        "retrieval_cost": best.retrieval_cost,
        **best.settings,
    }


def _chosen(
    search: Search, complete: Sequence[FrozenTrial], points: Sequence[FrozenTrial]
) -> dict[float, tuple[FrozenTrial, Rows]]:
    """The best trial at each price and its rows; with accuracy and cost it is the knee."""
    spec = search.spec
    if spec.objective == "accuracy_cost":
        trial = points[knee([trial.values for trial in points], search.objective)]
        return {spec.retrieval_costs[0]: (trial, search.rows_of(trial))}
    chosen = {}
    for price in spec.retrieval_costs:
        utility = valuation_at(spec, price).mean_utility
        # Of equals the first, which may be one of the known settings.
        best = max(complete, key=lambda trial: (utility(search.rows_of(trial)), -trial.number))
        chosen[price] = best, search.rows_of(best)
    return chosen


def _summary(
    search: Search,
    points: Sequence[FrozenTrial],
    chosen: Mapping[float, tuple[FrozenTrial, Rows]],
    results: Results,
    trials_per_second: float | None,
) -> StudyReport:
    study = search.study
    trials = storage.all_trials(study)
    counts = {state: sum(trial.state is state for trial in trials) for state in TrialState}
    paid = _paid_by_trials(search)
    n_done = counts[TrialState.COMPLETE] + counts[TrialState.PRUNED]
    knee_at = knee([trial.values for trial in points], search.objective) if points else -1
    return StudyReport(
        study_id=search.run.run_id,
        study=study.study_name,
        spec={key: value for key, value in recorded(search.spec).items() if key != "storage"},
        n_questions=search.evaluator.n_questions,
        n_complete=counts[TrialState.COMPLETE],
        n_pruned=counts[TrialState.PRUNED],
        n_failed=counts[TrialState.FAIL],
        best=tuple(
            _best(search, price, trial, rows, results) for price, (trial, rows) in chosen.items()
        ),
        front=tuple(
            FrontPoint(
                trial=trial.number,
                values=dict(zip(search.objective.names, trial.values, strict=True)),
                settings=settings_of(trial.user_attrs),
                is_knee=index == knee_at,
            )
            for index, trial in enumerate(points)
        ),
        trials_per_second=trials_per_second,
        lm_calls_paid=paid,
        lm_calls_paid_per_trial=paid / n_done,
    )


def _paid_by_trials(search: Search) -> int:
    """Calls executed for trials, those of workers that died included.

    Where workers have caches of their own, the ledger here does not know of all; a trial that was
    killed on another machine is then left out.
    """
    logged = sum(
        int(logged_metrics(child).get("lm_calls_paid_total", 0))
        for child in trial_runs(search.tracking, search.run.run_id)
    )
    cache = CallCache(search.spec.calls_path)
    return max(logged, cache.paid_by(search.run.run_id, parts_only=True).executed)


def _best(
    search: Search,
    price: float,
    trial: FrozenTrial,
    rows: Rows,
    results: Results,
) -> Best:
    tuned, references = judged_cells(results, price, search.spec.strategy)
    tune = _score(search.spec, price, rows)
    test = _score(search.spec, price, tuned.questions)
    return Best(
        retrieval_cost=price,
        trial=trial.number,
        run_id=storage.run_id_of(trial),
        settings=settings_of(trial.user_attrs),
        tune=tune,
        test=test,
        optimism=tune.utility - test.utility,
        differences=tuple(
            utility_difference(tuned, reference, search.spec.mu) for reference in references
        ),
    )


def _score(spec: StudySpec, price: float, rows: Rows) -> Score:
    valuation = valuation_at(spec, price)
    return Score(
        accuracy=sum(row.correct for row in rows) / len(rows),
        cost=sum(map(valuation.cost, rows)) / len(rows),
        utility=valuation.mean_utility(rows),
    )


def _metrics(summary: StudyReport) -> dict[str, float]:
    metrics = {
        "trials_complete": float(summary.n_complete),
        "trials_pruned": float(summary.n_pruned),
        "trials_failed": float(summary.n_failed),
        "lm_calls_paid_total": float(summary.lm_calls_paid),
        "lm_calls_paid_per_trial": summary.lm_calls_paid_per_trial,
    }
    if summary.trials_per_second is not None:
        metrics["trials_per_second"] = summary.trials_per_second
    for best in summary.best:
        suffix = f"_c_r_{best.retrieval_cost:g}" if len(summary.best) > 1 else ""
        against = best.differences[0]
        metrics |= {
            f"tune_utility{suffix}": best.tune.utility,
            f"test_utility{suffix}": best.test.utility,
            f"test_accuracy{suffix}": best.test.accuracy,
            f"optimism{suffix}": best.optimism,
            f"test_gain{suffix}": against.mean,
            f"test_gain_ci_low{suffix}": against.low,
            f"test_gain_ci_high{suffix}": against.high,
        }
    return metrics


def _note(summary: StudyReport) -> str:
    n_trials = summary.n_complete + summary.n_pruned
    lines = [f"{n_trials} trials on {summary.n_questions} questions of `{summary.spec['split']}`."]
    for best in summary.best:
        settings = ", ".join(f"{name} {value:g}" for name, value in best.settings.items())
        lines.append(
            f"- c_r {best.retrieval_cost:g}: trial {best.trial} ({settings}); {best.verdict}."
        )
    return "\n".join(lines)


def _store_best_trials(search: Search, trials: Sequence[FrozenTrial]) -> None:
    """Trajectories and outcomes on the runs of the best trials."""
    distinct = {trial.number: trial for trial in trials}
    for trial in list(distinct.values())[:N_TRAJECTORIES]:
        run = TrackedRun(search.tracking.client, storage.run_id_of(trial))
        stored = search.tracking.get_or_none(run.run_id)
        if stored is None or is_deleted(stored):
            search.run.warn(f"the run of trial {trial.number} was deleted, and keeps nothing")
            continue
        cell = search.evaluator.cell(settings_of(trial.user_attrs))
        blocks = list(search.evaluator.blocks(cell, search.billed_to(trial.number)))
        rows = [row for block in blocks for row in block.rows]
        result = CellResult(
            cell_id=cell.id,
            run_id=run.run_id,
            strategy=cell.spec.strategy,
            retrieval_cost=cell.spec.retrieval_cost,
            metrics={},
            policy=cell.table,
            questions=tuple(rows),
        )
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            _write_trajectories(blocks, folder)
            draw_cell(result, SHARES, folder / FIGURES)
            store_outcomes(run, result, folder)


def _write_trajectories(blocks: Sequence[Block], folder: Path) -> None:
    lines = [
        trajectory(question, finished.outcome)
        for block in blocks
        for question, finished in zip(block.questions, block.finished, strict=True)
    ]
    cited = cited_passages(done.outcome for block in blocks for done in block.finished)
    passages = [passage_record(cited[key]) for key in sorted(cited)]
    for name, records in ((TRAJECTORIES, lines), (PASSAGES, passages)):
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (folder / name).write_text(text, encoding="utf-8")
