"""What is foretold of a sweep, against the sweep itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from builders import small_study
from builders.places import linked_cache

from argo_ml.config import SweepSpec, build
from argo_ml.models.base import Prompt, Scoring
from argo_ml.models.cache.caching import CallCache
from argo_ml.models.deferred import Deferred
from argo_ml.models.scripted import ScriptedModel, Table
from argo_ml.progress import duration
from argo_ml.sweep.context import LocalContext, prepare_cells
from argo_ml.sweep.estimate import SweepEstimate, estimate, run_estimate, speed_profile
from argo_ml.sweep.estimate.estimation import evenly_out_of
from argo_ml.sweep.estimate.simulation import _StandIn, simulate
from argo_ml.sweep.estimate.speed_profile import (
    EARLIER_FILE,
    FILE,
    SpeedProfile,
    measure_speed,
    store_profile,
    stored_profile,
)
from argo_ml.sweep.running import run_sweep
from argo_ml.types import Component, Question


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
def context(spec: SweepSpec) -> LocalContext[SweepSpec]:
    """Its model counts as known, so that no call is made to find out."""
    opened = LocalContext.open(spec)
    store_profile(spec.cache_path, opened.model.identity, SpeedProfile(seconds={"reader": 0.0}))
    return opened


def time_estimate(spec: SweepSpec, context: LocalContext[SweepSpec]) -> SweepEstimate:
    cells = prepare_cells(spec.cells(), context)
    return estimate(context, context.questions.questions, cells, "nobody")


def n_stored(context: LocalContext[SweepSpec]) -> int:
    stored = context.cache.stats().entries
    return stored.get("generate", 0) + stored.get("score", 0)


@pytest.mark.slow
def test_calls_are_those_that_the_sweep_needs_and_makes(
    spec: SweepSpec, context: LocalContext[SweepSpec]
) -> None:
    found = time_estimate(spec, context)
    assert n_stored(context) == 0

    rows = [row for cell in run_sweep(spec).cells for row in cell.questions]

    assert found.needed == sum(row.usage.calls for row in rows)
    assert found.missing == sum(row.lm_calls_paid for row in rows) == n_stored(context)
    assert time_estimate(spec, context).missing == 0


def test_repeated_sub_questions_save_calls(
    spec: SweepSpec, context: LocalContext[SweepSpec], tmp_path: Path
) -> None:
    cold = with_empty_cache(context, tmp_path)
    cells = prepare_cells(spec.cells(), cold)
    unique = simulate(context.questions.questions, cells, cold, SpeedProfile())
    repeats = SpeedProfile(repeated_share=1.0)
    repeated = simulate(context.questions.questions, cells, cold, repeats)
    assert repeated.needed == unique.needed
    assert repeated.missing.total() < unique.missing.total()


def test_a_calibration_leaves_its_calls_in_the_cache(
    spec: SweepSpec, context: LocalContext[SweepSpec], tmp_path: Path
) -> None:
    cold = with_empty_cache(context, tmp_path)
    cells = prepare_cells(spec.cells(), cold)
    found = measure_speed(context.questions.questions[:3], cells, cold, "somebody")
    # None of these strategies looks before it decides.
    asked = set(Component) - {Component.PROBE}
    assert {component.value for component in asked} == set(found.seconds)
    assert found.retrieval_success_rate == 1.0
    assert n_stored(cold) > 3 * len(asked)


def test_questions_that_the_speed_was_measured_on_stand_for_themselves_alone(
    spec: SweepSpec, context: LocalContext[SweepSpec], tmp_path: Path
) -> None:
    cold = with_fifteen_questions(with_empty_cache(context, tmp_path))
    own = spec.model_copy(update={"cache_dir": tmp_path, "shard_size": 10})
    cells = prepare_cells(spec.cells(), cold)
    questions = cold.questions.questions
    unmeasured = simulate(questions[10:], cells, cold, SpeedProfile()).missing.total()

    found = estimate(cold.with_spec(own), questions, cells, "nobody", always_measure=True)

    assert found.missing >= unmeasured > 0


def with_fifteen_questions(context: LocalContext[SweepSpec]) -> LocalContext[SweepSpec]:
    asked = [
        replace(own, id=f"{own.id}-{n}", text=f"{own.text} ({n})")
        for n in (1, 2)
        for own in context.questions.questions
    ]
    return replace(context, questions=replace(context.questions, questions=tuple(asked[:15])))


@pytest.mark.parametrize("n", [1, 9, 10, 15, 29, 100])
def test_a_sample_is_taken_evenly_out_of_all(n: int) -> None:
    questions = [Question(f"{number}", "Which?") for number in range(n)]
    places = [int(own.id) for own in evenly_out_of(questions, 10)]
    gaps = [high - low for low, high in pairwise([*places, n])]
    assert len(places) == min(n, 10)
    assert max(gaps) - min(gaps) <= 1


def test_without_time_nothing_is_known(
    spec: SweepSpec, context: LocalContext[SweepSpec], tmp_path: Path
) -> None:
    cold = with_empty_cache(context, tmp_path)
    cells = prepare_cells(spec.cells(), cold)
    found = measure_speed(context.questions.questions[:3], cells, cold, "somebody", limit_s=-1)
    assert found.seconds == {}


def with_empty_cache(context: LocalContext[SweepSpec], folder: Path) -> LocalContext:
    return replace(context, cache=CallCache(folder / "calls.sqlite"))


def test_a_model_is_loaded_before_its_time_is_taken(
    spec: SweepSpec,
    context: LocalContext[SweepSpec],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cold = with_empty_cache(context, tmp_path)
    model: Deferred[Any] = Deferred(context.model.identity, lambda: context.model)
    begun = speed_profile._TimedModel.__init__
    was_loaded = []

    def watched(self: Any, *arguments: Any) -> None:
        was_loaded.append(model.is_loaded)
        begun(self, *arguments)

    monkeypatch.setattr(speed_profile._TimedModel, "__init__", watched)
    cells = prepare_cells(spec.cells(), cold)
    measure_speed(context.questions.questions[:1], cells, replace(cold, model=model), "somebody")

    assert was_loaded == [True]


def test_a_component_that_writes_and_was_not_seen_counts_as_the_slowest_that_does() -> None:
    known = SpeedProfile(seconds={"reader": 0.5, "synthesizer": 2.0}, tokens={"reader": 7.6})
    assert known.call_seconds(Component.DECOMPOSER) == 0.5
    scored_alone = SpeedProfile(seconds={"synthesizer": 2.0})
    assert scored_alone.call_seconds(Component.DECOMPOSER) == 2.0


def test_a_component_that_was_not_seen_counts_as_the_slowest() -> None:
    known = SpeedProfile(seconds={"reader": 0.5, "decomposer": 2.0}, tokens={"reader": 7.6})
    assert known.call_seconds(Component.READER) == 0.5
    assert known.call_seconds(Component.SYNTHESIZER) == 2.0
    assert known.completion_tokens(Component.READER) == 8


def test_what_was_seen_of_a_model_is_remembered(tmp_path: Path) -> None:
    known = SpeedProfile(seconds={"reader": 0.5}, repeated_share=0.25)
    store_profile(tmp_path, "one", known)
    store_profile(tmp_path, "other", SpeedProfile())
    assert stored_profile(tmp_path, "one") == known
    assert stored_profile(tmp_path, "third") is None


def test_what_an_earlier_version_has_seen_is_known_and_joined(tmp_path: Path) -> None:
    known, other = SpeedProfile(seconds={"reader": 0.5}), SpeedProfile(repeated_share=0.5)
    store_profile(tmp_path, "one", known)
    (tmp_path / FILE).rename(tmp_path / EARLIER_FILE)
    store_profile(tmp_path, "other", other)
    (tmp_path / EARLIER_FILE).unlink()
    assert [stored_profile(tmp_path, name) for name in ("one", "other")] == [known, other]
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}'])
def test_a_damaged_memory_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    assert stored_profile(tmp_path, "one") is None


def test_the_command_says_calls_time_and_disk(spec: SweepSpec) -> None:
    found = run_estimate(spec.model_copy(update={"seed": 3}))
    first, second = found.lines
    assert first.startswith(f"estimate: {found.needed:,} calls needed by 8 cells on 8 questions")
    assert found.seconds is not None
    disk_mb = f"{found.disk_bytes / 1e6:,.0f} MB"
    assert second == f"estimate: time about {duration(found.seconds)}, disk {disk_mb}"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(41, "41 s"), (306, "5 min 06 s"), (7_800, "2 h 10 min"), (600_000, "6 days 22 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_stand_in_has_a_hidden_state_for_who_asks_for_one() -> None:
    prompt, choices = Prompt("system", "user"), ("a", "b")
    model = _StandIn(ScriptedModel(Table()), SpeedProfile())
    requests = [Scoring(prompt, choices, hidden_state=asks) for asks in (True, False)]
    assert [len(scores.hidden_state) for scores in model.score(requests)] == [256, 0]
