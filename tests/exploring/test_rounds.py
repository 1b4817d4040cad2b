"""Shards of a calibration that share rounds, for a model that works on many requests at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from builders import small_study

from argo_ml.config import CalibrateSpec, build
from argo_ml.exploring.calibrate import ExploredQuestion, explore
from argo_ml.models.base import Completion, Generation
from argo_ml.models.cache.store import CallCache
from argo_ml.models.scripted import ScriptedModel
from argo_ml.progress import EPISODES
from argo_ml.sweep.context import LocalContext


class Device(ScriptedModel):
    """Has room for so many requests at once, and remembers how many it got."""

    requests_at_once = 1

    def __init__(self, model: ScriptedModel, n_requests: int) -> None:
        super().__init__(model._table)
        self.requests_at_once = n_requests
        self.sizes: list[int] = []

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        self.sizes.append(len(requests))
        return super().generate(requests)


@dataclass(frozen=True)
class Exploring:
    spec: CalibrateSpec
    folder: Path

    def on_device(self, n_requests: int) -> tuple[list[ExploredQuestion], Device, list[int]]:
        """What is explored, by a device and with a call cache of its own, and the progress."""
        cache_dir = self.folder / f"cache{n_requests}"
        cache_dir.mkdir()
        for part in ("models", "indexes"):
            (cache_dir / part).symlink_to(self.spec.cache_path / part)
        spec = self.spec.model_copy(update={"cache_dir": cache_dir})
        context = LocalContext.open(spec.cell())
        assert isinstance(context.model, ScriptedModel)
        device, progress = Device(context.model, n_requests), []
        context = replace(context, model=device)

        def count(unit: str, n_finished: int, _: int) -> None:
            if unit == EPISODES:
                progress.append(n_finished)

        explored = explore(spec, context, context.engine("run"), count)
        return explored, device, progress


@pytest.fixture
def exploring(cache_dir: Path, tmp_path: Path) -> Exploring:
    values = small_study.write(tmp_path, n_more_countries=8)
    common = {
        name: values[name] for name in ("dataset", "split", "questions", "documents", "model")
    }
    own = {"n_questions": 24, "shard_size": 2, "max_steps": 3, "explorations": 1}
    return Exploring(build(CalibrateSpec, {**common, **own, "cache_dir": cache_dir}), tmp_path)


def test_what_is_explored_does_not_depend_on_how_many_questions_share_a_round(
    exploring: Exploring,
) -> None:
    one_by_one, _, _ = exploring.on_device(1)
    together, _, _ = exploring.on_device(30)
    assert len(together) == 24
    assert [found.explored.question.id for found in together] == [
        found.explored.question.id for found in one_by_one
    ]
    assert together == one_by_one


def test_a_device_with_room_has_its_batches_filled(exploring: Exploring) -> None:
    _, narrow, _ = exploring.on_device(1)
    _, wide, progress = exploring.on_device(30)
    assert sum(wide.sizes) == sum(narrow.sizes)
    assert len(wide.sizes) <= len(narrow.sizes) / 3
    assert progress == sorted(progress)
    assert progress[-1] == 24 * 5


def test_an_interruption_loses_no_answer_that_was_under_way(
    exploring: Exploring, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    generate, sizes = Device.generate, []

    def interrupted(device: Device, requests: Sequence[Generation]) -> list[Completion]:
        sizes.append(len(requests))
        os.kill(os.getpid(), signal.SIGINT)
        return generate(device, requests)

    monkeypatch.setattr(Device, "generate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        exploring.on_device(30)
    assert "stopping when the present batch is finished" in caplog.text
    kept = CallCache(exploring.folder / "cache30" / "calls.sqlite").stats()
    assert [kept.entries["generate"]] == sizes
