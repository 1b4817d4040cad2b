from __future__ import annotations

import os

import pytest

from argo_ml.config import SweepSpec, build
from argo_ml.sweep.executors.capacity import WorkerPlan
from argo_ml.sweep.executors.opening import worker_spec
from argo_ml.sweep.executors.ray_cluster import showing_gpus

VISIBLE = "CUDA_VISIBLE_DEVICES"


def test_a_worker_takes_the_gpus_that_ray_shows_to_it() -> None:
    spec = build(SweepSpec, {"executor": "ray", "gpus": "2,3,4,5,6,7", "gpus_per_worker": "2"})

    own = worker_spec(spec, WorkerPlan(n_workers=3, n_gpus=2, n_cpus=1))

    assert own.gpus == (0, 1)
    assert own.device == "auto"


def test_a_worker_without_gpus_takes_the_cpu() -> None:
    own = worker_spec(build(SweepSpec, {}), WorkerPlan(n_workers=2, n_gpus=0, n_cpus=1))

    assert (own.device, own.gpus) == ("cpu", ())


@pytest.mark.parametrize(
    ("visible", "gpus", "shown"),
    [
        ("", (0, 3), "0,3"),
        ("4,5,6,7", (1, 3), "5,7"),
        ("GPU-a,GPU-b", (1,), "GPU-b"),
        ("0,1", (), ""),
    ],
)
def test_ray_sees_the_chosen_of_the_visible_gpus(
    visible: str, gpus: tuple[int, ...], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if visible:
        monkeypatch.setenv(VISIBLE, visible)
    else:
        monkeypatch.delenv(VISIBLE, raising=False)

    with showing_gpus(gpus):
        assert os.environ[VISIBLE] == shown
    assert os.environ.get(VISIBLE, "") == visible
