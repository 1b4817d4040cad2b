"""The search space of a study: from an Optuna trial to a cell's settings, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from optuna.trial import Trial

from argo_ml.calibration.gains import GRID
from argo_ml.config import CellSpec, StudySpec, build
from argo_ml.config.study import DEPTH, GAINS, OPTIONAL, RANGE_SUFFIX, STEPS, THRESHOLDS, WHOLE
from argo_ml.errors import ConfigError
from argo_ml.policies import check_strategies, find_strategy
from argo_ml.policies.planned import NEVER
from argo_ml.policies.search import Settings, Suggester

POSITION = "_position"
"""Suffix of the Optuna parameter of a setting whose upper bound depends on another setting: where
it lies between its bounds, from 0 to 1, since samplers want ranges that do not move."""
AT_ZERO = 0.1
"""Positions below it stand for 0 where that is the lower bound, the others for what is above it: a
threshold of exactly 0, below which nothing is retrieved, would never be drawn."""
DECIMALS = 6
"""Of settings, so that one which was encoded and decoded is the same."""
_ROUNDING = 1e-9


def check_searchable(spec: StudySpec) -> None:
    """Raises `ConfigError` for a strategy that no study can search as ``spec`` asks for."""
    strategy = find_strategy(spec.strategy)
    if strategy.is_ceiling:
        raise ConfigError(f"strategy={spec.strategy} knows the answers: nothing to tune")
    if spec.strategy == NEVER:
        raise ConfigError(f"strategy={spec.strategy} takes no step: nothing to tune")
    if len(spec.retrieval_costs) > 1 and strategy.by_price:
        prices = ",".join(f"{price:g}" for price in spec.retrieval_costs)
        raise ConfigError(
            f"retrieval_costs={prices}: strategy {spec.strategy} acts otherwise at every price; "
            "give one price"
        )
    space = SearchSpace(spec)
    for name in (*THRESHOLDS, *OPTIONAL):
        if getattr(spec, f"{name}{RANGE_SUFFIX}") is not None:
            _check_used(name, space, spec)
    check_strategies([spec.strategy], cell_spec(spec, space.lowest))


def _check_used(name: str, space: SearchSpace, spec: StudySpec) -> None:
    given = f"{name}{RANGE_SUFFIX}"
    if name not in space.lowest:
        raise ConfigError(f"{given}: strategy {spec.strategy} has no {name}; leave it out")
    if name in GAINS and spec.gains == "measured":
        raise ConfigError(f"{given}: gains=measured takes the calibration's {name}; leave one out")


def cell_spec(spec: StudySpec, settings: Settings, retrieval_cost: float | None = None) -> CellSpec:
    """The cell of some settings, at the study's first price where none is given.

    Raises `ConfigError` for settings that no cell can have.
    """
    values = {
        **spec.shared(),
        "strategy": spec.strategy,
        "retrieval_cost": retrieval_cost or spec.retrieval_costs[0],
        **settings,
    }
    return build(CellSpec, values)


@dataclass(frozen=True, slots=True)
class _Range:
    """What a parameter may be: from ``low`` to ``high``, where ``step`` is given in steps from
    ``start``."""

    name: str
    low: float
    high: float
    step: float | None = None
    start: float = 0.0

    @property
    def is_fixed(self) -> bool:
        return self.low == self.high

    def below(self, bound: float) -> _Range:
        return replace(self, high=min(self.high, bound))

    def nearest(self, value: float) -> float:
        """The value that is used for one: of the range, and on its grid if the range holds a point
        of that."""
        if self.is_fixed:
            return _typed(self.name, self.low)
        value = self._on_grid(min(max(value, self.low), self.high))
        return _typed(self.name, round(value, DECIMALS))

    def at(self, position: float) -> float:
        """The value at a position between the ends, from 0 to 1."""
        first = self._first_position
        return self.nearest(self.low + max(position - first, 0.0) / (1 - first) * self._width)

    def position(self, value: float) -> float:
        if value == self.low:
            return 0.0
        first = self._first_position
        return first + (value - self.low) / self._width * (1 - first)

    @property
    def _first_position(self) -> float:
        return AT_ZERO if self.low == 0.0 else 0.0

    @property
    def _width(self) -> float:
        return self.high - self.low

    def _on_grid(self, value: float) -> float:
        if self.step is None:
            return value
        first = math.ceil((self.low - self.start) / self.step - _ROUNDING)
        last = math.floor((self.high - self.start) / self.step + _ROUNDING)
        if first > last:
            return value
        index = min(max(round((value - self.start) / self.step), first), last)
        return self.start + index * self.step


class SearchSpace:
    """Every strategy's depth and retrieval settings, and what the strategy declares itself."""

    def __init__(self, spec: StudySpec) -> None:
        self._search = find_strategy(spec.strategy).search
        self._ranges = _ranges(spec)
        self._names = (*DEPTH, *(name for name in OPTIONAL if name in spec.ranges))
        probe = _Encoder({name: low for name, (low, _) in spec.ranges.items()}, self._ranges)
        self.lowest = self._collect(probe)
        """The settings at the lower ends of all ranges."""
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

    def nearest(self, name: str, value: float) -> float:
        """The value of a parameter that the search has nearest to one."""
        return self._ranges[name].nearest(value)

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


def _ranges(spec: StudySpec) -> dict[str, _Range]:
    """Gains are multiples of u_max / `GRID`, with which no process has too many states."""
    ranges = {}
    for name, (low, high) in spec.ranges.items():
        if name in GAINS:
            ranges[name] = _Range(name, low, high, spec.u_max / GRID)
        else:
            ranges[name] = _Range(name, low, high, STEPS.get(name), low)
    return ranges


class _Sampler:
    """Suggests what the sampler of an Optuna trial draws."""

    def __init__(self, trial: Trial, ranges: Mapping[str, _Range]) -> None:
        self._trial = trial
        self._ranges = ranges

    def suggest(self, name: str, at_most: float | None = None) -> float:
        own = self._ranges[name]
        if own.is_fixed:
            return own.nearest(own.low)
        if at_most is not None:
            position = self._trial.suggest_float(f"{name}{POSITION}", 0.0, 1.0)
            return own.below(at_most).at(position)
        if name in WHOLE:
            return self._trial.suggest_int(name, int(own.low), int(own.high))
        # Optuna warns of a range that its steps do not fill.
        high = own.high if name not in STEPS else own.nearest(own.high)
        return own.nearest(self._trial.suggest_float(name, own.low, high, step=STEPS.get(name)))


class _OutOfRange(Exception):
    pass


@dataclass
class _Encoder:
    """Suggests known values and keeps the parameters that stand for them."""

    values: Settings
    ranges: Mapping[str, _Range]
    parameters: dict[str, Any] = field(default_factory=dict)

    def suggest(self, name: str, at_most: float | None = None) -> float:
        own, known = self.ranges[name], self.values[name]
        if not own.low <= known <= own.high:
            raise _OutOfRange
        if own.is_fixed:
            return own.nearest(known)
        if at_most is None:
            value = own.nearest(known)
            self.parameters[name] = value
            return value
        own = own.below(at_most)
        value = own.nearest(known)
        self.parameters[f"{name}{POSITION}"] = own.position(value)
        return value


def _typed(name: str, value: float) -> float:
    return int(value) if name in WHOLE else float(value)
