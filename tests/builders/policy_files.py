"""A published policy that was made of no sweep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argo_ml.serving.published import PublishedPolicy, StrategyRange, SweptPrice


def published(spec: Mapping[str, Any], *ranges: StrategyRange) -> PublishedPolicy:
    """Its default price is 0.1."""
    return PublishedPolicy(
        sweep_id="s",
        experiment_id="1",
        argo_ml="0",
        spec=spec,
        digests={},
        ranges=ranges,
        prices=(),
        default_price=0.1,
        trace_sampling=0.0,
        n_questions=1,
        answer="",
        example={},
    )


def published_at(price: SweptPrice) -> PublishedPolicy:
    """Of one strategy at one price, by a sweep of 100 questions in the first experiment; every
    request to it is traced."""
    own = {
        "sweep_id": "sweep",
        "experiment_id": "0",
        "prices": (price,),
        "trace_sampling": 1.0,
        "n_questions": 100,
    }
    return published({}, StrategyRange(strategy=price.strategy)).model_copy(update=own)
