"""A worker in this process, which need not be a Ray actor."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import sharing_study

from argo_ml.config import SweepSpec, build
from argo_ml.datasets import load_questions
from argo_ml.devices import limits
from argo_ml.engine.shards import make_shards
from argo_ml.engine.stages import StageTimes
from argo_ml.models.local.loading import Machine
from argo_ml.sweep.context import LocalContext, prepare_cells
from argo_ml.sweep.executors.ray_worker import Worker


@pytest.fixture
def spec(cache_dir: Path, tmp_path: Path) -> SweepSpec:
    values = {**sharing_study.write(tmp_path), "cache_dir": str(cache_dir)}
    return build(SweepSpec, values)


@pytest.fixture
def worker(spec: SweepSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.chdir(tmp_path)
    package = logging.getLogger("argo_ml")
    handlers = list(package.handlers)
    yield Worker(spec, load_questions(spec), str(tmp_path))
    package.handlers[:] = handlers


def test_a_worker_s_records_are_the_local_executor_s(worker: Worker, spec: SweepSpec) -> None:
    context = LocalContext.open(spec)
    cells = prepare_cells(spec.cells(), context)
    shards = make_shards(context.questions.questions, 3)[:2]
    expected = context.executor(cells, "a sweep", StageTimes()).run(shards, lambda count: None)

    worker.open()
    work = worker.run(shards, tuple(cell.spec for cell in cells), "a sweep")

    assert work.records == {shard.index: shard.record for shard in expected}
    assert work.n_requests == context.requests_at_once()
    assert pickle.loads(pickle.dumps(work)) == work
    assert worker.n_finished() == sum(len(shard.questions) for shard in shards) * len(cells)


def test_what_a_worker_opens_is_what_this_process_opens(worker: Worker, spec: SweepSpec) -> None:
    context = LocalContext.open(spec)

    facts = worker.open()

    assert facts.digests == context.digests
    assert facts.inputs == context.inputs


def test_warnings_come_with_what_is_returned_next(worker: Worker) -> None:
    logging.getLogger("argo_ml.corpus").warning("%s is left out", "a.pdf")
    logging.getLogger("argo_ml.corpus").info("not this")

    assert worker.open().warnings == ("a.pdf is left out",)
    assert worker.open().warnings == ()


def test_a_worker_plans_with_its_share_of_memory(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_share", 1.0)
    monkeypatch.setattr(limits, "total_bytes", lambda: 4_000)
    monkeypatch.setattr(worker, "_memory_share", 0.25)
    worker.open()
    assert Machine.detect("cpu", ()).cpu_free_bytes == 1_000
