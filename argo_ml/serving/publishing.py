"""From a sweep that verifies to a registered model, linked to the runs that justify it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

import argo_ml
from argo_ml.calibration.record import Calibration
from argo_ml.config import CellSpec, PublishSpec, SweepSpec, shared_fields
from argo_ml.errors import ConfigError
from argo_ml.evaluation.advice import Advice
from argo_ml.evaluation.record import Evaluation
from argo_ml.policies.strategies import find_strategy
from argo_ml.results.artifacts import ADVICE, EVALUATION
from argo_ml.results.records import CellResult, Results
from argo_ml.results.stored import stored_record
from argo_ml.serving.published import (
    FOLDER,
    PublishedPolicy,
    StrategyRange,
    SweptPrice,
    write_policy,
)
from argo_ml.serving.registering import Registered, check_alias, register
from argo_ml.sweep.calibration_source import open_calibration
from argo_ml.sweep.cells import CALIBRATION_DIGEST, acts_by_calibration
from argo_ml.sweep.parent_run import load_record
from argo_ml.sweep.record import SweepRecord, open_record
from argo_ml.tracking.runs import store_of_runs
from argo_ml.types import Action
from argo_ml.verification.verify import verify_record

PUBLISHED = "publish"
"""Kind of the run that a published policy is logged on."""
_N_SHOWN = 3
SERVED = "those of requests"
"""Stands for the file of questions, of which a served policy has none."""


@dataclass(frozen=True, slots=True)
class _Source:
    """What a sweep says of the policy."""

    record: SweepRecord
    spec: SweepSpec
    results: Results
    evaluation: Evaluation
    advice: Advice | None = None


def publish(spec: PublishSpec) -> Registered:
    """Publish the policy of a finished sweep as a version of a registered model.

    Raises:
        ArgoError: the sweep does not verify, or the alias is another version's; nothing is
            registered then.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = _source(spec, Path(folder))
        check_alias(source.record.tracking, spec)
        published, calibration = _published(spec, source)
        target = Path(folder) / FOLDER
        write_policy(published, calibration, target)
        return register(spec, source.record, published, target, pinned_requirements())


def _source(spec: PublishSpec, folder: Path) -> _Source:
    advice = _advice(spec)
    sweep = advice.runs["test"] if advice else spec.sweep
    record = open_record(sweep, spec.tracking_uri, spec.experiment, folder)
    failed = [verdict for verdict in verify_record(record) if verdict.has_failed]
    if failed:
        shown = "; ".join(f"{verdict.name}: {verdict.detail}" for verdict in failed[:_N_SHOWN])
        raise ConfigError(f"sweep={record.run_id} does not verify and is not published ({shown})")
    evaluation = stored_record(record.artifact(EVALUATION), Evaluation, record.run_id)
    return _Source(record, record.spec(), record.results(), evaluation, advice)


def _advice(spec: PublishSpec) -> Advice | None:
    """Raises `ConfigError` for an advice that was not confirmed on the test split by a sweep."""
    if not spec.advice:
        return None
    if spec.sweep or spec.strategy:
        raise ConfigError("advice names sweep and strategies itself; leave out sweep and strategy")
    store = store_of_runs(spec.tracking_uri)
    advice = load_record(store, spec.advice, ADVICE, Advice)
    if "test" not in advice.runs:
        raise ConfigError(
            f"advice={spec.advice} was not confirmed on the test split; go on with it first: "
            f"{advice.go_on or 'argo-ml advise with a model'}"
        )
    return advice


def _published(spec: PublishSpec, source: _Source) -> tuple[PublishedPolicy, Calibration | None]:
    ranges = _ranges(spec, source)
    cells = [cell for cell in source.results.cells if _decides_at(ranges, cell)]
    cells.sort(key=lambda cell: cell.retrieval_cost)
    default = spec.default_price or cells[len(cells) // 2].retrieval_cost
    cell = CellSpec(
        **{
            **shared_fields(source.spec, CellSpec),
            **{
                "strategy": cells[0].strategy,
                "retrieval_cost": default,
                "questions": SERVED,
                "tracking_uri": "",
            },
        }
    )
    strategies = [part.strategy for part in ranges]
    calibration = _calibration(cell, strategies, source)
    update = {"calibration": ""} if calibration is None else {}
    published = PublishedPolicy(
        sweep_id=source.record.run_id,
        experiment_id=str(source.record.run.info.experiment_id),
        argo_ml=argo_ml.__version__,
        spec=cell.model_copy(update=update).model_dump(mode="json"),
        digests=source.record.digests,
        ranges=ranges,
        prices=tuple(map(_swept_price, cells)),
        default_price=default,
        trace_sampling=spec.trace_sampling,
        n_questions=source.evaluation.n_questions,
        answer=source.evaluation.answer,
        example=_example(source.record, cells[0]),
    )
    return published, calibration


def _ranges(spec: PublishSpec, source: _Source) -> tuple[StrategyRange, ...]:
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


def _strategy(spec: PublishSpec, source: _Source) -> str:
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


def _calibration(cell: CellSpec, strategies: Sequence[str], source: _Source) -> Calibration | None:
    """The very calibration of the sweep, where some strategy acts by it."""
    cells = [cell.model_copy(update={"strategy": strategy}) for strategy in strategies]
    if not any(map(acts_by_calibration, cells)):
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
    retrieving = sum(Action.RETRIEVE.value in row.actions for row in cell.questions)
    known = [row.confidence for row in cell.questions if row.confidence is not None]
    return SweptPrice(
        retrieval_cost=cell.retrieval_cost,
        strategy=cell.strategy,
        accuracy=cell.metrics["accuracy"],
        utility=cell.metrics["utility"],
        retrieval_calls=cell.metrics["retrieval_calls"],
        retrieval_share=retrieving / len(cell.questions),
        confidence=sum(known) / len(known) if known else None,
    )


def _example(record: SweepRecord, cell: CellResult) -> dict[str, Any]:
    """A request for one of the sweep's questions, whose calls its cache has."""
    line = next(iter(record.trajectories(cell)))
    custom: dict[str, Any] = {"retrieval_cost": cell.retrieval_cost}
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
