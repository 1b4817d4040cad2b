"""The published policy at any price: made when it is first asked for, and kept."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_ml.calibration.record import Calibration
from argo_ml.config import CellSpec, build, is_operational, money_fields
from argo_ml.mdp.process import solve
from argo_ml.policies import Policy
from argo_ml.policies.strategies import find_strategy
from argo_ml.pricing import MoneyPrices
from argo_ml.replay.calibrating import HORIZON
from argo_ml.replay.deciding import is_decided_at_once
from argo_ml.results.artifacts import CALIBRATION
from argo_ml.serving.published import PolicyFiles, PublishedPolicy
from argo_ml.serving.questions import Asked, RequestError
from argo_ml.sweep.cells import cell_policy, cell_process
from argo_ml.types import Usage

KEPT_PRICES = 256
"""Policies kept at once; one for another price is made again when it is asked for."""


@dataclass(frozen=True, slots=True)
class RequestPrice:
    """The price of a retrieval in shares of what is at stake, and all others where they are in
    money."""

    retrieval_cost: float
    money: MoneyPrices | None = None


@dataclass(frozen=True, slots=True)
class PricedPolicy:
    """A policy and the cell that it would be; ``spec`` names strategy and price.

    ``calibration`` is the one that it was made of. One that ``decides_once`` was judged on records
    of the first decision alone.
    """

    spec: CellSpec
    policy: Policy
    calibration: Calibration | None
    decides_once: bool = False


class PricedPolicies:
    """Policies by price. Threads may ask at once; each price is fitted by one of them."""

    def __init__(self, files: PolicyFiles, spec: CellSpec) -> None:
        self._files = files
        self._spec = spec
        self._kept: OrderedDict[RequestPrice, PricedPolicy] = OrderedDict()
        self._lock = threading.Lock()

    def price_of(self, asked: Asked) -> RequestPrice:
        """The price that a request names, else the published one.

        Raises `RequestError` for prices in two units, or in one that the policy knows nothing of.
        """
        published = self._files.published
        if asked.money_given:
            return self._in_money(asked)
        given = asked.retrieval_cost
        if given is not None and self._spec.money is not None and self._spec.money.prices_usage:
            raise RequestError(
                f"retrieval_cost={given:g} is in shares of a right answer, and this policy was "
                "published with prices of tokens or seconds; give price_per_retrieval"
            )
        share = published.default_price if given is None else given
        return RequestPrice(share, self._spec.money)

    def _in_money(self, asked: Asked) -> RequestPrice:
        """The prices of the request, and the published ones where those are in money as well."""
        own = self._spec.money
        worth = asked.value_of_correct or (own.value_of_correct if own else None)
        if worth is None:
            name, value = next(iter(asked.money_given.items()))
            raise RequestError(
                f"{name}={value:g} is in your own unit: give value_of_correct, what a right answer "
                "is worth in it"
            )
        money = asked.money(worth, own)
        if money.prices_usage and not self._knows_usage:
            raise RequestError(
                "prices of tokens and seconds need a calibration that measured what actions use, "
                "and this policy has none; give value_of_correct and price_per_retrieval alone"
            )
        share = self._files.published.default_price
        if own is not None:
            # The price stays what it is in the unit, whatever else is at stake.
            share = money.share(share * own.stake)
        if asked.price_per_retrieval is not None:
            share = money.share(asked.price_per_retrieval)
        return RequestPrice(share, money)

    @property
    def _knows_usage(self) -> bool:
        """Whether it was measured what actions use, or nothing is decided by it."""
        calibration = self._files.calibration
        if calibration is not None:
            return bool(calibration.action_usage)
        named = (own.strategy for own in self._files.published.ranges)
        return not any(find_strategy(name).by_price for name in named)

    def at(self, price: RequestPrice) -> PricedPolicy:
        with self._lock:
            if price not in self._kept:
                self._kept[price] = self._make(price)
            self._kept.move_to_end(price)
            while len(self._kept) > KEPT_PRICES:
                self._kept.popitem(last=False)
            return self._kept[price]

    def _make(self, price: RequestPrice) -> PricedPolicy:
        strategy = self._files.published.strategy_at(price.retrieval_cost)
        update: dict[str, Any] = {"strategy": strategy, "retrieval_cost": price.retrieval_cost}
        if price.money is not None:
            update |= money_fields(price.money)
        spec = self._spec.model_copy(update=update)
        is_recorded = self._files.published.decides_only
        decides_once = is_recorded and is_decided_at_once(strategy, spec)
        walks = is_recorded and not decides_once
        calibration = self._files.stepwise if walks else self._files.calibration
        if decides_once:
            spec = spec.model_copy(update={"max_steps": HORIZON})
        elif walks and calibration:
            # As far as its questions are recorded.
            spec = spec.model_copy(update={"max_steps": calibration.horizon})
        policy = cell_policy(spec, solve(cell_process(spec, calibration)), calibration)
        return PricedPolicy(spec, policy, calibration, decides_once)


def named_price(share: float, money: MoneyPrices | None) -> dict[str, float]:
    """The price of a retrieval as a request has to name it, where tokens or seconds have prices in
    the unit of those."""
    if money is None or not money.prices_usage:
        return {"retrieval_cost": share}
    return {"price_per_retrieval": share * money.stake}


def amounts(price: RequestPrice, usage: Usage, n_retrievals: int) -> dict[str, Any]:
    """What an answer cost in the caller's unit; nothing where prices are shares."""
    money = price.money
    if money is None:
        return {}
    amount = money.amount(usage, n_retrievals, price.retrieval_cost)
    return {"amount": amount, "price_unit": money.unit}


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
