"""The result table of a sweep or a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE
from rich.console import JustifyMethod
from rich.table import Table

from argo_ml.cli.rendering.console import console
from argo_ml.evaluation.break_even import break_evens
from argo_ml.evaluation.firing import fire_share, is_degenerate
from argo_ml.evaluation.roles import is_ceiling
from argo_ml.evaluation.sentences import break_even_value
from argo_ml.results.naming import described_questions, listed_floors, model_name
from argo_ml.results.question_rows import row_flags
from argo_ml.results.records import CellResult, Results
from argo_ml.results.unit import THOUSAND, Unit, unit_of
from argo_ml.tracking.location import RunLocation, locate

_COLUMNS: Mapping[str, JustifyMethod] = {
    "c_r": "left",
    "strategy": "left",
    "accuracy [95 % CI]": "left",
    "retrieve": "right",
    "reason": "right",
    "cost": "right",
    "utility": "right",
    "LM calls\npaid/needed": "right",
}


def print_results(
    results: Results, location: RunLocation | None = None, conclusion: Sequence[str] = ()
) -> None:
    """Table, the evaluation's conclusion where there is one, floors, calls, and where the run is.

    ``location`` is looked up where not given.
    """
    out = console()
    for line in (*_break_even(results), _heading(results)):
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
    for name, justify in _columns(unit).items():
        table.add_column(name, justify=justify, overflow="fold")
    for price in results.prices:
        cells = [cell for cell in results.cells if cell.retrieval_cost == price]
        best = _best_utility(cells)
        for index, cell in enumerate(cells):
            is_best = cell.metrics["utility"] == best and not is_ceiling(cell.strategy)
            table.add_row(
                unit.price(price) if index == 0 else "",
                *_row(cell, is_best, unit),
                style="bold" if is_best else None,
                end_section=index == len(cells) - 1,
            )
    return table


def _columns(unit: Unit) -> dict[str, JustifyMethod]:
    """In a unit of the user's own the price is in it, and what 1,000 questions come to."""
    columns: dict[str, JustifyMethod] = {}
    for name, justify in _COLUMNS.items():
        columns["price of a\nretrieval" if unit.is_own and name == "c_r" else name] = justify
        if unit.is_own and name == "utility":
            columns[f"{unit.label} per\n1,000 questions"] = "right"
    return columns


def _best_utility(cells: Sequence[CellResult]) -> float | None:
    """None where fewer than two compete."""
    utilities = [cell.metrics["utility"] for cell in cells if not is_ceiling(cell.strategy)]
    return max(utilities) if len(utilities) > 1 else None


def _row(cell: CellResult, is_best: bool, unit: Unit) -> tuple[str, ...]:
    values = cell.metrics
    low, high = values["accuracy_ci_low"], values["accuracy_ci_high"]
    return (
        _name(cell),
        f"{values['accuracy']:.3f} [{low:.2f}, {high:.2f}]",
        f"{values['retrieval_calls']:.2f}",
        f"{values['reason_calls']:.2f}",
        f"{values['cost']:.3f}",
        f"{values['utility']:.3f}{'*' if is_best else ' '}",
        *([f"{THOUSAND * unit.worth_of(values['utility']):.4g}"] if unit.is_own else []),
        f"{values['lm_calls_paid_total']:.0f}/{values['lm_calls_total']:.0f}",
    )


def _name(cell: CellResult) -> str:
    """With a second line where the strategy decides nothing."""
    return f"{cell.strategy}\n  degenerate" if is_degenerate(fire_share(cell)) else cell.strategy


def _heading(results: Results) -> str:
    spec = results.spec
    return (
        f"{len(results.cells)} cells, {described_questions(results)}, {model_name(spec)}, "
        f"seed {spec['seed']}; per question; * best utility at its price"
    )


def _break_even(results: Results) -> list[str]:
    """What the table begins with: where retrieving more stops to pay."""
    unit = unit_of(results.spec)
    parts = [
        f"{break_even.more} against {break_even.fewer} {break_even_value(break_even, unit)}"
        for break_even in break_evens(results)
    ]
    return [f"break-even price of a retrieval: {'; '.join(parts)}"] if parts else []


def _notes(results: Results) -> list[str]:
    paid = sum(cell.metrics["lm_calls_paid_total"] for cell in results.cells)
    needed = sum(cell.metrics["lm_calls_total"] for cell in results.cells)
    lines = [
        f"accuracy without a model: {listed_floors(results.floors)}",
        f"language-model calls: {paid:.0f} paid of {needed:.0f} needed",
    ]
    n_answers = sum(len(cell.questions) for cell in results.cells)
    n_unparsed = n_answers - sum(sum(row_flags(cell.questions, "parsed")) for cell in results.cells)
    if n_unparsed:
        lines.append(f"{n_unparsed} of {n_answers} answers could not be read and count as wrong")
    if any(is_degenerate(fire_share(cell)) for cell in results.cells):
        lines.append(
            "degenerate: a gate that retrieves for less than 1 % or more than 99 % of the "
            "questions, so that it decides nothing"
        )
    return lines


def whereabouts(location: RunLocation) -> list[str]:
    """Lines that say where a run is and how to look at it."""
    lines = [f"run {location.run_id} in experiment {location.experiment!r}"]
    if location.command:
        lines.append(f"to see it: {location.command}")
    lines.append(f"{'then open' if location.command else 'open'} {location.address}")
    return lines
