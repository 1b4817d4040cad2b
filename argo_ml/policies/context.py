"""What a strategy is built from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from argo_ml.calibration.record import Calibration
from argo_ml.errors import ConfigError
from argo_ml.mdp.process import Solution
from argo_ml.types import Prices


@dataclass(frozen=True, slots=True)
class PolicyContext:
    """The solved process at the cell's price, the user's own settings, and the calibration.

    ``gate_budget`` is the share of questions that a gate may retrieve for, None where its threshold
    is to follow from the price; ``max_steps`` the step limit.
    """

    solution: Solution
    theta_cont: float | None = None
    theta_star: float | None = None
    max_steps: int = 20
    probe_cost: float = 0.0
    gate_budget: float | None = None
    abstain_below: float | None = None
    oracle_steps: int = 2
    calibration: Calibration | None = None

    @property
    def prices(self) -> Prices:
        """The prices of actions and probes in units of accuracy."""
        spec = self.solution.spec
        return replace(spec.prices, probe=self.probe_cost).scaled(spec.mu)

    @property
    def calibrated(self) -> Calibration:
        """The calibration. Raises `ConfigError` where there is none."""
        if self.calibration is None:
            raise ConfigError("calibration is empty; give the run id of argo-ml calibrate")
        return self.calibration
