"""One command per entry point, each a few lines that call the package.

Imports of the package's heavier parts are inside the commands, so that ``--help`` stays fast.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Any

import click

from argo_ml import __version__
from argo_ml.addresses import redacted
from argo_ml.cli.options import DEBUG, debug_option, is_debugging, spec_command
from argo_ml.cli.project_run import RUN_ID, return_to_caller
from argo_ml.config import (
    AdviseSpec,
    AnswerSpec,
    CachePruneSpec,
    CacheSpec,
    CalibrateSpec,
    CellSpec,
    CompareSpec,
    DoctorSpec,
    EstimateSpec,
    FetchSpec,
    IndexSpec,
    PlanSpec,
    PublishSpec,
    ReplaySpec,
    ReportSpec,
    StudySpec,
    SweepSpec,
    VerifySpec,
    WatchSpec,
)
from argo_ml.doctor import Check
from argo_ml.errors import (
    ArgoError,
    ConfigError,
    ModelError,
    TrackingError,
    disk_advice,
    system_reason,
)
from argo_ml.escaping import visible
from argo_ml.library_settings import set_library_defaults
from argo_ml.progress import PASSAGES

logger = logging.getLogger(__name__)

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
_COLLECTED_AT = (20_000, 10, 10)
"""Objects made before garbage is looked for. Nearly all that imports make stays, and looking at it
again every 700 objects, Python's default, takes a tenth of a short command."""


@click.group(
    name="argo-ml",
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[debug_option()],
)
@click.version_option(__version__)
def cli() -> None:
    """When does it pay to retrieve? An MLflow-tracked experiment platform."""
    _prepare_logging()
    set_library_defaults()


@spec_command(cli, SweepSpec, "sweep")
def sweep(spec: SweepSpec) -> None:
    """Run every strategy at every retrieval cost as one MLflow run with a child per cell."""
    from argo_ml.cli.rendering.progress import progress
    from argo_ml.cli.rendering.results import print_evaluated
    from argo_ml.sweep.running import run_evaluated_sweep

    with progress() as report:
        results, evaluation = run_evaluated_sweep(spec, report)
    print_evaluated(results, evaluation)


@spec_command(cli, AdviseSpec, "advise")
def advise(spec: AdviseSpec) -> None:
    """Say when retrieval pays for your questions, documents and model, and how sure that is."""
    from argo_ml.advising.running import run_advice
    from argo_ml.cli.rendering.advice import print_advice
    from argo_ml.cli.rendering.progress import progress

    with progress() as report:
        advice = run_advice(spec, report)
    print_advice(advice)


@spec_command(cli, CompareSpec, "compare")
def compare(spec: CompareSpec) -> None:
    """Run the same sweep for several models under one MLflow run, and compare them."""
    from argo_ml.cli.rendering.models import print_comparison
    from argo_ml.cli.rendering.progress import progress
    from argo_ml.comparison.model_comparison import run_comparison

    with progress() as report:
        comparison = run_comparison(spec, report)
    print_comparison(comparison)


@spec_command(cli, CellSpec, "run")
def run(spec: CellSpec) -> None:
    """Run one cell: one strategy at one retrieval cost."""
    from argo_ml.cli.rendering.progress import progress
    from argo_ml.cli.rendering.results import print_results
    from argo_ml.sweep.running import run_cell

    with progress() as report:
        results = run_cell(spec, report)
    print_results(results)


@spec_command(cli, StudySpec, "tune")
def tune(spec: StudySpec) -> None:
    """Search a strategy's settings with Optuna; every trial is a child of the study's run."""
    from argo_ml.cli.rendering.progress import progress
    from argo_ml.cli.rendering.study import print_study
    from argo_ml.study import run_study

    with progress() as report:
        study_report = run_study(spec, report)
    print_study(study_report)


@spec_command(cli, CalibrateSpec, "calibrate")
def calibrate(spec: CalibrateSpec) -> None:
    """Explore one split once: what policies need that look at the question, at any price."""
    from argo_ml.cli.rendering.calibration import print_calibration
    from argo_ml.cli.rendering.progress import progress
    from argo_ml.exploring.calibrate import run_calibration

    with progress() as report:
        calibrated = run_calibration(spec, report)
    print_calibration(calibrated)


@spec_command(cli, IndexSpec, "index")
def index(spec: IndexSpec) -> None:
    """Build the index of the documents, or find it built."""
    from argo_ml.cli.rendering.checks import print_corpus
    from argo_ml.cli.rendering.progress import progress
    from argo_ml.corpus.opening import open_corpus

    with progress() as report:
        corpus = open_corpus(spec, partial(report, PASSAGES))
    print_corpus(corpus)


@spec_command(cli, FetchSpec, "fetch")
def fetch(spec: FetchSpec) -> None:
    """Download the embedded model, the O-RAN questions and documents, or both."""
    from argo_ml.datasets.oran_files import fetch_oran
    from argo_ml.models.embedded_model import fetch_embedded_model

    if spec.source and spec.what == "all":
        raise ConfigError("source: name one of what=model or what=oran with it")
    if spec.what in ("model", "all"):
        click.echo(f"model: {fetch_embedded_model(spec.cache_path, spec.source)}")
    if spec.what in ("oran", "all"):
        data = fetch_oran(spec.cache_path, spec.source)
        click.echo(f"questions: {data.questions or 'not in the source'}")
        click.echo(f"documents: {data.documents or 'not in the source'}")


@spec_command(cli, DoctorSpec, "doctor")
def doctor(spec: DoctorSpec) -> None:
    """Check that this machine can run a sweep of these parameters."""
    from argo_ml.cli.check_lines import print_check
    from argo_ml.doctor import Status

    failed = []
    for check in _checks(spec):
        print_check(check)
        if check.status is Status.ERROR:
            failed.append(check.name)
    _raise_if_failed(failed)


@spec_command(cli, PlanSpec, "plan")
def plan(spec: PlanSpec) -> None:
    """Show where a model's weights would go, and how large a batch could be."""
    from argo_ml.cli.rendering.plan import print_plan
    from argo_ml.models.local.planning import plan_model

    planned = plan_model(spec)
    print_plan(planned)
    if not planned.plan.fits:
        raise ModelError(planned.complaint)


@spec_command(cli, EstimateSpec, "estimate")
def estimate(spec: EstimateSpec) -> None:
    """Say what a sweep would need: calls, tokens, time and disk."""
    from argo_ml.cli.rendering.progress import progress
    from argo_ml.sweep.estimate import run_estimate

    with progress() as report:
        sweep_estimate = run_estimate(spec, report)
    for line in sweep_estimate.lines:
        click.echo(visible(redacted(line)))


@spec_command(cli, VerifySpec, "verify")
def verify(spec: VerifySpec) -> None:
    """Check a finished sweep, advice or study: complete, consistent, what it says about ARGO."""
    from argo_ml.advising.stored import verify as verify_stored
    from argo_ml.cli.rendering.checks import print_verdict

    verdicts = verify_stored(spec)
    for check in verdicts:
        print_verdict(check)
    _raise_if_failed([check.name for check in verdicts if check.has_failed])


@spec_command(cli, ReportSpec, "report")
def report(spec: ReportSpec) -> None:
    """Draw the figures and write report.html of a finished sweep again, from what it stored."""
    from argo_ml.advising.stored import write_report
    from argo_ml.cli.rendering.report import print_report

    print_report(write_report(spec), spec.output)


@spec_command(cli, ReplaySpec, "replay")
def replay(spec: ReplaySpec) -> None:
    """Judge policies on recorded outcomes, without a model."""
    from argo_ml.cli.rendering.progress import progress
    from argo_ml.cli.rendering.results import print_evaluated
    from argo_ml.replay.storing import run_replay

    with progress() as report:
        replayed = run_replay(spec, report)
    print_evaluated(replayed.results, replayed.evaluation)


@spec_command(cli, AnswerSpec, "answer", positional="question")
def answer(spec: AnswerSpec) -> None:
    """Answer one question and show every step of it."""
    from argo_ml.cli.rendering.progress import progress
    from argo_ml.cli.rendering.trajectory import print_answered

    if not spec.question:
        raise ConfigError('question is empty; ask one: argo-ml answer "…"')
    from argo_ml.sweep.answer import answer_question, with_sources_of_calibration

    cell = with_sources_of_calibration(spec).cell()
    with progress() as report:
        answered = answer_question(cell, spec.question, spec.choices, report)
    print_answered(answered)


@spec_command(cli, PublishSpec, "publish")
def publish(spec: PublishSpec) -> None:
    """Make the policy of a finished sweep a model of MLflow, to be served."""
    from argo_ml.cli.rendering.serving import print_registered
    from argo_ml.serving.publishing import publish as publish_policy

    print_registered(publish_policy(spec))


@spec_command(cli, WatchSpec, "watch")
def watch(spec: WatchSpec) -> None:
    """Compare a served policy with its sweep, week by week: p-hat, and how often it retrieves."""
    from argo_ml.cli.rendering.serving import print_weeks
    from argo_ml.serving.watching import watch as watch_policy

    print_weeks(watch_policy(spec))


@cli.group()
def cache() -> None:
    """Look after the permanent cache of language-model calls."""


@spec_command(cache, CacheSpec, "stats")
def cache_stats(spec: CacheSpec) -> None:
    """Show what the cache holds."""
    from argo_ml.models.cache.reading import read_stats

    click.echo(read_stats(spec.calls_path))


@spec_command(cache, CacheSpec, "check")
def cache_check(spec: CacheSpec) -> None:
    """Look through the cache for damage and mend it."""
    from argo_ml.models.cache.caching import CallCache

    click.echo(CallCache(spec.calls_path).check())


@spec_command(cache, CacheSpec, "ledger")
def cache_ledger(spec: CacheSpec) -> None:
    """Show which runs have executed how many calls, also those that were pruned since."""
    from argo_ml.models.cache.reading import read_ledger

    click.echo(read_ledger(spec.calls_path))


@spec_command(cache, CachePruneSpec, "prune")
def cache_prune(spec: CachePruneSpec) -> None:
    """Remove calls of one model, or calls that nothing has asked for in some time."""
    from argo_ml.models.cache.caching import CallCache

    click.echo(CallCache(spec.calls_path).prune(spec.older_than_days, spec.model_digest))


def main() -> None:
    gc.set_threshold(*_COLLECTED_AT)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As stderr does: what its encoding lacks stands as its code.
        sys.stdout.reconfigure(errors="backslashreplace")
    # A polite kill ends like Ctrl-C: finished shards are kept and the runs end as KILLED.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.excepthook = _show_unexpected
    _prepare_logging()
    return_to_caller()
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; an unexpected error is raised as it is."""
    try:
        outcome = cli.main(list(arguments), prog_name="argo-ml", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return EXIT_USAGE
    except Exception as error:
        record_failure(error)
        return _report(error)
    name_opened_run(next((name for name in arguments if name in cli.commands), ""))
    return outcome if isinstance(outcome, int) else 0


def name_opened_run(command: str) -> None:
    """Name the run that `mlflow run` opened after the ``command`` that has kept nothing on it."""

    def name(run: Any) -> None:
        from argo_ml.tracking.runs import KIND

        run.log(tags={KIND: "command"})
        run.rename(command)

    if command:
        _keep_on_opened_run(name)


def record_failure(error: Exception) -> None:
    """Keep ``error`` on the run that `mlflow run` opened."""
    status = "KILLED" if isinstance(error, click.Abort) else "FAILED"
    _keep_on_opened_run(lambda run: run.end_with(_message(error), status))


def _keep_on_opened_run(keep: Callable[[Any], None]) -> None:
    """``keep`` something on the run that `mlflow run` opened, if no command has used it yet.

    An unreachable tracking server is logged and nothing else: what the command did matters more.
    """
    run_id = os.environ.get(RUN_ID)
    if not run_id:
        return
    from argo_ml.tracking.opened_run import find_opened_run, opened_store
    from argo_ml.tracking.runs import TrackedRun, open_client

    try:
        client = open_client(opened_store(), create=False)
        if find_opened_run(client):
            keep(TrackedRun(client, run_id))
    except TrackingError as gone:
        logger.warning("nothing could be kept on run %s (%s)", run_id, gone)
    finally:
        os.environ.pop(RUN_ID, None)


def _report(error: Exception) -> int:
    if is_debugging():
        click.echo(_traceback(error), err=True, nl=False)
    elif not isinstance(error, (ArgoError, click.ClickException, click.Abort, OSError)):
        raise error
    click.echo(f"error: {visible(redacted(_message(error)))}", err=True)
    if isinstance(error, click.Abort):
        return EXIT_INTERRUPTED
    return EXIT_USAGE if isinstance(error, click.ClickException) else EXIT_ERROR


def _traceback(error: BaseException) -> str:
    return visible(redacted("".join(traceback.format_exception(error))))


def _show_unexpected(
    _kind: type[BaseException], error: BaseException, _trace: TracebackType | None
) -> None:
    click.echo(_traceback(error), err=True, nl=False)


def _message(error: Exception) -> str:
    if isinstance(error, click.Abort):
        return "interrupted"
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, OSError):
        # A disk that is full or read-only, a file in the place of a folder: nobody's bug.
        place = f"{error.filename}: " if error.filename else ""
        advice = disk_advice(error) or f"{DEBUG}=1 shows where"
        return f"{place}{system_reason(error)}; {advice}"
    return str(error) if isinstance(error, ArgoError) else f"{type(error).__name__}: {error}"


def _checks(spec: DoctorSpec) -> Iterator[Check]:
    if spec.only_inputs:
        from argo_ml.doctor.inputs import input_checks

        return input_checks(spec)
    from argo_ml.doctor.checks import checks, repair_checks

    return repair_checks(spec) if spec.repair else checks(spec)


def _raise_if_failed(names: Sequence[str]) -> None:
    if names:
        raise ArgoError(f"{len(names)} failed: {', '.join(names)}")


class _Formatter(logging.Formatter):
    """For messages and tracebacks of any package."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(redacted(super().format(record)))


def _prepare_logging() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("argo_ml").setLevel(logging.INFO)
