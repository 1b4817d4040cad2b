"""What the user may set of single strategies: a small model for each that has any.

A field of the name of a parameter of every experiment takes that parameter's value; any other is
set by ``strategy_parameters``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from argo_ml.config import Guarantee, Spec, StrategyFields, read_guarantee, suggest
from argo_ml.errors import ConfigError


class StrategyParameters(BaseModel):
    """Base of the parameters of a strategy; those without a default have to be given."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ParametersType = TypeVar("ParametersType", bound=StrategyParameters)


class ThresholdParameters(StrategyParameters):
    """The user's own thresholds of progress."""

    theta_cont: float
    theta_star: float


class GateParameters(StrategyParameters):
    """``gate_budget`` is the share of questions that a gate may retrieve for.

    None: the threshold follows from the price. ``guarantee`` is what is promised with probability 1
    - ``delta`` (`argo_ml.config.Guarantee`); empty: nothing.
    """

    gate_budget: float | None = None
    guarantee: str = ""
    delta: float = 0.05

    @property
    def promised(self) -> Guarantee | None:
        return read_guarantee(self.guarantee) if self.guarantee else None


class GradedParameters(GateParameters):
    """``abstain_below`` is the p-hat below which no answer is given; None: one always is."""

    abstain_below: float | None = None


class ScoreParameters(GateParameters):
    """``name`` is the recorded score that a gate decides by, empty: the only one there is.
    ``reads_answer``: the score was computed from the answer without retrieval, which is paid for
    where a retrieval follows."""

    name: str = ""
    reads_answer: bool = False


class OracleParameters(StrategyParameters):
    """``oracle_steps`` is the length of the longest sequences of actions that are tried."""

    oracle_steps: int = 2


class AdvantageParameters(StrategyParameters):
    """``reads_metadata``: fields of the questions' metadata that part the calibration are
    features."""

    reads_metadata: bool = False


def read_parameters(strategy: str, kind: type[ParametersType], spec: Spec) -> ParametersType:
    """The parameters of ``strategy`` as ``spec`` has them.

    Raises `ConfigError` for one that is missing, unknown or refused by ``kind``.
    """
    own = [name for name in kind.model_fields if name not in type(spec).model_fields]
    given = given_parameters(spec).get(strategy, {})
    for name in given:
        if name not in own:
            known = dict.fromkeys(f"{strategy}.{field}" for field in own)
            raise ConfigError(
                f"strategy_parameters: {strategy}.{name} is unknown"
                f"{suggest(f'{strategy}.{name}', known) if known else '; the strategy has none'}"
            )
    common = {name: getattr(spec, name) for name in kind.model_fields if name not in own}
    values = {name: value for name, value in common.items() if value is not None}
    return _build(strategy, kind, {**values, **given})


def given_parameters(spec: Spec) -> Mapping[str, Mapping[str, str]]:
    """What ``strategy_parameters`` sets, by strategy and name."""
    return spec.parameters_by_strategy if isinstance(spec, StrategyFields) else {}


def _build(strategy: str, kind: type[ParametersType], values: Mapping[str, Any]) -> ParametersType:
    required = [name for name, field in kind.model_fields.items() if field.is_required()]
    if any(name not in values for name in required):
        raise ConfigError(f"strategy {strategy} needs {' and '.join(required)}")
    try:
        return kind(**values)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, (strategy, *problem["loc"])))
        message = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(
            f"{place}={problem['input']}: {message[0].lower()}{message[1:]}"
        ) from None
