"""A sum that is rounded once, however and in whatever pieces it was added up."""

from __future__ import annotations

import math
from collections.abc import Iterable


class ExactSum:
    """A running sum whose value is that of `math.fsum` over everything that was added.

    Whole numbers are summed as such; of others the parts that rounding loses are kept beside the
    sum (Shewchuk 1997, "grow expansion").
    """

    def __init__(self) -> None:
        self._whole = 0
        self._parts: list[float] = []

    def add(self, values: Iterable[float]) -> None:
        listed = list(values)
        total = sum(listed)
        if isinstance(total, int):
            self._whole += total
            return
        for value in listed:
            self._grow(float(value))

    @property
    def value(self) -> float:
        return math.fsum([self._whole, *self._parts])

    def _grow(self, value: float) -> None:
        kept = []
        for part in self._parts:
            if abs(value) < abs(part):
                value, part = part, value
            total = value + part
            lost = part - (total - value)
            if lost:
                kept.append(lost)
            value = total
        self._parts = [*kept, value]
