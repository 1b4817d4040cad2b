"""The context that a strategy's policy is made in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from argo_ml.calibration.record import Calibration
from argo_ml.errors import ConfigError
from argo_ml.mdp.process import Solution
from argo_ml.policies.parameters import ParametersType, StrategyParameters
from argo_ml.types import Prices


@dataclass(frozen=True, slots=True)
class PolicyContext:
    """The solved process at the cell's price, the strategy's parameters, and the calibration.

    ``parameters`` are of the type that the strategy's description names, None where it names none;
    ``max_steps`` is the step limit.
    """

    solution: Solution
    parameters: StrategyParameters | None = None
    max_steps: int = 20
    probe_cost: float = 0.0
    calibration: Calibration | None = None

    def parameters_as(self, kind: type[ParametersType]) -> ParametersType:
        """The strategy's parameters; the defaults of ``kind`` where there are none.

        Raises TypeError where the strategy's description names another type.
        """
        if self.parameters is None:
            return kind()
        if not isinstance(self.parameters, kind):
            raise TypeError(
                f"the policy reads {kind.__name__}, its strategy is described with "
                f"parameters={type(self.parameters).__name__}"
            )
        return self.parameters

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
