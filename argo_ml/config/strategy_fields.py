"""Parameters of single strategies that are left out of what is stored where nobody sets them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from argo_ml.config.base import HelpSection, Spec, left_out_at_default

_FORM = re.compile(r"\s*(?P<promise>[a-z ]+?)\s*(?:<=|≤)\s*(?P<level>[0-9.]+)\s*")
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


class Promise(Enum):
    """A share of questions that is kept small."""

    ERRORS = "error among answered"
    RETRIEVALS = "share of retrievals"


@dataclass(frozen=True, slots=True)
class Guarantee:
    """That ``promise`` is at most ``level``."""

    promise: Promise
    level: float


def read_guarantee(text: str) -> Guarantee:
    """Raises ValueError that says what would be one."""
    match = _FORM.fullmatch(text)
    promises = [own.value for own in Promise]
    if match is None or match["promise"] not in promises:
        known = " <= 0.2, or ".join(promises)
        raise ValueError(f"promises nothing that is known; write {known} <= 0.3")
    try:
        level = float(match["level"])
    except ValueError:
        level = 1.0
    if not 0.0 < level < 1.0:
        raise ValueError(f"{match['level']} is no share; write one between 0 and 1")
    return Guarantee(Promise(match["promise"]), level)


def _checked_guarantee(value: object) -> object:
    if isinstance(value, str) and value:
        read_guarantee(value)
    return value


class GuaranteeFields(Spec):
    """What gates promise."""

    section: ClassVar[HelpSection] = HelpSection.STRATEGY_SETTINGS

    guarantee: Annotated[str, BeforeValidator(_checked_guarantee)] = Field(
        "",
        **left_out_at_default(
            "What gates promise of questions like the calibration's, with probability 1 - delta: "
            "'error among answered <= 0.2' (they abstain where less sure), or 'share of "
            "retrievals <= 0.3'."
        ),
    )
    delta: float = Field(
        0.05, gt=0, lt=1, **left_out_at_default("Chance at most that the guarantee does not hold.")
    )

    def unread(self) -> Iterator[tuple[str, str]]:
        yield from super().unread()
        if not self.guarantee:
            yield "delta", "needs guarantee, such as 'share of retrievals <= 0.3'"


class StrategyFields(GuaranteeFields):
    section: ClassVar[HelpSection] = HelpSection.STRATEGY_SETTINGS

    strategy_parameters: Annotated[str, BeforeValidator(_canonical)] = Field(
        "",
        **left_out_at_default(
            "Parameters of single strategies, and those of other packages: STRATEGY.NAME=VALUE, "
            "comma-separated."
        ),
    )

    @property
    def parameters_by_strategy(self) -> Mapping[str, Mapping[str, str]]:
        """The values by strategy and name, as text."""
        by_strategy: dict[str, dict[str, str]] = {}
        for strategy, name, value in _PAIR.findall(self.strategy_parameters):
            by_strategy.setdefault(strategy, {})[name] = value
        return by_strategy
