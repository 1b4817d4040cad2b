"""The result table of a sweep or a cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE
from rich.console import JustifyMethod
from rich.table import Table

from argo_ml.cli.rendering.console import console
from argo_ml.evaluation.break_even import break_evens
from argo_ml.evaluation.firing import fire_share, is_degenerate
from argo_ml.evaluation.record import BreakEven, Evaluation
from argo_ml.evaluation.roles import gained_nowhere, is_ceiling
from argo_ml.evaluation.sentences import break_even_value
from argo_ml.results.metrics import withholds
from argo_ml.results.naming import described_questions, listed_floors, model_name
from argo_ml.results.question_rows import row_flags
from argo_ml.results.records import CellResult, Results
from argo_ml.results.unit import WITHHELD, Unit, cost_decimals, unit_of
from argo_ml.statistics.intervals import nearly_highest
from argo_ml.tracking.location import RunLocation, locate


@dataclass(frozen=True, slots=True)
class _Column:
    """``text`` is of a cell, and whether it is the best at its price.

    Where the metric ``shows`` is 0 for every cell, the column is left out.
    """

    heading: str
    text: Callable[[CellResult, bool], str]
    justify: JustifyMethod = "right"
    shows: str = ""


def print_evaluated(results: Results, evaluation: Evaluation) -> None:
    """What was found of results, by their evaluation, and where the run is.

    Evaluations of earlier versions have no break-even prices.
    """
    computed = evaluation.break_evens or None
    print_results(results, conclusion=evaluation.conclusion, computed=computed)


def print_results(
    results: Results,
    location: RunLocation | None = None,
    conclusion: Sequence[str] = (),
    computed: Sequence[BreakEven] | None = None,
) -> None:
    """Table, the evaluation's conclusion where there is one, floors, calls, and where the run is.

    ``location`` is looked up where not given, and break-even prices are ``computed`` where not.
    """
    out = console()
    prices = break_evens(results) if computed is None else computed
    for line in (*_break_even(prices, unit_of(results.spec)), _heading(results)):
        out.print(line, soft_wrap=True)
    out.print(results_table(results))
    for line in (*conclusion, *_notes(results), *whereabouts(location or locate(results.sweep_id))):
        out.print(line, soft_wrap=True)


def results_table(results: Results) -> Table:
    """One row per cell, grouped by price.

    ``*`` marks the best utility at its price among those that do not know the answers.
    """
    table = Table(header_style="bold", box=SIMPLE, pad_edge=False)
    unit = unit_of(results.spec)
    columns = [
        column
        for column in _columns(unit, cost_decimals(results.prices))
        if not column.shows or any(cell.metrics[column.shows] for cell in results.cells)
    ]
    table.add_column(unit.heading.replace("a ", "a\n"), overflow="fold")
    for column in columns:
        table.add_column(column.heading, justify=column.justify, overflow="fold")
    for price in results.prices:
        cells = [cell for cell in results.cells if cell.retrieval_cost == price]
        best = _best_utility(cells)
        for index, cell in enumerate(cells):
            is_best = cell.metrics["utility"] >= best and not is_ceiling(cell.strategy)
            table.add_row(
                unit.price(price) if index == 0 else "",
                *(column.text(cell, is_best) for column in columns),
                style="bold" if is_best else None,
                end_section=index == len(cells) - 1,
            )
    return table


def _best_utility(cells: Sequence[CellResult]) -> float:
    """The highest but for rounding; infinite where fewer than two compete."""
    utilities = [cell.metrics["utility"] for cell in cells if not is_ceiling(cell.strategy)]
    return nearly_highest(utilities) if len(utilities) > 1 else math.inf


def _columns(unit: Unit, cost_digits: int) -> Iterator[_Column]:
    """In a unit of the user's own there is also what 1,000 questions come to."""
    yield _Column("strategy", lambda cell, _: _name(cell), "left")
    yield _Column("accuracy [95 % CI]", lambda cell, _: _accuracy(cell), "left")
    yield _measure("retrieve", "retrieval_calls", 2)
    yield _measure("reason", "reason_calls", 2, shows="reason_calls")
    yield _measure("cost", "cost", cost_digits)
    yield _Column(
        "utility",
        lambda cell, is_best: f"{cell.metrics['utility']:.3f}{'*' if is_best else ' '}",
    )
    if unit.is_own:
        yield _Column(
            unit.worth_heading.replace(" per ", " per\n"),
            lambda cell, _: unit.worth_of_thousand(cell.metrics["utility"]),
        )
    yield _Column("LM calls\npaid/needed", lambda cell, _: _calls(cell), shows="lm_calls_total")


def _measure(heading: str, metric: str, digits: int, shows: str = "") -> _Column:
    return _Column(heading, lambda cell, _: f"{cell.metrics[metric]:.{digits}f}", shows=shows)


def _accuracy(cell: CellResult) -> str:
    low, high = cell.metrics["accuracy_ci_low"], cell.metrics["accuracy_ci_high"]
    return f"{cell.metrics['accuracy']:.3f} [{low:.2f}, {high:.2f}]"


def _calls(cell: CellResult) -> str:
    return f"{cell.metrics['lm_calls_paid_total']:.0f}/{cell.metrics['lm_calls_total']:.0f}"


def _name(cell: CellResult) -> str:
    """With a second line where the strategy decides nothing."""
    return f"{cell.strategy}\n  degenerate" if is_degenerate(fire_share(cell)) else cell.strategy


def _heading(results: Results) -> str:
    spec = results.spec
    return (
        f"{len(results.cells)} cells, {described_questions(results)}, {model_name(spec)}, "
        f"seed {spec['seed']}; per question; * best utility at its price"
    )


def _break_even(prices: Sequence[BreakEven], unit: Unit) -> list[str]:
    """What the table begins with: where retrieving more stops to pay."""
    parts = [
        f"{break_even.more} against {break_even.fewer} {break_even_value(break_even, unit)}"
        for break_even in prices
    ]
    return [f"break-even price of a retrieval: {'; '.join(parts)}"] if parts else []


def _notes(results: Results) -> list[str]:
    paid = sum(cell.metrics["lm_calls_paid_total"] for cell in results.cells)
    needed = sum(cell.metrics["lm_calls_total"] for cell in results.cells)
    floors = listed_floors(results.floors)
    lines = [f"accuracy without a model: {floors}"] if floors else []
    if needed:
        lines.append(f"language-model calls: {paid:.0f} paid of {needed:.0f} needed")
    n_answers = sum(len(cell.questions) for cell in results.cells)
    n_unparsed = n_answers - sum(sum(row_flags(cell.questions, "parsed")) for cell in results.cells)
    if n_unparsed:
        lines.append(f"{n_unparsed} of {n_answers} answers could not be read and count as wrong")
    if withholds(results) and unit_of(results.spec).is_own:
        lines.append(f"cost: with {WITHHELD}")
    if any(is_degenerate(fire_share(cell)) for cell in results.cells):
        lines.append(
            "degenerate: a gate that retrieves for less than 1 % or more than 99 % of the "
            "questions, so that it decides nothing"
        )
    if baselines := [name for name in results.strategies if gained_nowhere(name)]:
        lines.append(
            "baselines, which gained nothing where they were measured (docs/policies.md): "
            f"{', '.join(baselines)}"
        )
    return lines


def whereabouts(location: RunLocation) -> list[str]:
    """Lines that say where a run is and how to look at it."""
    lines = [f"run {location.run_id} in experiment {location.experiment!r}"]
    if location.command:
        lines.append(f"to see it: {location.command}")
    if location.address:
        lines.append(f"{'then open' if location.command else 'open'} {location.address}")
    return lines
