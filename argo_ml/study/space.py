"""The search space of a study: from an Optuna trial to a cell's settings, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.trial import Trial

from argo_ml.config import StudySpec
from argo_ml.config.study import DEPTH, OPTIONAL, RANGE_SUFFIX, STEPS, WHOLE
from argo_ml.errors import ConfigError
from argo_ml.policies import find_strategy
from argo_ml.policies.search import Settings, Suggester

POSITION = "_position"
"""Suffix of the Optuna parameter of a setting whose upper bound depends on another setting: where
it lies between its bounds, from 0 to 1, since samplers want ranges that do not move."""
DECIMALS = 6
"""Of settings, so that one which was encoded and decoded is the same."""

Ranges = Mapping[str, tuple[float, float]]


def check_searchable(spec: StudySpec) -> None:
    """Raises `ConfigError` for a strategy that no study can search at the prices of ``spec``."""
    strategy = find_strategy(spec.strategy)
    if strategy.is_ceiling:
        raise ConfigError(f"strategy={spec.strategy} knows the answers: nothing to tune")
    if len(spec.retrieval_costs) > 1 and strategy.by_price:
        prices = ",".join(f"{price:g}" for price in spec.retrieval_costs)
        raise ConfigError(
            f"retrieval_costs={prices}: strategy {spec.strategy} acts otherwise at every price; "
            "give one price"
        )


class SearchSpace:
    """Every strategy's depth and retrieval settings, and what the strategy declares itself."""

    def __init__(self, spec: StudySpec) -> None:
        self._search = find_strategy(spec.strategy).search
        self._ranges = spec.ranges
        self._names = (*DEPTH, *(name for name in OPTIONAL if name in spec.ranges))
        probe = _Encoder({name: low for name, (low, _) in spec.ranges.items()}, spec.ranges)
        self._collect(probe)
        if not probe.parameters:
            raise ConfigError(
                f"nothing to search for strategy {spec.strategy}: every range is a single value; "
                f"widen one, such as max_steps{RANGE_SUFFIX}=1,20"
            )
        self.parameters = tuple(probe.parameters)
        """Names as Optuna knows them."""

    def settings(self, trial: Trial) -> dict[str, float]:
        """The parameters of a cell that the trial stands for."""
        return self._collect(_Sampler(trial, self._ranges))

    def encode(self, settings: Settings) -> dict[str, float] | None:
        """The trial's parameters that give these settings; None where a range excludes them."""
        encoder = _Encoder(settings, self._ranges)
        try:
            self._collect(encoder)
        except _OutOfRange:
            return None
        return encoder.parameters

    def _collect(self, suggester: Suggester) -> dict[str, float]:
        values = {name: suggester.suggest(name) for name in self._names}
        return {**values, **self._search(suggester)}


class _Sampler:
    """Suggests what the sampler of an Optuna trial draws."""

    def __init__(self, trial: Trial, ranges: Ranges) -> None:
        self._trial = trial
        self._ranges = ranges

    def suggest(self, name: str, at_most: float | None = None) -> float:
        low, high = self._ranges[name]
        if low == high:
            return _typed(name, low)
        if at_most is not None:
            position = self._trial.suggest_float(f"{name}{POSITION}", 0.0, 1.0)
            return round(low + position * (min(high, at_most) - low), DECIMALS)
        if name in WHOLE:
            return self._trial.suggest_int(name, int(low), int(high))
        step = STEPS.get(name)
        return round(self._trial.suggest_float(name, low, high, step=step), DECIMALS)


class _OutOfRange(Exception):
    pass


@dataclass
class _Encoder:
    """Suggests known values and keeps the parameters that stand for them."""

    values: Settings
    ranges: Ranges

    def __post_init__(self) -> None:
        self.parameters: dict[str, Any] = {}

    def suggest(self, name: str, at_most: float | None = None) -> float:
        low, high = self.ranges[name]
        value = _typed(name, self.values[name])
        if not low <= value <= high:
            raise _OutOfRange
        if low == high:
            return value
        if at_most is None:
            self.parameters[name] = _on_grid(name, value, low)
        else:
            width = min(high, at_most) - low
            self.parameters[f"{name}{POSITION}"] = (value - low) / width if width > 0 else 0.0
        return value


def _typed(name: str, value: float) -> float:
    return int(value) if name in WHOLE else float(value)


def _on_grid(name: str, value: float, low: float) -> float:
    step = STEPS.get(name)
    return value if step is None else low + round((value - low) / step) * step
