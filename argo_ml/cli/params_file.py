"""Parameters from a file, which may have been written for another command."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from argo_ml.cli.command_specs import COMMANDS
from argo_ml.config import Spec, read_params
from argo_ml.config.base import split_commas

SINGULAR: Mapping[str, str] = MappingProxyType(
    {"strategies": "strategy", "retrieval_costs": "retrieval_cost"}
)
"""Of lists of parameters, what commands call one value that take only one."""
_KNOWN = frozenset(name for spec_type in COMMANDS.values() for name in spec_type.model_fields)
"""Parameters of all commands."""
logger = logging.getLogger(__name__)


def read_for(spec_type: type[Spec], path: Path) -> dict[str, object]:
    """The values of a file of parameters, without those that only other commands take.

    These are named in the log. Raises `ConfigError`.
    """
    values = _with_singular(read_params(path), spec_type)
    taken = spec_type.model_fields.keys() | spec_type.refused.keys()
    left_out = [name for name in values if name in _KNOWN and name not in taken]
    if left_out:
        named = ", ".join(_named(name, spec_type) for name in left_out)
        logger.info("params=%s: left out, as this command has none: %s", path, named)
    return {name: value for name, value in values.items() if name not in left_out}


def _named(name: str, spec_type: type[Spec]) -> str:
    here = spec_type.renamed.get(name)
    return f"{name} ({here} here)" if here else name


def _with_singular(values: Mapping[str, object], spec_type: type[Spec]) -> dict[str, object]:
    """A list of one value as that value, where the command takes one and the file names none."""
    adapted = dict(values)
    for plural, singular in SINGULAR.items():
        if plural in spec_type.model_fields and plural in adapted:
            adapted.pop(singular, None)
        elif singular in spec_type.model_fields and plural in adapted:
            several = _listed(adapted[plural])
            if singular in adapted or len(several) == 1:
                adapted.setdefault(singular, several[0])
                del adapted[plural]
    return adapted


def _listed(value: object) -> tuple[object, ...]:
    split = split_commas(value)
    return tuple(split) if isinstance(split, (tuple, list)) and split else (value,)
