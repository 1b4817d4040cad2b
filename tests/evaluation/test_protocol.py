from __future__ import annotations

import pytest
from builders import hand_made_sweep as sweep
from builders import result_builders

from argo_ml.config import SweepSpec
from argo_ml.evaluation.protocol import evaluate
from argo_ml.evaluation.record import Evaluation

ORIGINAL_FOUR = ("argo", "always_retrieve", "always_reason", "random")
SCORES = [index / 10 for index in range(10)]


def test_sweep_of_one_baseline_has_rows_and_nothing_else() -> None:
    found = evaluate(sweep.results(sweep.cell("always_reason", 0.1, "1100", ["reason"])))

    assert (len(found.rows), found.contrasts, found.effects, found.frontiers) == (1, (), None, ())
    assert (found.gains, found.by_difficulty, found.reliability) == ((), (), {})
    assert (found.headline, found.calibration, found.calibration_run) == (None, {}, "")
    assert found.mean_utilities == {"always_reason": pytest.approx(0.48)}
    assert found.answer.splitlines() == [
        "The break-even price of retrieving is not known: never and single did not run; name both "
        "in strategies.",
        "Use always_reason at every swept price (0.1): the fixed strategy of highest mean utility.",
    ]


def test_default_sweep_is_evaluated_whole() -> None:
    results = result_builders.results(SweepSpec(n_questions=12, n_prices=3))

    found = evaluate(results)

    assert (len(found.rows), len(found.contrasts)) == (18, 6)
    assert [one.strategy for one in found.contrasts] == ["argo"] * 3 + ["random"] * 3
    assert found.headline is None
    assert [(one.more, one.fewer) for one in found.break_evens] == [
        ("single", "never"),
        ("always_retrieve", "single"),
    ]
    assert found.answer.startswith("Break-even price of retrieving once (single) instead of")
    assert set(found.mean_utilities) == {*ORIGINAL_FOUR, "never", "single"}
    assert (found.n_questions, found.prices) == (12, results.prices)


def test_evaluation_is_read_back_as_it_was_written() -> None:
    gate = sweep.cell(
        "entropy_gate",
        0.1,
        "1010101010",
        [["retrieve"], []] * 5,
        decisions=[sweep.gated(score, index % 2 == 0) for index, score in enumerate(SCORES)],
        confidence=[0.5] * 10,
        difficulty=["easy", "hard"] * 5,
    )
    cells = [
        gate,
        sweep.cell("never", 0.1, "1100000000"),
        sweep.cell("single", 0.1, "1111100000", ["retrieve"]),
        sweep.cell("oracle", 0.1, "1111111111"),
    ]

    found = evaluate(
        sweep.results(*cells),
        gate_scores={"entropy_gate": SCORES},
        calibration_metrics={"brier": 0.2, "n_questions": 10.0},
        calibration_run="c1",
        calibration_difficulty="hard",
    )

    assert Evaluation.model_validate_json(found.model_dump_json()) == found
    assert found.frontiers[0].conservative and found.effects is not None
    assert (found.calibration["brier"], found.calibration_run) == (0.2, "c1")
    assert list(found.reliability) == ["entropy_gate"]
    assert [row.regret is None for row in found.rows] == [False] * 4
    assert [one.strategy for one in found.contrasts] == ["entropy_gate"]


def test_same_results_give_the_same_evaluation() -> None:
    results = result_builders.results(SweepSpec(n_questions=12, n_prices=2))

    assert evaluate(results) == evaluate(results)
