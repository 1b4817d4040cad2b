"""What a study may search of a strategy, declared beside the strategy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

Settings = Mapping[str, float]
"""Parameters of a cell by name."""


class Suggester(Protocol):
    """Suggests a value for a parameter, within the range that the study's user gave for it."""

    def suggest(self, name: str, at_most: float | None = None) -> float:
        """``at_most`` is a bound that depends on what was suggested before."""


Search = Callable[[Suggester], Settings]
"""The settings of one trial."""


def search_nothing(suggester: Suggester) -> Settings:
    return {}
