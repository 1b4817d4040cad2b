from __future__ import annotations

import numpy as np
from builders import hand_made_sweep, result_builders

from argo_ml.config import SweepSpec, build
from argo_ml.evaluation.further import ROUGH, further_lines, further_questions
from argo_ml.evaluation.judged_cells import JudgedCell, judge_cells
from argo_ml.evaluation.protocol import evaluate
from argo_ml.evaluation.record import FurtherQuestions
from argo_ml.results.unit import Unit
from argo_ml.statistics.power import pairs_needed

SPEC = build(
    SweepSpec,
    {"strategies": "never,single", "retrieval_costs": "0.02,0.45", "n_questions": "100"},
)


def cells() -> tuple[JudgedCell, ...]:
    return judge_cells(result_builders.results(SPEC))


def test_what_is_told_needs_no_further_question_and_what_is_near_many() -> None:
    clear, near = further_questions(cells(), None, n_calibration=50)

    assert clear.n_needed is not None
    assert clear.n_test == 0
    assert clear.n_calibration == max(clear.n_needed - 50, 0)
    assert near.n_test is not None
    assert near.n_test > 200


def test_number_is_by_the_spread_of_the_paired_differences() -> None:
    own = cells()
    by_name = {(cell.strategy, cell.price): cell.utility.values for cell in own}
    differences = by_name["single", 0.45] - by_name["never", 0.45]

    (_, near) = further_questions(own, None)

    assert near.n_needed == pairs_needed(list(differences), abs(float(np.mean(differences))))


def test_sentence_names_every_price() -> None:
    (line,) = further_lines(further_questions(cells(), None))

    assert line.startswith("To settle single at each price, its sign or that it matters less than")
    assert ": none at c_r = 0.02; " in line
    assert line.endswith(f" test at c_r = 0.45. {ROUGH}")


def test_every_number_of_further_questions_is_said_to_be_rough() -> None:
    near = FurtherQuestions(
        strategy="single",
        baseline="never",
        retrieval_cost=0.1,
        n_needed=150,
        n_test=50,
        n_calibration=None,
    )

    (line,) = further_lines([near])

    assert line.endswith(f" takes further questions: 50 test at c_r = 0.1. {ROUGH}")


def test_sentence_is_in_the_users_unit() -> None:
    euros = Unit(factor=2.0, name="EUR", is_own=True)

    (line,) = further_lines(further_questions(cells(), None), euros)

    assert ": none at 0.04 EUR per retrieval; " in line


def test_evaluation_keeps_the_numbers_and_says_the_sentence() -> None:
    evaluation = evaluate(result_builders.results(SPEC))

    assert [own.retrieval_cost for own in evaluation.further_questions] == [0.02, 0.45]
    assert evaluation.conclusion[-1].startswith("To settle single at each price")


def test_a_strategy_that_does_as_the_best_fixed_one_has_nothing_to_settle() -> None:
    made = [
        hand_made_sweep.cell(strategy, price, "10" * 10, ["retrieve"] if price < 0.2 else [])
        for price in (0.1, 0.2)
        for strategy in ("single", "argo_fitted")
    ]
    dearer = hand_made_sweep.cell("argo_fitted", 0.3, "10" * 10, cost=[0.01] * 20)
    made += [hand_made_sweep.cell("single", 0.3, "10" * 10), dearer]

    found = further_questions(
        judge_cells(hand_made_sweep.results(*made)), "argo_fitted", n_calibration=50
    )
    (line,) = further_lines(found)

    assert [(own.n_needed, own.n_test, own.n_calibration) for own in found] == [
        (0, 0, 0),
        (0, 0, 0),
        (None, None, None),
    ]
    assert ": nothing to settle at c_r = 0.1, where it does as single; " in line
    assert line.endswith(
        "unknown at c_r = 0.3, where it differs from single alike on all questions."
    )
