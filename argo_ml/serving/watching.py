"""Whether a published policy does in use what its sweep saw: by week, from the traces of requests.

Two things are compared. p-hat with the verdicts that people or scorers gave (feedback of the name
``correct``), where a policy has one: a calibrated p-hat is right on average. And the share of
requests that retrieve with that of the sweep at the same prices: it differs for questions of
another kind.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from statistics import fmean
from typing import Any

from mlflow.tracing.constant import TraceMetadataKey

from argo_ml.config import WatchSpec
from argo_ml.errors import ConfigError
from argo_ml.serving.loading import load_policy
from argo_ml.serving.published import PublishedPolicy
from argo_ml.serving.tracing import N_STEPS, SERVED
from argo_ml.statistics.intervals import share_difference, wilson
from argo_ml.tracking.runs import open_client
from argo_ml.tracking.stores import explained
from argo_ml.tracking.traces import CORRECT

FEWEST = 20
"""Requests, and verdicts, of a week below which nothing is said of it."""
ROUNDING = 5e-6
"""Share of itself by which the price of a trace may miss the swept one: earlier traces have six
digits of it."""
_VERDICTS = {"yes": True, "true": True, "no": False, "false": False, 1: True, 0: False}
"""True and False are 1 and 0."""


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """What a trace tells of a request; ``correct`` is None until somebody has judged it.

    ``n_steps`` were taken before, each decided by a request of its own.
    """

    week: str
    retrieval_cost: float
    retrieves: bool
    p_hat: float | None
    correct: bool | None
    n_steps: int = 0


@dataclass(frozen=True, slots=True)
class Week:
    """A week of requests; shares are None where there is nothing to take them of.

    ``retrieves`` is of first decisions, as a question counts once. ``accuracy`` is of all judged
    answers, ``confident_accuracy`` and ``confident_p_hat`` of the ``n_confident`` among them that
    have a p-hat.
    """

    week: str
    n_requests: int
    retrieves: float
    expected_retrieves: float | None
    mean_p_hat: float | None
    n_judged: int
    accuracy: float | None
    n_confident: int
    confident_accuracy: float | None
    confident_p_hat: float | None
    warnings: tuple[str, ...]


def watch(spec: WatchSpec) -> tuple[Week, ...]:
    """The weeks of the served requests, in order. Raises `ArgoError`."""
    policy = load_policy(f"models:/{spec.name}@{spec.alias}", spec.tracking_uri)
    client = open_client(spec.tracking_uri, create=False)
    with explained(str(client.tracking_uri)):
        version = client.get_model_version_by_alias(spec.name, spec.alias)
        requests = list(served_requests(client, policy.published, version.model_id or ""))
    if not requests:
        raise ConfigError(
            f"{spec.name}@{spec.alias} has no traced requests; serve it with this store as "
            "MLFLOW_TRACKING_URI"
        )
    return weeks(requests, policy.published)


def weeks(requests: Sequence[ServedRequest], published: PublishedPolicy) -> tuple[Week, ...]:
    by_week: defaultdict[str, list[ServedRequest]] = defaultdict(list)
    for request in requests:
        by_week[request.week].append(request)
    return tuple(_week(week, by_week[week], published) for week in sorted(by_week))


def _week(week: str, requests: Sequence[ServedRequest], published: PublishedPolicy) -> Week:
    first = [one for one in requests if not one.n_steps] or requests
    shares = [_swept_share(one.retrieval_cost, published) for one in first]
    swept = [share for share in shares if share is not None]
    expected = fmean(swept) if swept and len(swept) == len(first) else None
    retrieves = [one.retrieves for one in first]
    judged = [one.correct for one in requests if one.correct is not None]
    predicted = [
        (one.p_hat, one.correct)
        for one in requests
        if one.p_hat is not None and one.correct is not None
    ]
    return Week(
        week=week,
        n_requests=len(requests),
        retrieves=fmean(retrieves),
        expected_retrieves=expected,
        mean_p_hat=_mean([one.p_hat for one in requests if one.p_hat is not None]),
        n_judged=len(judged),
        accuracy=_mean(judged),
        n_confident=len(predicted),
        confident_accuracy=_mean([correct for _, correct in predicted]),
        confident_p_hat=_mean([p_hat for p_hat, _ in predicted]),
        warnings=(
            *_other_questions(retrieves, expected, published.n_questions),
            *_miscalibrated(predicted),
        ),
    )


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _swept_share(price: float, published: PublishedPolicy) -> float | None:
    """The share of the questions retrieved for at that price; None where it was not swept."""
    if not published.prices:
        return None
    nearest = min(published.prices, key=lambda swept: abs(swept.retrieval_cost - price))
    is_swept = math.isclose(nearest.retrieval_cost, price, rel_tol=ROUNDING)
    return nearest.retrieval_share if is_swept else None


def _other_questions(
    retrieves: Sequence[bool], expected: float | None, n_swept: int
) -> Iterator[str]:
    """Whether the share differs from that of the sweep, which was of ``n_swept`` questions, by more
    than chance: 0 lies outside of the interval of the difference (Newcombe 1998)."""
    n = len(retrieves)
    if expected is None or n < FEWEST or not n_swept:
        return
    interval = share_difference(sum(retrieves), n, round(expected * n_swept), n_swept)
    if not interval.low <= 0.0 <= interval.high:
        yield (
            f"retrieves for {sum(retrieves) / n:.0%} of {n} requests, in the sweep "
            f"for {expected:.0%}: the questions may be of another kind"
        )


def _miscalibrated(predicted: Sequence[tuple[float, bool]]) -> Iterator[str]:
    """Whether the mean p-hat of judged answers lies outside of the interval (Wilson 1927) of how
    many of them are right."""
    n = len(predicted)
    if n < FEWEST:
        return
    n_right = sum(correct for _, correct in predicted)
    said, interval = fmean(p_hat for p_hat, _ in predicted), wilson(n_right, n)
    if not interval.low <= said <= interval.high:
        yield (
            f"{n_right / n:.0%} of {n} judged answers that have a p-hat are right, it says "
            f"{said:.0%}: calibrate again"
        )


def served_requests(
    client: Any, published: PublishedPolicy, model_id: str = ""
) -> Iterator[ServedRequest]:
    """What the traces tell of the requests that a published policy has answered or decided, which
    is the model of that id."""
    condition = f"tags.`argo.kind` = '{SERVED}' and tags.`argo.sweep_id` = '{published.sweep_id}'"
    token = None
    while True:
        page = client.search_traces(
            locations=[published.experiment_id],
            filter_string=condition,
            max_results=500,
            page_token=token,
            include_spans=False,
        )
        yield from (_request(own.info) for own in page if _is_of(own.info, published, model_id))
        token = page.token
        if not token:
            return


def _is_of(info: Any, published: PublishedPolicy, model_id: str) -> bool:
    """Whether a trace is of the published policy, of all that its sweep justifies.

    One that names no model is of it where the policy decides by the same strategy at its price.
    """
    model = info.trace_metadata.get(TraceMetadataKey.MODEL_ID)
    if model and model_id:
        return bool(model == model_id)
    strategy = published.strategy_at(float(info.tags["argo.retrieval_cost"]))
    return bool(info.tags.get("argo.strategy", strategy) == strategy)


def _request(info: Any) -> ServedRequest:
    tags: Mapping[str, str] = info.tags
    p_hat = tags.get("argo.p_hat")
    at = datetime.fromtimestamp(info.request_time / 1000, tz=timezone.utc).isocalendar()
    return ServedRequest(
        week=f"{at.year}-W{at.week:02d}",
        retrieval_cost=float(tags["argo.retrieval_cost"]),
        retrieves=tags["argo.retrieves"] == "true",
        p_hat=None if p_hat is None else float(p_hat),
        correct=_verdict(info.assessments),
        n_steps=int(tags.get(N_STEPS, 0)),
    )


def _verdict(assessments: Iterable[Any]) -> bool | None:
    """What the latest feedback says that can be read; None where there is none.

    A scorer that failed has judged nothing, and what was overridden holds no more.
    """
    said = [
        one
        for one in assessments
        if one.name == CORRECT
        and one.feedback is not None
        and one.error is None
        and one.valid is not False
    ]
    said.sort(key=lambda one: one.last_update_time_ms or one.create_time_ms or 0)
    readable = [own for one in said if (own := _as_verdict(one.feedback.value)) is not None]
    return readable[-1] if readable else None


def _as_verdict(value: object) -> bool | None:
    """A yes or no in one of the forms that feedback has in MLflow; None for anything else."""
    if isinstance(value, str):
        return _VERDICTS.get(value.strip().lower())
    return _VERDICTS.get(value) if isinstance(value, (int, float)) else None
