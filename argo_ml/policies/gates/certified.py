"""Thresholds of gates that keep a promise, from the calibration's questions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from argo_ml.calibration.record import Calibration
from argo_ml.config import Guarantee, Promise
from argo_ml.errors import ConfigError
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.parameters import GateParameters
from argo_ml.statistics.certificates import Unmet, answering_threshold, retrieval_threshold
from argo_ml.types import Action


def least_score(
    context: PolicyContext, scores: Sequence[float], read: Callable[[], Sequence[float]]
) -> float:
    """The score from which on retrieving keeps the promised share; -inf where none is promised.

    ``scores`` are of the calibration's questions by models that have not seen them, and ``read``
    gives those of the model that decides, which has. Those of other questions lie less apart than
    the latter and elsewhere than the former: few folds or a map with steps move whole groups of
    questions across a threshold. So both have to keep the promise.
    """
    parameters = context.parameters_as(GateParameters)
    guarantee = parameters.promised
    if guarantee is None or guarantee.promise is not Promise.RETRIEVALS:
        return -math.inf
    level, delta = guarantee.level, parameters.delta
    return max(retrieval_threshold(own, level, delta) for own in (scores, read()))


def promises_errors(context: PolicyContext) -> bool:
    """Whether every answer is looked at, since those that are not sure enough are withheld."""
    guarantee = context.parameters_as(GateParameters).promised
    return guarantee is not None and guarantee.promise is Promise.ERRORS


def least_confidence(
    context: PolicyContext, scores: Sequence[float], threshold: float
) -> float | None:
    """The p-hat below which a gate of this threshold gives no answer, None where it always does.

    The answers are the calibration's, with p-hat by models that have not seen the question. Raises
    `ConfigError` where no p-hat keeps the promise, with what would.
    """
    parameters = context.parameters_as(GateParameters)
    guarantee = parameters.promised
    if guarantee is None or not promises_errors(context):
        return None
    confidences, correct = _answers(context.calibrated, scores, threshold)
    least = answering_threshold(confidences, correct, guarantee.level, parameters.delta)
    if isinstance(least, Unmet):
        raise _unmet(guarantee, parameters.delta, least, len(confidences))
    return least


def _answers(
    calibration: Calibration, scores: Sequence[float], threshold: float
) -> tuple[list[float], list[bool]]:
    """p-hat of the answers that the gate would have given, and whether they are right."""
    by_place = {(node.question, node.actions): node for node in calibration.nodes}
    plans = [(Action.RETRIEVE.value,) if score >= threshold else () for score in scores]
    nodes = [by_place[place] for place in enumerate(plans) if place in by_place]
    if not nodes:
        raise ConfigError(
            "guarantee: the calibration has no p-hat after one retrieval; make one with argo-ml "
            "calibrate --max_steps 1 or more"
        )
    return [node.confidence for node in nodes], [node.correct for node in nodes]


def _unmet(guarantee: Guarantee, delta: float, unmet: Unmet, n: int) -> ConfigError:
    more = f"≥ {unmet.n_needed:,} questions" if unmet.n_needed else "better answers"
    promised = f"{guarantee.promise.value} <= {guarantee.level:g}"
    return ConfigError(
        f"guarantee={promised}: no threshold of p-hat keeps it with delta={delta:g} on {n} "
        f"calibration questions; needs {more}, or ≤ {unmet.level:.2f}"
    )
