"""What readings give reason to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from argo_ml.devices.usage import DeviceUsage, ResourceUsage

LOWEST_UTILIZATION = 80
"""Of a GPU that holds a whole model; of one of several that a model is spread over, the share of it
that its layers can be at work."""
HIGHEST_TEMPERATURE_C = 83
"""Where the GeForce cards of the original study begin to lower their clocks."""
FEWEST_READINGS = 10
"""A mean of fewer readings says nothing."""
_SHOWN_SHARE = 0.01


def concerns(
    usage: ResourceUsage, seconds: Mapping[str, float], has_computed: bool = True
) -> Iterator[str]:
    """One line for every GPU that waited or became too warm.

    ``seconds`` is the time of each stage, which says what the GPU waited for. None is said to have
    waited unless the language model ``has_computed`` in this process.
    """
    n_holding = sum(device.torch_memory_peak_mb is not None for device in usage.devices)
    lowest = LOWEST_UTILIZATION / max(n_holding, 1)
    for device in usage.devices:
        if has_computed and _is_idle(device, lowest):
            yield (
                f"GPU {device.index}: mean utilisation {device.utilization_mean:.0f} % is under "
                f"{lowest:.0f} %; seconds by stage: {_spent(seconds)}"
            )
        if device.temperature_max is not None and device.temperature_max > HIGHEST_TEMPERATURE_C:
            yield (
                f"GPU {device.index}: it reached {device.temperature_max:.0f} °C, over "
                f"{HIGHEST_TEMPERATURE_C} °C, and may have slowed down; give it more air or a "
                "lower power limit"
            )


def _is_idle(device: DeviceUsage, lowest: float) -> bool:
    return (
        device.utilization_mean is not None
        and device.utilization_mean < lowest
        and device.n_readings >= FEWEST_READINGS
    )


def _spent(seconds: Mapping[str, float]) -> str:
    """The stages that took most first, without those that took next to nothing."""
    total = sum(seconds.values())
    longest = sorted(seconds.items(), key=lambda stage: -stage[1])
    return ", ".join(
        f"{name} {value:.1f}" for name, value in longest if value > _SHOWN_SHARE * total
    )
