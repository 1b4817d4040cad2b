from __future__ import annotations

from typing import Any

from builders import hand_made_sweep as sweep

from argo_ml.evaluation.examples import (
    DIFFER,
    DISAGREE,
    EXAMPLES,
    HARMED,
    HELPED,
    HELPED_LEAST,
    MOST_CHARACTERS,
    example_cells,
    make_examples,
    pick_questions,
)
from argo_ml.results.records import CellResult, Results


def step(
    action: str, asked: str = "Where?", answered: str = "There.", **others: Any
) -> dict[str, Any]:
    evidence = [{"passage_id": "p1", "similarity": 0.5}] if action == "retrieve" else []
    return {
        "action": action,
        "sub_question": asked,
        "sub_answer": answered,
        "succeeded": True,
        "fallback": False,
        "evidence": evidence,
        **others,
    }


def line(*steps: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {
        "question": "Which capital?",
        "choices": ["Lima", "Quito"],
        "gold": [1],
        "steps": list(steps),
        "stop_reason": "policy",
        "answer": "Lima",
        **others,
    }


def helped_harmed_and_equal() -> Results:
    """Question 1 is corrected by retrieving, 2 is spoiled, 0 and 3 come out alike."""
    return sweep.results(
        sweep.cell("never", 0.1, "1010"),
        sweep.cell("always_reason", 0.1, "1011", ["reason"]),
        sweep.cell("single", 0.1, "1101", ["retrieve"]),
        sweep.cell("oracle", 0.1, "1111"),
    )


def test_questions_are_those_on_which_strategies_differ() -> None:
    picked = pick_questions(helped_harmed_and_equal())

    assert list(picked.items()) == [(1, HELPED), (2, HARMED), (3, DISAGREE)]


def test_one_strategy_has_nothing_to_compare() -> None:
    alone = sweep.results(sweep.cell("never", 0.1, "10"), sweep.cell("oracle", 0.1, "11"))

    assert pick_questions(alone) == {}
    assert example_cells(alone) == []


def test_questions_on_which_nothing_differs_are_no_examples() -> None:
    cells = [sweep.cell(name, 0.1, "10") for name in ("never", "always_reason")]

    assert pick_questions(sweep.results(*cells)) == {}


def test_nothing_is_said_of_retrieving_where_it_changed_nothing() -> None:
    cells = [
        sweep.cell("never", 0.1, "00"),
        sweep.cell("single", 0.1, "00", [["retrieve"], []]),
    ]

    assert pick_questions(sweep.results(*cells)) == {0: DIFFER}


def test_the_least_help_is_no_harm() -> None:
    cells = [
        sweep.cell("never", 0.1, "000"),
        sweep.cell("always_reason", 0.1, "010", ["reason"]),
        sweep.cell("single", 0.1, "110", ["retrieve"]),
    ]

    assert pick_questions(sweep.results(*cells)) == {0: HELPED, 1: HELPED_LEAST, 2: DIFFER}


def test_harm_alone_is_no_help() -> None:
    cells = [sweep.cell("never", 0.1, "11"), sweep.cell("single", 0.1, "01", ["retrieve"])]

    assert pick_questions(sweep.results(*cells)) == {0: HARMED, 1: DIFFER}


def two_cells() -> tuple[CellResult, CellResult]:
    return (
        sweep.cell("never", 0.1, "0"),
        sweep.cell("always_retrieve", 0.1, "1", ["retrieve"] * 3),
    )


def test_example_tells_steps_and_counts_those_that_repeat() -> None:
    never, retrieving = two_cells()
    repeated = [
        step("retrieve"),
        step("retrieve", fallback=True),
        step("retrieve", answered="Here."),
    ]
    trajectories = {
        never.run_id: [line()],
        retrieving.run_id: [line(*repeated, answer="Quito")],
    }
    passages = {"p1": {"id": "p1", "title": "Ecuador", "text": "Quito " * 200}}

    [example] = make_examples(sweep.results(never, retrieving), trajectories, passages)

    assert (example.question, example.gold, example.retrieval_cost) == (
        "Which capital?",
        ("Quito",),
        0.1,
    )
    assert example.why == HELPED
    at_once, stepwise = example.episodes
    assert (at_once.strategies, at_once.correct, at_once.n_steps) == (("never",), False, 0)
    assert (stepwise.answer, stepwise.correct, stepwise.n_steps) == ("Quito", True, 3)
    assert [(own.times, own.answered) for own in stepwise.steps] == [(2, "There."), (1, "Here.")]
    [passage] = stepwise.steps[0].passages
    assert passage.title == "Ecuador" and len(passage.text) == MOST_CHARACTERS


def test_strategies_that_did_the_same_stand_together() -> None:
    cells = [sweep.cell(name, 0.1, "0", ["reason"]) for name in ("argo", "always_reason")]
    cells.append(sweep.cell("single", 0.1, "1", ["retrieve"]))
    trajectories = {cell.run_id: [line(step(cell.questions[0].actions[0]))] for cell in cells}

    [example] = make_examples(sweep.results(*cells), trajectories, {})

    assert [episode.strategies for episode in example.episodes] == [
        ("argo", "always_reason"),
        ("single",),
    ]


def test_open_questions_have_their_answers_as_gold() -> None:
    never, retrieving = two_cells()
    own = line(choices=[], gold=["Quito", "San Francisco de Quito"])
    trajectories = {never.run_id: [own], retrieving.run_id: [own]}

    [example] = make_examples(sweep.results(never, retrieving), trajectories, {})

    assert example.gold == ("Quito", "San Francisco de Quito")
    assert EXAMPLES.validate_json(EXAMPLES.dump_json((example,))) == (example,)
