"""How many workers a cluster has room for, as a function of what its machines have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from argo_ml.errors import ConfigError

MOST_CPUS = 4
"""Most CPUs of a worker that computes on GPUs: further ones would wait for them, and others go
without."""


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """What one machine of a cluster gives to Ray, whether or not it is in use now."""

    n_cpus: int
    n_gpus: int


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """How many workers there are, and the GPUs and CPUs that each of them gets."""

    n_workers: int
    n_gpus: int
    n_cpus: int


def plan_workers(
    nodes: Sequence[ClusterNode], workers: int | None, gpus_per_worker: int | None, n_shards: int
) -> WorkerPlan:
    """Plan the workers that fit, with as many CPUs each as all of them can get and make use of.

    Where ``workers`` is None: as many as there are GPUs for, or one per machine without GPUs;
    where ``gpus_per_worker`` is None: 1 if any machine has a GPU. No more than there are shards.
    Raises `ConfigError` for more than the machines have, for which Ray would wait for ever.
    """
    n_gpus = gpus_per_worker
    if n_gpus is None:
        n_gpus = int(any(node.n_gpus for node in nodes))
    most = _room(nodes, n_gpus, 1)
    if not most:
        raise ConfigError(
            f"gpus_per_worker={n_gpus}: no machine has {n_gpus} GPUs and a CPU ({_said(nodes)}); "
            "give fewer, or 0 for the CPU"
        )
    if workers is not None and workers > most:
        raise ConfigError(
            f"workers={workers}: there is room for {most} with {n_gpus} GPUs and 1 CPU each "
            f"({_said(nodes)}); give workers={most} or fewer, or add machines"
        )
    wanted = workers or (most if n_gpus else sum(node.n_cpus > 0 for node in nodes))
    n_workers = min(wanted, max(n_shards, 1))
    n_useful = MOST_CPUS if n_gpus else max(node.n_cpus for node in nodes)
    shares = range(1, n_useful + 1)
    n_cpus = max(share for share in shares if _room(nodes, n_gpus, share) >= n_workers)
    return WorkerPlan(n_workers, n_gpus, n_cpus)


def memory_share(nodes: Sequence[ClusterNode], plan: WorkerPlan) -> float:
    """Of a machine's memory, the part of each worker where there are as many as have room."""
    return 1 / min(plan.n_workers, max(node.n_cpus // plan.n_cpus for node in nodes))


def _room(nodes: Sequence[ClusterNode], n_gpus: int, n_cpus: int) -> int:
    """Workers that the machines have room for; none is spread over two."""
    return sum(
        min(node.n_cpus // n_cpus, node.n_gpus // n_gpus if n_gpus else node.n_cpus)
        for node in nodes
    )


def _said(nodes: Sequence[ClusterNode]) -> str:
    machines = [f"{node.n_cpus} CPUs and {node.n_gpus} GPUs" for node in nodes]
    counts = {text: machines.count(text) for text in machines}
    return "; ".join(
        f"{count} machines of {text}" if count > 1 else text for text, count in counts.items()
    )
