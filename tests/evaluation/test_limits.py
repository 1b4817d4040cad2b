from __future__ import annotations

from builders import hand_made_sweep as sweep

from argo_ml.evaluation.judged_cells import judge_cells
from argo_ml.evaluation.limits import limits
from argo_ml.results.records import CellResult

RIGHT = "1" * 200


def found(*cells: CellResult, **floors: float) -> list[str]:
    results = sweep.results(*cells)
    if floors:
        results = results.model_copy(update={"floors": floors})
    return list(limits(results, judge_cells(results)))


def test_model_below_the_guessing_floor_cannot_answer_these() -> None:
    cells = sweep.cell("never", 0.1, "0001" * 100), sweep.cell("single", 0.1, "0010" * 100)

    assert found(*cells, random=0.25, longest_choice=0.3, majority_position=0.5)[0] == (
        "This model cannot answer these: the best, never, answers 0.250 right [0.21, 0.29], which "
        "is not above guessing, 0.300 (always the longest choice)."
    )


def test_few_questions_below_the_floor_show_nothing() -> None:
    assert found(sweep.cell("single", 0.1, "1" * 4 + "0" * 6), longest_choice=0.5)[0] == (
        "Nothing shows that this model can answer these: the best, single, answers 0.400 right "
        "[0.17, 0.69], and the interval holds what guessing gets, 0.500 (always the longest "
        "choice)."
    )


def test_of_equals_the_one_that_is_the_same_at_every_price_is_named() -> None:
    cells = [sweep.cell(name, 0.1, "1" * 6 + "0" * 4) for name in ("argo", "single")]

    assert "the best, single, answers" in found(*cells)[0]
    assert "the best, argo at c_r = 0.1, answers" in found(cells[0])[0]


def test_interval_that_holds_the_floor_shows_nothing() -> None:
    assert found(sweep.cell("never", 0.1, "1" * 6 + "0" * 4))[0] == (
        "Nothing shows that this model can answer these: the best, never, answers 0.600 right "
        "[0.31, 0.83], and the interval holds what guessing gets, 0.350 (always the longest "
        "choice)."
    )


def test_model_above_the_floor_and_the_oracle_are_no_matter() -> None:
    assert found(sweep.cell("never", 0.1, RIGHT)) == []
    assert (
        "the best, never"
        in found(sweep.cell("never", 0.1, "0" * 100), sweep.cell("oracle", 0.1, "1" * 100))[0]
    )


def test_open_questions_have_no_floor_but_may_all_be_wrong() -> None:
    cells = sweep.cell("never", 0.1, "0" * 12), sweep.cell("single", 0.1, "0" * 12, ["retrieve"])

    assert found(*cells, random=0.0)[0] == (
        "Nothing shows that this model can answer these, with retrieval or without: the best, "
        "never, answers 0.000 right [0.00, 0.24]; 12 questions settle no more."
    )
    assert found(sweep.cell("never", 0.1, "0" * 100), random=0.0)[0] == (
        "This model cannot answer these, with retrieval or without: the best, never, answers 0.000 "
        "right [0.00, 0.04]."
    )
    assert found(sweep.cell("never", 0.1, "1" + "0" * 11), random=0.0) == []


def test_decomposer_that_falls_back_is_said_to_pay_again() -> None:
    falling = sweep.cell(
        "always_retrieve", 0.1, RIGHT, ["retrieve"] * 4, decomposer_fallbacks=[2] * 200
    )
    working = sweep.cell(
        "always_retrieve", 0.1, RIGHT, ["retrieve"] * 4, decomposer_fallbacks=[1] * 200
    )

    assert found(falling) == [
        "In 67 % of its calls the decomposer fell back to the question itself, so that the same "
        "passages are retrieved and paid for again and again."
    ]
    assert found(working) == []


def test_n_tells_differences_by_their_spread() -> None:
    cells = [
        sweep.cell("never", 0.1, "0" * 200),
        sweep.cell("single", 0.1, "10" * 100, ["retrieve"]),
    ]

    # 2.8016 x 0.50125 / sqrt(200).
    assert found(*cells)[-1] == (
        "What 200 questions can tell: differences of accuracy between single and never from about "
        "0.10 on (80 % power at the 5 % level, by their spread here); 0.05 would take about 790."
    )


def test_answers_that_never_differ_show_no_spread() -> None:
    cells = sweep.cell("never", 0.1, RIGHT), sweep.cell("single", 0.1, RIGHT, ["retrieve"])

    assert found(*cells) == [
        "What 200 questions can tell is not known: the difference of single and never is the same "
        "on all of them, which shows no spread."
    ]
