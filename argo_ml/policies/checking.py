"""Whether strategies exist, and whether a spec gives them what they need."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from argo_ml.config import (
    CalibrationFields,
    DecisionFields,
    MoneyFields,
    Spec,
    is_resumed,
    is_set,
    shown_value,
)
from argo_ml.errors import ConfigError
from argo_ml.policies.parameters import given_parameters
from argo_ml.policies.strategies import ALL_STRATEGIES, find_strategy, strategy_parameters

SETTINGS = ("theta_cont", "theta_star", "gate_budget", "abstain_below", "oracle_steps")
"""Parameters of commands that single strategies read; ``guarantee`` is checked for itself."""
_NAMING = ("strategies", "strategy", "policies")
"""Parameters that name the strategies of a command."""


def check_strategies(names: Sequence[str], spec: DecisionFields) -> None:
    """Raises `ConfigError` for a strategy that is unknown or that ``spec`` lacks something for."""
    if not names:
        raise ConfigError(f"strategies is empty; known: {', '.join(ALL_STRATEGIES)}")
    for name in names:
        strategy_parameters(name, spec)
        if ALL_STRATEGIES[name].reads_own_scores:
            raise ConfigError(
                f"strategy {name} decides by scores that recorded outcomes carry; use it in "
                "argo-ml replay"
            )
    check_parameters(names, spec, "strategies")
    check_calibrated(names, spec)
    if spec.guarantee and not any(ALL_STRATEGIES[name].is_gate for name in names):
        raise ConfigError(
            f"guarantee={spec.guarantee}: none of strategies={','.join(names)} has a threshold; "
            "name a gate, such as max_prob_gate"
        )


def refuse_unread_settings(spec: Spec, given: Collection[str]) -> None:
    """Raises `ConfigError` for a setting among ``given`` that no strategy of ``spec`` reads."""
    field = next(name for name in _NAMING if name in type(spec).model_fields)
    names = getattr(spec, field)
    names = (names,) if isinstance(names, str) else names
    # A command without names takes all that it can.
    if is_resumed(spec) or not names:
        return
    for setting in SETTINGS:
        is_given = setting in given and is_set(spec, setting)
        if is_given and not any(_reads(name, setting) for name in names):
            reader = next(name for name in ALL_STRATEGIES if _reads(name, setting))
            raise ConfigError(
                f"{setting}={shown_value(getattr(spec, setting))}: nothing of "
                f"{field}={','.join(names)} reads it; leave it out, or name one that does, such as "
                f"{reader}"
            )


def _reads(strategy: str, setting: str) -> bool:
    parameters = find_strategy(strategy).parameters
    return parameters is not None and setting in parameters.model_fields


def check_parameters(names: Sequence[str], spec: Spec, field: str) -> None:
    """Raises `ConfigError` for parameters of a strategy that is not among those of ``field``."""
    for name in given_parameters(spec):
        if name not in names:
            raise ConfigError(
                f"strategy_parameters names {name}, which is none of {field}={','.join(names)}"
            )


def check_calibrated(names: Sequence[str], spec: CalibrationFields) -> None:
    """Raises `ConfigError` where a strategy or a field needs a calibration and none is named."""
    if spec.calibration:
        return
    if spec.wants_calibration:
        name = "progress" if spec.progress == "measured" else "gains"
        raise ConfigError(f"{name}=measured needs calibration=RUN_ID; make one: argo-ml calibrate")
    for name in names:
        strategy = ALL_STRATEGIES[name]
        if strategy.calibrated:
            raise ConfigError(
                f"strategy {name} needs calibration=RUN_ID; make one: argo-ml calibrate"
            )
        if needs_measured_prices(name, spec):
            raise ConfigError(
                f"strategy {name} decides by what steps cost, which is measured where tokens or "
                "seconds have prices: it needs calibration=RUN_ID; make one: argo-ml calibrate"
            )


def needs_measured_prices(strategy: str, spec: Spec) -> bool:
    """Whether it decides by what steps cost where only a calibration says what that is; the ceiling
    takes the best of what was really paid."""
    description = ALL_STRATEGIES[strategy]
    return description.by_price and not description.is_ceiling and prices_usage(spec)


def prices_usage(spec: Spec) -> bool:
    """Whether tokens or seconds have prices."""
    money = spec.money if isinstance(spec, MoneyFields) else None
    return money is not None and money.prices_usage
