from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from builders import hand_made_sweep, result_builders
from rich.console import Console

from argo_ml.calibration.record import GainEstimate
from argo_ml.cli.check_lines import print_check
from argo_ml.cli.rendering.advice import advice_table
from argo_ml.cli.rendering.calibration import gain_text
from argo_ml.cli.rendering.checks import print_corpus, print_verdict
from argo_ml.cli.rendering.models import comparison_table
from argo_ml.cli.rendering.progress import LineReport, TimeLeft, progress
from argo_ml.cli.rendering.results import print_results
from argo_ml.cli.rendering.trajectory import print_answered
from argo_ml.comparison.model_comparison import ComparedCell, ComparedModel, ModelComparison
from argo_ml.config import CellSpec, SweepSpec
from argo_ml.corpus.opening import Corpus
from argo_ml.corpus.rejected import RejectedFile
from argo_ml.doctor import Check, Status
from argo_ml.evaluation.advice import Advice, AdvisedRange, Certainty, Recommendation
from argo_ml.progress import MODEL_SECONDS
from argo_ml.state import Outcome
from argo_ml.statistics.intervals import Estimate
from argo_ml.sweep.answer import Answered
from argo_ml.tracking.location import RunLocation
from argo_ml.types import Action, Answer, Evidence, Passage, Question, Step, StopReason, Usage
from argo_ml.verification.verdict import Claim, Verdict, finding

PLACE = RunLocation("sqlite:///mlflow.db", "1", "argo_ml", "r1")
Captured = pytest.CaptureFixture[str]


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


def report_lines(clock: Clock) -> tuple[LineReport, io.StringIO]:
    out = io.StringIO()
    return LineReport(Console(file=out, width=100), clock=clock), out


def test_wide_sweep_is_shown_whole_in_a_pipe(capsys: Captured) -> None:
    results = result_builders.results(SweepSpec(mode="full", n_questions=3))

    print_results(results, PLACE)

    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines[1:] if " [0." in line or " [1." in line]
    assert len(rows) == 60
    assert max(len(line) for line in rows) <= 100
    assert not any("…" in line for line in lines)
    assert sum("always_retrieve" in line for line in rows) == 10


def test_long_strategy_names_are_wrapped_not_cut(capsys: Captured) -> None:
    results = result_builders.results(SweepSpec(n_questions=2, n_prices=1, strategies="random"))
    name = "a_strategy_whose_name_goes_on_and_on_for_sixty_characters_xyz"
    cell = results.cells[0].model_copy(update={"strategy": name})

    print_results(results.model_copy(update={"cells": (cell,)}), PLACE)

    shown = capsys.readouterr().out.replace("\n", "").replace(" ", "")
    assert "…" not in shown
    assert "xyz" in shown


def test_result_table_holds_the_numbers(capsys: Captured) -> None:
    spec = SweepSpec(n_questions=4, strategies="always_retrieve,always_reason", n_prices=1)
    results = result_builders.results(spec)
    accuracy = results.cells[0].metrics["accuracy"]

    print_results(results, PLACE)

    out = capsys.readouterr().out
    first = next(line for line in out.splitlines() if "always_retrieve" in line).split()
    assert first[:3] == ["0.02", "always_retrieve", f"{accuracy:.3f}"]
    assert "4.00" in first and first[-1] == "4/32"
    assert "accuracy without a model: majority position 0.300, longest choice 0.350" in out
    assert "language-model calls: 8 paid of 136 needed" in out
    assert "run r1 in experiment 'argo_ml'" in out
    assert "mlflow ui --backend-store-uri sqlite:///mlflow.db" in out
    assert "http://127.0.0.1:5000/#/experiments/1/runs/r1" in out


def test_best_utility_of_a_price_is_marked(capsys: Captured) -> None:
    spec = SweepSpec(n_questions=4, strategies="always_retrieve,always_reason", n_prices=1)
    results = result_builders.results(spec)
    best = max(results.cells, key=lambda cell: cell.metrics["utility"])

    print_results(results, PLACE)

    marked = [line for line in capsys.readouterr().out.splitlines() if "*" in line and "/" in line]
    assert len(marked) == 1
    assert best.strategy in marked[0]


def test_strategy_that_knows_the_answers_is_never_marked_best(capsys: Captured) -> None:
    cells = [
        hand_made_sweep.cell("oracle", 0.1, "1111"),
        hand_made_sweep.cell("never", 0.1, "1100"),
        hand_made_sweep.cell("single", 0.1, "1110", ["retrieve"]),
    ]

    print_results(hand_made_sweep.results(*cells), PLACE)

    shown = [line for line in capsys.readouterr().out.splitlines() if " [0." in line]
    assert ["*" in line for line in shown] == [False, False, False, True]
    assert "oracle" in shown[1] and "1.000" in shown[1]


def test_oracle_beside_one_strategy_leaves_no_best(capsys: Captured) -> None:
    cells = hand_made_sweep.cell("oracle", 0.1, "11"), hand_made_sweep.cell("never", 0.1, "10")

    print_results(hand_made_sweep.results(*cells), PLACE)

    shown = [line for line in capsys.readouterr().out.splitlines() if " [0." in line]
    assert ["*" in line for line in shown] == [False, False]


def test_degenerate_gate_is_marked(capsys: Captured) -> None:
    cells = [
        hand_made_sweep.cell("variance_gate", 0.123, "1100"),
        hand_made_sweep.cell("entropy_gate", 0.123, "1100", [["retrieve"], [], [], []]),
    ]

    print_results(hand_made_sweep.results(*cells), PLACE)

    lines = capsys.readouterr().out.splitlines()
    [at] = [index for index, line in enumerate(lines) if line.strip() == "degenerate"]
    assert "variance_gate" in lines[at - 1] and "[0.15, 0.85]" in lines[at - 1]
    assert "entropy_gate" in lines[at + 1]


def test_what_gained_nowhere_is_called_a_baseline(capsys: Captured) -> None:
    names = ("never", "tasr", "margin_gate", "argo_calibrated")
    cells = [hand_made_sweep.cell(name, 0.1, "1100") for name in names]

    print_results(hand_made_sweep.results(*cells), PLACE)

    shown = " ".join(capsys.readouterr().out.split())
    assert "measured (docs/policies.md): tasr, argo_calibrated" in shown


def test_table_begins_with_the_break_even_price(capsys: Captured) -> None:
    cells = [
        hand_made_sweep.cell("never", 0.1, "1000"),
        hand_made_sweep.cell("single", 0.1, "1111", ["retrieve"]),
    ]

    print_results(hand_made_sweep.results(*cells), PLACE)

    first = capsys.readouterr().out.splitlines()[0]
    assert first == "break-even price of a retrieval: single against never 0.750 [0.250, 1.000]"


def test_open_questions_have_no_accuracy_without_a_model(capsys: Captured) -> None:
    results = hand_made_sweep.results(hand_made_sweep.cell("never", 0.1, "10"))

    print_results(results.model_copy(update={"floors": {"random": 0.0}}), PLACE)

    assert "without a model" not in capsys.readouterr().out


def test_what_is_zero_for_every_cell_has_no_column(capsys: Captured) -> None:
    cell = hand_made_sweep.cell("single", 0.1, "10", ["retrieve"])
    no_calls = {name: 0.0 for name in cell.metrics if name.startswith("lm_calls")}
    cell = cell.model_copy(update={"metrics": {**cell.metrics, **no_calls}})

    print_results(hand_made_sweep.results(cell), PLACE)

    shown = capsys.readouterr().out
    assert ("retrieve" in shown, "reason" in shown) == (True, False)
    assert "calls" not in shown


def test_costs_far_below_a_right_answer_are_no_zero(capsys: Captured) -> None:
    spec = SweepSpec(n_questions=2, strategies="never,single", retrieval_costs="0.00012")

    print_results(result_builders.results(spec), PLACE)

    assert " 0.00012 " in capsys.readouterr().out


def test_large_amounts_have_no_exponent(capsys: Captured) -> None:
    spec = SweepSpec(n_questions=4, strategies="never,single", retrieval_costs="0.75")

    print_results(result_builders.in_tokens(result_builders.results(spec)), PLACE)

    shown = capsys.readouterr().out
    assert "1,500 tokens" in shown
    assert "e+" not in shown


def test_conclusion_of_the_evaluation_stands_under_the_table(capsys: Captured) -> None:
    results = hand_made_sweep.results(hand_made_sweep.cell("never", 0.1, "10"))

    print_results(results, PLACE, conclusion=["Not shown: it is +0.001."])

    lines = capsys.readouterr().out.splitlines()
    at = lines.index("Not shown: it is +0.001.")
    assert "never" in "".join(lines[:at])
    assert lines[at + 1].startswith("accuracy without a model")


def test_unparsed_answers_are_told(capsys: Captured) -> None:
    results = result_builders.results(SweepSpec(n_questions=2, n_prices=1, strategies="random"))
    rows = [row.model_copy(update={"parsed": False}) for row in results.cells[0].questions]
    cell = results.cells[0].model_copy(update={"questions": tuple(rows)})

    print_results(results.model_copy(update={"cells": (cell,)}), PLACE)

    assert "2 of 2 answers could not be read and count as wrong" in capsys.readouterr().out


def compared(
    names: Sequence[str], difference: float = 0.0, low: float = 0.0, high: float = 0.0
) -> str:
    """The table of models that differ so, each with one cell."""
    cells = tuple(
        ComparedCell(
            model=name,
            strategy="never",
            retrieval_cost=0.1,
            accuracy=0.5,
            accuracy_ci_low=0.4,
            accuracy_ci_high=0.6,
            difference=difference,
            difference_ci_low=low,
            difference_ci_high=high,
            utility=0.5,
            lm_seconds=1.0,
            tokens=10.0,
        )
        for name in names
    )
    models = tuple(ComparedModel(model=name, sweep_id="s1", peaks={}) for name in names)
    out = io.StringIO()
    table = comparison_table(ModelComparison(comparison_id="c1", models=models, cells=cells))
    Console(file=out, width=200).print(table)
    return out.getvalue()


def test_models_of_the_same_last_name_have_rows_of_their_own() -> None:
    names = ("one/Llama-1B", "two/Llama-1B")
    table = compared(names)
    assert all(name in table for name in names)


def test_a_difference_of_models_has_the_digits_that_tell_whether_it_leaves_out_0() -> None:
    table = compared(("one", "two"), difference=0.03, low=0.004, high=0.056)
    assert "+0.030 [+0.004, +0.056]" in table


@pytest.mark.parametrize(
    ("name", "gain", "shown"),
    [
        ("p_s", GainEstimate(mean=1.0, low=1.0, high=1.0, n=60), "1.000 [0.886, 1.000]"),
        ("p_s", GainEstimate(mean=0.8, low=0.7, high=0.9, n=60), "0.800 [0.700, 0.900]"),
        ("delta_r", GainEstimate(mean=0.1, low=0.05, high=0.15, n=60), "+0.100 [+0.050, +0.150]"),
        (
            "delta_r",
            GainEstimate(mean=0.0, low=0.0, high=0.0, n=9),
            "+0.000 [no interval: no spread]",
        ),
        ("delta_p", GainEstimate(mean=0.0, low=0.0, high=0.0, n=0), "not seen"),
    ],
)
def test_a_measured_gain_is_no_more_certain_than_30_questions_make_it(
    name: str, gain: GainEstimate, shown: str
) -> None:
    assert gain_text(name, gain, 30) == shown


def test_strategies_that_are_equal_but_for_rounding_are_both_the_best(capsys: Captured) -> None:
    never = hand_made_sweep.cell("never", 0.12, "1" * 40 + "0" * 60)
    single = hand_made_sweep.cell("single", 0.12, "1" * 52 + "0" * 48, ["retrieve"])
    metrics = {**single.metrics, "utility": never.metrics["utility"] - 1e-16}
    results = hand_made_sweep.results(never, single.model_copy(update={"metrics": metrics}))

    print_results(results, PLACE)

    assert capsys.readouterr().out.count("0.400*") == 2


def test_break_even_prices_that_are_known_are_not_computed_again(capsys: Captured) -> None:
    results = result_builders.results(SweepSpec(n_questions=4, strategies="never,single"))

    print_results(results, PLACE, computed=())

    assert "break-even" not in capsys.readouterr().out


def test_withheld_answers_are_said_to_be_part_of_the_cost(capsys: Captured) -> None:
    made = result_builders.in_tokens(
        result_builders.results(SweepSpec(n_questions=4, n_prices=1, strategies="random"))
    )
    cell = made.cells[0]
    withheld = cell.model_copy(update={"metrics": {**cell.metrics, "stop_abstain": 0.5}})

    print_results(made.model_copy(update={"cells": (withheld,)}), PLACE)

    said = "cost: with what withholding an answer costs more than being wrong"
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("certainty", Certainty)
@pytest.mark.parametrize("width", [60, 80, 100])
def test_an_advice_is_readable_at_every_width(width: int, certainty: Certainty) -> None:
    own = AdvisedRange(
        low=0.123,
        high=0.456,
        recommendation=Recommendation.BY_QUESTION,
        strategy="argo_advantage",
        alternative="always_retrieve, then single",
        prices=(0.2, 0.3),
        gain=Estimate(mean=0.031, low=0.004, high=0.058),
        certainty=certainty,
        accuracy=0.467,
        retrieval_share=0.25,
    )
    advice = Advice(
        advice_id="a1",
        question="",
        sentences=(),
        ranges=(own,),
        prices=(),
        sizes={},
        judged_on="test",
    )
    out = io.StringIO()

    Console(file=out, width=width).print(advice_table(advice))

    shown = out.getvalue()
    price_and_action = ("0.123 to", "0.456", "decide", "by the", "question")
    numbers = ("+0.031", "+0.004", "+0.058", "25 %", "0.467")
    assert [words for words in price_and_action + numbers if words not in shown] == []
    assert certainty.words.split()[-1] in shown
    assert "…" not in shown


def test_progress_without_a_terminal_is_at_most_a_line_per_tenth() -> None:
    report, out = report_lines(Clock())

    for n_finished in range(0, 201):
        report("episodes", n_finished, 200)

    lines = out.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("episodes 20/200 (10%)")
    assert lines[-1] == "episodes 200/200 (100%)"


def test_slow_progress_is_told_every_half_minute() -> None:
    clock = Clock()
    report, out = report_lines(clock)

    for second in range(0, 100, 10):
        clock.now = float(second)
        report("episodes", second // 10, 1000)

    assert [line.split()[1] for line in out.getvalue().splitlines()] == [
        "3/1000",
        "6/1000",
        "9/1000",
    ]


def test_a_long_beginning_is_told_as_well() -> None:
    clock = Clock()
    report, out = report_lines(clock)

    for second in (0, 20, 40):
        clock.now = float(second)
        report("episodes", 0, 200)

    assert out.getvalue() == "episodes 0/200 (0%)\n"


def test_time_left_follows_the_speed() -> None:
    clock = Clock()
    report, out = report_lines(clock)

    for n_finished in (0, 10, 20, 30):
        report("episodes", n_finished, 100)
        clock.now += 10.0

    assert out.getvalue().splitlines()[-1] == "episodes 30/100 (30%), 1 min 10 s left"


def test_after_the_first_tenth_the_time_left_is_right_within_a_fifth() -> None:
    seconds = [95.0, 118.0, 88.0, 105.0, 92.0, 101.0, 99.0, 108.0, 97.0, 90.0]
    clock = Clock()
    time_left = TimeLeft(clock)
    time_left.update(40, 440)

    for n_shards, taken in enumerate(seconds, start=1):
        clock.now += taken
        time_estimate = time_left.update(40 + 40 * n_shards, 440)
        assert time_estimate == pytest.approx(sum(seconds[n_shards:]), rel=0.2)


def test_episodes_that_end_together_are_timed_by_what_the_model_was_foretold_to_take() -> None:
    clock = Clock()
    report, out = report_lines(clock)

    for second in range(0, 100, 10):
        clock.now = float(second)
        report(MODEL_SECONDS, second, 110)
        report("episodes", 20 * (second >= 80), 200)

    lines = out.getvalue().splitlines()
    assert lines[0] == "episodes 0/200 (0%), 1 min 20 s left"
    assert lines[-1] == "episodes 20/200 (10%), 30 s left"
    assert MODEL_SECONDS not in out.getvalue()


def test_episodes_of_known_calls_foretell_no_time() -> None:
    clock = Clock()
    report, out = report_lines(clock)

    for n_finished in (0, 50, 100):
        report(MODEL_SECONDS, 0, 110)
        report("episodes", n_finished, 300)
        clock.now += 0.1

    assert out.getvalue().splitlines()[-1] == "episodes 100/300 (33%)"


def test_no_time_is_left_to_tell_where_the_foretold_one_is_over() -> None:
    clock = Clock()
    report, out = report_lines(clock)

    for second in range(0, 100, 10):
        clock.now = float(second)
        report(MODEL_SECONDS, min(second, 50), 50)
        report("episodes", 20 * (second >= 80), 200)

    assert out.getvalue().splitlines()[-1] == "episodes 20/200 (10%)"


def test_nothing_is_told_twice() -> None:
    report, out = report_lines(Clock())

    report("episodes", 10, 10)
    report("episodes", 10, 10)

    assert out.getvalue() == "episodes 10/10 (100%)\n"


def test_a_count_that_begins_again_has_lines_and_a_time_left_of_its_own() -> None:
    clock = Clock()
    report, out = report_lines(clock)
    for n_finished in (0, 50, 100):
        report("episodes", n_finished, 100)
        clock.now += 100.0
    report("episodes", 0, 100)
    clock.now += 10.0
    report("episodes", 10, 100)
    lines = out.getvalue().splitlines()
    assert lines[-1] == "episodes 10/100 (10%), 1 min 30 s left"


def test_each_unit_has_lines_of_its_own() -> None:
    report, out = report_lines(Clock())

    report("passages", 8, 8)
    report("episodes", 2, 4)

    assert out.getvalue().splitlines()[0] == "passages 8/8 (100%)"
    assert out.getvalue().splitlines()[1].startswith("episodes 2/4 (50%)")


def test_progress_goes_to_stderr(capsys: Captured) -> None:
    with progress() as report:
        report("episodes", 5, 5)

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "episodes 5/5 (100%)\n"


def test_bar_on_a_terminal_starts_at_the_first_report(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")

    with progress() as report:
        before = capsys.readouterr().err
        report("episodes", 1, 4)
        report("episodes", 4, 4)

    assert before == ""
    assert "4/4" in capsys.readouterr().err


def test_loggers_keep_their_stream_after_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    streams = [getattr(handler, "stream", None) for handler in logging.getLogger().handlers]

    with progress() as report:
        report("episodes", 1, 2)

    after = [getattr(handler, "stream", None) for handler in logging.getLogger().handlers]
    assert after == streams


def test_check_says_what_to_do(capsys: Captured) -> None:
    print_check(Check("disk", Status.WARNING, "1.5 GB free at /x", "free some space"))

    assert capsys.readouterr().out == (
        "warning  disk: 1.5 GB free at /x\n         -> free some space\n"
    )


def test_check_that_is_fine_is_one_line(capsys: Captured) -> None:
    print_check(Check("Python", Status.OK, "3.11.7"))

    assert capsys.readouterr().out == "ok       Python: 3.11.7\n"


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        (Verdict("cells", True, "20 cells"), "ok       cells: 20 cells\n"),
        (Verdict("cells", False, "[x] is FAILED"), "failed   cells: [x] is FAILED\n"),
        (finding("argo best", Claim.NO, "-0.1"), "finding  argo best: no: -0.1\n"),
        (finding("argo best", Claim.YES, "+0.1"), "finding  argo best: yes: +0.1\n"),
        (
            finding("argo best", Claim.OPEN, "+0.02 [-0.19, +0.23]"),
            "finding  argo best: not settled by this n: +0.02 [-0.19, +0.23]\n",
        ),
    ],
)
def test_verdict_is_one_line(verdict: Verdict, line: str, capsys: Captured) -> None:
    print_verdict(verdict)

    assert capsys.readouterr().out == line


def corpus(**changes: Any) -> Corpus:
    values: dict[str, Any] = {
        "retriever": None,
        "digest": "d1",
        "source": "docs",
        "n_passages": 12,
        "collection": "argo-d1",
        "was_built": True,
    }
    return Corpus(**{**values, **changes})


def test_corpus_names_what_could_not_be_read(capsys: Captured) -> None:
    print_corpus(corpus(rejected=(RejectedFile("a.pdf", "encrypted"),)))

    assert capsys.readouterr().out == (
        "index built: 12 passages of docs\n"
        "collection argo-d1, digest d1\n"
        "not read: a.pdf: encrypted\n"
    )


def test_index_that_was_there_is_found(capsys: Captured) -> None:
    print_corpus(corpus(was_built=False))

    assert capsys.readouterr().out.startswith("index found: 12 passages of docs\n")


def answered(**changes: Any) -> Answered:
    peru = Passage("p1", "Lima is the capital of Peru. " * 20, "Peru [country]")
    steps = (
        Step("Capital?", Action.RETRIEVE, "Lima.", 0.25, 0.11, evidence=(Evidence(peru, 0.8123),)),
        Step("Capital?", Action.RETRIEVE, "", 0.25, 0.11, succeeded=False, fallback=True),
        Step("Why?", Action.REASON, "Because [of] it.", 0.33, 0.02),
    )
    values: dict[str, Any] = {
        "question_id": "asked",
        "answer": Answer("Lima", 0, scores=(-0.2, -1.5)),
        "steps": steps,
        "stop_reason": StopReason.LIMIT,
        "progress": 0.33,
        "usage": Usage(2, 1, 1, 1, 500, 60, 3.25),
    }
    question = Question("asked", "What is the capital of Peru?", choices=("Lima", "Quito"))
    table = result_builders.policy_table(CellSpec(retrieval_cost=0.11))
    return Answered(question, "argo", 0.11, Outcome(**{**values, **changes}), table)


def test_trajectory_is_shown_step_by_step(capsys: Captured) -> None:
    print_answered(answered())

    out = capsys.readouterr().out
    assert "Step 1  retrieve  price 0.11, progress 0.00 -> 0.25" in out
    assert "0.81  Peru [country]: Lima is the capital of Peru." in out
    assert "Step 3  reason  price 0.02, progress 0.25 -> 0.33" in out
    assert "answer: Because [of] it." in out
    assert "nothing similar enough was found" in out
    assert "(the question itself: the model's was empty or repeated)" in out
    assert "*   -0.200  Lima" in out
    assert "Answer  Lima" in out
    assert "Stopped because the step limit was reached, at U = 0.33" in out
    assert "Cost 0.24: 2 retrievals, 1 reasoning steps" in out
    assert "Language-model calls 5: decomposer 2, reader 1, reasoner 1, synthesizer 1" in out


def test_long_passages_show_their_first_words(capsys: Captured) -> None:
    print_answered(answered())

    assert capsys.readouterr().out.count("capital of Peru.") == 4


def test_unreadable_answer_is_told(capsys: Captured) -> None:
    print_answered(answered(answer=Answer("well", None, parsed=False)))

    assert "Answer  well  (could not be read as an answer)" in capsys.readouterr().out


@pytest.mark.parametrize(("strategy", "is_told"), [("argo", True), ("always_reason", False)])
def test_a_price_explains_what_argo_does_alone(
    strategy: str, is_told: bool, capsys: Captured
) -> None:
    of_argo = answered()
    table = of_argo.table.model_copy(update={"theta_cont": 0.0, "theta_star": 0.5})

    print_answered(replace(of_argo, strategy=strategy, table=table))

    assert ("a retrieval is too dear at this price" in capsys.readouterr().out) == is_told
