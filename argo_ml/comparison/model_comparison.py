"""The same sweep for several models, and what one is worth against another."""

from __future__ import annotations

import gc
import json
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from argo_ml.config import CompareSpec
from argo_ml.config.experiment import OF_ONE_MODEL
from argo_ml.datasets import check_dataset, load_questions
from argo_ml.errors import ConfigError
from argo_ml.escaping import markdown
from argo_ml.evaluation.breakdowns import middle_price
from argo_ml.evaluation.roles import is_ceiling
from argo_ml.models.precision import with_precision
from argo_ml.policies import check_strategies, find_strategy
from argo_ml.progress import OnProgress, ignore_progress
from argo_ml.reporting.figures.models import draw_models
from argo_ml.results.artifacts import COMPARISON, COMPARISON_TABLE, FIGURES, SPEC
from argo_ml.results.naming import told_apart
from argo_ml.results.question_rows import question_ids, row_numbers
from argo_ml.results.records import CellResult, Record, Results
from argo_ml.results.unit import StoredUnit, unit_of
from argo_ml.statistics.resampling import mean_estimate
from argo_ml.sweep.parent_run import (
    ParentRun,
    find_resumed,
    load_record,
    pointing_at,
    recorded,
    store_spec,
    telling_how_to_go_on,
)
from argo_ml.sweep.resumed_spec import command_tag, resolve_latest, resumed_spec
from argo_ml.sweep.running import load_results, run_sweep
from argo_ml.tracking import runs
from argo_ml.tracking.names import logged_metrics, logged_params, spec_params
from argo_ml.tracking.reconciling import open_experiment
from argo_ml.tracking.runs import Run, TrackedRun, Tracking, store_of_runs

MODEL = "argo.model"
"""Tag of a sweep in a comparison: the model as the user named it."""
PEAKS = ("memory_peak_mb", "torch_memory_peak_mb")
"""Ends of the names of metrics that are a model's peak memory."""
logger = logging.getLogger(__name__)


class ComparedCell(Record):
    """One model, strategy and price; ``difference`` is its accuracy minus the first model's.

    Seconds and tokens are what the cell would have needed alone, per question.
    """

    model: str
    strategy: str
    retrieval_cost: float
    accuracy: float
    accuracy_ci_low: float
    accuracy_ci_high: float
    difference: float
    difference_ci_low: float
    difference_ci_high: float
    utility: float
    lm_seconds: float
    tokens: float


class ComparedModel(Record):
    """``peaks`` are the metrics of its sweep's run that say how much memory it took, in MB."""

    model: str
    sweep_id: str
    peaks: Mapping[str, float]


class ModelComparison(Record):
    """``models`` as given: the first is the one that the others are compared with."""

    schema_version: int = 1
    comparison_id: str
    models: tuple[ComparedModel, ...]
    cells: tuple[ComparedCell, ...]
    unit: StoredUnit = StoredUnit()

    def of(self, model: str) -> tuple[ComparedCell, ...]:
        return tuple(cell for cell in self.cells if cell.model == model)


def run_comparison(spec: CompareSpec, on_progress: OnProgress = ignore_progress) -> ModelComparison:
    """Run a sweep per model under one run, or continue the one that ``spec.resume`` names.

    Raises:
        ArgoError: something the user can act on; finished sweeps are kept.
    """
    spec = resolve_latest(spec, "comparison")
    check_dataset(spec.dataset, spec.given_documents)
    _check_strategies(spec)
    if spec.resume:
        return _resume(spec, on_progress)
    tracking = open_experiment(spec.tracking_uri, spec.experiment)
    # What every model's sweep would be refused for, before there is a run.
    load_questions(spec.sweep(spec.models[0]))
    names = ", ".join(told_apart(spec.models).values())
    tags = {runs.KIND: "comparison", **command_tag(spec)}
    run = tracking.adopt_or_create(f"compare {names}", tags)
    with run.recording_failure(), telling_how_to_go_on("compare", run, tracking):
        store_spec(run, spec)
        run.log(params=spec_params(recorded(spec)))
        return _compare(spec, tracking, run, on_progress)


def _check_strategies(spec: CompareSpec) -> None:
    for name in spec.strategies:
        if find_strategy(name).calibrated:
            raise ConfigError(f"strategy {name} needs a calibration: {OF_ONE_MODEL}")
    check_strategies(spec.strategies, spec)


def _resume(spec: CompareSpec, on_progress: OnProgress) -> ModelComparison:
    tracking = store_of_runs(spec.tracking_uri)
    stored, home = find_resumed(tracking, spec.resume, "comparison")
    spec = spec.model_copy(update={"resume": stored.info.run_id})
    with pointing_at(spec.resume, "comparison", tracking):
        if stored.info.status == "FINISHED":
            return load_record(home, spec.resume, COMPARISON, ModelComparison)
        run = TrackedRun(tracking.client, spec.resume, stored)
        full = _begun_with(spec, run, home)
        with run.recording_failure(), telling_how_to_go_on("compare", run, home):
            run.reopen()
            if not stored.data.params:
                run.log(params=spec_params(recorded(full)))
            return _compare(full, home, run, on_progress)


def _begun_with(spec: CompareSpec, run: TrackedRun, home: Tracking) -> CompareSpec:
    """What the comparison was begun with; one that stored nothing, of an earlier version or killed
    at once, goes on with what is given."""
    if run.read_artifact(SPEC) is not None:
        return resumed_spec(spec, home)
    if not spec.models:
        raise ConfigError(
            f"resume={spec.resume}: it has stored no parameters; give them all again, with models"
        )
    return spec


def _compare(
    spec: CompareSpec, tracking: Tracking, run: TrackedRun, on_progress: OnProgress
) -> ModelComparison:
    sweeps = []
    for index, model in enumerate(spec.models):
        logger.info("model %d of %d: %s", index + 1, len(spec.models), model)
        sweeps.append(_sweep(spec, model, tracking, run, on_progress))
        # The next model may need the memory of this one.
        gc.collect()
    comparison = compare_models(run.run_id, spec.models, sweeps, tracking)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / COMPARISON).write_text(comparison.model_dump_json(indent=1), encoding="utf-8")
        (folder / COMPARISON_TABLE).write_text(json.dumps(_table(comparison)), encoding="utf-8")
        draw_models(spec.models, sweeps, folder / FIGURES)
        run.log_folder(folder)
        run.log(tags=runs.tables_tag(COMPARISON_TABLE))
    lines = sentences(comparison)
    run.describe("\n\n".join(map(markdown, lines)))
    run.describe_experiment("\n".join(lines))
    run.end()
    return comparison


def _sweep(
    spec: CompareSpec, model: str, tracking: Tracking, run: TrackedRun, on_progress: OnProgress
) -> Results:
    """The sweep of one model: begun, continued, or loaded where it is finished."""
    sweep_spec = spec.sweep(model)
    present = _present_sweep(model, tracking, run)
    name = f"sweep {told_apart(spec.models)[model]}"
    parent = ParentRun(run, tracking, {MODEL: model}, name)
    if present is None:
        before = _precisions(tracking, run) if spec.resume else []
        if before and spec.precision == "auto":
            sweep_spec = sweep_spec.model_copy(update={"precision": before[0]})
        else:
            sweep_spec = with_precision(sweep_spec)
        return run_sweep(sweep_spec, on_progress, parent)
    if present.info.status == "FINISHED":
        return load_results(tracking, present.info.run_id)
    resumed = sweep_spec.model_copy(update={"resume": present.info.run_id})
    return run_sweep(resumed, on_progress, parent)


def _precisions(tracking: Tracking, run: TrackedRun) -> list[str]:
    """Those of the sweeps that the comparison has begun."""
    sweeps = [child for child in tracking.children(run.run_id) if MODEL in child.data.tags]
    params = [logged_params(sweep) for sweep in sweeps]
    return [of_sweep["precision"] for of_sweep in params if "precision" in of_sweep]


def _present_sweep(model: str, tracking: Tracking, run: TrackedRun) -> Run | None:
    """The sweep that the comparison has of a model; none that ended before it could be resumed."""
    for child in tracking.children(run.run_id):
        if child.data.tags.get(MODEL) == model:
            sweep = TrackedRun(tracking.client, child.info.run_id)
            if sweep.read_artifact(SPEC) is not None:
                return child
    return None


def compare_models(
    comparison_id: str, models: Sequence[str], sweeps: Sequence[Results], tracking: Tracking
) -> ModelComparison:
    """The table of several models' sweeps on the same questions.

    Raises `ConfigError` where they are of other questions or cells than the first one.
    """
    for model, results in zip(models, sweeps, strict=True):
        if _asked(results) != _asked(sweeps[0]):
            raise ConfigError(
                f"{model}: its sweep {results.sweep_id} is of other questions, strategies or "
                f"prices than {sweeps[0].sweep_id} of {models[0]}; compare them without resume"
            )
    return ModelComparison(
        comparison_id=comparison_id,
        models=tuple(
            ComparedModel(
                model=model, sweep_id=results.sweep_id, peaks=_peaks(tracking, results.sweep_id)
            )
            for model, results in zip(models, sweeps, strict=True)
        ),
        cells=tuple(
            _compared(model, cell, reference)
            for model, results in zip(models, sweeps, strict=True)
            for cell, reference in zip(results.cells, sweeps[0].cells, strict=True)
        ),
        unit=StoredUnit.of(unit_of(sweeps[0].spec)),
    )


def sentences(comparison: ModelComparison) -> list[str]:
    """Of every model the most useful strategy at the middle price; none that knows the answers."""
    price = middle_price(list({cell.retrieval_cost for cell in comparison.cells}))
    names = told_apart([own.model for own in comparison.models])
    at_price = comparison.unit.shown.at_price(price)
    said = []
    for model, name in names.items():
        cells = [cell for cell in comparison.of(model) if cell.retrieval_cost == price]
        usable = [cell for cell in cells if not is_ceiling(cell.strategy)] or cells
        best = max(usable, key=lambda cell: cell.utility)
        said.append(
            f"{name}: at {at_price} {best.strategy} is the most useful, with an accuracy of "
            f"{best.accuracy:.3f} and a utility of {best.utility:.3f}."
        )
    return said


def _asked(results: Results) -> list[tuple[str, float, list[str]]]:
    return [
        (cell.strategy, cell.retrieval_cost, question_ids(cell.questions)) for cell in results.cells
    ]


def _compared(model: str, cell: CellResult, reference: CellResult) -> ComparedCell:
    difference = mean_estimate(
        row_numbers(cell.questions, "correct") - row_numbers(reference.questions, "correct")
    )
    values = cell.metrics
    return ComparedCell(
        model=model,
        strategy=cell.strategy,
        retrieval_cost=cell.retrieval_cost,
        accuracy=values["accuracy"],
        accuracy_ci_low=values["accuracy_ci_low"],
        accuracy_ci_high=values["accuracy_ci_high"],
        difference=difference.mean,
        difference_ci_low=difference.low,
        difference_ci_high=difference.high,
        utility=values["utility"],
        lm_seconds=values["lm_seconds"],
        tokens=values["prompt_tokens"] + values["completion_tokens"],
    )


def _peaks(tracking: Tracking, sweep_id: str) -> dict[str, float]:
    metrics = logged_metrics(tracking.get(sweep_id))
    return {name: value for name, value in sorted(metrics.items()) if name.endswith(PEAKS)}


def _table(comparison: ModelComparison) -> Mapping[str, object]:
    """Columns and rows as MLflow's UI shows a table."""
    columns = list(ComparedCell.model_fields)
    rows: Iterator[list[object]] = (
        [getattr(cell, column) for column in columns] for cell in comparison.cells
    )
    return {"columns": columns, "data": list(rows)}
