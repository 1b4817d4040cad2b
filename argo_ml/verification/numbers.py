"""Do the numbers follow from the question rows, and the rows from the trajectories."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from argo_ml.config import CellSpec, ExperimentSpec, SweepSpec, shared_fields
from argo_ml.errors import ArgoError
from argo_ml.evaluation.promises import WITHOUT_ANSWER
from argo_ml.policies import ALL_STRATEGIES
from argo_ml.pricing import Tariff
from argo_ml.results.artifacts import RESULTS
from argo_ml.results.metrics import (
    ALL_METRICS,
    calls_needed,
    calls_paid,
    cell_metrics,
    is_compared,
    reason_calls,
    retrieval_calls,
    sweep_metrics,
)
from argo_ml.results.question_rows import row_values
from argo_ml.results.records import EARLIER_NAMES, CellResult, QuestionResult, Results
from argo_ml.sweep.cells import cell_tariff
from argo_ml.sweep.record import SweepRecord
from argo_ml.tracking.names import logged_metrics
from argo_ml.tracking.runs import CALLS_ELSEWHERE
from argo_ml.types import Action, Prices, StopReason
from argo_ml.verification.verdict import Verdict, judged

TOLERANCE = 1e-9
_ABSENT = {
    "probe_calls": 0.0,
    "sample_calls": 0.0,
    "stop_abstain": 0.0,
    "unanswered": 0.0,
    "repeated_retrievals": 0.0,
}
"""What metrics of later versions are in sweeps of earlier ones, which knew nothing of the kind."""


def check_metrics(record: SweepRecord, spec: SweepSpec, results: Results) -> Verdict:
    """The metrics recomputed from the rows are those in results.json and on each run."""
    problems = wrong_metrics(record, spec.mu, results)
    if not problems:
        problems += differences("the sweep", sweep_metrics(results), logged_metrics(record.run))
    return judged(
        "metrics", problems, "recomputed from the question rows, equal to those on every run"
    )


def wrong_metrics(record: SweepRecord, mu: float, results: Results) -> list[str]:
    problems = []
    for cell in results.cells:
        if not cell.questions:
            problems.append(f"{cell.name} has no questions")
            continue
        recomputed = recomputed_metrics(cell, mu)
        child = record.child_of(cell)
        logged = logged_metrics(child) if child is not None else {}
        shown = {name: value for name, value in recomputed.items() if is_compared(name)}
        for where, wanted, values in (
            (RESULTS, recomputed, cell.metrics),
            ("the run", shown, logged),
        ):
            problems += differences(f"{cell.name} in {where}", wanted, values)
    return problems


def recomputed_metrics(cell: CellResult, mu: float) -> dict[str, float]:
    """The metrics that follow from the rows of a cell; those of plugins where it has them: one may
    have been installed since."""
    return {
        name: value
        for name, value in cell_metrics(cell.questions, mu, cell.policy).items()
        if name in cell.metrics or not ALL_METRICS.is_plugin(name)
    }


def differences(where: str, wanted: Mapping[str, float], stored: Mapping[str, float]) -> list[str]:
    """One line for each metric that is stored otherwise than it is wanted, by whatever name an
    earlier version gave it."""
    stored = {EARLIER_NAMES.get(name, name): value for name, value in stored.items()}
    return [
        f"{where}: {name} is {stored.get(name)}, recomputed {value}"
        for name, value in wanted.items()
        if not are_equal(stored.get(name, _ABSENT.get(name, math.nan)), value)
    ]


def check_calls(record: SweepRecord, results: Results) -> Verdict:
    """Calls follow from the actions, paid ones are among those needed, and the sums agree."""
    problems = wrong_calls(results)
    paid = sum(calls_paid(cell.questions) for cell in results.cells)
    needed = sum(calls_needed(cell.questions) for cell in results.cells)
    for name, total in (("lm_calls_paid_total", paid), ("lm_calls_total", needed)):
        logged = logged_metrics(record.run).get(name)
        if logged is None or not are_equal(logged, total):
            problems.append(f"{name} of the sweep is {logged}, the rows add up to {total}")
    executed = logged_metrics(record.run).get("lm_calls_executed", math.inf)
    # The ledger here knows nothing of the caches of workers elsewhere; earlier versions did not say
    # where they were.
    is_elsewhere = CALLS_ELSEWHERE in record.run.data.tags or results.spec.get("executor") == "ray"
    if executed < paid and not is_elsewhere:
        problems.append(f"{paid} calls paid, but the ledger has {executed:.0f} executed for it")
    return judged("calls add up", problems, f"{paid} paid of {needed} needed")


def wrong_calls(results: Results) -> list[str]:
    return [
        f"{cell.name}, question {row.question_id}: {text}"
        for cell in results.cells
        for row in cell.questions
        for text in _wrong_calls(row, ALL_STRATEGIES[cell.strategy].is_ceiling)
    ]


def _wrong_calls(row: QuestionResult, in_hindsight: bool) -> list[str]:
    """Who calls the model: every later step's decomposer, every successful retrieval's reader,
    every reasoning step, and the synthesizer once, unless it abstains.

    A policy that looks at the sentence to come has asked for the next sub-question already, and so
    has an episode that ended within a step because the model did not take its prompt. Who chooses
    in hindsight pays for what it tried and did not choose.
    """
    problems = []
    n_decomposed = max(len(row.actions) - 1, 0)
    begins_a_step = row.probe_calls or row.unanswered
    asked_ahead = len(row.actions) if begins_a_step else n_decomposed
    if row.decomposer_calls not in (n_decomposed, asked_ahead):
        problems.append(f"{row.decomposer_calls} decomposer calls in {len(row.actions)} steps")
    if row.reader_calls != row.retrieval_successes:
        problems.append(f"{row.reader_calls} reader calls, {row.retrieval_successes} successes")
    if row.retrieval_successes > retrieval_calls(row):
        problems.append(f"{row.retrieval_successes} successes of {retrieval_calls(row)} retrievals")
    if row.reasoner_calls != reason_calls(row):
        problems.append(f"{row.reasoner_calls} reasoner calls in {reason_calls(row)} steps")
    if row.synthesizer_calls != int(row.stop_reason not in WITHOUT_ANSWER):
        problems.append(f"{row.synthesizer_calls} synthesizer calls")
    if row.lm_calls_paid < 0 or (row.lm_calls_paid > row.usage.calls and not in_hindsight):
        problems.append(f"{row.lm_calls_paid} calls paid of {row.usage.calls} needed")
    return problems


_ACTED = ("question_id", "actions", "retrieval_successes")
_ANSWERED = ("answer", "choice", "correct")


def check_consistency(results: Results) -> Verdict:
    """Graph 1.A against Graph 1.B: the same actions and successes give the same answer.

    Strategies with queries of their own find other things by the same actions.
    """
    seen: dict[tuple[object, ...], tuple[tuple[object, ...], str]] = {}
    problems, n_compared = [], 0
    for cell in results.cells:
        strategy = ALL_STRATEGIES[cell.strategy]
        if strategy.own_queries or strategy.is_ceiling:
            continue
        columns = row_values(cell.questions, *_ACTED, *_ANSWERED)
        for question_id, actions, n_successes, *values in columns:
            key, answer = (question_id, actions, n_successes), tuple(values)
            n_before = len(seen)
            first, name = seen.setdefault(key, (answer, cell.name))
            n_compared += len(seen) == n_before
            if first != answer:
                problems.append(
                    f"question {question_id}: {name} and {cell.name} acted alike and "
                    f"answered {first[0]!r} and {answer[0]!r}"
                )
    return judged(
        "Graph 1.A and 1.B agree",
        problems,
        f"{n_compared} times a question met the same actions again, each with the same answer",
    )


def check_trajectories(record: SweepRecord, spec: ExperimentSpec, results: Results) -> Verdict:
    """Every step of every cell agrees with the rows, the prices, and the stored passages."""
    problems: list[str] = []
    n_steps = 0
    try:
        passages = record.passage_ids()
        for cell in results.cells:
            checked = _wrong_trajectories(cell, record.trajectories(cell), spec, passages)
            problems += checked.problems
            n_steps += checked.n_steps
    except (ArgoError, KeyError, TypeError) as error:
        problems.append(_unreadable(error))
    return judged(
        "trajectories", problems, f"{n_steps} steps agree with the rows, prices and passages"
    )


def _unreadable(error: Exception) -> str:
    return str(error) if isinstance(error, ArgoError) else f"a line lacks {error}"


@dataclass(frozen=True, slots=True)
class _Checked:
    problems: list[str]
    n_steps: int


def _wrong_trajectories(
    cell: CellResult, lines: Iterable[Mapping[str, Any]], spec: ExperimentSpec, passages: set[str]
) -> _Checked:
    cell_spec = CellSpec(
        **shared_fields(spec, ExperimentSpec),
        strategy=cell.strategy,
        retrieval_cost=cell.retrieval_cost,
    )
    prices, tariff = cell_spec.step_prices, cell_tariff(cell_spec)
    problems, n_steps = [], 0
    for line, row in zip_longest(lines, cell.questions):
        if line is None or row is None or line.get("question_id") != row.question_id:
            other = f"{cell.name}: trajectories are of other questions than the rows"
            # A damaged line further on says more, and is an error.
            deque(lines, maxlen=0)
            return _Checked([other], n_steps)
        problems += [
            f"{cell.name}, question {row.question_id}: {text}"
            for text in _wrong_trajectory(line, row, prices, tariff, passages)
        ]
        n_steps += len(line["steps"])
    return _Checked(problems, n_steps)


def _wrong_trajectory(
    line: Mapping[str, Any],
    row: QuestionResult,
    prices: Prices,
    tariff: Tariff | None,
    passages: set[str],
) -> list[str]:
    steps = line["steps"]
    actions = tuple(step["action"] for step in steps)
    problems = []
    if actions != row.actions:
        problems.append("other actions than its row")
    elif any(not are_equal(step["cost"], _price(step["action"], prices)) for step in steps):
        problems.append("a step at another price than the cell's")
    if (line["answer"], line["choice"]) != (row.answer, row.choice):
        problems.append("another answer than its row")
    if line["stop_reason"] != row.stop_reason:
        problems.append("another stop reason than its row")
    n_successes = sum(
        step["succeeded"] for step in steps if step["action"] == Action.RETRIEVE.value
    )
    if n_successes != row.retrieval_successes:
        problems.append("other retrieval successes than its row")
    cost, how = _cost(row, prices, tariff)
    if not (are_equal(row.cost, cost) and are_equal(line["cost"], cost)):
        problems.append(f"cost is {row.cost}, {how} is {cost}")
    cited = {hit["passage_id"] for step in steps for hit in step["evidence"]}
    problems += [f"passage {name!r} is not stored" for name in sorted(cited - passages)]
    return problems


def _price(action: str, prices: Prices) -> float:
    """The price of an action by its name; not a number for what is no action."""
    known = {kind.value: prices.of(kind) for kind in (Action.RETRIEVE, Action.REASON)}
    return known.get(action, math.nan)


def are_equal(first: float, second: float) -> bool:
    return math.isclose(first, second, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _cost(row: QuestionResult, prices: Prices, tariff: Tariff | None) -> tuple[float, str]:
    """What the row's question cost, and how that is reckoned."""
    if tariff is not None:
        has_abstained = row.stop_reason == StopReason.ABSTAIN.value
        cost = tariff.cost(row.usage, retrieval_calls(row), has_abstained)
        return cost, "the price of all that it used, as a share of a right answer,"
    cost = math.fsum(_price(action, prices) for action in row.actions)
    return cost + prices.probe * row.usage.probing_calls, "c_r x retrievals + c_p x reasons"
