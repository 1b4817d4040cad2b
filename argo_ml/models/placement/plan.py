"""Where a model goes: decisions as pure functions of what the machine has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from argo_ml.devices.base import GB
from argo_ml.models.placement.batch_memory import (
    FEWEST_TOKENS,
    LOGITS_BYTES,
    LOGITS_COPIES,
    bytes_per_token,
    fitting_cpu_tokens,
    fitting_tokens,
    head_copy_bytes,
    within_bounds,
)

BATCH_RESERVE_GB = 1
"""Kept free on every GPU for batches."""
EMBEDDER_RESERVE_GB = 1
"""Kept free on the first GPU beside that, for the embedding model. With both, the original study's
10 GB and 11 GB come out for two cards of 12 GB."""
ALONE_SHARE = 0.5
"""A model whose weights need at most this share of one GPU's free memory is not spread over the
GPUs that were named, since the layers of a spread model wait for one another."""
PREFIX_SHARE = 0.25
"""Of the memory of a CPU that the weights leave, the most for prompts' beginnings."""
N_HALVINGS = 7
"""Steps of the search for equal shares: to within a hundredth."""
ITEM_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
COARSER: Mapping[str, tuple[str, ...]] = {
    "none": ("8bit", "4bit"),
    "8bit": ("4bit",),
    "4bit": (),
}
"""What ``quantization`` may be instead to take less memory."""


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU: its id, free memory in bytes, and name."""

    index: int
    free_bytes: int
    name: str = "GPU"


@dataclass(frozen=True, slots=True)
class GpuShare:
    """What a plan puts on one GPU; ``limit_bytes`` is the most that weights may take of it."""

    device: Device
    limit_bytes: int
    weight_bytes: int
    n_layers: int


@dataclass(frozen=True, slots=True)
class PlacementPlan:
    """Where the weights go and how much a batch may hold; no ``uses`` for the CPU.

    ``device_map`` is what ``from_pretrained`` takes; ``batch_tokens`` is 0 where not even a single
    prompt has room. ``prefix_bytes`` are for prompts' beginnings; ``token_bytes`` are those of one
    token of a batch on the CPU.
    """

    uses: tuple[GpuShare, ...]
    device_map: Mapping[str, int | str]
    weight_bytes: int
    batch_tokens: int
    fits: bool
    prefix_bytes: int = 0
    token_bytes: int = 0

    @property
    def cpu_bytes(self) -> int:
        """What the model comes to take of a CPU's memory."""
        beside = self.prefix_bytes + LOGITS_COPIES * LOGITS_BYTES
        return self.weight_bytes + beside + self.batch_tokens * self.token_bytes


class Weights(Protocol):
    """A model's weights, as far as placing them needs to know."""

    @property
    def n_parameters(self) -> int: ...

    @property
    def weight_bytes(self) -> int: ...

    @property
    def n_layers(self) -> int: ...

    def split(self, limits: Mapping[int, int]) -> dict[str, int | str]:
        """A device map within these bytes by GPU; what is too much is mapped to ``disk``."""

    def bytes_by_device(self, device_map: Mapping[str, int | str]) -> dict[int | str, int]: ...

    def layers_by_device(self, device_map: Mapping[str, int | str]) -> dict[int | str, int]: ...


@dataclass(frozen=True, slots=True)
class Demand:
    """What is to be placed: a model's skeleton, its configuration and precision.

    ``prefix_bytes`` is the most memory for prompts' beginnings, kept where their layers are.
    ``coarser`` are values of ``quantization`` that would take less; files of weights that are
    quantised already have none.
    """

    skeleton: Weights
    config: Any
    precision: str
    prefix_bytes: int = 0
    coarser: tuple[str, ...] = COARSER["none"]


def choose_precision(precision: str, on_gpu: bool, has_bfloat16: bool) -> str:
    """auto: bfloat16 on GPUs that have it, else float16; on the CPU float32.

    What auto comes to on the CPU of a command's user is `with_precision`'s to say: a spec with auto
    means float32 there, as it did in runs that were stored before processors were asked.
    """
    if precision != "auto":
        return precision
    if not on_gpu:
        return "float32"
    return "bfloat16" if has_bfloat16 else "float16"


def plan_cpu(demand: Demand, free_bytes: int) -> PlacementPlan:
    """The plan without GPUs, in ``free_bytes``."""
    weights = demand.skeleton.weight_bytes + head_copy_bytes(demand.config, demand.precision)
    left = max(0, free_bytes - weights)
    prefix_bytes = min(demand.prefix_bytes, int(PREFIX_SHARE * left))
    item_bytes = ITEM_BYTES[demand.precision]
    token_bytes = bytes_per_token(demand.config, item_bytes, demand.skeleton.n_layers)
    return PlacementPlan(
        uses=(),
        device_map={"": "cpu"},
        weight_bytes=weights,
        batch_tokens=fitting_cpu_tokens(token_bytes, left - prefix_bytes),
        fits=weights <= free_bytes,
        prefix_bytes=prefix_bytes,
        token_bytes=token_bytes,
    )


def plan_gpus(
    demand: Demand, devices: Sequence[Device], may_choose: bool, less_gb: int = 0
) -> PlacementPlan:
    """Where a model goes on these GPUs, each with ``less_gb`` less than it could take.

    With ``may_choose`` the fewest GPUs that suffice are used, those with most free memory first;
    else all of them, unless one alone has plenty of room.
    """
    roomiest = roomiest_first(devices)
    if may_choose:
        sizes: Sequence[int] = range(1, len(devices) + 1)
    else:
        is_small = demand.skeleton.weight_bytes <= ALONE_SHARE * roomiest[0].free_bytes
        sizes = (1, len(devices)) if is_small else (len(devices),)
    plans = [_on(demand, roomiest[:size], less_gb) for size in sizes]
    return next((plan for plan in plans if plan.fits), plans[-1])


def fallbacks(
    demand: Demand, devices: Sequence[Device], may_choose: bool
) -> Iterator[PlacementPlan]:
    """Plans for the times when memory runs out in spite of the first one.

    One GB less on every GPU, where that moves any weights, then with ``may_choose`` one more GPU
    each time.
    """
    failed = plan_gpus(demand, devices, may_choose)
    first = plan_gpus(demand, devices, may_choose, less_gb=1)
    if not first.fits:
        return
    if first.device_map != failed.device_map:
        yield first
    if may_choose:
        for size in range(len(first.uses) + 1, len(devices) + 1):
            yield _on(demand, roomiest_first(devices)[:size], less_gb=1)


def roomiest_first(devices: Sequence[Device]) -> list[Device]:
    """GPUs by falling free memory, of equals the lowest id first."""
    return sorted(devices, key=lambda device: (-device.free_bytes, device.index))


def limits_gb(devices: Sequence[Device], less_gb: int = 0) -> dict[int, int]:
    """Most GB of weights by GPU; the first one listed also holds the embedding model."""
    first = devices[0].index
    return {
        device.index: max(
            0,
            device.free_bytes // GB
            - BATCH_RESERVE_GB
            - (EMBEDDER_RESERVE_GB if device.index == first else 0)
            - less_gb,
        )
        for device in devices
    }


def _on(demand: Demand, chosen: Sequence[Device], less_gb: int) -> PlacementPlan:
    devices = sorted(chosen, key=lambda device: device.index)
    limits = {index: limit * GB for index, limit in limits_gb(devices, less_gb).items()}
    device_map = _balanced(demand.skeleton, limits)
    held = demand.skeleton.bytes_by_device(device_map)
    layers = demand.skeleton.layers_by_device(device_map)
    uses = tuple(
        GpuShare(
            device, limits[device.index], held.get(device.index, 0), layers.get(device.index, 0)
        )
        for device in devices
    )
    tokens = _batch_tokens(demand, uses) if set(held) <= set(limits) else 0
    return PlacementPlan(
        uses=uses,
        device_map=device_map,
        weight_bytes=demand.skeleton.weight_bytes,
        batch_tokens=within_bounds(tokens, on_gpu=True) if tokens >= FEWEST_TOKENS else 0,
        fits=tokens >= FEWEST_TOKENS,
        prefix_bytes=demand.prefix_bytes,
    )


def _balanced(skeleton: Weights, limits: Mapping[int, int]) -> dict[str, int | str]:
    """The smallest share of every GPU's limit that suffices, so that batches have room on all."""
    device_map = skeleton.split(limits)
    if not set(device_map.values()) <= set(limits):
        return device_map
    enough, too_little = 1.0, 0.0
    for _ in range(N_HALVINGS):
        share = (enough + too_little) / 2
        tried = skeleton.split({index: int(limit * share) for index, limit in limits.items()})
        if set(tried.values()) <= set(limits):
            device_map, enough = tried, share
        else:
            too_little = share
    return device_map


def _batch_tokens(demand: Demand, uses: Sequence[GpuShare]) -> int:
    """What the GPU with the least room for its layers allows."""
    fitting = []
    holding = [use for use in uses if use.n_layers]
    for use in holding:
        is_first, is_last = use is uses[0], use is holding[-1]
        prefixes = demand.prefix_bytes * use.n_layers // demand.skeleton.n_layers
        reserved = EMBEDDER_RESERVE_GB * GB if is_first else 0
        # The output layer lies behind the last of the others.
        reserved += LOGITS_COPIES * LOGITS_BYTES if is_last else 0
        left = use.device.free_bytes - use.weight_bytes - reserved - prefixes
        item_bytes = ITEM_BYTES[demand.precision]
        fitting.append(fitting_tokens(demand.config, item_bytes, left, use.n_layers))
    return min(fitting, default=0)
