"""A study from the command to its report; every worker of it runs this."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping

import optuna

from argo_ml.addresses import redacted
from argo_ml.config import StudySpec
from argo_ml.datasets import check_dataset
from argo_ml.engine.stages import StageTimes
from argo_ml.errors import StudyError
from argo_ml.interruption import uninterrupted
from argo_ml.progress import OnProgress, ignore_progress
from argo_ml.results.artifacts import STUDY_REPORT
from argo_ml.results.study import OBJECTIVES, StudyReport
from argo_ml.study import storage
from argo_ml.study.conclusion import conclude
from argo_ml.study.evaluation import Evaluator
from argo_ml.study.judging import open_test_context
from argo_ml.study.objectives import make_objective
from argo_ml.study.reconciliation import reconcile
from argo_ml.study.sampling import make_sampler
from argo_ml.study.search import Search, seeds
from argo_ml.study.space import SearchSpace, check_searchable
from argo_ml.study.storage import StudyStore
from argo_ml.sweep.accounting import account_for_dead, accounting, has_whole_ledger
from argo_ml.sweep.context import LocalContext
from argo_ml.sweep.parent_run import load_record, pointing_at, recorded, store_spec
from argo_ml.sweep.stages import keeping_events
from argo_ml.tracking import runs
from argo_ml.tracking.deleted import is_deleted, way_back
from argo_ml.tracking.names import spec_params
from argo_ml.tracking.reconciling import open_experiment
from argo_ml.tracking.runs import TrackedRun, Tracking
from argo_ml.tracking.system import system_metrics


def run_study(spec: StudySpec, on_progress: OnProgress = ignore_progress) -> StudyReport:
    """Begin a study, join it, or continue it, whichever its storage asks for.

    Raises:
        ArgoError: something the user can act on; finished trials stay in the storage.
    """
    check_dataset(spec.dataset, spec.given_documents)
    check_searchable(spec)
    space = SearchSpace(spec)
    tracking = open_experiment(spec.tracking_uri, spec.experiment)
    if spec.storage:
        storage.check(spec.storage)
    times = StageTimes()
    context = LocalContext.open(spec, on_progress)
    spec = context.spec
    tests = open_test_context(context)
    digests = {**context.digests, "test_questions_digest": tests.questions.digest}
    store = StudyStore(spec, storage.study_name(spec, digests))
    with storage.explaining_storage(store.url), contextlib.ExitStack() as until_the_end:
        with store.lock:
            study, run, home = _begin_or_join(context, store, tracking, digests)
            until_the_end.enter_context(pointing_at(run.run_id, "study", tracking))
            until_the_end.enter_context(_recording_failure(run, store, study, spec))
            account_for_dead(home, spec)
            reconcile(study, store, home, run.run_id)
            if _is_concluded(study, spec):
                return load_report(home, run.run_id)
            run.reopen(beside_others=True)
            has_whole_ledger(run, spec)
            run.log(params=spec_params({**recorded(spec), **digests, "study": study.study_name}))
            run.log_inputs([*context.inputs, *tests.inputs[:1]])
        evaluator = Evaluator(context, times)
        objective = make_objective(spec)
        search = Search(spec, store, study, space, objective, evaluator, home, run)
        with accounting(run, spec), keeping_events(context, run):
            trials_per_second = _work(search, on_progress)
        with store.lock:
            reconcile(study, store, home, run.run_id)
            if not _is_concluded(study, spec):
                with accounting(run, spec), keeping_events(context, run):
                    report = conclude(search, tests, trials_per_second, on_progress)
                # A worker that failed meanwhile may have said so on the run.
                run.reopen(beside_others=True)
                run.end()
                storage.set_concluded(study, spec.n_trials)
                return report
        return load_report(home, run.run_id)


@contextlib.contextmanager
def _recording_failure(
    run: TrackedRun, store: StudyStore, study: optuna.Study, spec: StudySpec
) -> Iterator[None]:
    """As that of a run, unless the study is concluded: its run has ended, and what goes wrong with
    showing it is no failure of the study."""
    try:
        yield
    except BaseException:
        if _is_known_concluded(store, study, spec):
            raise
        with run.recording_failure(beside_others=True):
            raise


def _is_known_concluded(store: StudyStore, study: optuna.Study, spec: StudySpec) -> bool:
    with contextlib.suppress(StudyError), storage.explaining_storage(store.url):
        return _is_concluded(study, spec)
    return False


def _work(search: Search, on_progress: OnProgress) -> float | None:
    """Run trials until the study has enough; returns how many a second, None where none was run."""
    started = time.monotonic()
    with system_metrics(search.run), search.evaluator.kept_open():
        n_run = search.work(on_progress)
    seconds = time.monotonic() - started
    return n_run / seconds if n_run else None


def load_report(tracking: Tracking, run_id: str) -> StudyReport:
    """The report of a finished study."""
    return load_record(tracking, run_id, STUDY_REPORT, StudyReport)


def _begin_or_join(
    context: LocalContext[StudySpec],
    store: StudyStore,
    tracking: Tracking,
    digests: Mapping[str, str],
) -> tuple[optuna.Study, TrackedRun, Tracking]:
    """The study, its run, and the experiment of that run; the study's lock must be held."""
    spec = context.spec
    study = store.find() or store.create(make_objective(spec).directions)
    study.sampler = make_sampler(spec)
    if storage.RUN_ID not in study.user_attrs:
        return study, _begin(study, context, tracking, digests), tracking
    storage.check_same_search(study, spec, digests)
    run_id = study.user_attrs[storage.RUN_ID]
    stored = tracking.get_or_none(run_id)
    if stored is None:
        raise StudyError(
            f"study={study.study_name}: was begun in another MLflow store, or its run was deleted "
            f"for good (its run {run_id} is not in {redacted(tracking.uri)}); give its "
            "tracking_uri, or another name: study=NAME"
        )
    if is_deleted(stored):
        raise StudyError(
            f"study={study.study_name}: its run {run_id} was deleted in MLflow; take it back "
            f"({way_back(run_id)}), or begin another study: study=NAME"
        )
    home = Tracking(tracking.client, stored.info.experiment_id, tracking.uri)
    return study, TrackedRun(tracking.client, run_id, stored), home


@uninterrupted()
def _begin(
    study: optuna.Study,
    context: LocalContext[StudySpec],
    tracking: Tracking,
    digests: Mapping[str, str],
) -> TrackedRun:
    """The study's new run; what a worker that died before the study knew its run has stored of it
    is stored again."""
    spec = context.spec
    storage.check_fresh(study)
    run = tracking.adopt_or_create(f"study {study.study_name}", {runs.KIND: "study"})
    with run.recording_failure():
        store_spec(run, spec)
        study.set_user_attr(storage.SEARCH, spec.search_text)
        study.set_user_attr(storage.DIGESTS, dict(digests))
        names = make_objective(spec).names
        study.set_user_attr(OBJECTIVES, names)
        # By which Optuna's plots, its dashboard and its data frames name the values.
        with storage.silently():
            study.set_metric_names(list(names))
        # All of them: a study of few trials may get more.
        for point in seeds(spec, SearchSpace(spec), context.calibration):
            study.enqueue_trial(point, skip_if_exists=True)
        # Last: with it the study counts as begun.
        study.set_user_attr(storage.RUN_ID, run.run_id)
    return run


def _is_concluded(study: optuna.Study, spec: StudySpec) -> bool:
    """Whether the best settings of as many trials, or more, were judged already."""
    return storage.n_concluded(study) >= spec.n_trials
