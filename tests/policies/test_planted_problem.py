"""`argo_calibrated` and `argo_fitted` where the best policy is known."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest
from builders.planted_gate import Problem, calibrate, planted_context, questions, sweep_spec

from argo_ml.engine.shards import Shard
from argo_ml.engine.stages import StageTimes
from argo_ml.progress import ignore_progress
from argo_ml.results.records import QuestionResult
from argo_ml.sweep.context import prepare_cells

pytestmark = pytest.mark.slow

N_CALIBRATION, N_TEST = 300, 250
PRICES = (0.05, 0.2, 0.4, 0.6)
STRATEGIES = ("never", "single", "argo_calibrated", "argo_fitted", "oracle")


Rows = dict[tuple[str, float], list[QuestionResult]]
HALF_HONEST = Problem(honesty=0.6)


@pytest.fixture(scope="module")
def half_honest(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return played(HALF_HONEST, tmp_path_factory.mktemp("half-honest"))


@pytest.fixture(scope="module")
def dishonest(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return played(Problem(honesty=0.0), tmp_path_factory.mktemp("dishonest"))


def played(problem: Problem, folder: Path, **values: object) -> Rows:
    """Rows by strategy and price, on questions that the calibration has not seen."""
    calibration = calibrate(problem, N_CALIBRATION, folder)
    asked = questions(N_CALIBRATION, N_TEST)
    context = planted_context(problem, asked, folder, calibration)
    spec = sweep_spec(
        folder, strategies=",".join(STRATEGIES), retrieval_costs=PRICES, max_steps=2, **values
    )
    cells = prepare_cells(spec.cells(), context)
    executor = context.executor(cells, "sweep", StageTimes())
    [finished] = executor.run([Shard(0, asked.questions)], ignore_progress)
    return {
        (cell.spec.strategy, cell.spec.retrieval_cost): finished.record.results[cell.id]
        for cell in cells
    }


def utility(rows: list[QuestionResult]) -> float:
    return fmean(row.correct - row.cost for row in rows)


def best(problem: Problem, price: float) -> float:
    numbers = range(N_CALIBRATION, N_CALIBRATION + N_TEST)
    return fmean(problem.best_utility(number, price) for number in numbers)


@pytest.mark.parametrize("strategy", ["argo_calibrated", "argo_fitted"])
@pytest.mark.parametrize("price", PRICES)
def test_the_best_policy_is_found_from_300_questions(
    strategy: str, price: float, half_honest: Rows
) -> None:
    assert utility(half_honest[strategy, price]) >= 0.95 * best(HALF_HONEST, price)


@pytest.mark.parametrize("strategy", ["argo_calibrated", "argo_fitted"])
def test_without_a_signal_it_does_as_the_better_fixed_strategy(
    strategy: str, dishonest: Rows
) -> None:
    alike = []
    for price in PRICES:
        fixed = max(("never", "single"), key=lambda name: utility(dishonest[name, price]))
        mine, theirs = dishonest[strategy, price], dishonest[fixed, price]
        assert utility(mine) >= utility(theirs) - 0.02
        alike += [a.actions == b.actions for a, b in zip(mine, theirs, strict=True)]
    assert fmean(alike) >= 0.95


def test_expected_gains_come_true_on_the_whole(half_honest: Rows) -> None:
    taken = [
        (row.decisions[0].expected_gain, row.correct - row.cost - row.decisions[0].correct)
        for row in half_honest["argo_calibrated", 0.2]
        if row.actions
    ]
    assert len(taken) > 100
    expected, realised = (fmean(values) for values in zip(*taken, strict=True))
    assert expected == pytest.approx(realised, abs=0.08)


def test_a_clear_signal_is_followed_and_every_look_before_an_action_paid(tmp_path: Path) -> None:
    problem = Problem()
    by_cell = played(problem, tmp_path, probe_cost=0.01)
    for price in PRICES:
        assert utility(by_cell["argo_calibrated", price]) >= 0.95 * best(problem, price + 0.01)
    rows = by_cell["argo_calibrated", 0.2]
    retrieved = [row for row in rows if row.actions == ("retrieve",)]
    assert retrieved
    for row in retrieved:
        assert (row.probe_calls, row.synthesizer_calls) == (1, 1)
        assert row.cost == pytest.approx(0.2 + 0.01)
    assert all(row.cost == 0 for row in rows if not row.actions)


def test_nobody_beats_the_oracle(half_honest: Rows) -> None:
    for (_, price), found in half_honest.items():
        ceiling = half_honest["oracle", price]
        for row, bound in zip(found, ceiling, strict=True):
            assert row.correct - row.cost <= bound.correct - bound.cost + 1e-12
