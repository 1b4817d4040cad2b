"""A sum that is rounded once, however and in whatever pieces it was added up."""

from __future__ import annotations

import math
from typing import Any

import numpy.typing as npt


class ExactSum:
    """A running sum whose value is that of `math.fsum` over everything that was added.

    Whole numbers are summed as such; of others the parts that rounding loses are kept beside the
    sum, so that together they are it without error (an expansion: Shewchuk 1997).
    """

    def __init__(self) -> None:
        self._whole = 0
        self._parts: list[float] = []

    def add(self, values: npt.NDArray[Any]) -> None:
        if values.dtype.kind in "biu":
            self._whole += int(values.sum())
            return
        rest = [*self._parts, *values.tolist()]
        self._parts = []
        while part := math.fsum(rest):
            self._parts.append(part)
            if not math.isfinite(part):
                break
            rest.append(-part)

    @property
    def value(self) -> float:
        return math.fsum([self._whole, *self._parts])
