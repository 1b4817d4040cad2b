from __future__ import annotations

import pytest

from argo_ml.errors import ConfigError
from argo_ml.sweep.executors.capacity import (
    ClusterNode,
    WorkerPlan,
    memory_share,
    plan_workers,
)

EIGHT_CARDS = [ClusterNode(n_cpus=32, n_gpus=8)]
MIXED = [
    ClusterNode(n_cpus=4, n_gpus=0),
    ClusterNode(n_cpus=16, n_gpus=3),
    ClusterNode(n_cpus=6, n_gpus=4),
]


def test_six_idle_cards_become_three_workers_of_two() -> None:
    plan = plan_workers([ClusterNode(n_cpus=16, n_gpus=6)], None, 2, n_shards=100)

    assert plan == WorkerPlan(n_workers=3, n_gpus=2, n_cpus=4)


def test_every_gpu_gets_a_worker_where_nothing_is_said() -> None:
    assert plan_workers(EIGHT_CARDS, None, None, n_shards=100) == WorkerPlan(8, 1, 4)


def test_without_gpus_every_machine_gets_one_worker_and_all_its_cpus() -> None:
    assert plan_workers(
        [ClusterNode(8, 0), ClusterNode(8, 0)], None, None, n_shards=100
    ) == WorkerPlan(2, 0, 8)


def test_a_worker_is_not_spread_over_two_machines() -> None:
    assert plan_workers(MIXED, None, 2, n_shards=100) == WorkerPlan(n_workers=3, n_gpus=2, n_cpus=3)


def test_no_more_workers_than_shards() -> None:
    assert plan_workers(EIGHT_CARDS, 8, 1, n_shards=1) == WorkerPlan(
        n_workers=1, n_gpus=1, n_cpus=4
    )


def test_zero_gpus_per_worker_leaves_them_alone() -> None:
    assert plan_workers(EIGHT_CARDS, 4, 0, n_shards=100) == WorkerPlan(
        n_workers=4, n_gpus=0, n_cpus=8
    )


@pytest.mark.parametrize(
    ("nodes", "workers", "gpus_per_worker", "message"),
    [
        (
            [ClusterNode(2, 0)],
            3,
            0,
            "workers=3: there is room for 2 with 0 GPUs and 1 CPU each (2 CPUs ",
        ),
        (EIGHT_CARDS, 5, 2, "workers=5: there is room for 4 with 2 GPUs and 1 CPU each (32 CPUs "),
        (
            [ClusterNode(2, 0)],
            None,
            1,
            "gpus_per_worker=1: no machine has 1 GPUs and a CPU (2 CPUs and 0",
        ),
        (MIXED[1:], None, 5, "gpus_per_worker=5: no machine has 5 GPUs"),
        (
            [ClusterNode(4, 4)] * 3,
            13,
            1,
            "(3 machines of 4 CPUs and 4 GPUs); give workers=12 or fewer",
        ),
    ],
)
def test_more_than_there_is_is_refused_in_one_line(
    nodes: list[ClusterNode], workers: int | None, gpus_per_worker: int, message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        plan_workers(nodes, workers, gpus_per_worker, n_shards=100)

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("nodes", "plan", "share"),
    [
        ([ClusterNode(8, 0)], WorkerPlan(n_workers=4, n_gpus=0, n_cpus=2), 1 / 4),
        ([ClusterNode(8, 0)] * 2, WorkerPlan(n_workers=2, n_gpus=0, n_cpus=8), 1),
        ([ClusterNode(16, 0), ClusterNode(8, 0)], WorkerPlan(3, n_gpus=0, n_cpus=8), 1 / 2),
        ([ClusterNode(8, 0)], WorkerPlan(n_workers=1, n_gpus=0, n_cpus=2), 1),
    ],
)
def test_workers_share_the_memory_of_a_machine(
    nodes: list[ClusterNode], plan: WorkerPlan, share: float
) -> None:
    assert memory_share(nodes, plan) == share
