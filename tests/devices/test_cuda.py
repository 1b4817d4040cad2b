from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from argo_ml.devices import Gpu, cuda


class TwoGpus:
    def gpus(self) -> tuple[Gpu, ...]:
        return Gpu(0, "GPU-6a", "RTX 3060"), Gpu(1, "GPU-6b", "RTX 3060")


@contextlib.contextmanager
def open_two_gpus() -> Iterator[TwoGpus]:
    yield TwoGpus()


@pytest.mark.parametrize(
    ("visible", "expected"), [(None, 2), ("1", 1), ("GPU-6b,0", 2), ("", 0), ("NoDevFiles", 0)]
)
def test_the_driver_is_asked_where_pytorch_is_a_cpu_build(
    visible: str | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "count_gpus", lambda: 0)
    monkeypatch.setattr(cuda, "open_driver", open_two_gpus)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert cuda.count_visible_gpus() == expected


def test_what_pytorch_counts_goes_before_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "count_gpus", lambda: 1)
    monkeypatch.setattr(cuda, "open_driver", open_two_gpus)
    assert cuda.count_visible_gpus() == 1


@contextlib.contextmanager
def open_no_driver() -> Iterator[None]:
    yield None


def test_the_state_of_a_machine_has_the_names_of_the_gpus_that_are_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cuda, "open_driver", open_no_driver)
    monkeypatch.setattr(cuda, "_DRIVERS", (str(tmp_path),))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    without = cuda.machine_state()

    monkeypatch.setattr(cuda, "open_driver", open_two_gpus)
    assert sorted(cuda.machine_state()) == sorted([*without, "RTX 3060"])

    monkeypatch.setattr(cuda, "_DRIVERS", ())
    assert "RTX 3060" not in cuda.machine_state()
