from __future__ import annotations

import pytest
from builders import hand_made_sweep as sweep

from argo_ml.evaluation.gate_frontiers import effects, gate_frontiers
from argo_ml.evaluation.record import Effects
from argo_ml.results.records import CellResult

NEVER = sweep.cell("never", 0.1, "1100000000")
SINGLE = sweep.cell("single", 0.1, "1011100000", ["retrieve"])
SCORES = [0.1, 0.05, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]
GATE = sweep.cell("max_prob_gate", 0.1, "1111100000", decisions=sweep.scored(*SCORES))
CALIBRATION = [0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1.0]


def test_effects_of_one_retrieval() -> None:
    assert effects(sweep.results(NEVER, SINGLE)) == Effects(benefit=0.3, harm=0.1, neutral=0.6)


@pytest.mark.parametrize("cell", [NEVER, SINGLE])
def test_without_both_outcomes_there_are_neither_effects_nor_frontiers(cell: CellResult) -> None:
    results = sweep.results(cell, GATE)

    assert effects(results) is None
    assert gate_frontiers(results, {"max_prob_gate": CALIBRATION}) == ()


def test_exact_frontier_is_of_the_first_scores() -> None:
    dear = sweep.cell("max_prob_gate", 0.2, "1111100000", decisions=sweep.scored(*[0.5] * 10))

    [found] = gate_frontiers(sweep.results(NEVER, SINGLE, GATE, dear), {})

    assert found.gate == "max_prob_gate"
    assert [point.budget for point in found.exact] == [tenth / 10 for tenth in range(11)]
    accuracies = [point.accuracy for point in found.exact]
    assert accuracies == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.4])
    assert found.retrieval_reduction == pytest.approx(0.8)
    assert (found.deployable, found.conservative) == ((), ())
    assert found.deployable_exceedance is None


def test_deployable_frontiers_keep_their_budget_on_the_calibration() -> None:
    results = sweep.results(NEVER, SINGLE, GATE)

    [found] = gate_frontiers(results, {"max_prob_gate": CALIBRATION})

    shares = [point.retrieval_share for point in found.deployable]
    assert shares == pytest.approx([0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 1.0])
    assert found.deployable[3].accuracy == pytest.approx(0.3)
    assert [point.budget for point in found.conservative] == [tenth / 10 for tenth in range(11)]
    assert [point.retrieval_share for point in found.conservative[:5]] == [0.0] * 5
    assert found.deployable_exceedance is not None and found.conservative_exceedance is not None
    assert found.conservative_exceedance <= found.deployable_exceedance <= 1.0


def test_strategy_that_is_no_gate_or_has_no_scores_has_no_frontier() -> None:
    other = sweep.cell("argo_fitted", 0.1, "1111100000", decisions=sweep.scored(*SCORES))
    silent = sweep.cell("entropy_gate", 0.1, "1111100000")

    assert gate_frontiers(sweep.results(NEVER, SINGLE, other, silent), {}) == ()
