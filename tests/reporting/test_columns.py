from __future__ import annotations

from builders import hand_made_sweep as sweep
from builders import synthetic_evaluation

from argo_ml.evaluation.protocol import evaluate
from argo_ml.reporting.columns import table_columns


def test_columns_of_what_never_took_place_are_left_out() -> None:
    cells = [sweep.cell("never", 0.1, "10"), sweep.cell("single", 0.1, "11", ["retrieve"])]

    columns = table_columns(evaluate(sweep.results(*cells)))

    assert columns.worth.names == ["accuracy [95 %]", "utility [95 %]", "RC"]
    assert columns.worth.left_out == ("regret", "reasoning", "gate retrieves for")
    assert {"probes", "samples", "abstained", "unparsed"} <= set(columns.calls.left_out)
    assert columns.gates.shown == ()


def test_all_columns_that_say_something_stay() -> None:
    columns = table_columns(synthetic_evaluation.full())

    assert columns.worth.left_out == ()
    assert {"LMC", "probes", "tokens"} <= set(columns.calls.names)
    assert columns.tests.left_out == columns.reference.left_out == ()
    assert columns.confidence.left_out == ("ECE if calibrated",)
