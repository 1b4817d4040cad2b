"""The functions of the Python interface: a job's options in, its results out."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from argo_ml.advising.running import run_advice
from argo_ml.config import (
    AdviseSpec,
    CalibrateSpec,
    EstimateSpec,
    PublishSpec,
    RecordSpec,
    ReplaySpec,
    SpecType,
    StrategyFields,
    StudySpec,
    SweepSpec,
    build,
    check_homes,
    refuse_unread,
)
from argo_ml.config.source_fields import DatabaseFields
from argo_ml.errors import ConfigError
from argo_ml.exploring.calibrate import run_calibration
from argo_ml.interface.bars import Progress, showing
from argo_ml.interface.loading import loaded_result
from argo_ml.interface.own_parts import with_own_parts, with_own_retriever
from argo_ml.interface.returned import (
    AdviceResult,
    CalibrationResult,
    EstimateResult,
    RecordResult,
    StudyResult,
    SweepResult,
    loaded_sweep,
)
from argo_ml.library_settings import set_library_defaults
from argo_ml.models.precision import with_precision
from argo_ml.policies.checking import refuse_unread_settings
from argo_ml.recording import Pipeline, run_recording
from argo_ml.recording.pipeline import as_pipeline
from argo_ml.replay.storing import run_replay
from argo_ml.serving.registering import Registered
from argo_ml.sweep.estimate import run_estimate
from argo_ml.sweep.running import run_sweep
from argo_ml.waiting import set_database_timeout

set_library_defaults()
# What is logged is shown where the user has set logging up, and not by the handler of last resort.
logging.getLogger("argo_ml").addHandler(logging.NullHandler())


def sweep(
    spec: SweepSpec | None = None, *, progress: Progress = None, **options: Any
) -> SweepResult:
    """Run every strategy at every retrieval cost as one MLflow run with a child per cell.

    Options are those of ``argo-ml sweep`` (docs/parameters.md), as keywords or as a ``spec``, or
    both; keywords win. ``strategies`` may hold policies of your own beside names, and lists take
    the place of commas. ``progress``: True or False for bars or none, or a function that
    receives what is counted, how many are finished, and of how many.

    Raises `ArgoError` with one line that says what would work.
    """
    asked = _spec(SweepSpec, spec, options, with_own_parts)
    with showing(progress) as on_progress:
        run_id = run_sweep(asked, on_progress).sweep_id
    return loaded_sweep(run_id, asked.tracking_uri)


def calibrate(
    spec: CalibrateSpec | None = None, *, progress: Progress = None, **options: Any
) -> CalibrationResult:
    """Explore one split once: what policies need that look at the question, at any price.

    Options are those of ``argo-ml calibrate``; the rest is as for `sweep`.
    """
    asked = _spec(CalibrateSpec, spec, options, with_own_parts)
    with showing(progress) as on_progress:
        calibrated = run_calibration(asked, on_progress)
    return CalibrationResult(calibrated.run_id, calibrated.calibration, calibrated.metrics)


def advise(
    spec: AdviseSpec | None = None, *, progress: Progress = None, **options: Any
) -> AdviceResult:
    """Say when retrieval pays for these questions, documents and model, and how sure that is.

    Options are those of ``argo-ml advise``, ``outcomes`` among them, which takes what `record`
    returns; the rest is as for `sweep`.
    """
    asked = _spec(AdviseSpec, spec, options, with_own_retriever)
    with showing(progress) as on_progress:
        return AdviceResult(run_advice(asked, on_progress), asked.tracking_uri)


def tune(
    spec: StudySpec | None = None, *, progress: Progress = None, **options: Any
) -> StudyResult:
    """Search a strategy's settings with Optuna, and judge the best on questions of another split.

    Options are those of ``argo-ml tune``; the rest is as for `sweep`.
    """
    # Optuna takes seconds to import, and the other jobs do without.
    from argo_ml.study import run_study

    asked = _spec(StudySpec, spec, options, with_own_parts)
    with showing(progress) as on_progress:
        return StudyResult(run_study(asked, on_progress), asked)


def replay(
    spec: ReplaySpec | None = None, *, progress: Progress = None, **options: Any
) -> SweepResult:
    """Judge policies on recorded outcomes of any model, without a model (docs/replay.md).

    Options are those of ``argo-ml replay``; the rest is as for `sweep`.
    """
    asked = _spec(ReplaySpec, spec, options)
    with showing(progress) as on_progress:
        stored = run_replay(asked, on_progress)
    return SweepResult(stored.results, stored.evaluation)


def estimate(
    spec: EstimateSpec | None = None, *, progress: Progress = None, **options: Any
) -> EstimateResult:
    """What a sweep would need: calls, tokens, time and disk.

    Options are those of ``argo-ml estimate``; the rest is as for `sweep`.
    """
    asked = _spec(EstimateSpec, spec, options, with_own_parts)
    with showing(progress) as on_progress:
        return EstimateResult(run_estimate(asked, on_progress))


def record(
    pipeline: Pipeline | Sequence[Callable[..., Any]],
    questions: str | Path | Iterable[Mapping[str, Any]],
    spec: RecordSpec | None = None,
    *,
    progress: Progress = None,
    **options: Any,
) -> RecordResult:
    """Answer questions with a pipeline of your own, without and with retrieval, for `replay`.

    ``pipeline``: two callables from a list of questions to a list of answers, or three
    (docs/your-own-pipeline.md); ``questions``: a JSONL file, or mappings with id, question and
    golden_answers. Options: name (needed), version, output, scorer, split, max_steps, batch_size,
    concurrency, max_retries, cache_dir, experiment, tracking_uri. It is asked at most once per
    question and variant of a version: recording again after an error goes on.

    Raises `ArgoError` that says what the pipeline did, and with which question.
    """
    asked = _spec(RecordSpec, spec, options)
    with showing(progress) as on_progress:
        recorded = run_recording(as_pipeline(pipeline), questions, asked, on_progress)
    return RecordResult(recorded)


def publish(spec: PublishSpec | None = None, **options: Any) -> Registered:
    """Publish the policy of a finished sweep as a version of a registered model (docs/serving.md).

    Options are those of ``argo-ml publish``: sweep or advice, strategy, name, alias, replace,
    default_price, trace_sampling. `load_policy` then takes its address, ``models:/NAME@ALIAS``.

    Raises `ArgoError` where the sweep does not verify, or the alias is another version's.
    """
    # The checks of a sweep take a second to import, and the other jobs do without.
    from argo_ml.serving.publishing import publish as register_policy

    return register_policy(_spec(PublishSpec, spec, options))


def load_results(run_id: str, *, tracking_uri: str = "") -> Any:
    """What the function of a finished job returned, by its MLflow run: a `SweepResult` of a sweep
    or replay, an `AdviceResult`, a `StudyResult` or a `CalibrationResult`.

    Raises `ArgoError` where there is no such run, or it is unfinished.
    """
    return loaded_result(run_id, tracking_uri)


def _spec(
    spec_type: type[SpecType],
    spec: SpecType | None,
    options: Mapping[str, Any],
    with_names: Callable[[Mapping[str, Any]], dict[str, Any]] = dict,
) -> SpecType:
    """What is asked for by a spec and by options, which win.

    ``with_names`` puts names in the place of objects of the caller's program.
    """
    if spec is not None and not isinstance(spec, spec_type):
        raise ConfigError(
            f"{spec!r:.80} is no {spec_type.__name__}; give options by name, as mode='small'"
        )
    # One that extends the type, as a sweep's an estimate's, may set what is not asked for here.
    known = spec.model_fields_set.intersection(spec_type.model_fields) if spec else ()
    given = {name: getattr(spec, name) for name in known}
    named = {
        name: os.fspath(own) if isinstance(own, os.PathLike) else own
        for name, own in options.items()
    }
    asked = build(spec_type, with_names({**given, **named}))
    refuse_unread(asked, asked.model_fields_set)
    check_homes(asked)
    if isinstance(asked, StrategyFields):
        refuse_unread_settings(asked, asked.model_fields_set)
    if isinstance(asked, DatabaseFields):
        set_database_timeout(asked.database_timeout_s)
    return with_precision(asked)
