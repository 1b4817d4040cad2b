"""Where a report is."""

from __future__ import annotations

from argo_ml.cli.rendering.console import console
from argo_ml.cli.rendering.results import whereabouts
from argo_ml.tracking.location import RunLocation, locate


def print_report(run_id: str, output: str, location: RunLocation | None = None) -> None:
    """``output``: the file that it was written to as well, empty for none."""
    out = console()
    out.print(f"report: report.html among the artifacts of run {run_id}", soft_wrap=True)
    if output:
        out.print(f"report: {output}", soft_wrap=True)
    for line in whereabouts(location or locate(run_id)):
        out.print(line, soft_wrap=True)
