"""Policies that a program brings as objects, without a package and its entry points.

Such a policy is one for all prices: it sees the state, and no price. One that depends on the price
or on a calibration is a `Strategy`, whose ``make`` gets both.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cached_property
from numbers import Number
from pathlib import PurePath
from typing import Any

import numpy as np
from pydantic import create_model

from argo_ml.config import Spec, StrategyFields
from argo_ml.errors import ConfigError
from argo_ml.policies.base import Policy
from argo_ml.policies.description import Role, Strategy
from argo_ml.policies.parameters import StrategyParameters
from argo_ml.policies.strategies import ALL_STRATEGIES

_PLAIN = re.compile(r"[^,\s]{1,40}")
"""A value that ``strategy_parameters`` shows as it is; of any other a digest."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_OWN = "own_"
"""Begins the parameter of a value whose own name is one of all strategies, or of pydantic's."""
_SHOWN_WHOLE = (
    str,
    bytes,
    Number,
    np.generic,
    Enum,
    PurePath,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    type,
    type(None),
)
"""Types whose ``repr`` says all that there is to a value."""


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
    values = {
        _parameter(attribute): _text(name, attribute, value)
        for attribute, value in _values(policy).items()
    }
    fields: dict[str, Any] = dict.fromkeys(values, (str, ...))
    parameters = create_model("OwnParameters", __base__=StrategyParameters, **fields)
    add_strategy(name, Strategy(lambda context: policy, Role.ADAPTIVE, parameters, by_price=False))
    return name, ",".join(f"{name}.{parameter}={value}" for parameter, value in values.items())


def add_strategy(name: str, strategy: Strategy) -> None:
    """Make a described strategy known for this process, in the place of one added before.

    Raises `ConfigError` for a name that cannot be kept, or that argo_ml or a package has.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"strategy {name!r}: a name is a letter, then letters, digits or _")
    ALL_STRATEGIES.add(name, strategy)


def _in_snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().lstrip("_")


def _parameter(attribute: str) -> str:
    """The name under which ``strategy_parameters`` keeps the value of an attribute."""
    is_taken = attribute in _shared_parameters() or hasattr(StrategyParameters, attribute)
    return _OWN + attribute if is_taken or attribute.startswith(("_", _OWN)) else attribute


def _shared_parameters(kind: type[Spec] = StrategyFields) -> frozenset[str]:
    """The parameters that strategies share with the specs that name them."""
    return frozenset(kind.model_fields).union(*map(_shared_parameters, kind.__subclasses__()))


def _values(given: object) -> Mapping[str, object]:
    """The values of an object's fields and attributes, but for those computed from others."""
    fields = dataclasses.fields(given) if dataclasses.is_dataclass(given) else ()
    names = (
        *(field.name for field in fields),
        *_slots(type(given)),
        *getattr(given, "__dict__", ()),
    )
    return {
        name: getattr(given, name)
        for name in dict.fromkeys(names)
        if hasattr(given, name)
        and not isinstance(getattr(type(given), name, None), cached_property)
    }


def _slots(kind: type) -> Iterator[str]:
    """The attributes that classes name in ``__slots__``."""
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            if name.startswith("__") and not name.endswith("__"):
                yield f"_{base.__name__.lstrip('_')}{name}"
            elif name not in ("__dict__", "__weakref__"):
                yield name


def _text(name: str, attribute: str, value: object) -> str:
    try:
        text = value if isinstance(value, str) else _shown(value)
    except _UntoldError:
        raise ConfigError(
            f"strategy {name}: {attribute}={value!r:.60} does not say all that it is, and cells "
            "are told apart by it; keep plain values, arrays or dataclasses of them in its place"
        ) from None
    if _PLAIN.fullmatch(text):
        return text
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


class _UntoldError(Exception):
    """Nothing of a value tells it apart from others of its class."""


def _shown(value: object) -> str:
    """A text that values of different content do not share: of plain values it is their ``repr``.

    Raises `_UntoldError` for what is neither plain nor made of plain values and arrays.
    """
    if isinstance(value, _SHOWN_WHOLE):
        return repr(value)
    if isinstance(value, list):
        return f"[{_listed(value)}]"
    if isinstance(value, tuple):
        return f"({_listed(value)}{',' if len(value) == 1 else ''})"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(_shown, value)))}}}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_shown(key)}: {_shown(value[key])}' for key in value)}}}"
    if isinstance(value, re.Pattern):
        return f"re.compile({value.pattern!r}, {value.flags})"
    if hasattr(value, "__dlpack__"):
        return _shown_array(value)
    if not dataclasses.is_dataclass(value):
        raise _UntoldError
    fields = (f"{name}={_shown(own)}" for name, own in _values(value).items())
    return f"{type(value).__qualname__}({', '.join(fields)})"


def _listed(values: list[Any] | tuple[Any, ...]) -> str:
    return ", ".join(map(_shown, values))


def _shown_array(value: object) -> str:
    """An array of any library by the digest of its bytes, since ``repr`` leaves most of it out."""
    try:
        array = np.asarray(value)
    # Of torch, an array with a gradient or on another device.
    except (TypeError, ValueError, RuntimeError):
        raise _UntoldError from None
    if array.dtype.hasobject:
        raise _UntoldError
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    return f"array({array.dtype.str}, {array.shape}, {digest})"
