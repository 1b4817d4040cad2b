"""What a sweep with the results of an earlier one takes from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import result_builders
from builders.planted_gate import Problem, calibrate

from argo_ml.config import SweepSpec
from argo_ml.evaluation.record import Evaluation
from argo_ml.results.records import Results
from argo_ml.sweep import kept_conclusions
from argo_ml.sweep.kept_conclusions import concluded

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> SweepSpec:
    cache = tmp_path_factory.mktemp("cache")
    return SweepSpec(n_questions=5, retrieval_costs="0.02,0.2", cache_dir=str(cache))


@pytest.fixture(scope="module")
def first(spec: SweepSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluation, Path]:
    folder = tmp_path_factory.mktemp("first")
    return concluded(spec, result_builders.results(spec), (), None, folder), folder


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sweeps that were drawn, which here draws nothing."""
    drawn: list[str] = []

    def draw(evaluation: Evaluation, results: Results, folder: Path) -> None:
        drawn.append(results.sweep_id)

    monkeypatch.setattr(kept_conclusions, "draw_sweep", draw)
    return drawn


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def paid(results: Results, n_calls: int) -> Results:
    """The same results where every row has paid for so many calls."""
    cells = []
    for cell in results.cells:
        rows = tuple(row.model_copy(update={"lm_calls_paid": n_calls}) for row in cell.questions)
        metrics = {**cell.metrics, "lm_calls_paid_total": float(n_calls * len(rows))}
        update = {"questions": rows, "metrics": metrics, "run_id": f"run-{n_calls}"}
        cells.append(cell.model_copy(update=update))
    return results.model_copy(update={"cells": tuple(cells)})


def test_same_results_paid_by_another_sweep_take_its_evaluation_and_figures(
    spec: SweepSpec, first: tuple[Evaluation, Path], draws: list[str], tmp_path: Path
) -> None:
    results = paid(result_builders.results(spec, sweep_id="fedcba9876543210" * 2), 7)
    elsewhere = {"calibration": "another run", "experiment": "another", "tracking_uri": "there"}
    results = results.model_copy(update={"spec": {**results.spec, **elsewhere}})

    evaluation = concluded(spec, results, (), None, tmp_path)

    assert draws == []
    assert evaluation == first[0].model_copy(update={"sweep_id": results.sweep_id})
    assert contents(tmp_path) == contents(first[1])
    assert {"graph_1a.png", "utility.svg", "price_utility.png"} <= set(contents(tmp_path))


def test_a_warm_sweep_names_its_own_calibration(
    spec: SweepSpec, draws: list[str], tmp_path: Path
) -> None:
    calibration = calibrate(Problem(), 40, tmp_path)
    own = spec.model_copy(update={"cache_dir": tmp_path / "cache"})

    def named(run_id: str) -> str:
        by_run = own.model_copy(update={"calibration": run_id})
        results = result_builders.results(by_run)
        return concluded(by_run, results, (), calibration, tmp_path).calibration_run

    assert [named("one"), named("another")] == ["one", "another"]
    assert len(draws) == 1


def test_one_other_answer_is_evaluated_and_drawn_anew(
    spec: SweepSpec, first: tuple[Evaluation, Path], draws: list[str], tmp_path: Path
) -> None:
    results = result_builders.results(spec)
    cell, *others = results.cells
    row, *rows = cell.questions
    other = row.model_copy(update={"correct": not row.correct})
    changed = cell.model_copy(update={"questions": (other, *rows)})

    concluded(spec, results.model_copy(update={"cells": (changed, *others)}), (), None, tmp_path)

    assert draws == [results.sweep_id]


def test_users_own_style_is_drawn_anew(
    spec: SweepSpec,
    first: tuple[Evaluation, Path],
    draws: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    style = tmp_path / "matplotlibrc"
    style.write_text("lines.linewidth: 9\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(style))

    concluded(spec, result_builders.results(spec), (), None, tmp_path)

    assert len(draws) == 1


@pytest.mark.parametrize("damage", [b"", b"no archive", b"truncated", b"flipped"])
def test_damaged_archive_counts_as_missing(
    damage: bytes, spec: SweepSpec, draws: list[str], tmp_path: Path
) -> None:
    own = spec.model_copy(update={"cache_dir": tmp_path / "cache"})
    results = result_builders.results(spec)
    evaluation = concluded(own, results, (), None, tmp_path)
    [path] = (tmp_path / "cache" / "conclusions").iterdir()
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    path.write_bytes({b"truncated": whole[:middle], b"flipped": flipped}.get(damage, damage))

    assert concluded(own, results, (), None, tmp_path) == evaluation
    assert len(draws) == 2


def test_results_used_last_are_kept(
    spec: SweepSpec, draws: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_conclusions, "MOST_KEPT", 2)
    own = spec.model_copy(update={"cache_dir": tmp_path / "cache"})
    results = result_builders.results(spec)
    of_floors = [results.model_copy(update={"floors": {"random": n / 4}}) for n in range(3)]

    for each in (*of_floors[:2], of_floors[0], of_floors[2], of_floors[0], of_floors[1]):
        concluded(own, each, (), None, tmp_path)

    assert len(list((tmp_path / "cache" / "conclusions").iterdir())) == 2
    assert len(draws) == 4


def test_a_user_without_a_home_has_no_styles_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(Path, "home", refuse)

    assert not any(kept_conclusions._text(path) for path in kept_conclusions._own_styles())
