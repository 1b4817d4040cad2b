"""Parameters of strategies that other packages bring, as one field."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from argo_ml.config.base import HelpSection, Spec, left_out_at_default

_PAIR = re.compile(r"([^.=,\s]+)\.([^.=,\s]+)=([^,]+)")


def _canonical(value: object) -> object:
    """The pairs in alphabetical order, since their order means nothing."""
    if not isinstance(value, str):
        return value
    parts = sorted(part.strip() for part in value.split(",") if part.strip())
    for part in parts:
        if not _PAIR.fullmatch(part):
            raise ValueError(f"{part} is not STRATEGY.NAME=VALUE")
    names = Counter(part.partition("=")[0] for part in parts)
    if repeated := [name for name, count in names.items() if count > 1]:
        raise ValueError(f"{repeated[0]} is given twice")
    return ",".join(parts)


class StrategyFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.STRATEGY_SETTINGS

    strategy_parameters: Annotated[str, BeforeValidator(_canonical)] = Field(
        "",
        **left_out_at_default(
            "Parameters of strategies of other packages: STRATEGY.NAME=VALUE, comma-separated."
        ),
    )

    @property
    def parameters_by_strategy(self) -> Mapping[str, Mapping[str, str]]:
        """The values by strategy and name, as text."""
        by_strategy: dict[str, dict[str, str]] = {}
        for strategy, name, value in _PAIR.findall(self.strategy_parameters):
            by_strategy.setdefault(strategy, {})[name] = value
        return by_strategy
