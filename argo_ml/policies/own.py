"""Policies that a program brings as objects, without a package and its entry points.

Such a policy is one for all prices: it sees the state, and no price. One that depends on the price
or on a calibration is a `Strategy`, whose ``make`` gets both.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from pydantic import create_model

from argo_ml.errors import ConfigError
from argo_ml.policies.base import Policy
from argo_ml.policies.description import Role, Strategy
from argo_ml.policies.parameters import StrategyParameters
from argo_ml.policies.strategies import ALL_STRATEGIES

_PLAIN = re.compile(r"[^,\s]{1,40}")
"""A value that ``strategy_parameters`` shows as it is; of any other a digest."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def add_policy(policy: Policy) -> tuple[str, str]:
    """Make ``policy`` known for this process; returns its name and its ``strategy_parameters``.

    Its name is its attribute ``name``, else that of its class: ``FirstWord`` is ``first_word``.
    The values that it decides by are its fields or attributes; they count in a cell's identity.
    Raises `ConfigError` for what is no policy, or has a name or values that cannot be kept.
    """
    if isinstance(policy, type) or not callable(getattr(policy, "decide", None)):
        raise ConfigError(
            f"strategies: {policy!r:.80} is no policy; give a name, or an object with "
            "decide(state, rng) -> Decision"
        )
    name = str(getattr(policy, "name", "") or _in_snake_case(type(policy).__name__))
    values = {own: _text(name, own, value) for own, value in _values(policy).items()}
    fields: dict[str, Any] = {own: (str, ...) for own in values}
    parameters = create_model("OwnParameters", __base__=StrategyParameters, **fields)
    add_strategy(name, Strategy(lambda context: policy, Role.ADAPTIVE, parameters, by_price=False))
    return name, ",".join(f"{name}.{own}={value}" for own, value in values.items())


def add_strategy(name: str, strategy: Strategy) -> None:
    """Make a described strategy known for this process, in the place of one added before.

    Raises `ConfigError` for a name that cannot be kept, or that argo_ml or a package has.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"strategy {name!r}: a name is a letter, then letters, digits or _")
    ALL_STRATEGIES.add(name, strategy)


def _in_snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().lstrip("_")


def _values(policy: object) -> Mapping[str, object]:
    if dataclasses.is_dataclass(policy):
        return {own.name: getattr(policy, own.name) for own in dataclasses.fields(policy)}
    return getattr(policy, "__dict__", {})


def _text(name: str, own: str, value: object) -> str:
    text = repr(value) if not isinstance(value, str) else value
    if " at 0x" in text:
        raise ConfigError(
            f"strategy {name}: {own}={text:.60} says nothing of what it is, and cells are told "
            "apart by it; give its class a __repr__, or make the policy a dataclass of plain values"
        )
    if _PLAIN.fullmatch(text):
        return text
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
