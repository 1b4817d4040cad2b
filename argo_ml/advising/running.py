"""One command from data to decision: check, explore, choose, confirm, and say it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from argo_ml.advising.budget import Budget
from argo_ml.advising.checking import FEWEST, check_data
from argo_ml.advising.choosing import Choice, choose, confirmed_strategies
from argo_ml.advising.concluding import Judged, conclude
from argo_ml.advising.recorded import advise_on_outcomes, recorded_parts
from argo_ml.advising.stages import Stages, opened
from argo_ml.advising.storing import store_advice, write_advice
from argo_ml.config import AdviseSpec, PublishSpec, SweepSpec, build
from argo_ml.datasets import check_dataset
from argo_ml.errors import ConfigError, StoppedError
from argo_ml.evaluation.advice import Advice, DataCheck
from argo_ml.models.cache.store import CallCache
from argo_ml.models.presets import resolve
from argo_ml.policies.checking import needs_measured_prices
from argo_ml.policies.planned import NEVER, SINGLE
from argo_ml.policies.strategies import find_strategy
from argo_ml.progress import OnProgress, ignore_progress
from argo_ml.replay.splitting import Parts
from argo_ml.results.artifacts import ADVICE
from argo_ml.results.naming import asked_questions
from argo_ml.serving.publishing import publish
from argo_ml.serving.registering import sweep_of_alias, version_in_the_way
from argo_ml.sweep.parent_run import (
    find_resumed,
    load_record,
    pointing_at,
    recorded,
    store_spec,
    telling_how_to_go_on,
)
from argo_ml.sweep.resumed_spec import command_tag, resolve_latest, resumed_spec
from argo_ml.tracking import runs
from argo_ml.tracking.names import spec_params
from argo_ml.tracking.reconciling import open_experiment
from argo_ml.tracking.runs import TrackedRun, Tracking, store_of_runs

KIND = "advice"
Study = Callable[[TrackedRun, Tracking], Advice]
"""A study that is made as a run of a store."""

logger = logging.getLogger(__name__)


def run_advice(spec: AdviseSpec, on_progress: OnProgress = ignore_progress) -> Advice:
    """Make the study of the spec, or go on with that of ``spec.resume``.

    Where a budget ends it, the advice is what was seen until then. Raises `ArgoError`; the study's
    run has then ended as FAILED with it, and what it made is kept.
    """
    began = time.monotonic()
    spec = resolve_latest(spec, KIND)
    _check(spec)
    if spec.resume:
        return _resume(spec, on_progress, began)
    tags = {runs.KIND: KIND, **command_tag(spec)}
    spec = spec.of_named_model()
    tracking = open_experiment(spec.tracking_uri, spec.experiment)
    if spec.publish_as:
        # What would be refused at the end.
        _check_alias(tracking, _publishing(spec, tracking))
    study = _study(spec, on_progress, began)
    run = tracking.adopt_or_create(_run_name(spec), tags)
    with run.recording_failure(), telling_how_to_go_on("advise", run, tracking):
        store_spec(run, spec)
        run.log(params=spec_params(recorded(spec)))
        return study(run, tracking)


def _run_name(spec: AdviseSpec) -> str:
    if spec.outcomes:
        return f"advice on {Path(spec.outcomes).name}"
    asked = asked_questions(spec.questions, spec.difficulty, spec.dataset)
    return f"advice on {asked} {Path(spec.model).name}"


def _study(spec: AdviseSpec, on_progress: OnProgress, began: float) -> Study:
    """The study, ready to begin; its minutes count from ``began``. Raises `ArgoError` for data that
    it cannot be made of."""
    if spec.outcomes:
        return partial(_advise_on_outcomes, spec, recorded_parts(spec), on_progress)
    # A model that is not there is known sooner than what documents hold.
    resolve(spec.model, spec.cache_path)
    return partial(_advise, spec, check_data(spec, on_progress), on_progress, began)


def _advise_on_outcomes(
    spec: AdviseSpec, parts: Parts, on_progress: OnProgress, run: TrackedRun, tracking: Tracking
) -> Advice:
    advice = advise_on_outcomes(spec, parts, run, tracking, on_progress)
    return _ended(spec, advice, run, tracking)


def _ended(spec: AdviseSpec, advice: Advice, run: TrackedRun, tracking: Tracking) -> Advice:
    """Publish what was confirmed where that is wanted, and end the run."""
    if spec.publish_as and advice.is_confirming:
        publishing = _publishing(spec, tracking, advice.advice_id)
        _check_alias(tracking, publishing)
        registered = publish(publishing)
        advice = advice.model_copy(update={"published": registered.uri})
        write_advice(advice, run)
    run.describe_experiment("\n".join(advice.sentences))
    run.end()
    return advice


def _check(spec: AdviseSpec) -> None:
    """Raises `ConfigError` for what would be refused after minutes of work."""
    if not spec.outcomes and not spec.resume:
        check_dataset(spec.dataset, spec.given_documents)
    if spec.outcomes and spec.has_budget:
        raise ConfigError(
            "max_calls, max_minutes, max_cost: outcomes are judged without a model; leave it out"
        )
    for name in spec.policies:
        if find_strategy(name).is_ceiling:
            raise ConfigError(
                f"policies={','.join(spec.policies)}: {name} knows the answers, so that nobody can "
                "act by it; leave it out"
            )
    missing = [name for name in (NEVER, SINGLE) if name not in spec.policies]
    if missing:
        raise ConfigError(
            f"policies={','.join(spec.policies)} lacks {' and '.join(missing)}, which the others "
            "are compared with; name them as well"
        )


def _resume(spec: AdviseSpec, on_progress: OnProgress, began: float) -> Advice:
    tracking = store_of_runs(spec.tracking_uri)
    stored, home = find_resumed(tracking, spec.resume, KIND)
    spec = spec.model_copy(update={"resume": stored.info.run_id})
    with pointing_at(spec.resume, KIND, tracking):
        full = resumed_spec(spec, home).of_named_model()
        run = TrackedRun(home.client, spec.resume, stored)
        if stored.info.status == "FINISHED":
            advice = load_record(home, spec.resume, ADVICE, Advice)
            if advice.is_complete:
                return _complete(full, advice, run, home)
        if full.publish_as:
            _check_alias(home, _publishing(full, home, spec.resume))
        with run.recording_failure(), telling_how_to_go_on("advise", run, home):
            run.reopen()
            # A kill may have come before them.
            run.log(params=spec_params(recorded(full)))
            return _study(full, on_progress, began)(run, home)


def _complete(spec: AdviseSpec, advice: Advice, run: TrackedRun, tracking: Tracking) -> Advice:
    """A complete advice as it is, published where it is not yet under the name that is wanted."""
    if spec.publish_as and not advice.published.startswith(f"models:/{spec.publish_as}@"):
        return _ended(spec, advice, run, tracking)
    logger.info("advice %s is complete; it is shown as it is", run.run_id)
    return advice


def _advise(
    spec: AdviseSpec,
    data: DataCheck,
    on_progress: OnProgress,
    began: float,
    run: TrackedRun,
    tracking: Tracking,
) -> Advice:
    for concern in data.concerns:
        run.warn(concern)
    make_budget = partial(Budget, spec, CallCache(spec.calls_path), money=spec.money, began=began)
    stages = opened(spec, run, tracking, make_budget, on_progress, data.corpus_digest)
    judged = _judge(spec, data, stages)
    advice = conclude(judged, data, run.run_id, stages.cut)
    store_advice(advice, judged, run, tracking)
    return _ended(spec, advice, run, tracking)


def _publishing(spec: AdviseSpec, tracking: Tracking, advice_id: str = "") -> PublishSpec:
    """What publishing the advised policies is asked for; what was published of the same advice
    before gives its alias."""
    where = {"name": spec.publish_as, "tracking_uri": tracking.uri}
    publishing = build(PublishSpec, {**where, "advice": advice_id, "replace": spec.replace})
    if spec.replace or not advice_id:
        return publishing
    published = sweep_of_alias(tracking, publishing.name, publishing.alias)
    own = [str(child.info.run_id) for child in tracking.children(advice_id)]
    return publishing.model_copy(update={"replace": published in own})


def _check_alias(tracking: Tracking, publishing: PublishSpec) -> None:
    """Raises `ConfigError` for an alias that another version has, unless it is to be replaced."""
    if holder := version_in_the_way(tracking, publishing):
        raise ConfigError(
            f"publish_as={publishing.name}: alias={publishing.alias} of it is version {holder}'s; "
            "take it with replace=true, or publish under another name"
        )


def _judge(spec: AdviseSpec, data: DataCheck, stages: Stages) -> Judged:
    """Run the stages one after the other, as far as the budget goes."""
    sizes = {own.split: own.n_used for own in data.splits}
    calibrated = stages.calibration(sizes["calibration"], FEWEST["calibration"])
    if calibrated is None:
        raise StoppedError(
            f"{stages.cut['calibration']} before {FEWEST['calibration']} questions were explored, "
            "so that nothing can be advised yet"
        )
    calibration, n_explored = calibrated
    tuned = stages.sweep(
        "tune", sizes["tune"], FEWEST["tune"], partial(_all_policies, spec, calibration)
    )
    if tuned is None:
        return _judge_on_explored(spec, stages, calibration, n_explored)
    results, n_tuned = tuned
    choices = choose(results)
    confirmed = stages.sweep(
        "test", sizes["test"], FEWEST["test"], partial(_chosen, spec, calibration, choices)
    )
    used = {"calibration": n_explored, "tune": n_tuned}
    ran = {"calibration": calibration, "tune": results.sweep_id}
    if confirmed is None:
        return Judged(choices, results, "tune", used, ran)
    test, _ = confirmed
    # It may have stopped at fewer than it was to ask.
    used["test"] = len(test.cells[0].questions)
    return Judged(choices, test, "test", used, {**ran, "test": test.sweep_id})


def _judge_on_explored(
    spec: AdviseSpec, stages: Stages, calibration: str, n_explored: int
) -> Judged:
    """The fixed plans alone, on the questions that were explored, whose calls are all cached.

    A calibration is not for its own questions, so that plans which follow from measured prices are
    left out.
    """
    plans = tuple(
        name
        for name in spec.policies
        if find_strategy(name).treats_alike and not needs_measured_prices(name, spec)
    )
    sweep = spec.sweep("calibration", n_explored, plans, calibration="")
    results = stages.swept("explored", sweep)
    used = {"calibration": n_explored}
    ran = {"calibration": calibration, "explored": results.sweep_id}
    return Judged(choose(results), results, "calibration", used, ran)


def _all_policies(spec: AdviseSpec, calibration: str, n_questions: int) -> SweepSpec:
    return spec.sweep("tune", n_questions, spec.policies, calibration)


def _chosen(
    spec: AdviseSpec, calibration: str, choices: tuple[Choice, ...], n_questions: int
) -> SweepSpec:
    names = confirmed_strategies(spec.policies, choices)
    return spec.sweep("test", n_questions, names, calibration)
