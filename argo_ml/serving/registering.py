"""The registered model of a published policy: logged, linked, named."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

import argo_ml
from argo_ml.config import PublishSpec
from argo_ml.errors import ConfigError
from argo_ml.escaping import markdown
from argo_ml.interruption import uninterrupted
from argo_ml.results.metrics import BY_PRICE, price_steps
from argo_ml.serving import agent_code
from argo_ml.serving.published import FOLDER, PublishedPolicy
from argo_ml.sweep.record import SweepRecord
from argo_ml.tracking import runs
from argo_ml.tracking.environment import source_tags
from argo_ml.tracking.names import spec_params
from argo_ml.tracking.runs import Tracking
from argo_ml.tracking.stores import errors_explained, explained

KIND = "publish"
STRATEGY = "argo.strategy"
CALIBRATION = "argo.calibration"
NO_MODEL = "RESOURCE_DOES_NOT_EXIST"
NO_ALIAS = "INVALID_PARAMETER_VALUE"
"""What MLflow says of an alias that nobody has, and of names that it does not take."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A version of a registered model; ``uri`` is by its alias."""

    name: str
    version: str
    alias: str
    uri: str
    run_id: str
    model_id: str
    published: PublishedPolicy = field(repr=False)


def check_alias(tracking: Tracking, spec: PublishSpec) -> None:
    """Raises `ConfigError` for an alias that another version has, unless it is to be replaced."""
    if holder := version_in_the_way(tracking, spec):
        raise ConfigError(
            f"alias={spec.alias} of {spec.name} is version {holder}'s; take it with --replace, or "
            "give another alias"
        )


def version_in_the_way(tracking: Tracking, spec: PublishSpec) -> str:
    """The version that has the alias and is not to be replaced; empty where there is none."""
    return "" if spec.replace else version_of_alias(tracking, spec.name, spec.alias)


def version_of_alias(tracking: Tracking, name: str, alias: str) -> str:
    """The version that has the alias; empty where none has."""
    holder = _holder(tracking, name, alias)
    return str(holder.version) if holder else ""


def sweep_of_alias(tracking: Tracking, name: str, alias: str) -> str:
    """The sweep or replay that justifies the version which has the alias; empty where none has."""
    holder = _holder(tracking, name, alias)
    return str(holder.tags.get(runs.SWEEP_ID, "")) if holder else ""


def _holder(tracking: Tracking, name: str, alias: str) -> ModelVersion | None:
    """Raises `TrackingError` for a store that cannot say."""
    with explained(tracking.uri):
        try:
            return tracking.client.get_model_version_by_alias(name, alias)
        except MlflowException as error:
            if _is_nobodys(error):
                return None
            raise


def _is_nobodys(error: MlflowException) -> bool:
    is_free = error.error_code == NO_ALIAS and "not found" in str(error)
    return error.error_code == NO_MODEL or is_free


def register(
    spec: PublishSpec,
    record: SweepRecord,
    published: PublishedPolicy,
    folder: Path,
    requirements: Sequence[str],
) -> Registered:
    """Log the policy on a run of its own beside the sweep, and give the version its alias: last,
    so that requests are answered by it only where all of it is stored."""
    tracking = record.tracking
    tags = {
        runs.KIND: KIND,
        runs.SWEEP_ID: record.run_id,
        STRATEGY: ",".join(published.strategies),
        CALIBRATION: str(published.spec.get("calibration", "")),
    }
    run = tracking.adopt_or_create(f"publish {spec.name}", tags)
    with run.recording_failure():
        run.log(params=spec_params(spec.model_dump(mode="json")), tags={runs.NOTE: note(published)})
        with errors_explained(tracking.uri):
            info = _log_model(run.run_id, tracking, published, folder, requirements)
        _log_evidence(tracking, run.run_id, info.model_id, published)
        # Another may have published meanwhile.
        check_alias(tracking, spec)
        version = _register(tracking, info, spec, tags, note(published))
    # An interruption finds either both or neither, and is no failure of what is published.
    with uninterrupted(), run.recording_failure():
        run.end()
        with explained(tracking.uri):
            tracking.client.set_registered_model_alias(spec.name, spec.alias, version)
    return Registered(
        name=spec.name,
        version=version,
        alias=spec.alias,
        uri=f"models:/{spec.name}@{spec.alias}",
        run_id=run.run_id,
        model_id=str(info.model_id),
        published=published,
    )


def note(published: PublishedPolicy) -> str:
    """The description of a version: what it is, and what justifies it."""
    swept = ", ".join(f"{price.retrieval_cost:g}" for price in published.prices)
    lines = (
        f"`{', '.join(published.strategies)}` at any price of a retrieval, justified by sweep "
        f"`{published.sweep_id}` on {published.n_questions} questions at prices {swept}.",
        markdown(published.answer),
    )
    return "\n\n".join(lines)


def _log_model(
    run_id: str,
    tracking: Tracking,
    published: PublishedPolicy,
    folder: Path,
    requirements: Sequence[str],
) -> Any:
    """Log code and files; MLflow answers the example by them first.

    The run is not made the active one: a notebook may have a run, or an experiment, of its own.
    """
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    model = tracking.client.create_logged_model(
        tracking.experiment_id,
        name=FOLDER,
        source_run_id=run_id,
        tags=source_tags(),
        params={**_model_params(published), **tracking.client.get_run(run_id).data.params},
        model_type="agent",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mlflow.models.Model.log(
            artifact_path=None,
            flavor=mlflow.pyfunc,
            name=FOLDER,
            run_id=run_id,
            model_id=model.model_id,
            python_model=agent_code.__file__,
            artifacts={FOLDER: str(folder)},
            code_paths=[str(Path(argo_ml.__file__).parent)],
            input_example=dict(published.example),
            pip_requirements=list(requirements),
            metadata={"argo_ml": published.argo_ml, "sweep": published.sweep_id},
        )


def _model_params(published: PublishedPolicy) -> dict[str, str]:
    params = {
        "strategy": ",".join(published.strategies),
        "default_price": published.default_price,
        "model": published.spec.get("model"),
        "sweep": published.sweep_id,
    }
    return {name: str(value) for name, value in params.items()}


def _register(
    tracking: Tracking, info: Any, spec: PublishSpec, tags: dict[str, str], description: str
) -> str:
    """The new version of the registered model, which has no alias yet."""
    with explained(tracking.uri):
        _create_model(tracking.client, spec.name)
        created = tracking.client.create_model_version(
            spec.name,
            source=info.model_uri,
            run_id=info.run_id,
            tags=tags,
            description=description,
            model_id=info.model_id,
        )
    return str(created.version)


def _create_model(client: MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(
            name, description="Published by argo-ml: when to retrieve; its versions say why."
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _log_evidence(
    tracking: Tracking, run_id: str, model_id: str, published: PublishedPolicy
) -> None:
    """What the sweep has measured, as metrics of the model: curves by the price, and what holds at
    the price nearest to the default one."""
    default, now = published.default_price, int(time.time() * 1000)
    nearest = min(published.prices, key=lambda price: abs(price.retrieval_cost - default))
    steps = price_steps([price.retrieval_cost for price in published.prices])
    metrics: list[Metric] = []
    for curve, measure in BY_PRICE.items():
        points = [(curve, steps[price.retrieval_cost], price) for price in published.prices]
        metrics += [
            Metric(name, getattr(price, measure), now, step, model_id=model_id)
            for name, step, price in [*points, (measure, 0, nearest)]
        ]
    with explained(tracking.uri):
        tracking.client.log_batch(run_id, metrics)
