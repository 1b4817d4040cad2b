"""What is left of Ray where its start fails, by a Ray that only says so."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from argo_ml.config import SweepSpec, build
from argo_ml.errors import ConfigError
from argo_ml.sweep.executors import ray_cluster


class Ray(SimpleNamespace):
    """Takes SIGTERM over, as Ray does, and does not start."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(exceptions=SimpleNamespace(RayError=RuntimeError), n_ended=0)
        self.error = error

    def is_initialized(self) -> bool:
        return False

    def init(self, **settings: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise self.error

    def shutdown(self) -> None:
        self.n_ended += 1


@pytest.mark.parametrize(
    ("address", "error", "raised"),
    [
        ("auto", RuntimeError("refused"), ConfigError),
        ("auto", KeyboardInterrupt(), KeyboardInterrupt),
        ("", KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_a_start_that_fails_leaves_neither_ray_nor_its_handler_of_signals(
    monkeypatch: pytest.MonkeyPatch, address: str, error: BaseException, raised: type[BaseException]
) -> None:
    ray, before = Ray(error), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(ray_cluster, "find_ray", lambda: ray)
    spec = build(SweepSpec, {"executor": "ray", "ray_address": address, "device": "cpu"})

    try:
        with pytest.raises(raised), ray_cluster.running_ray(spec):
            pytest.fail("Ray has not started")
        assert signal.getsignal(signal.SIGTERM) == before
    finally:
        signal.signal(signal.SIGTERM, before)

    assert ray.n_ended == 1
