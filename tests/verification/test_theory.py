"""What verify says of ARGO, and that every place says the same number."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import hand_made_sweep as sweep
from builders.result_builders import results as made_results

from argo_ml.config import SweepSpec
from argo_ml.evaluation.protocol import evaluate
from argo_ml.reporting import write_report
from argo_ml.reporting.figures import SWEEP_FIGURES
from argo_ml.results.records import Results
from argo_ml.verification.theory import (
    graph_1b_verdicts,
    retrieving_findings,
    utility_findings,
)
from argo_ml.verification.verdict import Claim

ARGO = "1" * 14 + "0" * 6
NEVER = "1" * 10 + "0" * 10
SINGLE = "1" * 13 + "0" * 7
RANDOM = "1" * 20


@pytest.fixture(scope="module")
def results() -> Results:
    """One price; random has the highest utility, but does not treat all questions alike."""
    return sweep.results(
        sweep.cell("argo", 0.1, ARGO, [["retrieve"]] * 10 + [[]] * 10),
        sweep.cell("never", 0.1, NEVER),
        sweep.cell("single", 0.1, SINGLE, ["retrieve"]),
        sweep.cell("random", 0.1, RANDOM),
    )


def test_verify_contrasts_figure_and_report_say_the_same_number(
    results: Results, tmp_path: Path
) -> None:
    evaluation = evaluate(results)

    # 14 of 20 - 0.1 * 10 of 20, minus 13 of 20 - 0.1.
    contrast = next(one for one in evaluation.contrasts if one.strategy == "argo")
    assert contrast.baseline == "single"
    assert contrast.utility.mean == pytest.approx(0.65 - 0.55)

    utility = contrast.utility
    text = f"{utility.mean:+.4f} against single"
    [finding] = utility_findings(results)
    assert finding.detail.startswith(text)
    assert f"95 % [{utility.low:+.4f}, {utility.high:+.4f}], p = " in finding.detail

    below = SWEEP_FIGURES["utility"](results).axes[1]
    [point] = [line for line in below.get_lines() if len(line.get_xdata()) == 1]
    [bar] = below.collections
    assert list(point.get_ydata()) == [utility.mean]
    assert bar.get_segments()[0][:, 1].tolist() == [utility.low, utility.high]

    write_report(evaluation, results, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"{utility.mean:+.3f} [{utility.low:+.3f}, {utility.high:+.3f}]" in page


def test_finding_compares_with_the_best_fixed_strategy_of_the_price(results: Results) -> None:
    [finding] = utility_findings(results)

    assert finding.name == "argo at least as useful as the best fixed strategy at c_r=0.1"
    # One answer more of 20, and ten retrievals saved.
    assert finding.claim is Claim.OPEN
    assert finding.detail.endswith(
        "n=20; yes needs interval and p (0.05) to tell that it is above 0, no that it is below"
    )


def test_strategy_that_is_told_to_be_more_useful_is_so() -> None:
    cells = sweep.cell("never", 0.1, "1" * 5 + "0" * 35), sweep.cell("argo", 0.1, "1" * 40)

    [finding] = utility_findings(sweep.results(*cells))

    assert finding.claim is Claim.YES


def test_retrieving_once_is_judged_by_its_break_even_price(results: Results) -> None:
    [finding] = retrieving_findings(results)

    # 13 of 20 against 10 of 20.
    assert finding.name == "single more useful than never at c_r=0.1"
    assert finding.claim is Claim.OPEN
    assert finding.detail.startswith("utility +0.0500, paired bootstrap 95 % [-0.1000, +0.2000]")
    assert "; break-even price 0.150 [0.000, 0.300]; yes needs" in finding.detail


def test_a_strategy_that_acts_otherwise_at_the_dearest_price_is_judged_as_it_acts_there() -> None:
    half = "10" * 40
    results = sweep.results(
        sweep.cell("single", 0.02, half, ["retrieve"]),
        sweep.cell("always_retrieve", 0.02, half, ["retrieve"] * 4),
        sweep.cell("single", 0.2, half, ["retrieve"]),
        sweep.cell("always_retrieve", 0.2, half),
    )

    cheapest, dearest = retrieving_findings(results)

    assert cheapest.name == "always_retrieve more useful than single at c_r=0.02"
    assert (cheapest.claim, dearest.claim) == (Claim.NO, Claim.YES)
    assert dearest.detail.startswith("utility +0.2000, the same on every question, p = ")


def test_measured_progress_makes_findings_of_what_fixed_gains_imply() -> None:
    cells = [
        sweep.cell("always_retrieve", 0.1, "10", ["retrieve"]),
        sweep.cell("random", 0.1, "10", ["reason", "retrieve", "retrieve"]),
        sweep.cell("argo", 0.1, "10"),
        sweep.cell("always_retrieve", 0.2, "10", ["retrieve"]),
        sweep.cell("argo", 0.2, "10", ["retrieve"]),
    ]

    fixed = list(graph_1b_verdicts(sweep.results(*cells)))
    measured = list(graph_1b_verdicts(sweep.results(*cells, progress="measured")))

    assert [each.has_failed for each in fixed] == [True, True]
    assert [each.claim for each in measured] == [Claim.NO, Claim.NO]
    assert [each.detail for each in measured] == [each.detail for each in fixed]


def test_strategies_that_act_alike_are_said_to_do_so() -> None:
    strategies = "argo,always_retrieve,always_reason"
    results = made_results(SweepSpec(n_questions=4, retrieval_costs="0.02", strategies=strategies))

    [finding] = utility_findings(results)

    assert finding.claim is Claim.YES
    assert "+0.0000 against always_retrieve" in finding.detail
    assert finding.detail.endswith("both acted and answered alike on every question")


def test_acting_alike_at_a_higher_cost_is_not_as_useful() -> None:
    costs = [0.01, 0.02] * 200
    cells = sweep.cell("never", 0.1, "10" * 200), sweep.cell("argo", 0.1, "10" * 200, cost=costs)

    [finding] = utility_findings(sweep.results(*cells))

    assert finding.claim is Claim.NO


@pytest.mark.parametrize("strategies", ["argo,argo_optimal", "random,always_reason", "argo,random"])
def test_without_argo_or_a_fixed_strategy_nothing_is_said(strategies: str) -> None:
    results = made_results(SweepSpec(n_questions=2, strategies=strategies, n_prices=2))

    assert list(utility_findings(results)) == []
