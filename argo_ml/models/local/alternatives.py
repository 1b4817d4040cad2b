"""What would fit where a model does not: found by planning it, not by rule of thumb."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from itertools import islice
from typing import Any

from argo_ml.models.local.loading import Machine
from argo_ml.models.local.skeleton import Skeleton
from argo_ml.models.placement import plan as placement
from argo_ml.models.placement.plan import GB, Demand, Device, Plan
from argo_ml.models.presets import PRESETS

N_SHOWN = 3
MOST_GPUS = 8
"""Most GPUs that are suggested."""


def does_not_fit(model: str, demand: Demand, plan: Plan, machine: Machine) -> str:
    """One line: what is missing, and the nearest things that would fit."""
    if machine.gpus:
        ids = ",".join(str(use.device.index) for use in plan.uses)
        free = sum(use.device.free_bytes for use in plan.uses)
        where = f"GPU {ids} with {free / GB:.1f} GB free has no room for them and a batch"
    else:
        where = f"this machine has {machine.cpu_free_bytes / GB:.1f} GB free"
    near = ", or ".join(islice(alternatives(demand, machine), N_SHOWN))
    advice = near or "use a smaller model or a lower precision"
    weights = demand.skeleton.weight_bytes / GB
    return f"model={model}: needs {weights:.1f} GB for its weights, {where}; {advice}"


def alternatives(demand: Demand, machine: Machine) -> Iterator[str]:
    """What to change, nearest first, each of it planned and found to fit."""
    for change, changed in _less_precise(demand, on_gpu=bool(machine.gpus)):
        if _fits(changed, machine):
            yield change
    if machine.gpus:
        yield from _more_gpus(demand, machine)
    for preset in reversed(recorded_presets()):
        smaller = demand_of_preset(preset, demand.precision, prefix_bytes=demand.prefix_bytes)
        is_smaller = smaller.skeleton.n_parameters < demand.skeleton.n_parameters
        if is_smaller and _fits(smaller, machine):
            yield f"model={preset}"


def demand_of_preset(
    preset: str, precision: str, quantization: str = "none", prefix_bytes: int = 0
) -> Demand:
    config = recorded_config(preset)
    return Demand(Skeleton(config, precision, quantization), config, precision, prefix_bytes)


def recorded_presets() -> list[str]:
    """Presets whose configuration is part of the package, smallest first."""
    return [preset for preset in PRESETS if PRESETS[preset]]


def recorded_config(preset: str) -> Any:
    """The configuration that the hub has for a preset."""
    from transformers import AutoConfig

    configs = resources.files("argo_ml.models.local") / "configs"
    values = json.loads((configs / f"{preset}.json").read_text("utf-8"))
    return AutoConfig.for_model(**values)


def _less_precise(demand: Demand, on_gpu: bool) -> Iterator[tuple[str, Demand]]:
    config, precision, prefixes = demand.config, demand.precision, demand.prefix_bytes
    if precision == "float32":
        half = "float16" if on_gpu else "bfloat16"
        yield f"precision={half}", Demand(Skeleton(config, half), config, half, prefixes)
    for quantization in ("8bit", "4bit") if on_gpu else ():
        skeleton = Skeleton(config, precision, quantization)
        yield f"quantization={quantization}", Demand(skeleton, config, precision, prefixes)


def _more_gpus(demand: Demand, machine: Machine) -> Iterator[str]:
    """The fewest GPUs like the roomiest one that would do."""
    roomiest = placement.roomiest_first(machine.gpus)[0]
    for n_gpus in range(len(machine.gpus) + 1, MOST_GPUS + 1):
        more = [
            Device(index, roomiest.free_bytes, roomiest.total_bytes, roomiest.name)
            for index in range(n_gpus)
        ]
        if placement.plan(demand, more, may_choose=False).fits:
            yield f"{n_gpus} GPUs with {roomiest.free_bytes / GB:.0f} GB"
            return


def _fits(demand: Demand, machine: Machine) -> bool:
    if not machine.gpus:
        return placement.plan_cpu(demand, machine.cpu_free_bytes).fits
    return placement.plan(demand, machine.gpus, machine.may_choose).fits
