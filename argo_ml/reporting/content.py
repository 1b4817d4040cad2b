"""What the report says beyond the evaluation's own numbers: marks, sums and key numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from argo_ml.evaluation.breakdowns import middle_price
from argo_ml.evaluation.record import ByDifficulty, Contrast, Evaluation, StrategyRow
from argo_ml.evaluation.roles import gained_nowhere
from argo_ml.evaluation.sentences import break_even_value
from argo_ml.policies.description import BASELINE
from argo_ml.reporting.formatting import difference, number, percent
from argo_ml.reporting.strategy_kinds import Kind, kinds, of_kind
from argo_ml.results.naming import described_questions, model_name
from argo_ml.results.records import Results
from argo_ml.results.unit import Unit, unit_of
from argo_ml.statistics.intervals import nearly_highest

LEVEL = 0.05
"""Of Holm's adjusted p-values."""


MARKS = {
    "best": "the highest utility at the price among all that do not know the answers",
    "best fixed": "the highest among strategies that treat all questions alike",
    "fixed": "treats all questions alike",
    "ceiling": "knows the right answers, which no method does",
    "degenerate": "a gate that retrieves for less than 1 % or more than 99 % of the questions, so "
    "that it decides nothing",
    BASELINE: "a published method, or an earlier one of ARGO's, that gained nothing over the best "
    "fixed strategy on the data that docs/policies.md says, and is kept to be compared with",
}


@dataclass(frozen=True, slots=True)
class MarkedRow:
    """``marks`` are names of `MARKS`."""

    row: StrategyRow
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overall:
    """One strategy over all prices, over which ``mean_utility`` is averaged.

    ``n_better`` and ``n_worse`` count the prices at which it differs from the best fixed strategy
    by Holm's adjusted p-value, None for what was not compared.
    """

    strategy: str
    kind: str
    mean_utility: float
    n_best: int
    n_better: int | None
    n_worse: int | None


@dataclass(frozen=True, slots=True)
class DifficultyTable:
    """``sizes``: questions of each difficulty; ``rows``: by strategy, then by difficulty."""

    sizes: dict[str, int]
    rows: dict[str, dict[str, ByDifficulty]]


@dataclass(frozen=True, slots=True)
class KeyNumber:
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Content:
    """What the template is filled with, beside the figures."""

    title: str
    evaluation: Evaluation
    results: Results
    middle_price: float
    by_price: dict[float, list[MarkedRow]]
    difficulty: dict[float, DifficultyTable]
    overall: list[Overall]
    key_numbers: list[KeyNumber]


def content(evaluation: Evaluation, results: Results) -> Content:
    by_price = {cost: _marked(evaluation, cost) for cost in sorted(evaluation.prices)}
    return Content(
        title=f"{model_name(results.spec)} on {described_questions(results)}",
        evaluation=evaluation,
        results=results,
        middle_price=middle_price(evaluation.prices),
        by_price=by_price,
        difficulty={cost: _by_difficulty(evaluation, cost) for cost in evaluation.prices},
        overall=sorted(_overall(evaluation, by_price.values()), key=lambda own: -own.mean_utility),
        key_numbers=list(_key_numbers(evaluation, unit_of(results.spec))),
    )


def _marked(evaluation: Evaluation, at: float) -> list[MarkedRow]:
    """The rows of one price, the most useful first, with their marks; equal ones have the same."""
    rows = evaluation.rows_at(at)
    best = nearly_highest(row.utility.mean for row in rows if not row.is_ceiling)
    best_fixed = nearly_highest(row.utility.mean for row in rows if row.is_fixed)
    marked = [MarkedRow(row, tuple(_marks(row, best, best_fixed))) for row in rows]
    return sorted(marked, key=lambda own: -own.row.utility.mean)


def _marks(row: StrategyRow, best: float, best_fixed: float) -> Iterator[str]:
    if row.is_ceiling:
        yield "ceiling"
    elif row.utility.mean >= best:
        yield "best"
    if row.is_fixed:
        yield "best fixed" if row.utility.mean >= best_fixed else "fixed"
    if row.is_degenerate:
        yield "degenerate"
    if gained_nowhere(row.strategy):
        yield BASELINE


def _by_difficulty(evaluation: Evaluation, at: float) -> DifficultyTable:
    table = DifficultyTable({}, {})
    for row in evaluation.by_difficulty:
        if row.retrieval_cost == at:
            table.sizes[row.difficulty] = row.n
            table.rows.setdefault(row.strategy, {})[row.difficulty] = row
    return table


def _overall(evaluation: Evaluation, tables: Collection[Sequence[MarkedRow]]) -> Iterator[Overall]:
    kind_by_strategy = kinds(evaluation)
    for strategy, utility in evaluation.mean_utilities.items():
        contrasts = [own for own in evaluation.contrasts if own.strategy == strategy]
        yield Overall(
            strategy=strategy,
            kind=kind_by_strategy[strategy].value if strategy in kind_by_strategy else "",
            mean_utility=utility,
            n_best=sum(
                marked.row.strategy == strategy and "best" in marked.marks
                for table in tables
                for marked in table
            ),
            n_better=sum(map(_is_better, contrasts)) if contrasts else None,
            n_worse=sum(map(_is_worse, contrasts)) if contrasts else None,
        )


def _is_better(contrast: Contrast) -> bool:
    return contrast.holm_utility < LEVEL and contrast.utility.mean > 0


def _is_worse(contrast: Contrast) -> bool:
    return contrast.holm_utility < LEVEL and contrast.utility.mean < 0


def _key_numbers(evaluation: Evaluation, unit: Unit) -> Iterator[KeyNumber]:
    for break_even in evaluation.break_evens:
        yield KeyNumber(
            break_even_value(break_even, unit),
            f"break-even price of a retrieval: below it {break_even.more} is more useful than "
            f"{break_even.fewer}, and its 95 % interval",
        )
    for break_even in evaluation.break_evens[:1]:
        yield KeyNumber(
            f"{percent(break_even.corrected)} / {percent(break_even.spoiled)}",
            f"of the answers that {break_even.more} corrects / spoils, against {break_even.fewer}",
        )
    yield from _deciding(evaluation)
    yield from _mean_utilities(evaluation)
    n_strategies, n_prices = len(kinds(evaluation)), len(evaluation.prices)
    yield KeyNumber(
        str(evaluation.n_questions),
        f"questions, each under {n_strategies} strategies at {n_prices} retrieval costs",
    )
    yield from _confidence(evaluation)


def _deciding(evaluation: Evaluation) -> Iterator[KeyNumber]:
    """What deciding by the question gains, where a strategy ran that can."""
    headline = evaluation.headline
    if headline is not None and not headline.changes_nothing:
        yield KeyNumber(
            difference(headline.gain),
            f"mean utility of {headline.strategy} minus that of the best fixed strategy of each "
            "price, and its 95 % interval",
        )
    contrasts = evaluation.contrasts
    if headline is not None and contrasts:
        yield KeyNumber(
            f"{sum(map(_is_better, contrasts))} of {len(contrasts)}",
            "comparisons in which a strategy beats the best fixed one, p-values adjusted for their "
            "number (Holm); "
            f"in {sum(map(_is_worse, contrasts))} it is worse",
        )


def _mean_utilities(evaluation: Evaluation) -> Iterator[KeyNumber]:
    """Averaged over the prices, so that the first two differ by the gain of deciding."""
    best_fixed = list(evaluation.best_fixed().values())
    utilities = evaluation.mean_utilities
    if evaluation.headline is not None:
        name = evaluation.headline.strategy
        yield KeyNumber(number(utilities[name]), f"mean utility of {name} over the prices")
    if best_fixed:
        names = ", ".join(dict.fromkeys(row.strategy for row in best_fixed))
        yield KeyNumber(
            number(fmean(row.utility.mean for row in best_fixed)),
            f"mean utility of the best fixed strategy of each price ({names})",
        )
    for name in of_kind(evaluation, Kind.CEILING):
        if name in utilities:
            what = f"mean utility of the ceiling, {name}, which knows the answers"
            yield KeyNumber(number(utilities[name]), what)


def _confidence(evaluation: Evaluation) -> Iterator[KeyNumber]:
    if evaluation.p_hat:
        p_hat = evaluation.p_hat
        yield KeyNumber(
            number(p_hat.ece),
            f"calibration error (ECE) of p-hat over all {p_hat.n} states that it was looked at in; "
            f"a perfect p-hat would have {number(p_hat.ece_if_calibrated)} on as many",
        )
    saving = max((gate.retrieval_reduction or 0.0 for gate in evaluation.frontiers), default=0.0)
    if saving > 0:
        best = next(gate for gate in evaluation.frontiers if gate.retrieval_reduction == saving)
        yield KeyNumber(
            percent(saving),
            f"of the retrievals that {best.gate} could save at an accuracy within 1 point of "
            "retrieving always, if it knew all questions beforehand",
        )
