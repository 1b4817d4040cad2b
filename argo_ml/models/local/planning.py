"""A plan for a model on this machine or a described one, without loading it, and what would fit.

What would fit where a model does not is planned as well, not found by rule of thumb.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Any

from argo_ml.config import PlanSpec
from argo_ml.devices import limits
from argo_ml.devices.base import GB
from argo_ml.devices.choosing import choose_gpus
from argo_ml.errors import ConfigError
from argo_ml.models.local import hub, loading
from argo_ml.models.local.loading import Machine, ModelFiles
from argo_ml.models.local.skeleton import Skeleton
from argo_ml.models.placement import plan as placement
from argo_ml.models.placement.plan import Demand, Device, PlacementPlan, choose_precision
from argo_ml.models.presets import PRESETS, SourceKind, resolve

N_SHOWN = 3
MOST_GPUS = 8
"""Most GPUs that are suggested."""


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """A plan and what it is of; ``complaint`` says what would fit where the plan does not."""

    model: str
    demand: Demand
    quantization: str
    machine: Machine
    plan: PlacementPlan

    @property
    def complaint(self) -> str:
        return does_not_fit(self.model, self.demand, self.plan, self.machine)


def plan_model(spec: PlanSpec) -> PlannedModel:
    """Raises `ArgoError` for a model, device or GPU that is not there."""
    machine = _described(spec) if spec.devices else Machine.detect(spec.device, spec.gpus)
    precision = choose_precision(spec.precision, bool(machine.gpus), machine.has_bfloat16)
    files, config = _files_and_config(spec)
    prefix_bytes = spec.prefix_cache_mb * 2**20
    loading.check_file_quantization(files, spec.quantization)
    demand = loading.make_demand(
        files, config, precision, spec.quantization, prefix_bytes, bool(machine.gpus)
    )
    first = next(machine.plans(demand))
    return PlannedModel(spec.model, demand, spec.quantization, machine, first)


def _described(spec: PlanSpec) -> Machine:
    """A machine of which all is free; its GPUs are taken to have bfloat16."""
    chosen = choose_gpus(spec.device, spec.gpus, len(spec.devices))
    gpus = tuple(Device(index, spec.devices[index]) for index in chosen)
    cpu_free_bytes = limits.total_bytes()
    return Machine(gpus, not spec.gpus, has_bfloat16=True, cpu_free_bytes=cpu_free_bytes)


def _files_and_config(spec: PlanSpec) -> tuple[ModelFiles, Any]:
    if spec.model in recorded_presets():
        return ModelFiles(spec.model, Path()), recorded_config(spec.model)
    source = resolve(spec.model, spec.cache_path)
    if source.kind is SourceKind.HUB:
        folder = hub.fetch_small_files(hub.find(source.location, source.revision))
        files = ModelFiles(spec.model, folder)
    elif source.kind in (SourceKind.FOLDER, SourceKind.GGUF):
        files = ModelFiles(spec.model, Path(source.location), source.gguf_file)
    else:
        raise ConfigError(f"model={spec.model}: has no weights to place")
    return files, loading.load_config(files)


def does_not_fit(model: str, demand: Demand, plan: PlacementPlan, machine: Machine) -> str:
    """One line: what is missing, and the nearest things that would fit."""
    if machine.gpus:
        ids = ",".join(str(use.device.index) for use in plan.uses)
        free = sum(use.device.free_bytes for use in plan.uses)
        where = f"GPU {ids} with {free / GB:.1f} GB free has no room for them and a batch"
    else:
        where = f"this machine has {machine.cpu_free_bytes / GB:.1f} GB free"
    weights = demand.skeleton.weight_bytes / GB
    advice = nearest(demand, machine)
    return f"model={model}: needs {weights:.1f} GB for its weights, {where}; {advice}"


def nearest(demand: Demand, machine: Machine) -> str:
    """The first of `alternatives`, or what helps anywhere where there are none."""
    near = ", or ".join(islice(alternatives(demand, machine), N_SHOWN))
    return near or "use a smaller model or a lower precision"


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
    for quantization in demand.coarser if on_gpu else ():
        skeleton = Skeleton(config, precision, quantization)
        yield f"quantization={quantization}", Demand(skeleton, config, precision, prefixes)


def _more_gpus(demand: Demand, machine: Machine) -> Iterator[str]:
    """The fewest GPUs like the roomiest one that would do."""
    roomiest = placement.roomiest_first(machine.gpus)[0]
    for n_gpus in range(len(machine.gpus) + 1, MOST_GPUS + 1):
        more = [Device(index, roomiest.free_bytes, roomiest.name) for index in range(n_gpus)]
        if placement.plan_gpus(demand, more, may_choose=False).fits:
            yield f"{n_gpus} GPUs with {roomiest.free_bytes / GB:.0f} GB"
            return


def _fits(demand: Demand, machine: Machine) -> bool:
    if not machine.gpus:
        return placement.plan_cpu(demand, machine.cpu_free_bytes).fits
    return placement.plan_gpus(demand, machine.gpus, machine.may_choose).fits
