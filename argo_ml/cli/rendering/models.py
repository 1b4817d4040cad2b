"""The table of a comparison of models."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.table import Table

from argo_ml.cli.rendering.console import console
from argo_ml.cli.rendering.results import whereabouts
from argo_ml.comparison.model_comparison import ComparedCell, ModelComparison
from argo_ml.results.naming import told_apart
from argo_ml.results.unit import Unit
from argo_ml.statistics.intervals import Estimate
from argo_ml.tracking.location import locate


def print_comparison(comparison: ModelComparison) -> None:
    """One row per strategy, price and model, then every model's peak memory, and where it is."""
    out = console()
    names = told_apart([model.model for model in comparison.models])
    out.print(comparison_table(comparison))
    for model in comparison.models:
        peaks = ", ".join(f"{name} {value:,.0f}" for name, value in model.peaks.items())
        out.print(f"{names[model.model]}: {peaks or 'no memory readings'}", soft_wrap=True)
    for line in whereabouts(locate(comparison.comparison_id)):
        out.print(line, soft_wrap=True)


def comparison_table(comparison: ModelComparison) -> Table:
    table, unit = Table(header_style="bold", box=SIMPLE, pad_edge=False), comparison.unit.shown
    for heading in (unit.heading, "strategy", "model"):
        table.add_column(heading, overflow="fold")
    for heading in ("accuracy [95 % CI]", "difference [95 % CI]", "utility", "LM s", "tokens"):
        table.add_column(heading, justify="right", overflow="fold")
    names = told_apart([model.model for model in comparison.models])
    columns = [comparison.of(model.model) for model in comparison.models]
    for cells in zip(*columns, strict=True):
        for index, cell in enumerate(cells):
            row = _row(cell, names[cell.model], unit, is_first=index == 0)
            table.add_row(*row, end_section=index == len(cells) - 1)
    return table


def _row(cell: ComparedCell, model: str, unit: Unit, is_first: bool) -> tuple[str, ...]:
    low, high = cell.difference_ci_low, cell.difference_ci_high
    return (
        unit.price(cell.retrieval_cost) if is_first else "",
        cell.strategy if is_first else "",
        model,
        f"{cell.accuracy:.3f} [{cell.accuracy_ci_low:.2f}, {cell.accuracy_ci_high:.2f}]",
        "" if is_first else f"{Estimate(cell.difference, low, high):+z.3f}",
        f"{cell.utility:.3f}",
        f"{cell.lm_seconds:.1f}",
        f"{cell.tokens:,.0f}",
    )
