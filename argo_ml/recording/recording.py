"""A recording as an MLflow run: every question answered without and with retrieval, in a file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from argo_ml.calibration.plans import NONE, ONCE, after
from argo_ml.config import RecordSpec, expanded
from argo_ml.datasets.grading import scorer_named
from argo_ml.datasets.jsonl import JsonLines, parse_question
from argo_ml.datasets.lines import LineError, decode_line
from argo_ml.datasets.sampling import questions_digest
from argo_ml.errors import ConfigError, DataError, ModelError, one_line, system_reason
from argo_ml.escaping import markdown
from argo_ml.models.cache.store import CallCache
from argo_ml.models.digests import write_atomically
from argo_ml.progress import OnProgress, ignore_progress
from argo_ml.recording.answers import OutcomeFields, as_plain
from argo_ml.recording.calling import Limits, PipelineCalls, asked_text
from argo_ml.recording.pipeline import Asked, Pipeline
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
Given = str | Path | Iterable[Mapping[str, Any]]
"""A file of questions, or its lines as mappings."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a recording has written: the file, its questions as read from it, and the run."""

    path: Path
    run_id: str
    questions: tuple[RecordedQuestion, ...]

    def __fspath__(self) -> str:
        return str(self.path)


def run_recording(
    pipeline: Pipeline,
    questions: Given,
    spec: RecordSpec,
    on_progress: OnProgress = ignore_progress,
) -> Recorded:
    """Ask the pipeline what the cache does not know of this version, and write all outcomes.

    After an error a second recording goes on with the answers that were kept.

    Raises `ArgoError`; once the pipeline is asked, its run has ended as FAILED with it.
    """
    asked = _load(questions)
    _check_lines(asked, spec)
    scorer_named(spec.scorer)
    _check_output(spec.output_path)
    tracking = open_experiment(spec.tracking_uri, spec.experiment)
    run = tracking.adopt_or_create(f"recording {spec.name}", {runs.KIND: KIND})
    with run.recording_failure():
        run.log(params=spec_params(spec.model_dump(mode="json")))
        source = str(questions) if isinstance(questions, (str, Path)) else "given"
        digest = questions_digest(asked)
        run.log_inputs([InputDataset("questions", digest, source, "questions", len(asked))])
        outcomes = _answered(pipeline, asked, spec, run, on_progress)
        recorded = _written(spec, asked, outcomes)
        _log(run, recorded, spec)
        run.end()
    return Recorded(spec.output_path, run.run_id, recorded)


def _load(given: Given) -> Sequence[Question]:
    if isinstance(given, (str, Path)):
        loaded = JsonLines(expanded(str(given), "questions")).load()
        if loaded.rejected:
            raise DataError(f"questions={given}: {loaded.rejected[0]}; mend it or leave it out")
        return loaded.questions
    questions = [_parsed(value, number) for number, value in enumerate(given, 1)]
    ids = [question.id for question in questions]
    repeated = next((own for own in ids if ids.count(own) > 1), None)
    if repeated is not None:
        raise DataError(f"questions: repeats id {repeated!r}; give every question its own")
    if not questions:
        raise DataError("questions is empty; give mappings with id, question and golden_answers")
    return questions


def _parsed(value: object, number: int) -> Question:
    try:
        return parse_question(as_plain(value), number)
    except LineError as error:
        raise DataError(f"questions: number {number}: {error}") from None


def _check_lines(questions: Sequence[Question], spec: RecordSpec) -> None:
    """Raises `DataError` for metadata that no line can keep, before a question is asked."""
    for number, question in enumerate(questions, 1):
        try:
            decode_line(json.dumps(_line(question, {}, spec.split)))
        except (TypeError, ValueError) as error:
            raise DataError(
                f"questions: number {number}: metadata cannot be kept ({one_line(error)}); give "
                "texts, numbers, lists and mappings"
            ) from None


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
) -> list[dict[str, OutcomeFields]]:
    """The outcomes of every question, by plan."""
    limits = Limits(spec.batch_size, spec.concurrency, spec.max_retries)
    cache = CallCache(spec.calls_path)
    calls = PipelineCalls(spec.identity, cache, run.run_id, limits)
    try:
        outcomes: list[dict[str, OutcomeFields]] = [{} for _ in questions]
        for plan, answers in _plans(pipeline, questions, spec, calls, on_progress):
            for own, outcome in zip(outcomes, answers, strict=True):
                own[plan] = outcome
    except ModelError as error:
        raise ModelError(
            f"{error}; what was answered is kept: record again to go on"
        ) from error.__cause__
    return outcomes


def _plans(
    pipeline: Pipeline,
    questions: Sequence[Question],
    spec: RecordSpec,
    calls: PipelineCalls,
    on_progress: OnProgress,
) -> Iterator[tuple[str, list[OutcomeFields]]]:
    texts = [asked_text(question) for question in questions]
    pairs = list(zip(questions, texts, strict=True))
    answers: list[list[OutcomeFields]] = []
    for plan, function in ((NONE, pipeline.without), (ONCE, pipeline.with_retrieval)):
        asked = [calls.call(question, plan, text) for question, text in pairs]
        answers.append(calls.answer(function, asked, on_progress))
        yield plan, answers[-1]
    if pipeline.further is None:
        return
    for n_steps in range(2, spec.max_steps + 1):
        plan = after([Action.RETRIEVE.value] * n_steps)
        before = [tuple(own) for own in zip(*answers, strict=True)]
        asked = [
            calls.call(question, plan, Asked(text, known), known)
            for (question, text), known in zip(pairs, before, strict=True)
        ]
        answers.append(calls.answer(pipeline.further, asked, on_progress))
        yield plan, answers[-1]


def _written(
    spec: RecordSpec, questions: Sequence[Question], outcomes: Sequence[Mapping[str, OutcomeFields]]
) -> tuple[RecordedQuestion, ...]:
    """Write the file whole, and read it as a replay will."""
    lines = [
        json.dumps(_line(question, own, spec.split), ensure_ascii=False)
        for question, own in zip(questions, outcomes, strict=True)
    ]
    write_atomically(spec.output_path, "\n".join(lines) + "\n")
    return read_outcomes(spec.output_path, "output", spec.scorer)


def _line(
    question: Question, outcomes: Mapping[str, OutcomeFields], split: str | None
) -> dict[str, Any]:
    return {
        "id": question.id,
        "question": question.text,
        **({"choices": list(question.choices)} if question.choices else {}),
        "golden_answers": list(question.gold if question.choices else question.answers),
        **({"metadata": dict(question.metadata)} if question.metadata else {}),
        **({"split": split} if split else {}),
        "outcomes": dict(outcomes),
    }


def _log(run: TrackedRun, recorded: Sequence[RecordedQuestion], spec: RecordSpec) -> None:
    plans = list(recorded[0].outcomes)
    accuracy = {plan: fmean(own.outcomes[plan].correct for own in recorded) for plan in plans}
    shown = ", ".join(f"{plan} {value:.3f}" for plan, value in accuracy.items())
    seconds = sum(
        outcome.course.usage.seconds for own in recorded for outcome in own.outcomes.values()
    )
    note = f"{len(recorded)} questions answered by {spec.identity}; accuracy: {shown}."
    run.log(
        metrics={
            "n_questions": float(len(recorded)),
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
