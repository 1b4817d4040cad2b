"""From a sweep or a replay that verifies to a registered model, linked to what justifies it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

import argo_ml
from argo_ml.calibration.record import Calibration
from argo_ml.config import CellSpec, PublishSpec, build, money_of
from argo_ml.errors import ConfigError
from argo_ml.evaluation.advice import PriceAdvice
from argo_ml.policies.checking import prices_usage
from argo_ml.policies.strategies import find_strategy
from argo_ml.pricing import MoneyPrices
from argo_ml.results.artifacts import CALIBRATION_DIGEST
from argo_ml.results.question_rows import row_values
from argo_ml.results.records import CellResult
from argo_ml.serving.deciding import LoadedPolicy
from argo_ml.serving.priced import named_price
from argo_ml.serving.published import (
    FOLDER,
    PolicyFiles,
    PublishedPolicy,
    StrategyRange,
    SweptPrice,
    write_policy,
)
from argo_ml.serving.recorded import (
    Calibrations,
    check_decides,
    decision_example,
    replayed_calibrations,
)
from argo_ml.serving.registering import Registered, check_alias, register
from argo_ml.serving.sources import Source, open_source
from argo_ml.sweep.calibration_source import open_calibration
from argo_ml.sweep.cells import acts_by_calibration
from argo_ml.types import Action

SERVED = "those of requests"
"""Stands for the file of questions, of which a served policy has none."""


def publish(spec: PublishSpec) -> Registered:
    """Publish the policy of a finished sweep or replay as a version of a registered model.

    That of a replay decides only: there are neither documents nor a model to answer with.

    Raises:
        ArgoError: the sweep does not verify, or the alias is another version's; nothing is
            registered then.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = open_source(spec, Path(folder))
        check_alias(source.record.tracking, spec)
        files = _files(spec, source)
        target = Path(folder) / FOLDER
        write_policy(files, target)
        if source.is_replay:
            check_decides(LoadedPolicy.read(target))
        published = files.published
        return register(spec, source.record, published, target, pinned_requirements())


def _files(spec: PublishSpec, source: Source) -> PolicyFiles:
    ranges = _ranges(spec, source)
    cells = [cell for cell in source.results.cells if _decides_at(ranges, cell)]
    cells.sort(key=lambda cell: cell.retrieval_cost)
    default = _default_price(spec, source, cells)
    cell = build(
        CellSpec,
        {
            **source.shared,
            "strategy": cells[0].strategy,
            "retrieval_cost": default,
            "questions": SERVED,
            "tracking_uri": "",
        },
    )
    learned = _learned(cell, [part.strategy for part in ranges], source)
    update = {} if learned.calibration and not source.is_replay else {"calibration": ""}
    return PolicyFiles(
        PublishedPolicy(
            sweep_id=source.record.run_id,
            experiment_id=str(source.record.run.info.experiment_id),
            argo_ml=argo_ml.__version__,
            spec=cell.model_copy(update=update).model_dump(mode="json"),
            digests=source.record.digests,
            ranges=ranges,
            prices=_swept_prices(source, cells),
            default_price=default,
            trace_sampling=spec.trace_sampling,
            n_questions=source.evaluation.n_questions,
            answer=source.answer,
            example=_example(source, cells[0], cell.money, learned),
            decides_only=source.is_replay,
        ),
        learned.calibration,
        learned.stepwise,
    )


def _default_price(spec: PublishSpec, source: Source, cells: Sequence[CellResult]) -> float:
    """The price of requests that name none, in shares of what is at stake.

    Given, it is in the unit of the sweep's prices, in which a retrieval may cost nothing but its
    tokens; else it is the middle one of those that were asked about. Raises `ConfigError`.
    """
    given, money = spec.default_price, money_of(source.shared)
    if given is None:
        prices = source.named_prices or tuple(cell.retrieval_cost for cell in cells)
        return prices[len(prices) // 2]
    if money is not None:
        return money.share(given)
    if given == 0:
        raise ConfigError("default_price=0: must be greater than 0, as the prices of the sweep")
    return given


def _learned(cell: CellSpec, strategies: Sequence[str], source: Source) -> Calibrations:
    if source.is_replay:
        return replayed_calibrations(source)
    return Calibrations(_calibration(cell, strategies, source))


def _swept_prices(source: Source, cells: Sequence[CellResult]) -> tuple[SweptPrice, ...]:
    """What the test split showed where an advice has chosen on another part of the replay."""
    advised = source.advice.prices if source.advice and source.is_replay else ()
    by_price = {at.retrieval_cost: at for at in advised}
    return tuple(
        _advised_price(by_price[cell.retrieval_cost])
        if cell.retrieval_cost in by_price
        else _swept_price(cell)
        for cell in cells
    )


def _advised_price(at: PriceAdvice) -> SweptPrice:
    return SweptPrice(
        retrieval_cost=at.retrieval_cost,
        strategy=at.strategy,
        accuracy=at.accuracy.mean,
        utility=at.utility.mean,
        retrieval_calls=at.retrievals,
        retrieval_share=at.retrieval_share,
    )


def _ranges(spec: PublishSpec, source: Source) -> tuple[StrategyRange, ...]:
    """The strategies by price: those of an advice, or one at all prices."""
    if source.advice is None:
        return (StrategyRange(strategy=_strategy(spec, source)),)
    return tuple(
        StrategyRange(strategy=own.strategy, low=own.low or 0.0, high=own.high)
        for own in source.advice.ranges
    )


def _decides_at(ranges: Sequence[StrategyRange], cell: CellResult) -> bool:
    inside = [part for part in ranges if part.has(cell.retrieval_cost)]
    return (inside or ranges[-1:])[0].strategy == cell.strategy


def _strategy(spec: PublishSpec, source: Source) -> str:
    """The strategy that was asked for, or that of the sweep's headline."""
    swept = source.results.strategies
    headline = source.evaluation.headline
    if spec.strategy and spec.strategy not in swept:
        raise ConfigError(
            f"strategy={spec.strategy} did not run in sweep {source.record.run_id}; "
            f"there are {', '.join(swept)}"
        )
    strategy = spec.strategy or (headline.strategy if headline else "")
    if not strategy:
        raise ConfigError(
            f"sweep {source.record.run_id} has no strategy that looks at the question; "
            f"name one of {', '.join(swept)} with strategy"
        )
    if find_strategy(strategy).is_ceiling:
        raise ConfigError(f"strategy={strategy} needs the answers to find them; use another")
    return strategy


def _calibration(cell: CellSpec, strategies: Sequence[str], source: Source) -> Calibration | None:
    """The very calibration of the sweep, where some strategy acts by it, or by what steps were
    measured to cost."""
    cells = [cell.model_copy(update={"strategy": strategy}) for strategy in strategies]
    is_priced = prices_usage(cell) and any(find_strategy(own).by_price for own in strategies)
    if not is_priced and not any(map(acts_by_calibration, cells)):
        return None
    opened = open_calibration(cell.model_copy(update={"tracking_uri": source.record.tracking.uri}))
    digest = source.record.digests.get(CALIBRATION_DIGEST)
    if opened is None or opened.digest != digest:
        raise ConfigError(
            f"calibration={cell.calibration} is not the one that sweep {source.record.run_id} "
            f"was made with ({CALIBRATION_DIGEST} {digest}); sweep again"
        )
    return opened


def _swept_price(cell: CellResult) -> SweptPrice:
    rows = list(row_values(cell.questions, "actions", "confidence"))
    retrieving = sum(Action.RETRIEVE.value in actions for actions, _ in rows)
    known = [confidence for _, confidence in rows if confidence is not None]
    return SweptPrice(
        retrieval_cost=cell.retrieval_cost,
        strategy=cell.strategy,
        accuracy=cell.metrics["accuracy"],
        utility=cell.metrics["utility"],
        retrieval_calls=cell.metrics["retrieval_calls"],
        retrieval_share=retrieving / len(rows),
        confidence=sum(known) / len(known) if known else None,
    )


def _example(
    source: Source, cell: CellResult, money: MoneyPrices | None, learned: Calibrations
) -> dict[str, Any]:
    """A request for one of the sweep's questions, whose calls its cache has; of a replay for a
    decision about one of the answers that it calibrated on."""
    price = named_price(cell.retrieval_cost, money)
    if source.is_replay:
        return decision_example(price, learned)
    line = next(iter(source.record.trajectories(cell)))
    custom: dict[str, Any] = dict(price)
    if line["choices"]:
        custom["choices"] = list(line["choices"])
    return {
        "input": [{"role": "user", "content": line["question"]}],
        "custom_inputs": custom,
    }


def pinned_requirements() -> list[str]:
    """What argo_ml itself needs, at the versions that are installed here."""
    pinned = {}
    for line in requires("argo_ml") or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            name = requirement.name
            pinned[name] = f"{name}=={_public(version(name))}"
    return [pinned[name] for name in sorted(pinned)]


def _public(installed: str) -> str:
    """A version without its local part: 2.13.0 of 2.13.0+cpu."""
    return installed.partition("+")[0]
