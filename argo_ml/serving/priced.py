"""The published policy at any price: made when it is first asked for, and kept."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from argo_ml.calibration.record import Calibration
from argo_ml.config import CellSpec, build, is_operational
from argo_ml.mdp.process import solve
from argo_ml.policies import Policy
from argo_ml.results.artifacts import CALIBRATION
from argo_ml.serving.published import PublishedPolicy
from argo_ml.sweep.cells import cell_policy, cell_process

KEPT_PRICES = 256
"""Policies kept at once; one for another price is made again when it is asked for."""


@dataclass(frozen=True, slots=True)
class PricedPolicy:
    """A policy and the cell that it would be; ``spec`` names strategy and price."""

    spec: CellSpec
    policy: Policy


class PricedPolicies:
    """Policies by price. Threads may ask at once; each price is fitted by one of them."""

    def __init__(
        self, published: PublishedPolicy, calibration: Calibration | None, spec: CellSpec
    ) -> None:
        self._published = published
        self._calibration = calibration
        self._spec = spec
        self._kept: OrderedDict[float, PricedPolicy] = OrderedDict()
        self._lock = threading.Lock()

    def at(self, price: float) -> PricedPolicy:
        with self._lock:
            if price not in self._kept:
                self._kept[price] = self._make(price)
            self._kept.move_to_end(price)
            while len(self._kept) > KEPT_PRICES:
                self._kept.popitem(last=False)
            return self._kept[price]

    def _make(self, price: float) -> PricedPolicy:
        spec = self._spec.model_copy(
            update={"strategy": self._published.strategy_at(price), "retrieval_cost": price}
        )
        solution = solve(cell_process(spec, self._calibration))
        return PricedPolicy(spec, cell_policy(spec, solution, self._calibration))


def served_spec(
    published: PublishedPolicy, folder: Path, environment: Mapping[str, str] = os.environ
) -> CellSpec:
    """The published spec, as it is to be used here.

    Where things lie may differ from where they lay: ``ARGO_ML_<NAME>`` sets what cannot change a
    result, such as documents, server_urls and cache_dir. Raises `ConfigError`.
    """
    moved = {
        name: environment[variable]
        for name, field in CellSpec.model_fields.items()
        if is_operational(field) and environment.get(variable := f"ARGO_ML_{name.upper()}")
    }
    given = {name: value for name, value in published.spec.items() if name in CellSpec.model_fields}
    own = {"calibration": str(folder / CALIBRATION)} if (folder / CALIBRATION).is_file() else {}
    price = {"retrieval_cost": published.default_price}
    return build(CellSpec, {**given, **price, **moved, **own})
