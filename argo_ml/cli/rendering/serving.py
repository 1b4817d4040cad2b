"""Lines of the commands about policies in use."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from argo_ml.cli.rendering.console import console
from argo_ml.serving.registering import Registered
from argo_ml.serving.watching import Week
from argo_ml.tracking.location import serving_command, store_to_name


def print_registered(registered: Registered) -> None:
    """What was published, and how to use it."""
    published, out = registered.published, console()
    strategies, store = ", ".join(published.strategies), store_to_name()
    options = f', tracking_uri="{store}"' if store else ""
    lines = (
        f"published {strategies} as version {registered.version} of {registered.name}, "
        f"alias {registered.alias}",
        f"justified by sweep {published.sweep_id} on {published.n_questions} questions",
        f"serve it: {serving_command(registered.uri)}",
        f'in Python: argo_ml.load_policy("{registered.uri}"{options})',
    )
    for line in lines:
        out.print(line, soft_wrap=True, markup=False)


def print_weeks(weeks: Sequence[Week]) -> None:
    """A line per week, then what has drifted."""
    table, out = Table(box=None, pad_edge=False), console()
    for name in (
        "week",
        "requests",
        "retrieve",
        "swept",
        "p-hat",
        "judged",
        "right",
        "with p-hat",
        "right of them",
        "their p-hat",
    ):
        table.add_column(name, justify="left" if name == "week" else "right")
    for week in weeks:
        table.add_row(
            week.week,
            str(week.n_requests),
            _share(week.retrieves),
            _share(week.expected_retrieves),
            _share(week.mean_p_hat),
            str(week.n_judged),
            _share(week.accuracy),
            str(week.n_confident),
            _share(week.confident_accuracy),
            _share(week.confident_p_hat),
        )
    out.print(table)
    for week in weeks:
        for warning in week.warnings:
            out.print(f"{week.week}: {warning}", soft_wrap=True)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
