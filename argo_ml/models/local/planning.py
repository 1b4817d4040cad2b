"""A plan for a model on this machine or on a described one, without loading or downloading it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from argo_ml.config import PlanSpec
from argo_ml.devices.choosing import choose_gpus
from argo_ml.errors import ConfigError
from argo_ml.models.local import hub, loading
from argo_ml.models.local.alternatives import does_not_fit, recorded_config, recorded_presets
from argo_ml.models.local.loading import Files, Machine
from argo_ml.models.placement.plan import Demand, Device, Plan, choose_precision
from argo_ml.models.presets import SourceKind, resolve


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """A plan and what it is of; ``complaint`` says what would fit where the plan does not."""

    model: str
    demand: Demand
    quantization: str
    machine: Machine
    plan: Plan

    @property
    def complaint(self) -> str:
        return does_not_fit(self.model, self.demand, self.plan, self.machine)


def plan_model(spec: PlanSpec) -> PlannedModel:
    """Raises `ArgoError` for a model, device or GPU that is not there."""
    machine = _described(spec) if spec.devices else Machine.detect(spec.device, spec.gpus)
    precision = choose_precision(spec.precision, bool(machine.gpus), machine.has_bfloat16)
    files, config = _files_and_config(spec)
    prefix_bytes = spec.prefix_cache_mb * 2**20
    demand = loading.make_demand(files, config, precision, spec.quantization, prefix_bytes)
    first = next(machine.plans(demand))
    return PlannedModel(spec.model, demand, spec.quantization, machine, first)


def _described(spec: PlanSpec) -> Machine:
    """A machine of which all is free; its GPUs are taken to have bfloat16."""
    chosen = choose_gpus(spec.device, spec.gpus, len(spec.devices))
    gpus = tuple(Device(index, spec.devices[index], spec.devices[index]) for index in chosen)
    memory = psutil.virtual_memory()
    return Machine(gpus, not spec.gpus, has_bfloat16=True, cpu_free_bytes=memory.total)


def _files_and_config(spec: PlanSpec) -> tuple[Files, Any]:
    if spec.model in recorded_presets():
        return Files(spec.model, Path()), recorded_config(spec.model)
    source = resolve(spec.model, spec.cache_path)
    if source.kind is SourceKind.HUB:
        folder = hub.fetch_small_files(hub.find(source.location, source.revision))
        files = Files(spec.model, folder)
    elif source.kind in (SourceKind.FOLDER, SourceKind.GGUF):
        files = Files(spec.model, Path(source.location), source.gguf_file)
    else:
        raise ConfigError(f"model={spec.model}: has no weights to place")
    return files, loading.load_config(files)
