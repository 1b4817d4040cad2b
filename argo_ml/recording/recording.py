"""A recording as an MLflow run: every question answered without and with retrieval, in a file."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from argo_ml.calibration.plans import NONE, ONCE, after
from argo_ml.config import RecordSpec
from argo_ml.datasets.grading import scorer_named
from argo_ml.datasets.sampling import questions_digest
from argo_ml.errors import ConfigError, ModelError, system_reason
from argo_ml.escaping import markdown
from argo_ml.models.cache.store import CallCache
from argo_ml.models.digests import write_atomically
from argo_ml.progress import OnProgress, ignore_progress
from argo_ml.recording.answers import OutcomeValues
from argo_ml.recording.calling import Call, Limits, PipelineCalls, asked_text
from argo_ml.recording.pipeline import Asked, Pipeline
from argo_ml.recording.questions import Given, check_lines, line_of, load_questions
from argo_ml.replay.reading import read_outcomes
from argo_ml.replay.recorded import RecordedQuestion
from argo_ml.results.artifacts import OUTCOMES
from argo_ml.tracking import runs
from argo_ml.tracking.input_datasets import InputDataset
from argo_ml.tracking.names import spec_params
from argo_ml.tracking.reconciling import open_experiment
from argo_ml.tracking.runs import TrackedRun
from argo_ml.types import Action, Question

KIND = "recording"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a recording has written: the file, its questions as read from it, and the run.

    The pipeline was asked for ``n_asked`` answers; ``n_kept`` are of earlier recordings.
    """

    path: Path
    run_id: str
    questions: tuple[RecordedQuestion, ...]
    n_asked: int
    n_kept: int

    def __fspath__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class _Answered:
    """The outcomes of every question by plan, and how many the pipeline was asked for."""

    outcomes: Mapping[str, Mapping[str, OutcomeValues]]
    n_asked: int
    n_kept: int

    def described(self, version: str) -> str:
        asked = f"{self.n_asked} of {self.n_asked + self.n_kept} answers asked"
        if not self.n_kept:
            return asked
        return (
            f"{asked}, {self.n_kept} kept from earlier recordings of {version}; another version "
            "asks anew"
        )


def run_recording(
    pipeline: Pipeline,
    questions: Given,
    spec: RecordSpec,
    on_progress: OnProgress = ignore_progress,
) -> Recorded:
    """Ask the pipeline what the cache does not know of this version, and write all outcomes.

    A question that cannot be answered ends it once the others are. After an error a second
    recording goes on with the answers that were kept.

    Raises `ArgoError`; once the pipeline is asked, its run has ended as FAILED with it.
    """
    asked = load_questions(questions)
    check_lines(asked, spec.split)
    scorer_named(spec.scorer)
    _check_output(spec.output_path)
    tracking = open_experiment(spec.tracking_uri, spec.experiment)
    run = tracking.adopt_or_create(f"recording {spec.name}", {runs.KIND: KIND})
    with run.recording_failure():
        run.log(params=spec_params(spec.model_dump(mode="json")))
        run.log_inputs([_input(questions, asked)])
        answered = _answered(pipeline, asked, spec, run, on_progress)
        recorded = _written(spec, asked, answered.outcomes)
        _log(run, recorded, answered, spec)
        run.end()
    return Recorded(spec.output_path, run.run_id, recorded, answered.n_asked, answered.n_kept)


def _input(questions: Given, asked: Sequence[Question]) -> InputDataset:
    path = str(questions) if isinstance(questions, (str, Path)) else ""
    name, digest = Path(path).name or "questions", questions_digest(asked)
    return InputDataset(name, digest, path or "given", "questions", len(asked))


def _check_output(path: Path) -> None:
    """An answer costs money: whether its file can be written is known before the first."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise ConfigError(f"output={path}: cannot be written ({system_reason(error)})") from None
    if not path.stat().st_size:
        path.unlink()


def _answered(
    pipeline: Pipeline,
    questions: Sequence[Question],
    spec: RecordSpec,
    run: TrackedRun,
    on_progress: OnProgress,
) -> _Answered:
    limits = Limits(spec.batch_size, spec.concurrency, spec.max_retries)
    cache = CallCache(spec.calls_path)
    with closing(PipelineCalls(spec.identity, cache, run.run_id, limits)) as calls:
        try:
            outcomes = _asked(pipeline, questions, spec, calls, on_progress)
            calls.check()
        except ModelError as error:
            raise ModelError(
                f"{error}; what was answered is kept: record again to go on"
            ) from error.__cause__
    return _Answered(outcomes, calls.n_asked, calls.n_kept)


def _asked(
    pipeline: Pipeline,
    questions: Sequence[Question],
    spec: RecordSpec,
    calls: PipelineCalls,
    on_progress: OnProgress,
) -> dict[str, dict[str, OutcomeValues]]:
    """The outcomes of every question by plan, without those that could not be answered."""
    outcomes: dict[str, dict[str, OutcomeValues]] = {own.id: {} for own in questions}

    def ask(plan: str, function: Callable[..., Any], asked: Sequence[Call]) -> None:
        for question_id, outcome in calls.answer(function, asked, on_progress).items():
            outcomes[question_id][plan] = outcome

    for plan, function in ((NONE, pipeline.without), (ONCE, pipeline.with_retrieval)):
        ask(plan, function, [calls.call(own, plan, asked_text(own)) for own in questions])
    if pipeline.further is None:
        return outcomes
    for n_steps in range(2, spec.max_steps + 1):
        plan = after([Action.RETRIEVE.value] * n_steps)
        known = {own.id: tuple(outcomes[own.id].values()) for own in questions}
        asked = [
            calls.call(own, plan, Asked(asked_text(own), known[own.id]), known[own.id])
            for own in questions
            if len(known[own.id]) == n_steps
        ]
        ask(plan, pipeline.further, asked)
    return outcomes


def _written(
    spec: RecordSpec,
    questions: Sequence[Question],
    outcomes: Mapping[str, Mapping[str, OutcomeValues]],
) -> tuple[RecordedQuestion, ...]:
    """Write the file whole, and read it as a replay will."""
    lines = [
        json.dumps(line_of(question, outcomes[question.id], spec.split), ensure_ascii=False)
        for question in questions
    ]
    write_atomically(spec.output_path, "\n".join(lines) + "\n")
    return read_outcomes(spec.output_path, "output", spec.scorer)


def _log(
    run: TrackedRun, recorded: Sequence[RecordedQuestion], answered: _Answered, spec: RecordSpec
) -> None:
    plans = list(recorded[0].outcomes)
    accuracy = {plan: fmean(own.outcomes[plan].correct for own in recorded) for plan in plans}
    shown = ", ".join(f"{plan} {value:.3f}" for plan, value in accuracy.items())
    seconds = sum(
        outcome.course.usage.seconds for own in recorded for outcome in own.outcomes.values()
    )
    asked = answered.described(f"{spec.name}@{spec.version}")
    logger.log(logging.INFO if answered.n_asked else logging.WARNING, "%s", asked)
    note = f"{len(recorded)} questions answered by {spec.identity}; {asked}; accuracy: {shown}."
    run.log(
        metrics={
            "n_questions": float(len(recorded)),
            "answers_asked": float(answered.n_asked),
            "answers_kept": float(answered.n_kept),
            "pipeline_seconds": seconds,
            **{f"accuracy_{_metric(plan)}": value for plan, value in accuracy.items()},
        },
        tags={runs.NOTE: markdown(note)},
    )
    with tempfile.TemporaryDirectory() as folder:
        content = spec.output_path.read_text(encoding="utf-8")
        (Path(folder) / OUTCOMES).write_text(content, encoding="utf-8")
        run.log_folder(Path(folder))


def _metric(plan: str) -> str:
    """MLflow takes no ``>`` in names."""
    return plan.replace(">", "_")
