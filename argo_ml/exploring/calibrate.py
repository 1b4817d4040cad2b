"""A split of questions explored once, for policies that decide by the question at any price."""

from __future__ import annotations

import json
import logging
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from argo_ml.calibration.action_usage import measure_action_usage
from argo_ml.calibration.building import ROOT, Explored, Visit, build_calibration, check_size
from argo_ml.calibration.plans import MULTI, NONE, ONCE, sized
from argo_ml.calibration.record import Calibration
from argo_ml.config import CalibrateSpec, CellSpec, ExperimentSpec, MoneyFields, shared_fields
from argo_ml.datasets import check_dataset
from argo_ml.datasets.answers import grade
from argo_ml.engine import Engine, Finished
from argo_ml.engine.shards import Shard, make_shards
from argo_ml.engine.stages import StageTimes
from argo_ml.escaping import markdown
from argo_ml.evaluation.calibration_metrics import calibration_metrics
from argo_ml.exploring.plans import ExploredPlans, WatchedPlan
from argo_ml.interruption import in_batches
from argo_ml.pipeline import Known, Pipeline, build_pipeline, run_episode
from argo_ml.pipeline.requests import Requesting
from argo_ml.policies.gates.base import root_confidences
from argo_ml.progress import EPISODES, QUESTIONS, OnProgress, ignore_progress
from argo_ml.reporting.figures.calibration import save_calibration_figures, too_few_to_draw
from argo_ml.results.artifacts import CALIBRATION, FIGURES, OUTCOMES, TRAJECTORIES
from argo_ml.results.concerns import unfinished_answers
from argo_ml.results.naming import asked_questions
from argo_ml.results.outcomes_file import explored_line, write_lines
from argo_ml.results.trajectories import trajectory
from argo_ml.results.unanswered import UnansweredQuestions
from argo_ml.state import Outcome
from argo_ml.sweep.accounting import account_for_dead, accounting
from argo_ml.sweep.context import LocalContext
from argo_ml.sweep.parent_run import ParentRun, recorded, store_spec
from argo_ml.sweep.stages import keeping_events, log_inputs, store_resolved
from argo_ml.tracking import runs
from argo_ml.tracking.experiments import FALLBACK
from argo_ml.tracking.reconciling import open_experiment
from argo_ml.tracking.runs import TrackedRun
from argo_ml.types import Action, Question

logger = logging.getLogger(__name__)

ROOT_RETRIEVED = (Action.RETRIEVE.value,)
DIGEST = "argo.calibration_digest"


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What a calibration found, and what its run has as metrics."""

    run_id: str
    calibration: Calibration
    metrics: Mapping[str, float]


def run_calibration(
    spec: CalibrateSpec,
    on_progress: OnProgress = ignore_progress,
    parent: ParentRun | None = None,
) -> Calibrated:
    """Explore a split, fit a calibration, and keep both as an MLflow run, below ``parent`` if any.

    A calibration that was interrupted is run again: calls that were made are in the call cache.
    Raises `ArgoError`; once it has begun its run has then ended as FAILED with it.
    """
    check_dataset(spec.dataset, spec.given_documents)
    ExploredPlans.of(spec)
    tracking = parent.tracking if parent else open_experiment(spec.tracking_uri, spec.experiment)
    context = LocalContext.open(spec.cell(), on_progress)
    check_size(len(context.questions.questions))
    name, tags = f"calibration {_asked(spec)} {Path(spec.model).name}", {runs.KIND: "calibration"}
    run = parent.create_child(name, tags) if parent else tracking.adopt_or_create(name, tags)
    with run.recording_failure():
        store_spec(run, spec)
        resolved = store_resolved(spec, context, run)
        log_inputs(resolved, context, run)
        account_for_dead(tracking, context.spec)
        with accounting(run, context.spec), keeping_events(context, run):
            calibrated = _calibrate(resolved, context, run, on_progress)
        run.end()
    return calibrated


def _calibrate(
    spec: CalibrateSpec, context: LocalContext[CellSpec], run: TrackedRun, on_progress: OnProgress
) -> Calibrated:
    times = StageTimes()
    engine = context.engine(run.run_id, times)
    explorations = explore(spec, context, engine, on_progress, run.warn)
    explored = [exploration.explored for exploration in explorations]
    n_asked = len(context.questions.questions)
    check_size(len(explored), f"{len(explored)} of {n_asked} questions were answered")
    for concern in _unfinished(explorations, spec):
        run.warn(concern)
    built = build_calibration(explored, _described(spec), context.digests, spec.max_steps)
    outcomes = (done.outcome for exploration in explorations for done in exploration.finished)
    calibration = built.model_copy(update={"action_usage": measure_action_usage(outcomes)})
    metrics = _metrics(calibration, explorations)
    metrics["unanswered"] = 1 - len(explorations) / n_asked
    metrics |= {f"seconds_{stage}": value for stage, value in times.seconds().items()}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / CALIBRATION).write_text(calibration.model_dump_json(), encoding="utf-8")
        _write_trajectories(explorations, folder / TRAJECTORIES)
        lines = _outcome_lines(explorations, calibration, spec.split)
        write_lines(folder / OUTCOMES, lines)
        save_calibration_figures(calibration, folder / FIGURES)
        run.log_folder(folder)
    run.log(metrics=metrics, tags={DIGEST: calibration.digest})
    run.describe(markdown(_note(spec, calibration)))
    if reason := too_few_to_draw(calibration):
        run.warn(reason)
    return Calibrated(run.run_id, calibration, metrics)


def _unfinished(explorations: Sequence[ExploredQuestion], spec: CalibrateSpec) -> Iterator[str]:
    answers = [done.outcome.answer for exploration in explorations for done in exploration.finished]
    replies = [(answer.text, answer.parsed) for answer in answers]
    return unfinished_answers(replies, spec.thinking_tokens)


def _described(spec: CalibrateSpec) -> dict[str, Any]:
    """What the calibration says it was made for: all that cells share, so that its digest, by which
    cells are known, does not depend on what the command takes."""
    shared = ExperimentSpec(**shared_fields(spec, ExperimentSpec))
    own = {"explorations": spec.explorations, "max_new_tokens": shared.generation_limit}
    # Its name counts in the digest, so an unnamed experiment keeps the one that it always had.
    values = recorded(shared)
    if values["engine"] == "auto":
        # As for the name: calibrations of before had no other.
        del values["engine"]
    for name in MoneyFields.model_fields:
        # It holds at every price.
        del values[name]
    return {**values, "experiment": spec.experiment or FALLBACK, **own}


def _write_trajectories(explorations: Sequence[ExploredQuestion], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for exploration in explorations:
            for done in exploration.finished:
                line = trajectory(exploration.explored.question, done.outcome)
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _outcome_lines(
    explorations: Sequence[ExploredQuestion], calibration: Calibration, split: str
) -> Iterator[dict[str, Any]]:
    confidences = root_confidences(calibration)
    for exploration, confidence in zip(explorations, confidences, strict=True):
        yield explored_line(exploration.explored, exploration.finished, confidence, split)


@dataclass(frozen=True, slots=True)
class ExploredQuestion:
    explored: Explored
    finished: tuple[Finished, ...]


def explore(
    spec: CalibrateSpec,
    context: LocalContext[CellSpec],
    engine: Engine,
    on_progress: OnProgress = ignore_progress,
    on_concern: Callable[[str], None] = logger.warning,
) -> list[ExploredQuestion]:
    """Follow every plan of every question, and probe at all that its policies look at.

    A question that the model does not take under some plan teaches nothing and is left out, which
    ``on_concern`` receives as a line. Raises `DataError` where there are too many of them.
    """
    pipeline = build_pipeline(spec.cell(), context.count_tokens)
    questions = context.questions.questions
    unanswered = UnansweredQuestions(spec.max_unanswered, len(questions))
    plans = ExploredPlans.of(spec)
    n_plans = len(plans.of_question(questions[0]))
    shards = make_shards(questions, spec.shard_size)
    n_finished: Counter[int] = Counter()

    def count(number: int, n_of_shard: int) -> None:
        n_finished[number] = n_of_shard
        on_progress(QUESTIONS, _n_whole(shards, n_finished, n_plans), len(questions))
        on_progress(EPISODES, n_finished.total(), len(questions) * n_plans)

    begun: dict[int, _PlannedShard] = {}

    def groups() -> Iterator[Sequence[Requesting[Outcome]]]:
        for shard in shards:
            begun[shard.index] = _PlannedShard(shard.questions, plans)
            yield begun[shard.index].episodes(pipeline)

    explorations: dict[int, list[ExploredQuestion]] = {}
    running = engine.run_groups(groups(), context.requests_at_once, count)
    for number, done in in_batches(running):
        explorations[number] = begun.pop(number).explored(done, unanswered)
        unanswered.check()
    if unanswered.concern:
        on_concern(f"{unanswered.concern}; the calibration leaves them out")
    return [found for number in sorted(explorations) for found in explorations[number]]


def _n_whole(shards: Sequence[Shard], n_finished: Mapping[int, int], n_plans: int) -> int:
    """The questions of the shards before the first that is not finished."""

    def is_finished(shard: Shard) -> bool:
        return n_finished[shard.index] == len(shard.questions) * n_plans

    return sum(len(shard.questions) for shard in takewhile(is_finished, shards))


class _PlannedShard:
    """Some questions, each followed under all of its plans."""

    def __init__(self, questions: Sequence[Question], plans: ExploredPlans) -> None:
        self._spec = plans.spec
        self._watched = [(question, plans.of_question(question)) for question in questions]

    def episodes(self, pipeline: Pipeline) -> list[Requesting[Outcome]]:
        known: defaultdict[Hashable, Known] = defaultdict(Known)
        return [
            run_episode(question, plan, pipeline, known[question.id])
            for question, plans in self._watched
            for plan in plans
        ]

    def explored(
        self, finished: Sequence[Finished], unanswered: UnansweredQuestions
    ) -> list[ExploredQuestion]:
        """What the episodes have shown; questions that some plan could not ask are left out."""
        remaining = iter(finished)
        explorations = []
        for question, plans in self._watched:
            done = tuple(next(remaining) for _ in plans)
            reasons = [end.outcome.unanswered for end in done if end.outcome.unanswered]
            if reasons:
                unanswered.add(question.id, reasons[0])
            else:
                explored = _explored(question, plans, self._spec)
                explorations.append(ExploredQuestion(explored, done))
        return explorations


def _explored(question: Question, plans: Sequence[WatchedPlan], spec: CalibrateSpec) -> Explored:
    visits: dict[tuple[str, ...], Visit] = {}
    outcomes: dict[str, bool] = {}
    for watched in plans:
        for state in watched.states:
            seen = state.observations.answer
            assert seen is not None
            visit = Visit(state, grade(question, seen.answer).correct)
            size = watched.plan.top_k
            if size is None:
                visits.setdefault(visit.actions, visit)
            elif state.steps:
                outcomes[sized(size)] = visit.correct
    outcomes[NONE] = visits[ROOT].correct
    retrieved = visits[ROOT_RETRIEVED]
    outcomes[ONCE] = outcomes[sized(spec.top_k)] = retrieved.correct
    outcomes[MULTI] = visits[ROOT_RETRIEVED * spec.max_steps].correct
    return Explored(question, visits, outcomes)


def _metrics(
    calibration: Calibration, explorations: Sequence[ExploredQuestion]
) -> dict[str, float]:
    """Calls, and what the calibration says of itself."""
    finished = [done for exploration in explorations for done in exploration.finished]
    return {
        **calibration_metrics(calibration),
        "lm_calls_total": float(sum(done.outcome.usage.calls for done in finished)),
        "lm_calls_paid_total": float(sum(done.paid_calls for done in finished)),
    }


def _asked(spec: CalibrateSpec) -> str:
    return asked_questions(spec.questions, spec.difficulty, spec.dataset)


def _note(spec: CalibrateSpec, calibration: Calibration) -> str:
    return (
        f"{len(calibration.questions)} {_asked(spec)}, split={spec.split}, explored to "
        f"{calibration.horizon} steps with {spec.model}: "
        f"{len(calibration.nodes)} states, p-hat by {calibration.probability.mapped_by}."
    )
