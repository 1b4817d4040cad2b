from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from builders import sharing_study

from argo_ml.config import SweepSpec, build
from argo_ml.engine.shards import Shard, make_shards
from argo_ml.engine.stages import StageTimes
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import LocalContext, prepare_cells
from argo_ml.sweep.executors.local import LocalExecutor


@pytest.fixture
def context(cache_dir: Path, tmp_path: Path) -> LocalContext[SweepSpec]:
    values = {**sharing_study.write(tmp_path), "cache_dir": str(cache_dir)}
    return LocalContext.open(build(SweepSpec, values))


@pytest.fixture
def cells(context: LocalContext[SweepSpec]) -> list[Cell]:
    return prepare_cells(context.spec.cells(), context)


@pytest.fixture
def shards(context: LocalContext[SweepSpec]) -> list[Shard]:
    return make_shards(context.questions.questions, 2)


def executor(
    context: LocalContext[SweepSpec], cells: list[Cell], billed_to: str, n_requests: int
) -> LocalExecutor:
    make_engine = partial(context.engine, billed_to, StageTimes())
    return LocalExecutor(make_engine, cells, lambda: n_requests)


def test_shards_that_share_their_rounds_have_the_records_that_they_have_apart(
    context: LocalContext[SweepSpec], cells: list[Cell], shards: list[Shard]
) -> None:
    apart = executor(context, cells, "a", 1).run(shards, lambda count: None)
    expected = {finished.index: finished.record for finished in apart}

    together = executor(context, cells, "a", 6).run(shards, lambda count: None)

    assert len(shards) > 3
    assert {finished.index: finished.record for finished in together} == expected


def test_progress_counts_every_episode_once(
    context: LocalContext[SweepSpec], cells: list[Cell], shards: list[Shard]
) -> None:
    counts: list[int] = []

    list(executor(context, cells, "a", 6).run(shards, counts.append))

    assert counts == sorted(counts)
    assert counts[-1] == len(context.questions.questions) * len(cells)
