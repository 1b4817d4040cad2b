"""Pools of light actors on a real Ray."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from argo_ml.engine.shards import Shard
from argo_ml.errors import ArgoError, ConfigError, ModelError
from argo_ml.models.base import TokenCounts, UnfinishedError
from argo_ml.results.shard import ShardRecord
from argo_ml.sweep.executors.ray_worker import Facts, ShardWork
from argo_ml.sweep.executors.worker_pool import WorkerPool
from argo_ml.types import Question

pytestmark = pytest.mark.slow

SHARDS = [Shard(index, (Question("q", "Why?", ()),)) for index in range(6)]
Behave = Callable[[int], None]
MakePool = Callable[..., WorkerPool]


@pytest.fixture
def make_pool(ray: Any) -> Iterator[MakePool]:
    """Pools whose workers call ``behave`` with the index of every shard, -1 while opening."""
    pools = []

    def make(behave: Behave, n_workers: int = 1, digests: Sequence[str] = "aa") -> WorkerPool:
        unused = iter(digests)

        def hire() -> Any:
            actor = ray.remote(light_worker()).options(max_concurrency=2)
            return actor.remote(behave, {"model_digest": next(unused, "a")})

        pools.append(WorkerPool(ray, hire, n_workers))
        return pools[-1]

    yield make
    for pool in pools:
        pool.dismiss()


def light_worker() -> type:
    """A class that travels to the workers whole, who cannot import what tests are made of."""

    class LightWorker:
        def __init__(self, behave: Behave, digests: dict[str, str]) -> None:
            self.behave, self.digests = behave, digests

        def open(self) -> Facts:
            self.behave(-1)
            return Facts("there", "1", self.digests, [], "likelihood", 0.3, "auto")

        def run(self, shards: Sequence[Shard], factor: int) -> ShardWork:
            records = {}
            for shard in shards:
                self.behave(shard.index)
                found = {"id": str(shard.index * factor), "beside": str(len(shards) - 1)}
                records[shard.index] = ShardRecord({}, {}, {"p": found})
            computed = TokenCounts(computed=sum(records))
            return ShardWork(records, {}, computed, n_requests=2)

        def n_finished(self) -> int:
            return 7

        def count_tokens(self, texts: list[str]) -> list[int]:
            return [len(text.split()) for text in texts]

    return LightWorker


def run_all(pool: WorkerPool, told: str = "id") -> dict[int, str]:
    finished = [
        (index, record.passages["p"][told])
        for batch in pool.run(SHARDS, 10)
        for work in batch
        for index, record in work.records.items()
    ]
    assert len(finished) == len(SHARDS)
    return dict(sorted(finished))


EXPECTED = {index: str(10 * index) for index in range(6)}


def dies_at(shard_index: int, mark: str) -> Behave:
    """The worker dies with the shard, as by SIGKILL, unless a file is there; it makes the file."""

    def behave(index: int) -> None:
        import os
        import signal

        if index == shard_index and not os.path.exists(mark):
            if mark:
                open(mark, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)

    return behave


def test_every_shard_comes_back_once(make_pool: MakePool) -> None:
    pool = make_pool(lambda index: None, n_workers=2)

    assert pool.wait_for_facts().place == "there"
    assert pool.count_tokens(["three", "words", "given"]) == [1, 1, 1]
    assert run_all(pool) == EXPECTED
    assert pool.tokens == TokenCounts(computed=15)


def test_shards_run_together_once_it_is_known_that_there_is_room(make_pool: MakePool) -> None:
    """One alone, then two of the five that are left, and one each towards the end."""
    beside = run_all(make_pool(lambda index: None), "beside")

    assert list(beside.values()) == ["0", "1", "1", "0", "0", "0"]


def test_shards_that_were_lost_together_run_one_by_one(make_pool: MakePool, tmp_path: Path) -> None:
    beside = run_all(make_pool(dies_at(2, str(tmp_path / "died"))), "beside")

    assert set(beside.values()) == {"0"}


def test_progress_counts_shards_at_work(make_pool: MakePool) -> None:
    pool = make_pool(lambda index: time.sleep(1.5 * (index == 5)))

    counts = [pool.n_in_progress() for _ in pool.run(SHARDS, 10)]

    assert counts[-2:] == [7, 0]


def test_a_lost_worker_s_shard_runs_again(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(dies_at(3, str(tmp_path / "died")))

    assert run_all(pool) == EXPECTED
    assert (tmp_path / "died").exists()


def test_a_shard_that_costs_three_workers_is_given_up(make_pool: MakePool) -> None:
    pool = make_pool(dies_at(2, ""))

    with pytest.raises(ArgoError, match="3 workers were lost at shard 2") as given_up:
        run_all(pool)
    assert "\n" not in str(given_up.value)


def test_an_error_of_a_worker_is_the_same_error_here(make_pool: MakePool) -> None:
    def behave(index: int) -> None:
        if index == 4:
            raise UnfinishedError("model=big: does not fit; use a smaller one", {0: "kept"})

    with pytest.raises(ModelError) as raised:
        run_all(make_pool(behave))
    assert str(raised.value) == "model=big: does not fit; use a smaller one"


def test_a_bug_in_a_worker_that_opens_keeps_its_traceback(make_pool: MakePool) -> None:
    def behave(index: int) -> None:
        raise ZeroDivisionError("of luck")

    with pytest.raises(ZeroDivisionError, match="of luck") as raised:
        make_pool(behave).wait_for_facts()
    assert "in behave" in str(raised.value.__cause__)


def test_workers_with_different_files_are_refused(make_pool: MakePool) -> None:
    pool = make_pool(lambda index: time.sleep(0.1), n_workers=2, digests="ab")

    with pytest.raises(ConfigError, match=r"model_digest is . for there and . for there; give all"):
        for _ in pool.run([Shard(index, ()) for index in range(1000)], 10):
            pass
