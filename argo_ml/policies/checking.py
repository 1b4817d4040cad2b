"""Whether strategies exist, and whether a spec gives them what they need."""

from __future__ import annotations

from collections.abc import Sequence

from argo_ml.config import CalibrationFields, DecisionFields, suggest
from argo_ml.errors import ConfigError
from argo_ml.policies.strategies import STRATEGIES


def check_strategies(names: Sequence[str], spec: DecisionFields) -> None:
    """Raises `ConfigError` for a strategy that is unknown or that ``spec`` lacks something for."""
    if not names:
        raise ConfigError(f"strategies is empty; known: {', '.join(STRATEGIES)}")
    for name in names:
        if name not in STRATEGIES:
            raise ConfigError(f"strategy={name!r} is unknown{suggest(name, STRATEGIES)}")
    if "fixed_threshold" in names and (spec.theta_cont is None or spec.theta_star is None):
        raise ConfigError("strategy fixed_threshold needs theta_cont and theta_star")
    check_calibrated(names, spec)


def check_calibrated(names: Sequence[str], spec: CalibrationFields) -> None:
    """Raises `ConfigError` where a strategy or a field needs a calibration and none is named."""
    if spec.calibration:
        return
    if spec.wants_calibration:
        name = "progress" if spec.progress == "measured" else "gains"
        raise ConfigError(f"{name}=measured needs calibration=RUN_ID; make one: argo-ml calibrate")
    for name in names:
        if STRATEGIES[name].calibrated:
            raise ConfigError(
                f"strategy {name} needs calibration=RUN_ID; make one: argo-ml calibrate"
            )
