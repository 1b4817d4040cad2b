"""Ray: imported, started on this machine or joined elsewhere, and left again."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from argo_ml.config import SweepSpec
from argo_ml.devices.choosing import choose_gpus
from argo_ml.devices.cuda import count_gpus
from argo_ml.devices.visible import VISIBLE, names_of
from argo_ml.errors import ConfigError
from argo_ml.sweep.executors.capacity import ClusterNode

OBJECT_STORE_BYTES = 256 * 2**20
"""Shared memory of a Ray that is started here: shards and their records, a few MB each."""
QUIET: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
"""Without everything that workers print; what they warn of comes with their results."""
CONNECT_TIMEOUT_S = 5.0


def find_ray() -> Any:
    """Import Ray, which is an optional dependency."""
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise ConfigError(
            'executor=ray: Ray is not installed; pip install "argo_ml[ray]"'
        ) from None


@contextlib.contextmanager
def running_ray(spec: SweepSpec) -> Iterator[Any]:
    """Ray as ``spec`` asks for it, left or stopped at the end.

    Where this process uses Ray already, that is taken, and left as it is. Raises `ConfigError`.
    """
    ray = find_ray()
    if spec.gpus and (spec.ray_address or ray.is_initialized()):
        raise ConfigError(_not_ours(spec.gpus))
    if ray.is_initialized():
        yield ray
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        with _keeping_signal_handler(signal.SIGTERM):
            if spec.ray_address:
                _join(ray, spec.ray_address)
            else:
                _start(ray, spec)
        yield ray
    finally:
        ray.shutdown()


def nodes(ray: Any) -> list[ClusterNode]:
    """The machines of the cluster that are up."""
    resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [ClusterNode(int(has.get("CPU", 0)), int(has.get("GPU", 0))) for has in resources]


def is_this_machine(ray: Any) -> bool:
    """Whether the cluster has no other machine than this."""
    hosts = {node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
    return hosts == {socket.gethostname()}


def _start(ray: Any, spec: SweepSpec) -> None:
    gpus = choose_gpus(spec.device, spec.gpus, count_gpus())
    with showing_gpus(gpus):
        ray.init(
            address="local",
            num_gpus=len(gpus),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            **QUIET,
        )


def _join(ray: Any, address: str) -> None:
    """Join a cluster. Raises `ConfigError`: an address is tried before Ray tries it for minutes."""
    try:
        if address != "auto":
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S).close()
        ray.init(address=address, **QUIET)
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"ray_address={address}: no Ray cluster can be joined there ({reason}); start one with "
            "ray start --head, set RAY_AUTH_MODE=token if it asks for one, or leave ray_address out"
        ) from None


def _not_ours(gpus: Sequence[int]) -> str:
    named = ",".join(map(str, gpus))
    return (
        f"gpus={named}: a Ray that runs already hands out its GPUs itself; leave gpus out, and "
        f"start Ray with {VISIBLE}={named} where only these are to be used"
    )


@contextlib.contextmanager
def showing_gpus(gpus: Sequence[int]) -> Iterator[None]:
    """Let processes that are started meanwhile see these of the GPUs that this one sees."""
    before = os.environ.get(VISIBLE)
    os.environ[VISIBLE] = names_of(gpus, before)
    try:
        yield
    finally:
        if before is None:
            del os.environ[VISIBLE]
        else:
            os.environ[VISIBLE] = before


@contextlib.contextmanager
def _keeping_signal_handler(number: int) -> Iterator[None]:
    """Put back what makes a polite kill end like Ctrl-C, which Ray replaces with its own."""
    handler = signal.getsignal(number)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, handler)
