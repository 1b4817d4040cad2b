"""Jobs killed at every write and commit in turn, or at random, and run again: is all as it was?"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from argo_ml.errors import ArgoError
from argo_ml.models.cache.caching import SLICE, CallCache
from argo_ml.reporting.report import template_environment
from argo_ml.results.unit import Unit
from argo_ml.tracking import runs
from benchmarks.reliability.counting import Counts
from benchmarks.reliability.jobs import JOBS, Job, State, state, write_sources
from benchmarks.reliability.points import Point, Watch, install

N_RANDOM = 20
N_LANES = 2
PATIENCE_S = 120.0
KILLED, REFUSED, RAISED = -signal.SIGKILL, 3, 4


@dataclass(frozen=True, slots=True)
class Template:
    """A job's folder before it begins, and what it leaves where nobody disturbs it.

    ``points`` are those it comes through, ``n_calls`` how many calls it executes, ``seconds`` how
    long it takes. Names of ``varying`` are different in any two runs.
    """

    job: Job
    folder: Path
    expected: State
    varying: frozenset[str]
    points: tuple[Point, ...]
    n_calls: int
    seconds: float


def campaign(folder: Path, n_cases: int = 0, seed: int = 0) -> list[Counts]:
    """Kill every job at each of its points in turn, or at ``n_cases`` of them."""
    return [points_campaign(folder / name, job, n_cases, seed) for name, job in JOBS.items()]


def random_campaign(folder: Path, n_cases: int = 0, seed: int = 0) -> list[Counts]:
    """Kill every job ``n_cases`` times at random moments, up to three times before it may end."""
    return [moments_campaign(folder / name, job, n_cases, seed) for name, job in JOBS.items()]


def points_campaign(
    folder: Path, job: Job, n_cases: int = 0, seed: int = 0, n_lanes: int = N_LANES
) -> Counts:
    template = prepare(folder, job)
    chosen = list(template.points)
    if n_cases:
        chosen = sorted(random.Random(seed).sample(chosen, min(n_cases, len(chosen))), key=str)

    def case(number: int, place: Path) -> list[str]:
        point = chosen[number]
        killed = run(job, place, point)
        if killed != KILLED:
            return ["not reached" if killed == 0 else f"ended with {killed}"]
        return outcomes(template, place, str(point))

    counts = Counts(f"{job.name} killed at a point")
    return in_lanes(folder, counts, len(chosen), case, template, n_lanes)


def moments_campaign(
    folder: Path, job: Job, n_cases: int = 0, seed: int = 0, n_lanes: int = N_LANES
) -> Counts:
    template = prepare(folder, job)

    def case(number: int, place: Path) -> list[str]:
        moments = random.Random(f"{seed} {job.name} {number}")
        after = [moments.uniform(0.02, template.seconds) for _ in range(1 + number % 3)]
        n_killed = sum(run(job, place, kill_after=seconds) == KILLED for seconds in after)
        if not n_killed or (job.begins_anew and n_killed < len(after)):
            # What has come to its end and begins anew would be there twice.
            return ["not killed"]
        return outcomes(template, place, f"killed after {after}", n_killed)

    counts = Counts(f"{job.name} killed at random")
    return in_lanes(folder, counts, n_cases or N_RANDOM, case, template, n_lanes)


def prepare(folder: Path, job: Job) -> Template:
    """Run the job twice undisturbed; what differs between the two is not compared."""
    template = folder / "template"
    write_inputs(template, job)
    states = []
    for name in ("first", "second"):
        place = copied(template, folder / name)
        started = time.monotonic()
        code = _in_child(place, partial(_count, job, place))
        seconds = time.monotonic() - started
        if code:
            raise SystemExit(f"{job.name} fails undisturbed: {(place / 'output').read_text()}")
        states.append(read_state(job, place))
        import_as(place / "modules.json")
    reached = json.loads((folder / "second" / "points.json").read_text())
    points = tuple(Point(action, occurrence) for action, occurrence in reached)
    first, second = states
    varying = frozenset(name for name in first | second if first.get(name) != second.get(name))
    n_calls = len(executed(folder / "second"))
    return Template(job, template, second, varying, points, n_calls, seconds)


def write_inputs(folder: Path, job: Job) -> None:
    """Make what the job begins with: what every process has imported, sources, and a store."""
    import_everything()
    write_sources(folder)
    if job.kind:
        _in_child(folder, _make_store)


def outcomes(template: Template, place: Path, what: str, n_kills: int = 1) -> list[str]:
    """Run the job again until it ends, and compare."""
    job = template.job
    code = run(job, place)
    named = []
    if code == REFUSED:
        named.append("refused once")
        code = run(job, place)
    if code:
        _note(place, what, (place / "output").read_text()[-400:])
        return [*named, "raw_exceptions" if code == RAISED else "unhealed"]
    left = read_state(job, place)
    others = left.pop("other runs", [])
    if others:
        named.append("begun anew")
    differences = compared(template, left) + ["another run is RUNNING"] * others.count("RUNNING")
    if any(not text.startswith("file ") for text in differences):
        named.append("wrong_values")
    elif differences:
        named.append("left files behind")
    calls = executed(place)
    n_repeated = len(calls) - len(set(calls))
    problems = unaccounted(place, len(calls), job)
    if len(set(calls)) != template.n_calls or n_repeated > n_kills * SLICE:
        problems.append(f"{len(set(calls))} calls, {n_repeated} of them twice")
    if problems:
        named.append("wrong_accounting")
        differences += problems
    if differences:
        _note(place, what, "; ".join(differences[:12]))
    if n_repeated:
        named.append("unfinished calls executed again")
    return named if differences else [*named, "as if not killed"]


def compared(template: Template, left: State) -> list[str]:
    expected, ignored = template.expected, template.varying | {"other runs"}
    if template.job.begins_anew:
        ignored |= {"parent metrics lm_calls_paid_total"}
    return [
        f"{name}: {_shown(left.get(name))}, not {_shown(expected.get(name))}"
        for name in sorted(expected | left)
        if name not in ignored and left.get(name) != expected.get(name)
    ]


def unaccounted(place: Path, n_executed: int, job: Job) -> list[str]:
    """What does not add up: calls at the model, in the ledger, and on the runs."""
    if not job.kind:
        return []
    total = CallCache(place / "cache" / "calls.sqlite").ledger().total
    problems = []
    if not total.executed <= n_executed <= total.executed + total.unsettled:
        problems.append(f"{n_executed} calls were executed, the ledger says {total}")
    on_runs = executed_on_runs(place)
    if on_runs != total.executed:
        problems.append(f"runs say {on_runs} calls, the ledger {total.executed}")
    return problems


def executed_on_runs(place: Path) -> int:
    with contextlib.closing(sqlite3.connect(place / "mlflow.db")) as database:
        query = "SELECT sum(value) FROM latest_metrics WHERE key = 'calls/lm_calls_executed'"
        [[total]] = database.execute(query).fetchall()
    return int(total or 0)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:80]}..."


def executed(place: Path) -> list[str]:
    """The keys of all calls that the model was asked for, as it wrote them down."""
    log = place / "calls.log"
    return log.read_text().split() if log.exists() else []


def run(job: Job, place: Path, deadly: Point | None = None, kill_after: float | None = None) -> int:
    """The exit code of the job in a process of its own; negative for the signal that ended it."""

    def work() -> None:
        if deadly is not None:
            install(Watch(place, deadly))
        _replace_slow_parts()
        job.run()

    return _in_child(place, work, kill_after)


def read_state(job: Job, place: Path) -> State:
    before = Path.cwd()
    os.chdir(place)
    try:
        return state(job)
    finally:
        os.chdir(before)


def copied(template: Path, place: Path) -> Path:
    shutil.copytree(template, place, symlinks=True)
    return place


def _count(job: Job, place: Path) -> None:
    watch = Watch(place)
    install(watch)
    _replace_slow_parts()
    job.run()
    reached = [(point.action, point.occurrence) for point in watch.reached]
    for name, value in (("points.json", reached), ("modules.json", sorted(sys.modules))):
        os.write(os.open(name, os.O_CREAT | os.O_WRONLY), json.dumps(value).encode())


def _make_store() -> None:
    """The database of MLflow with its tables, which take seconds to make."""
    from mlflow import MlflowClient

    MlflowClient("sqlite:///mlflow.db").search_experiments()


def import_everything() -> None:
    """So that every process begins with it."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import chromadb  # noqa: F401
    import optuna.visualization.matplotlib  # noqa: F401

    import argo_ml.advising.running
    import argo_ml.corpus.retriever
    import argo_ml.exploring.calibrate
    import argo_ml.models.scripted
    import argo_ml.study
    import argo_ml.sweep.running  # noqa: F401
    from argo_ml.tracking import environment

    packages, tags = environment.packages(), environment.source_tags()
    environment.packages = lambda: packages  # type: ignore[assignment]
    environment.uncommitted_diff = lambda: ""
    vars(runs)["source_tags"] = lambda: dict(tags)


def import_as(modules: Path) -> None:
    """Import what a job imported on its way, and compile templates, which takes longer than the
    job itself."""
    for name in json.loads(modules.read_text()):
        if name not in sys.modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    templates = template_environment(Unit())
    for name in templates.list_templates():
        templates.get_template(name)


def _replace_slow_parts() -> None:
    """An embedder that needs no model, and figures that are saved empty."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from argo_ml.corpus import opening
    from argo_ml.testing.embedders import WordEmbedder

    def save_empty(figure: Figure, path: Path, **_: Any) -> None:
        path.write_bytes(b"<svg/>" if path.suffix == ".svg" else b"")

    vars(opening)["embedder_of"] = lambda *_: WordEmbedder()
    Figure.savefig = save_empty  # type: ignore[method-assign,assignment]
    ConstrainedLayoutEngine.execute = lambda *_: None  # type: ignore[method-assign]


def work_undisturbed(job: Job) -> None:
    _replace_slow_parts()
    job.run()


def forked(place: Path, work: Callable[[], None]) -> int:
    """The id of a process that does it with ``place`` as its folder."""
    child = os.fork()
    if not child:
        os._exit(_work(place, work))
    return child


def _in_child(place: Path, work: Callable[[], None], kill_after: float | None = None) -> int:
    """Do it in a process of its own, which is killed when the time is up."""
    child = forked(place, work)
    until = time.monotonic() + (kill_after or PATIENCE_S)
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _work(place: Path, work: Callable[[], None]) -> int:
    output = os.open(place / "output", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.chdir(place)
    try:
        work()
        return 0
    except ArgoError as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    except BaseException:
        traceback.print_exc()
        return RAISED
    finally:
        sys.stderr.flush()


def _note(place: Path, what: str, text: str) -> None:
    (place / "note").write_text(f"{what}: {text}")


def in_lanes(
    folder: Path,
    counts: Counts,
    n_cases: int,
    case: Callable[[int, Path], list[str]],
    template: Template,
    n_lanes: int,
) -> Counts:
    """Run the cases in some processes at once, and count what came of each."""
    lanes = []
    for lane in range(n_lanes):
        child = os.fork()
        if not child:
            with contextlib.suppress(KeyboardInterrupt):
                _run_lane(folder, range(lane, n_cases, n_lanes), case, template)
            os._exit(0)
        lanes.append(child)
    for child in lanes:
        os.waitpid(child, 0)
    for number in range(n_cases):
        named, note = json.loads((folder / f"outcome-{number}.json").read_text())
        counts.add(*named)
        if note:
            counts.examples.append(note)
    return counts


def _run_lane(
    folder: Path,
    numbers: Sequence[int],
    case: Callable[[int, Path], list[str]],
    template: Template,
) -> None:
    logging.disable(logging.WARNING)
    for number in numbers:
        place = copied(template.folder, folder / f"case-{number}")
        named = case(number, place)
        note = place / "note"
        result = named, note.read_text() if note.exists() else ""
        (folder / f"outcome-{number}.json").write_text(json.dumps(result))
        if not os.environ.get("KEEP_CASES"):
            shutil.rmtree(place)
