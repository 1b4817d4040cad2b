"""Ordinary episodes and the oracle's in one shard, on the planted problem."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest
from builders.planted_gate import Problem, planted_context, questions, sweep_spec

from argo_ml.engine.shards import Shard
from argo_ml.engine.stages import StageTimes
from argo_ml.results.shard import ShardRecord
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import prepare_cells

N_QUESTIONS = 12
CHEAP, DEAR = 0.05, 0.6


class Played:
    """A shard of the cells of some strategies at both prices, and what was reported meanwhile."""

    def __init__(self, folder: Path, strategies: str) -> None:
        context = planted_context(Problem(), questions(0, N_QUESTIONS), folder)
        spec = sweep_spec(
            folder,
            strategies=strategies,
            retrieval_costs=(CHEAP, DEAR),
            max_steps=2,
            calibration="",
        )
        self.cells: list[Cell] = prepare_cells(spec.cells(), context)
        self.reported: list[int] = []
        shard = Shard(0, context.questions.questions)
        executor = context.executor(self.cells, "a sweep", StageTimes())
        [finished] = executor.run([shard], self.reported.append)
        self.record: ShardRecord = finished.record

    def utility(self, strategy: str, price: float) -> float:
        return fmean(
            row.correct - row.cost for row in self.record.results[self.id(strategy, price)]
        )

    def n_paid(self, strategy: str, price: float) -> int:
        return sum(row.lm_calls_paid for row in self.record.results[self.id(strategy, price)])

    def id(self, strategy: str, price: float) -> str:
        [cell_id] = [
            cell.id
            for cell in self.cells
            if (cell.spec.strategy, cell.spec.retrieval_cost) == (strategy, price)
        ]
        return cell_id


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return Played(tmp_path_factory.mktemp("shard"), "oracle,never,single")


def test_every_cell_has_its_questions_in_their_order(played: Played) -> None:
    for cell in played.cells:
        rows = played.record.results[cell.id]
        assert [row.question_id for row in rows] == [f"q{i}" for i in range(N_QUESTIONS)]
        assert len(played.record.trajectories[cell.id]) == N_QUESTIONS


@pytest.mark.parametrize("price", [CHEAP, DEAR])
def test_the_oracle_is_no_worse_than_any_other_cell_at_its_price(
    played: Played, price: float
) -> None:
    for strategy in ("never", "single"):
        assert played.utility("oracle", price) >= played.utility(strategy, price)


def test_what_the_trials_alone_needed_is_paid_by_the_oracle_s_first_cell(played: Played) -> None:
    assert played.n_paid("oracle", CHEAP) > 0
    assert played.n_paid("oracle", DEAR) == 0


def test_no_more_episodes_are_reported_than_there_are(played: Played) -> None:
    assert max(played.reported) == 6 * N_QUESTIONS


def test_the_order_of_cells_does_not_change_what_an_ordinary_one_comes_to(
    played: Played, tmp_path: Path
) -> None:
    other = Played(tmp_path, "never,single,oracle")

    for price in (CHEAP, DEAR):
        for strategy in ("never", "single"):
            rows = other.record.results[other.id(strategy, price)]
            assert rows == played.record.results[played.id(strategy, price)]
