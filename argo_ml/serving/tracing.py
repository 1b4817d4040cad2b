"""Served requests as traces, under the names that a sweep's episodes have.

They are written by a thread of their own, some at a time: a request never waits for the store, and
one that is gone costs traces and nothing else.
"""

from __future__ import annotations

import logging
import os
import queue
import random
import threading
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from argo_ml.engine.loop import Finished
from argo_ml.errors import ArgoError
from argo_ml.results.spans import EpisodeCosts, Span, SpanKind, episode_span
from argo_ml.results.trajectories import cited_passages, passage_record, trajectory
from argo_ml.serving.deciding import PolicyDecision
from argo_ml.serving.published import PublishedPolicy
from argo_ml.serving.questions import Asked
from argo_ml.tracking.traces import EpisodeTrace, write_traces
from argo_ml.types import Action

SERVED = "served"
"""What ``argo.kind`` says of their traces."""
MOST_WAITING = 500
"""Traces that wait to be written; those that come while so many wait are left out."""
LARGEST_BATCH = 50
SAMPLING_VARIABLE = "MLFLOW_TRACE_SAMPLING_RATIO"

logger = logging.getLogger(__name__)


class RequestTracer:
    """Writes a share of the served requests to the experiment of the sweep, if it is there."""

    def __init__(self, published: PublishedPolicy, uri: str) -> None:
        self._published = published
        self._uri = uri
        self._waiting: queue.Queue[EpisodeTrace] = queue.Queue(MOST_WAITING)
        self._share = float(os.environ.get(SAMPLING_VARIABLE) or published.trace_sampling)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._has_warned = False

    def decided(self, asked: Asked, decision: PolicyDecision, model_id: str) -> None:
        if self._is_sampled():
            self._add(_decision_span(asked, decision), 0.0, decision.retrieve, model_id)

    def answered(self, asked: Asked, price: float, finished: Finished, model_id: str) -> None:
        if not self._is_sampled():
            return
        outcome, question = finished.outcome, asked.as_question()
        usage = outcome.usage
        tokens = usage.prompt_tokens, usage.completion_tokens
        strategy = self._published.strategy_at(price)
        costs = EpisodeCosts(strategy, price, outcome.cost, *tokens, usage.seconds)
        passages = {
            key: passage_record(passage) for key, passage in cited_passages([outcome]).items()
        }
        root = episode_span(trajectory(question, outcome), passages, costs)
        self._add(root, usage.seconds, outcome.count(Action.RETRIEVE) > 0, model_id)

    def flush(self) -> None:
        """Wait until everything is written."""
        self._waiting.join()

    def _is_sampled(self) -> bool:
        return bool(self._uri) and random.random() < self._share

    def _add(self, root: Span, seconds: float, retrieves: bool, model_id: str) -> None:
        attributes = root.attributes
        tags = {
            "argo.kind": SERVED,
            "argo.sweep_id": self._published.sweep_id,
            "argo.strategy": str(attributes["argo.strategy"]),
            "argo.retrieval_cost": f"{attributes['argo.retrieval_cost']:g}",
            "argo.retrieves": str(retrieves).lower(),
            **_numbers(attributes),
        }
        trace = EpisodeTrace(uuid4().hex, root, seconds, model_id=model_id, tags=tags)
        try:
            self._waiting.put_nowait(trace)
        except queue.Full:
            self._warn("traces of requests come faster than they are written; some are left out")
        self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="traces", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while len(batch) < LARGEST_BATCH and not self._waiting.empty():
                batch.append(self._waiting.get())
            try:
                write_traces(self._uri, self._published.experiment_id, batch)
            except ArgoError as error:
                self._warn(f"requests are not traced ({error})")
            except Exception as error:
                self._warn(f"requests are not traced ({type(error).__name__}: {error})")
            for _ in batch:
                self._waiting.task_done()

    def _warn(self, message: str) -> None:
        """Once: a store that stays gone is no news."""
        if not self._has_warned:
            self._has_warned = True
            logger.warning("%s", message)


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
    expected = {"argo.p_hat": decision.p_hat, "argo.expected_gain": decision.expected_gain}
    attributes |= {name: value for name, value in expected.items() if value is not None}
    inputs = {"question": asked.question[:1_000], "answer": (asked.answer or "")[:1_000]}
    outputs = {"action": decision.action}
    inner = Span("decide", SpanKind.CHAIN, inputs, outputs, attributes)
    name = f"{decision.strategy} c_r={decision.retrieval_cost:g}"
    return Span(name, SpanKind.AGENT, inputs, outputs, attributes, children=(inner,))
