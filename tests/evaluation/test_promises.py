from __future__ import annotations

from typing import Any

from builders import result_builders

from argo_ml.config import SweepSpec, build
from argo_ml.evaluation.judged_cells import judge_cells
from argo_ml.evaluation.promises import promise_lines
from argo_ml.results.records import Results


def results(*rows: dict[str, Any], **given: str) -> Results:
    spec = build(
        SweepSpec,
        {"strategies": "max_prob_gate", "retrieval_costs": "0.1", "calibration": "made", **given},
    )
    prices = {"retrieve": 0.1}
    made = tuple(
        result_builders.row(f"q{index}", row.pop("actions", []), prices, **row)
        for index, row in enumerate(rows)
    )
    whole = result_builders.results(build(SweepSpec, {"strategies": "never", "n_questions": 4}))
    cell = whole.cells[0].model_copy(
        update={"strategy": "max_prob_gate", "retrieval_cost": 0.1, "questions": made}
    )
    stored = spec.model_dump(mode="json")
    return whole.model_copy(
        update={"spec": stored, "cells": (cell,), "strategies": spec.strategies}
    )


def test_error_is_that_among_the_answers_given() -> None:
    rows = ({}, {"correct": False}, {"correct": False, "stop_reason": "abstain"}, {})
    own = results(*rows, guarantee="error among answered <= 0.4")

    (line,) = promise_lines(own, judge_cells(own))

    assert line == (
        "Guarantee of max_prob_gate, error among answered at most 0.4 except with a chance of "
        "0.05: here it is 0.333 of 3 [0.06, 0.79] at c_r = 0.1."
    )


def test_share_of_retrievals_is_of_all_questions() -> None:
    own = results({"actions": ["retrieve"]}, {}, {}, {}, guarantee="share of retrievals <= 0.3")

    (line,) = promise_lines(own, judge_cells(own))

    assert "here it is 0.250 of 4 [0.05, 0.70] at c_r = 0.1." in line


def test_without_a_guarantee_nothing_is_said() -> None:
    own = results({}, {})

    assert list(promise_lines(own, judge_cells(own))) == []
