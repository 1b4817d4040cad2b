"""Every command in a folder whose name means something else in a URL."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from builders import small_study
from builders.places import linked_cache

from argo_ml.cli.commands import execute
from argo_ml.tracking.runs import connect

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("quick_figures_of_module", "quick_figures"),
]

NAME = "a b ü#1?2%41 %"
GRID = ["--n_questions", "2", "--n_prices", "1", "--strategies", "argo"]
LIMITS = ["--n_questions", "4", "--strategy", "fixed_threshold", "--split", "tune", "--study", "s"]


@pytest.fixture(scope="module")
def folder(warm_cache: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources, cache and store, and a finished sweep of them."""
    folder = tmp_path_factory.mktemp("around") / NAME
    folder.mkdir()
    shutil.copyfile(empty_store, folder / "mlflow.db")
    linked_cache(warm_cache, folder / "cache")
    small_study.write(folder, 26)
    with pytest.MonkeyPatch.context() as patch:
        in_folder(patch, folder)
        assert execute(["sweep", *SOURCES, *GRID]) == 0
    return folder


SOURCES = [
    *("--dataset", "jsonl", "--questions", "questions.jsonl", "--documents", "documents"),
    *("--model", "scripted:script.json", "--cache_dir", "cache", "--max_steps", "2"),
]


def in_folder(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Work there as a user does who names no store."""
    patch.chdir(folder)
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    patch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "--cache_dir", "cache"],
        ["report", "--output", "report.html"],
        ["tune", *SOURCES, *LIMITS, "--n_trials", "2"],
        ["run", *SOURCES, "--n_questions", "2"],
        ["estimate", *SOURCES, *GRID],
        ["index", "--documents", "documents", "--cache_dir", "cache"],
        ["answer", "--model", "scripted:script.json", "--cache_dir", "cache", "--question", "Who?"],
        ["cache", "stats", "--cache_dir", "cache"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_command_works_and_leaves_nothing_beside_the_folder(
    folder: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_folder(monkeypatch, folder)

    assert execute(arguments) == 0

    assert [path.name for path in folder.parent.iterdir()] == [NAME]
    assert connect("", "argo_ml").latest_finished("sweep") is not None
