"""A planted problem, and a finished study of it that tests may read but not continue."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import drawing, planted_study
from builders.places import copy_with_store, linked_cache
from builders.planted_study import Problem

from argo_ml.results.study import StudyReport
from argo_ml.study import run_study
from argo_ml.sweep.context import LocalContext

N_TRIALS = 12


@pytest.fixture
def problem(cache_dir: Path, tracking_uri: str, tmp_path: Path) -> Problem:
    return Problem(values(planted_study.write(tmp_path), cache_dir, tracking_uri))


@pytest.fixture
def other_problem(problem: Problem, warm_cache: Path, empty_store: Path, tmp_path: Path) -> Problem:
    """The same in a folder of its own."""
    folder = tmp_path / "other"
    folder.mkdir()
    shutil.copyfile(empty_store, folder / "mlflow.db")
    cache = linked_cache(warm_cache, folder / "cache")
    own = {"cache_dir": str(cache), "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}"}
    return Problem({**problem.values, **own})


@pytest.fixture(scope="module")
def finished(
    warm_cache: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Problem, StudyReport]]:
    folder = tmp_path_factory.mktemp("study")
    shutil.copyfile(empty_store, folder / "mlflow.db")
    cache = linked_cache(warm_cache, folder / "cache")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    problem = Problem(values(planted_study.write(folder), cache, uri))
    before = Path.cwd()
    os.chdir(folder)
    try:
        with drawing.left_out(), pytest.MonkeyPatch.context() as small:
            small.setattr(LocalContext, "batch_tokens", property(lambda _: 4096))
            report = run_study(problem.spec(n_trials=N_TRIALS))
        yield problem, report
    finally:
        os.chdir(before)


@pytest.fixture
def finished_copy(
    finished: tuple[Problem, StudyReport], tmp_path: Path
) -> tuple[Problem, StudyReport]:
    """The finished study in a store and a cache of the test's own."""
    problem, report = finished
    folder = tmp_path / "copied"
    copy_with_store(Path(problem.values["cache_dir"]).parent, folder)
    own = {"cache_dir": str(folder / "cache"), "tracking_uri": f"sqlite:///{folder}/mlflow.db"}
    return Problem({**problem.values, **own}), report


def values(sources: dict[str, str], cache_dir: Path, tracking_uri: str) -> dict[str, str]:
    return {
        **sources,
        "cache_dir": str(cache_dir),
        "tracking_uri": tracking_uri,
        "experiment": "study",
        "retrieval_costs": "0.1",
        "heartbeat_s": "1",
        "n_questions": "20",
        "shard_size": "10",
    }
