"""What is foretold of a sweep, against the sweep itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import small_study
from places import linked_cache

from argo_ml.config import SweepSpec, build
from argo_ml.models.cache.caching import CallCache
from argo_ml.progress import duration
from argo_ml.results.metrics import lm_calls
from argo_ml.sweep.context import Workbench, prepare_cells
from argo_ml.sweep.estimate import Estimate, estimate, run_estimate
from argo_ml.sweep.estimate.simulation import simulate
from argo_ml.sweep.estimate.speed_profile import FILE, Calibration, calibrate, remember, remembered
from argo_ml.sweep.running import run_sweep
from argo_ml.types import Component


@pytest.fixture(scope="module")
def spec(
    warm_cache: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SweepSpec]:
    """A sweep in which every retrieval succeeds, as the simulation takes it."""
    folder = tmp_path_factory.mktemp("foretold")
    shutil.copyfile(empty_store, folder / "mlflow.db")
    values: dict[str, Any] = {
        **small_study.write(folder),
        "min_similarity": -1,
        "strategies": "argo,always_retrieve,always_reason,random",
        "cache_dir": str(linked_cache(warm_cache, folder / "cache")),
        "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield build(SweepSpec, values)


@pytest.fixture(scope="module")
def bench(spec: SweepSpec) -> Workbench:
    """Its model counts as known, so that no call is made to find out."""
    found = Workbench.open(spec)
    remember(spec.cache_path, found.model.identity, Calibration(seconds={"reader": 0.0}))
    return found


def foretold(spec: SweepSpec, bench: Workbench) -> Estimate:
    cells = prepare_cells(spec.cells(), bench)
    return estimate(spec, bench.questions.questions, cells, bench, "nobody")


def n_stored(bench: Workbench) -> int:
    stored = bench.cache.stats().entries
    return stored.get("generate", 0) + stored.get("score", 0)


def test_calls_are_those_that_the_sweep_needs_and_makes(spec: SweepSpec, bench: Workbench) -> None:
    found = foretold(spec, bench)
    assert n_stored(bench) == 0

    rows = [row for cell in run_sweep(spec).cells for row in cell.questions]

    assert found.needed == sum(map(lm_calls, rows))
    assert found.missing == sum(row.lm_calls_paid for row in rows) == n_stored(bench)
    assert foretold(spec, bench).missing == 0


def test_repeated_sub_questions_save_calls(
    spec: SweepSpec, bench: Workbench, tmp_path: Path
) -> None:
    cold = with_empty_cache(bench, tmp_path)
    cells = prepare_cells(spec.cells(), cold)
    unique = simulate(bench.questions.questions, cells, cold, Calibration())
    repeats = Calibration(repeated_share=1.0)
    repeated = simulate(bench.questions.questions, cells, cold, repeats)
    assert repeated.needed == unique.needed
    assert repeated.missing.total() < unique.missing.total()


def test_a_calibration_leaves_its_calls_in_the_cache(
    spec: SweepSpec, bench: Workbench, tmp_path: Path
) -> None:
    cold = with_empty_cache(bench, tmp_path)
    cells = prepare_cells(spec.cells(), cold)
    found = calibrate(bench.questions.questions[:3], cells, cold, "somebody")
    # None of these strategies looks before it decides.
    asked = set(Component) - {Component.PROBE}
    assert {component.value for component in asked} == set(found.seconds)
    assert found.retrieval_success_rate == 1.0
    assert n_stored(cold) > 3 * len(asked)


def test_without_time_nothing_is_known(spec: SweepSpec, bench: Workbench, tmp_path: Path) -> None:
    cold = with_empty_cache(bench, tmp_path)
    cells = prepare_cells(spec.cells(), cold)
    found = calibrate(bench.questions.questions[:3], cells, cold, "somebody", limit_s=-1)
    assert found.seconds == {}


def with_empty_cache(bench: Workbench, folder: Path) -> Workbench:
    return replace(bench, cache=CallCache(folder / "calls.sqlite"))


def test_a_component_that_was_not_seen_counts_as_the_slowest() -> None:
    known = Calibration(seconds={"reader": 0.5, "decomposer": 2.0}, tokens={"reader": 7.6})
    assert known.call_seconds(Component.READER) == 0.5
    assert known.call_seconds(Component.SYNTHESIZER) == 2.0
    assert known.completion_tokens(Component.READER) == 8


def test_what_was_seen_of_a_model_is_remembered(tmp_path: Path) -> None:
    known = Calibration(seconds={"reader": 0.5}, repeated_share=0.25)
    remember(tmp_path, "one", known)
    remember(tmp_path, "other", Calibration())
    assert remembered(tmp_path, "one") == known
    assert remembered(tmp_path, "third") is None


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}'])
def test_a_damaged_memory_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    assert remembered(tmp_path, "one") is None


def test_the_command_says_calls_time_and_disk(spec: SweepSpec) -> None:
    found = run_estimate(spec.model_copy(update={"seed": 3}))
    first, second = found.lines
    assert first.startswith(f"estimate: {found.needed:,} calls needed by 8 cells on 8 questions")
    assert found.seconds is not None
    assert f"time about {duration(found.seconds)}" in second
    assert second.endswith(f"1.5 s each: {duration(1.5 * found.needed)}")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(41, "41 s"), (306, "5 min 06 s"), (7_800, "2 h 10 min"), (600_000, "6 days 22 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
