"""The figures of one cell: the solved policy, and what the episodes did."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from argo_ml.reporting.figures.style import at_price, legend_below, plain_figure, save, styled
from argo_ml.results.question_rows import row_values
from argo_ml.results.records import CellResult, PolicyTable
from argo_ml.results.unit import Unit
from argo_ml.types import Action

_FORMATS = ("png",)
_DPI = 120
"""A sweep has dozens of cells: small files, drawn quickly."""


def save_cell_figures(result: CellResult, unit: Unit, folder: Path) -> None:
    """Draw ``actions`` into ``folder``, and ``policy`` for a cell that acts by the process."""
    with styled():
        if result.policy.policy_value is not None:
            save(_policy(result, unit), folder, "policy", _FORMATS, _DPI)
        save(_actions(result, unit), folder, "actions", _FORMATS, _DPI)


def _policy(result: CellResult, unit: Unit) -> Figure:
    table = result.policy
    figure = plain_figure()
    axes = figure.add_subplot()
    for values, label, line, color, width in (
        (table.value, "V (best)", "-", "#bbbbbb", 5.0),
        (table.q_retrieve, "Q retrieve", "-", "#000000", 1.5),
        (table.q_reason, "Q reason", (0, (5, 1.5)), "#2166ac", 1.5),
        (table.q_stop, "Q stop", (0, (1.2, 1.2)), "#d95f02", 1.8),
    ):
        axes.plot(table.states, values, label=label, linestyle=line, color=color, linewidth=width)
    _mark_thresholds(axes, table)
    axes.set_xlabel("progress U")
    axes.set_ylabel("value (quality - price, discounted)")
    axes.set_title(
        f"Policy at {at_price(result.retrieval_cost, unit)}: V from U = 0 is {table.value[0]:.3f}, "
        f"by {result.strategy} {table.policy_value:.3f}"
    )
    legend_below(figure)
    return figure


def _mark_thresholds(axes: Axes, table: PolicyTable) -> None:
    for threshold, name, low, high in (
        (table.theta_cont, r"$\theta_{cont}$", 0.03, 0.95),
        (table.theta_star, r"$\theta^*$", 0.12, 0.87),
    ):
        if threshold is None:
            continue
        is_left = threshold < 0.5 * table.states[-1]
        axes.axvline(threshold, color="#555555", linewidth=0.9)
        axes.annotate(
            f"{name} = {threshold:.3g}",
            (threshold, high if is_left else low),
            xycoords=("data", "axes fraction"),
            xytext=(4 if is_left else -4, 0),
            textcoords="offset points",
            ha="left" if is_left else "right",
        )


def _actions(result: CellResult, unit: Unit) -> Figure:
    figure = plain_figure()
    axes = figure.add_subplot()
    taken = Counter(
        (step, action)
        for (actions,) in row_values(result.questions, "actions")
        for step, action in enumerate(actions, 1)
    )
    n_steps = max((step for step, _ in taken), default=0)
    steps = list(range(1, n_steps + 1))
    counts = {action: [taken[step, action.value] for step in steps] for action in _LOOKS}
    beneath = [0] * n_steps
    for action, (color, hatch) in _LOOKS.items():
        axes.bar(
            steps,
            counts[action],
            bottom=beneath,
            label=action.value,
            color=color,
            edgecolor="black",
            linewidth=0.6,
            hatch=hatch,
        )
        beneath = [low + count for low, count in zip(beneath, counts[action], strict=True)]
    axes.set_ylim(0, len(result.questions) * 1.05)
    axes.set_xlim(0.4, max(n_steps, 1) + 0.6)
    axes.set_xticks(steps[:: -(-max(n_steps, 1) // 20)])
    axes.set_xlabel("step")
    axes.set_ylabel("questions that took the action")
    axes.set_title(
        f"Actions of {result.strategy} at {at_price(result.retrieval_cost, unit)}, "
        f"n = {len(result.questions)} questions"
    )
    if n_steps == 0:
        axes.text(0.5, 0.5, "no question took a step", transform=axes.transAxes, ha="center")
    legend_below(figure)
    return figure


_LOOKS = {Action.RETRIEVE: ("#2166ac", ""), Action.REASON: ("#f4b183", "///")}
