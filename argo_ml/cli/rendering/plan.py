"""The table of `argo-ml plan`."""

from __future__ import annotations

from rich.table import Table

from argo_ml.cli.rendering.console import console
from argo_ml.devices.base import GB
from argo_ml.models.local.planning import PlannedModel


def print_plan(planned: PlannedModel) -> None:
    """Where the weights go, and the largest batch that has room beside them."""
    plan, demand = planned.plan, planned.demand
    out = console()
    numbers = demand.precision
    if planned.quantization != "none":
        numbers = f"{numbers}, linear layers in {planned.quantization}"
    out.print(
        f"{planned.model}: {demand.skeleton.n_parameters / 1e9:.2f} billion parameters, "
        f"{demand.skeleton.n_layers} layers, {plan.weight_bytes / GB:.2f} GB of weights in "
        f"{numbers}",
        soft_wrap=True,
    )
    if plan.uses:
        out.print(_table(planned))
    else:
        free, most = (size / GB for size in (planned.machine.cpu_free_bytes, plan.cpu_bytes))
        out.print(f"on the CPU, {free:.1f} GB free, of which it takes up to {most:.1f} GB")
    verdict = f"fits; largest batch {plan.batch_tokens} tokens" if plan.fits else "does not fit"
    out.print(verdict)


def _table(planned: PlannedModel) -> Table:
    table = Table("GPU", box=None, pad_edge=False)
    for heading in ("free", "limit", "weights", "layers", "free beside"):
        table.add_column(heading, justify="right")
    for use in planned.plan.uses:
        left = use.device.free_bytes - use.weight_bytes
        table.add_row(
            f"{use.device.index} {use.device.name}",
            *(f"{size / GB:.1f} GB" for size in (use.device.free_bytes, use.limit_bytes)),
            f"{use.weight_bytes / GB:.1f} GB",
            str(use.n_layers),
            f"{left / GB:.1f} GB",
        )
    return table
