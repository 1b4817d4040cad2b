"""Served requests as traces, under the names that a sweep's episodes have.

They are written by a thread of their own, some at a time: a request never waits for the store, and
one that is gone costs traces and nothing else.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from argo_ml.engine.loop import Finished
from argo_ml.errors import ArgoError
from argo_ml.results.spans import EpisodeCosts, Span, SpanKind, episode_span
from argo_ml.results.trajectories import cited_passages, passage_record, trajectory
from argo_ml.serving.batches import BatchThread
from argo_ml.serving.deciding import PolicyDecision
from argo_ml.serving.priced import RequestPrice
from argo_ml.serving.published import PublishedPolicy
from argo_ml.serving.questions import Asked
from argo_ml.tracking.traces import EpisodeTrace, write_traces
from argo_ml.types import Action

SERVED = "served"
"""What ``argo.kind`` says of their traces."""
QUESTION_ID = "argo.question_id"
N_STEPS = "argo.n_steps"
"""Tags of a request that names one, and of one about a question that steps were taken for."""
GOING_ON = (Action.RETRIEVE.value, Action.REASON.value)
MOST_WAITING = 500
"""Traces that wait to be written; those that come while so many wait are left out."""
LARGEST_BATCH = 50
LAST_WRITING_S = 5.0
"""For traces that wait when the process ends."""
SAMPLING_VARIABLE = "MLFLOW_TRACE_SAMPLING_RATIO"

logger = logging.getLogger(__name__)


class RequestTracer:
    """Writes a share of the served requests to the experiment of the sweep, if it is there.

    A request is told the id that its trace will have; empty where none is written, as while the
    store is gone.
    """

    def __init__(self, published: PublishedPolicy, uri: str) -> None:
        self._published = published
        self._uri = uri
        self._share = float(os.environ.get(SAMPLING_VARIABLE) or published.trace_sampling)
        self._thread = BatchThread("traces", self._write, LARGEST_BATCH, MOST_WAITING)
        self._has_warned = False
        self._is_gone = False
        if uri:
            # The thread ends with the process, whatever waits.
            atexit.register(self.flush, LAST_WRITING_S)

    def decided(self, asked: Asked, decision: PolicyDecision, model_id: str) -> str:
        if not self._is_sampled():
            return ""
        return self._add(asked, _decision_span(asked, decision), 0.0, decision.retrieve, model_id)

    def answered(self, asked: Asked, price: RequestPrice, finished: Finished, model_id: str) -> str:
        if not self._is_sampled():
            return ""
        outcome, question = finished.outcome, asked.as_question()
        usage, share = outcome.usage, price.retrieval_cost
        tokens = usage.prompt_tokens, usage.completion_tokens
        strategy = self._published.strategy_at(share)
        model = str(self._published.spec.get("model", ""))
        costs = EpisodeCosts(
            strategy, share, outcome.cost, *tokens, usage.seconds, model, price.money
        )
        passages = {
            key: passage_record(passage) for key, passage in cited_passages([outcome]).items()
        }
        root = episode_span(trajectory(question, outcome), passages, costs)
        return self._add(asked, root, usage.seconds, outcome.count(Action.RETRIEVE) > 0, model_id)

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until everything is written, no longer than ``timeout_s``."""
        if not self._thread.join(timeout_s):
            logger.warning("traces of the last requests are not written: the store is too slow")

    def _is_sampled(self) -> bool:
        return bool(self._uri) and random.random() < self._share

    def _add(self, asked: Asked, root: Span, seconds: float, retrieves: bool, model_id: str) -> str:
        attributes = root.attributes
        tags = {
            "argo.kind": SERVED,
            "argo.sweep_id": self._published.sweep_id,
            "argo.strategy": str(attributes["argo.strategy"]),
            "argo.retrieval_cost": str(attributes["argo.retrieval_cost"]),
            "argo.retrieves": str(retrieves).lower(),
            **_asked_tags(asked),
            **_numbers(attributes),
        }
        trace = EpisodeTrace(uuid4().hex, root, seconds, model_id=model_id, tags=tags)
        if self._thread.put(trace):
            return "" if self._is_gone else trace.id
        self._warn("traces of requests come faster than they are written; some are left out")
        return ""

    def _write(self, batch: list[EpisodeTrace]) -> None:
        try:
            write_traces(self._uri, self._published.experiment_id, batch)
            self._is_gone = False
        except ArgoError as error:
            self._is_gone = True
            self._warn(f"requests are not traced ({error})")
        except Exception as error:
            self._is_gone = True
            self._warn(f"requests are not traced ({type(error).__name__}: {error})")

    def _warn(self, message: str) -> None:
        """Once: a store that stays gone is no news."""
        if not self._has_warned:
            self._has_warned = True
            logger.warning("%s", message)


def _asked_tags(asked: Asked) -> dict[str, str]:
    tags = {QUESTION_ID: asked.question_id, N_STEPS: str(len(asked.steps) or "")}
    return {name: value for name, value in tags.items() if value}


def _numbers(attributes: Mapping[str, object]) -> dict[str, str]:
    """p-hat and expected gain as tags, by which traces can be searched."""
    names = ("argo.p_hat", "argo.expected_gain")
    return {name: f"{attributes[name]:.6f}" for name in names if name in attributes}


def _decision_span(asked: Asked, decision: PolicyDecision) -> Span:
    attributes: dict[str, Any] = {
        "argo.strategy": decision.strategy,
        "argo.retrieval_cost": decision.retrieval_cost,
        "argo.decide_only": True,
    }
    if decision.expected_gain is not None:
        attributes["argo.expected_gain"] = decision.expected_gain
    # That of an answer that is not given says nothing of the one that a verdict will be on.
    if decision.p_hat is not None and decision.action not in GOING_ON:
        attributes["argo.p_hat"] = decision.p_hat
    inputs = {"question": asked.question[:1_000], "answer": (asked.answer or "")[:1_000]}
    outputs = {"action": decision.action}
    inner = Span("decide", SpanKind.CHAIN, inputs, outputs, attributes)
    name = f"{decision.strategy} c_r={decision.retrieval_cost:g}"
    return Span(name, SpanKind.AGENT, inputs, outputs, attributes, children=(inner,))
