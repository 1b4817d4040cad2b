"""The end of a study: its best settings judged on questions that no trial has seen."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from argo_ml.config import CellSpec, ExperimentSpec, StudySpec, build
from argo_ml.datasets import load_questions
from argo_ml.errors import DataError
from argo_ml.progress import OnProgress
from argo_ml.reporting.figures.study import draw_study
from argo_ml.results.metrics import utilities
from argo_ml.results.records import CellResult, QuestionResult, Results
from argo_ml.results.study import Best, Difference, FrontPoint, Score, StudyReport, settings_of
from argo_ml.results.trajectories import cited_passages, passage_record, trajectory
from argo_ml.statistics.intervals import paired_difference
from argo_ml.study import storage
from argo_ml.study.evaluation import Block, cell_spec
from argo_ml.study.objectives import front, knee, prices_at
from argo_ml.study.reconciliation import trial_runs
from argo_ml.study.search import Search
from argo_ml.sweep.cell_run import TRAJECTORIES, store_outcomes
from argo_ml.sweep.context import LocalContext, prepare_cells
from argo_ml.sweep.execution import PASSAGES, execute, open_cell_runs, open_journal
from argo_ml.tracking import runs
from argo_ml.tracking.runs import TrackedRun

REFERENCES = ("argo", "always_retrieve", "always_reason", "random")
"""What the best settings are compared with: untuned ARGO first, then the baselines."""
REPORT = "report.json"
BEST = "best"
STORAGE = "study.sqlite"
SHARD_SIZE = 50
"""Least questions that run together on the test split: nothing is pruned there, and large batches
are faster."""
N_TRAJECTORIES = 10
"""Most trials of a front that keep their trajectories."""


def open_test_context(spec: StudySpec, context: LocalContext) -> LocalContext:
    """The same model and corpus with the questions of the test split.

    Raises `DataError` where the two splits share a question.
    """
    n_questions = len(context.questions.questions)
    values = {**spec.shared(), "split": spec.test_split, "n_questions": n_questions}
    questions = load_questions(build(ExperimentSpec, values))
    seen = {question.id for question in context.questions.questions}
    shared = sorted(seen & {question.id for question in questions.questions})
    if shared:
        raise DataError(
            f"test_split={spec.test_split} shares {len(shared)} questions with "
            f"split={spec.split}, such as {shared[0]}"
        )
    return replace(context, questions=questions)


def conclude(
    search: Search, tests: LocalContext, trials_per_second: float | None, on_progress: OnProgress
) -> StudyReport:
    """Judge the best settings, store figures and files on the study's run, and end it."""
    spec, run = search.spec, search.run
    complete = storage.in_states(search.study, TrialState.COMPLETE)
    points = front(search.objective, complete) if len(search.objective.directions) > 1 else []
    chosen = _chosen(search, complete, points)
    results = _judge(
        search, tests, {price: trial for price, (trial, _) in chosen.items()}, on_progress
    )
    summary = _summary(search, points, chosen, results, trials_per_second)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / REPORT).write_text(summary.model_dump_json(indent=1), encoding="utf-8")
        (folder / BEST).mkdir()
        for best in summary.best:
            path = folder / BEST / f"c_r={best.retrieval_cost:g}.json"
            path.write_text(json.dumps(sweep_parameters(spec, best), indent=1), encoding="utf-8")
        storage.save_copy(search.study, folder / STORAGE)
        draw_study(search.study, summary, folder / "figures")
        run.log_folder(folder)
    _store_best_trials(search, [*(trial for trial, _ in chosen.values()), *points])
    run.log(metrics=_metrics(summary), tags={runs.NOTE: _note(summary)})
    return summary


def sweep_parameters(spec: StudySpec, best: Best) -> dict[str, object]:
    """What `argo-ml sweep --params FILE` takes to run these settings beside the references."""
    strategies = (*REFERENCES, spec.strategy)
    return {
        "strategies": ",".join(dict.fromkeys(strategies)),
        "retrieval_costs": f"{best.retrieval_cost:g}",
        **best.settings,
    }


def _chosen(
    search: Search, complete: Sequence[FrozenTrial], points: Sequence[FrozenTrial]
) -> dict[float, tuple[FrozenTrial, Sequence[QuestionResult]]]:
    """The best trial at each price and its rows; with accuracy and cost it is the knee."""
    spec = search.spec
    if spec.objective == "accuracy_cost":
        trial = points[knee([trial.values for trial in points], search.objective)]
        return {spec.retrieval_costs[0]: (trial, search.rows_of(trial))}
    chosen = {}
    for price in spec.retrieval_costs:
        utility = prices_at(spec, price).mean_utility
        # Of equals the first, which may be one of the known settings.
        best = max(complete, key=lambda trial: (utility(search.rows_of(trial)), -trial.number))
        chosen[price] = best, search.rows_of(best)
    return chosen


def _judge(
    search: Search,
    tests: LocalContext,
    chosen: Mapping[float, FrozenTrial],
    on_progress: OnProgress,
) -> Results:
    """Run the best settings and the references on the test questions."""
    spec = search.spec
    shard_size = max(spec.shard_size, SHARD_SIZE)
    values = {**spec.shared(), "split": spec.test_split, "shard_size": shard_size}
    test_spec = build(ExperimentSpec, values)
    specs: list[CellSpec] = []
    for price, trial in chosen.items():
        base = {**test_spec.model_dump(), "retrieval_cost": price}
        specs += [build(CellSpec, {**base, "strategy": strategy}) for strategy in REFERENCES]
        tuned = cell_spec(spec, settings_of(trial.user_attrs), price)
        here = {"split": spec.test_split, "shard_size": shard_size}
        specs.append(tuned.model_copy(update=here))
    # The best settings may be those of a reference.
    cells = prepare_cells(list(dict.fromkeys(specs)), tests)
    cell_runs = open_cell_runs(cells, test_spec, tests, search.tracking, search.run)
    with open_journal(spec, search.run.run_id) as journal:
        results = execute(
            test_spec, tests, search.run, cell_runs, journal, on_progress, search.evaluator.times
        )
        journal.remove()
    return results


def _summary(
    search: Search,
    points: Sequence[FrozenTrial],
    chosen: Mapping[float, tuple[FrozenTrial, Sequence[QuestionResult]]],
    results: Results,
    trials_per_second: float | None,
) -> StudyReport:
    study = search.study
    trials = study.get_trials(deepcopy=False)
    counts = {state: sum(trial.state is state for trial in trials) for state in TrialState}
    paid = sum(
        int(child.data.metrics.get("lm_calls_paid_total", 0))
        for child in trial_runs(search.tracking, search.run.run_id)
    )
    n_done = counts[TrialState.COMPLETE] + counts[TrialState.PRUNED]
    knee_at = knee([trial.values for trial in points], search.objective) if points else -1
    return StudyReport(
        study_id=search.run.run_id,
        study=study.study_name,
        spec=search.spec.model_dump(mode="json", exclude={"storage"}),
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


def _best(
    search: Search,
    price: float,
    trial: FrozenTrial,
    rows: Sequence[QuestionResult],
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


def judged_cells(
    results: Results, price: float, strategy: str
) -> tuple[CellResult, Sequence[CellResult]]:
    """The cell of the best settings at a price, and those of `REFERENCES`."""
    at_price = [cell for cell in results.cells if cell.retrieval_cost == price]
    # The references come first; where the best settings are those of one, it is their cell too.
    tuned = [cell for cell in at_price if cell.strategy == strategy][-1]
    return tuned, at_price[: len(REFERENCES)]


def utility_difference(tuned: CellResult, reference: CellResult, mu: float) -> Difference:
    found = paired_difference(utilities(tuned, mu), utilities(reference, mu))
    return Difference(
        strategy=reference.strategy,
        mean=found.mean,
        low=found.interval.low,
        high=found.interval.high,
    )


def _score(spec: StudySpec, price: float, rows: Sequence[QuestionResult]) -> Score:
    prices = prices_at(spec, price)
    return Score(
        accuracy=sum(row.correct for row in rows) / len(rows),
        cost=sum(map(prices.cost, rows)) / len(rows),
        utility=prices.mean_utility(rows),
    )


def _metrics(summary: StudyReport) -> dict[str, float]:
    found = {
        "trials_complete": float(summary.n_complete),
        "trials_pruned": float(summary.n_pruned),
        "trials_failed": float(summary.n_failed),
        "lm_calls_paid_total": float(summary.lm_calls_paid),
        "lm_calls_paid_per_trial": summary.lm_calls_paid_per_trial,
    }
    if summary.trials_per_second is not None:
        found["trials_per_second"] = summary.trials_per_second
    for best in summary.best:
        suffix = f"_c_r_{best.retrieval_cost:g}" if len(summary.best) > 1 else ""
        against = best.differences[0]
        found |= {
            f"tune_utility{suffix}": best.tune.utility,
            f"test_utility{suffix}": best.test.utility,
            f"test_accuracy{suffix}": best.test.accuracy,
            f"optimism{suffix}": best.optimism,
            f"test_gain{suffix}": against.mean,
            f"test_gain_ci_low{suffix}": against.low,
            f"test_gain_ci_high{suffix}": against.high,
        }
    return found


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
        cell = search.evaluator.cell(settings_of(trial.user_attrs))
        run = TrackedRun(search.tracking.client, storage.run_id_of(trial))
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
