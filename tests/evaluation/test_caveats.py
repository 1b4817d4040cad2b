from __future__ import annotations

from collections.abc import Mapping

from builders import hand_made_sweep as sweep

from argo_ml.evaluation.protocol import evaluate
from argo_ml.results.records import CellResult, DecisionResult

MANY = 200
BEST, GOOD, BAD = "1" * MANY, "11110" * 40, "10000" * 40


def caveats(
    *cells: CellResult,
    calibration: Mapping[str, float] | None = None,
    calibration_difficulty: str = "",
    **spec: object,
) -> list[str]:
    results = sweep.results(*cells, **spec)
    found = evaluate(
        results,
        calibration_metrics=calibration or {},
        calibration_difficulty=calibration_difficulty,
    )
    return list(found.caveats)


def test_large_clear_sweep_raises_no_doubt() -> None:
    cells = sweep.cell("never", 0.1, GOOD), sweep.cell("argo", 0.1, BEST)

    assert caveats(*cells) == []


def test_few_questions() -> None:
    assert caveats(sweep.cell("never", 0.1, "1" * 30)) == [
        "There are only 30 questions: intervals of accuracy are up to 0.11 wide."
    ]


def test_accuracy_that_needs_no_model() -> None:
    cells = [
        sweep.cell("never", 0.1, BAD),
        sweep.cell("never", 0.2, GOOD),
        sweep.cell("single", 0.1, BAD),
        sweep.cell("argo", 0.1, BEST),
        sweep.cell("oracle", 0.1, BAD),
    ]

    assert (
        "The accuracy of never and single is not told from that without a model (longest choice, "
        "0.350) at one price or more."
    ) in caveats(*cells)


def test_no_floor_is_doubted_where_questions_have_no_choices() -> None:
    results = sweep.results(sweep.cell("never", 0.1, BAD))
    open_ended = results.model_copy(update={"floors": {"random": 0.0, "longest_choice": 0.0}})

    assert evaluate(open_ended).caveats == ()


def test_degenerate_gate() -> None:
    never, always = sweep.cell("never", 0.1, GOOD), sweep.cell("single", 0.1, GOOD, ["retrieve"])
    cells = [
        sweep.cell("entropy_gate", 0.1, BEST, ["retrieve"]),
        sweep.cell("entropy_gate", 0.2, BEST, [["retrieve"], []] * 100),
        sweep.cell("entropy_gate", 0.3, BEST),
    ]

    assert (
        "entropy_gate is degenerate: it hardly ever retrieves at 1 of 3 prices and nearly always "
        "retrieves at 1 of 3 prices, whatever the question."
    ) in caveats(never, always, *cells)


def test_p_hat_that_is_off_on_these_questions() -> None:
    off = [(DecisionResult(action="stop", confidence=0.5, correct=True),)] * MANY
    cells = [
        sweep.cell("argo_fitted", 0.1, BEST, confidence=[0.5] * MANY, decisions=off),
        sweep.cell("entropy_gate", 0.1, BEST, confidence=[0.5] * MANY),
    ]

    assert [each for each in caveats(*cells) if "p-hat" in each] == [
        "The p-hat of argo_fitted is off by up to 0.500 on these answers (ECE; 0.028 would be "
        "usual of a perfect p-hat on 200 answers)."
    ]


def test_confidence_that_is_p_hat_for_some_answers_alone_is_not_called_p_hat() -> None:
    taken = [
        sweep.gated(0.5, retrieves, confidence=0.5)
        for retrieves in (True, False)
        for _ in range(100)
    ]
    actions = [["retrieve"]] * 100 + [[]] * 100
    sure = [0.5] * MANY
    cells = [
        sweep.cell("max_prob_gate", 0.1, BEST, actions, confidence=sure, decisions=taken),
        sweep.cell("never", 0.1, GOOD),
        sweep.cell("single", 0.1, GOOD, ["retrieve"]),
    ]

    assert [each for each in caveats(*cells) if "p-hat" in each] == [
        "The confidence of max_prob_gate, which is p-hat for some of its answers alone, is off by "
        "up to 0.500 on these answers (ECE; 0.028 would be usual of a perfect p-hat on 200 "
        "answers)."
    ]


def test_unparsed_answers() -> None:
    parsed = [False] * 12 + [True] * (MANY - 12)
    rarely = [False] * 10 + [True] * (MANY - 10)
    cells = [
        sweep.cell("never", 0.1, GOOD, parsed=parsed),
        sweep.cell("single", 0.1, GOOD, parsed=rarely),
    ]

    assert caveats(*cells) == [
        "Up to 6 % of the answers of never could not be read and count as wrong."
    ]


def test_choices_that_were_made_on_the_same_questions() -> None:
    cells = [
        sweep.cell("never", 0.1, GOOD),
        sweep.cell("single", 0.1, GOOD, ["retrieve"]),
        sweep.cell("argo_calibrated", 0.1, GOOD, ["reason"]),
        sweep.cell("argo_fitted", 0.1, BEST),
    ]

    found = caveats(*cells)

    assert (
        "argo_fitted was chosen among 2 strategies on the questions that it is judged on, and not "
        "on a tune split, which favors it."
    ) in found
    assert (
        "The best of 2 fixed strategies was chosen at each price on the questions that it is "
        "judged on, which favors it."
    ) in found


def test_nothing_significant_and_nothing_different() -> None:
    assert caveats(sweep.cell("never", 0.1, GOOD), sweep.cell("argo", 0.1, GOOD)) == [
        "argo acts and answers like the best fixed strategy on every question at every price: it "
        "is no other method here.",
        "No difference of utility, of 1, is significant at 5 % once p-values are adjusted for "
        "their number (Holm).",
    ]


def test_looks_that_change_nothing_still_cost() -> None:
    looking = sweep.cell("entropy_gate", 0.1, GOOD, cost=[0.01] * MANY)

    assert (
        "entropy_gate acts and answers like the best fixed strategy on every question at every "
        "price: it is no other method here but for its cost."
    ) in caveats(sweep.cell("never", 0.1, GOOD), looking)


def test_retrievals_that_find_nothing() -> None:
    successes = [1] * 40 + [0] * (MANY - 40)
    cell = sweep.cell("single", 0.1, GOOD, ["retrieve"], retrieval_successes=successes)

    assert caveats(cell) == ["Only 20 % of the retrievals found evidence."]


def test_gates_without_frontiers() -> None:
    gate = sweep.cell("entropy_gate", 0.1, BEST, [["retrieve"], []] * 100)

    assert caveats(gate, sweep.cell("never", 0.1, GOOD)) == [
        "The sweep lacks never or single, so that there are no frontiers of entropy_gate."
    ]


def test_price_of_looks_that_realised_gains_leave_out() -> None:
    taken = (
        DecisionResult(action="retrieve", expected_gain=0.1, correct=False),
        DecisionResult(action="stop", expected_gain=0.0, correct=True),
    )
    cell = sweep.cell("argo_fitted", 0.1, BEST, ["retrieve"], decisions=[taken] * MANY)

    assert caveats(cell, probe_cost=0.01) == [
        "Realised gains leave out the price of looks (probe_cost=0.01)."
    ]
    assert caveats(cell, probe_cost=0.0) == []


def test_fixed_strategies_that_measured_progress_makes_adaptive() -> None:
    cell = sweep.cell("always_retrieve", 0.1, GOOD, ["retrieve"])

    assert caveats(cell, progress="measured") == [
        "With progress=measured the stop of always_retrieve depends on how sure the model looks, "
        "so that not all questions are treated alike."
    ]


def test_difficulty_of_a_calibration_is_no_matter_where_questions_have_none() -> None:
    cell = sweep.cell("never", 0.1, GOOD)

    assert caveats(cell, calibration_difficulty="all") == []


def test_calibration_that_is_small_or_of_other_questions() -> None:
    cell = sweep.cell("never", 0.1, GOOD, difficulty=["hard"] * MANY)

    found = caveats(cell, calibration={"n_questions": 60.0}, calibration_difficulty="all")

    assert found == [
        "The calibration was made on difficulty=all, this is difficulty=hard.",
        "The calibration was made on only 60 questions.",
    ]
    assert caveats(cell, calibration={"n_questions": 300.0}, calibration_difficulty="hard") == []
