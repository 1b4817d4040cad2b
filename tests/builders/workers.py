"""Sweeps and studies as processes of their own, which tests may kill."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pkgutil
import signal
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

from argo_ml.tracking import environment, runs
from builders import drawing
from builders.processes import ROOT

Result = TypeVar("Result")

PRELOADED = [
    "PIL.PngImagePlugin",
    "alembic.command",
    "argo_ml.corpus.bm25",
    "argo_ml.corpus.embedded_store",
    "argo_ml.corpus.retriever",
    "argo_ml.study",
    "argo_ml.sweep.running",
    "argo_ml.models.scripted",
    "argo_ml.models.server",
    "argo_ml.testing.embedders",
    "argo_ml.testing.model_server",
    "chromadb.api.rust",
    "httpcore",
    "mlflow.projects",
    "mlflow.store.tracking.sqlalchemy_workspace_store",
    "pytest",
    "sentence_transformers",
    "sqlalchemy.dialects.sqlite",
]


def context() -> ForkServerContext:
    """Processes that begin with everything imported, so that a start takes no seconds."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(PRELOADED)
    return made


def returned(function: Callable[..., Result], *arguments: object) -> Result:
    """What the function returns in a process of its own, which has no threads and may fork.

    Raises EOFError where it did not come to its end.
    """
    receiver, sender = context().Pipe(duplex=False)
    process = _start(_send, sender, function, *arguments)
    sender.close()
    try:
        result: Result = receiver.recv()
    finally:
        process.join(60)
    return result


def _send(sender: Connection, function: Callable[..., object], *arguments: object) -> None:
    sender.send(function(*arguments))


def start_sweep(values: Mapping[str, object]) -> BaseProcess:
    """It opens no embedder and draws no figure, so that a kill at random strikes the sweep."""
    return _start(_run_sweep, dict(values))


def start_sweep_killed_at(values: Mapping[str, object], function: str, n_calls: int) -> BaseProcess:
    """It kills itself in the place of that call of a function, named with its module."""
    return _start(_run_sweep, dict(values), function, n_calls)


def start_study(values: Mapping[str, object], function: str = "", n_calls: int = 0) -> BaseProcess:
    """Given a function, it kills itself as `start_sweep_killed_at` says."""
    return _start(_run_study, dict(values), function, n_calls)


def start_comparison_killed_at(
    values: Mapping[str, object], function: str, n_calls: int
) -> BaseProcess:
    return _start(_run_comparison, dict(values), function, n_calls)


def start_project(
    parameters: Mapping[str, str], experiment: str, environ: Mapping[str, str], cwd: Path
) -> BaseProcess:
    """What `mlflow run` calls, without the seconds that importing MLflow takes."""
    return _start(_run_project, dict(parameters), experiment, dict(environ), cwd)


def _start(target: Callable[..., None], *arguments: object) -> BaseProcess:
    known = (environment.packages(), environment.source_tags())
    process = context().Process(target=_run, args=(*known, target, *arguments))
    process.start()
    return process


def _run(packages: str, tags: dict[str, str], target: Callable[..., None], *given: object) -> None:
    """Call it with what the parent found out about packages and repository."""
    environment.packages = lambda: packages  # type: ignore[assignment]
    runs.source_tags = lambda: dict(tags)  # type: ignore[assignment]
    target(*given)


def _run_sweep(values: dict[str, object], function: str = "", n_calls: int = 0) -> None:
    from argo_ml.config import SweepSpec, build
    from argo_ml.corpus import opening
    from argo_ml.sweep.running import run_sweep
    from argo_ml.testing.embedders import WordEmbedder

    if function:
        _kill_at(function, n_calls)
    opening.embedder_of = lambda *_: WordEmbedder()  # type: ignore[assignment,return-value]
    os.chdir(Path(str(values["cache_dir"])).parent)
    with drawing.left_out():
        run_sweep(build(SweepSpec, values))


def _kill_at(function: str, n_calls: int) -> None:
    owner_name, _, name = function.rpartition(".")
    owner = pkgutil.resolve_name(owner_name)
    original, calls = getattr(owner, name), itertools.count(1)

    def counted(*arguments: object, **named: object) -> object:
        if next(calls) == n_calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **named)

    setattr(owner, name, counted)


def _run_study(values: dict[str, object], function: str, n_calls: int) -> None:
    from argo_ml.config import StudySpec, build
    from argo_ml.study import run_study

    if function:
        _kill_at(function, n_calls)
    os.chdir(Path(str(values["cache_dir"])).parent)
    with drawing.left_out():
        run_study(build(StudySpec, values))


def _run_comparison(values: dict[str, object], function: str, n_calls: int) -> None:
    from argo_ml.comparison.model_comparison import run_comparison
    from argo_ml.config import CompareSpec, build

    _kill_at(function, n_calls)
    os.chdir(Path(str(values["cache_dir"])).parent)
    run_comparison(build(CompareSpec, values))


def _run_project(
    parameters: dict[str, str], experiment: str, environ: dict[str, str], cwd: Path
) -> None:
    from mlflow import projects

    os.environ.update(environ)
    os.chdir(cwd)
    projects.run(str(ROOT), experiment_name=experiment, parameters=parameters, env_manager="local")
