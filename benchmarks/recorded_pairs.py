"""Right answers without and with one retrieval, of calibration files of recorded outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from argo_ml.calibration.plans import NONE, ONCE
from benchmarks.recorded_sets import read_calibration


@dataclass(frozen=True)
class Pairs:
    """Whether each question is answered right without retrieval and with one."""

    name: str
    without: NDArray[np.float64]
    with_: NDArray[np.float64]

    @property
    def benefit(self) -> NDArray[np.float64]:
        return self.with_ - self.without


def read_pairs(path: Path, scorer: str) -> Pairs:
    """The questions of the calibration alone: those of other splits are left out."""
    recorded = read_calibration(path, scorer)
    without, with_ = (
        np.array([float(own.outcomes[plan].correct) for own in recorded]) for plan in (NONE, ONCE)
    )
    return Pairs(path.stem, without, with_)


def pooled(pairs: list[Pairs]) -> Pairs:
    """All sets as one."""
    return Pairs(
        "all",
        np.concatenate([own.without for own in pairs]),
        np.concatenate([own.with_ for own in pairs]),
    )
