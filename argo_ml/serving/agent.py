"""A published policy as an agent of MLflow: what `mlflow models serve` answers with."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, TEMPORARILY_UNAVAILABLE
from mlflow.pyfunc.context import get_prediction_context
from mlflow.pyfunc.model import PythonModelContext, ResponsesAgent
from mlflow.types.responses import ResponsesAgentRequest, ResponsesAgentResponse

from argo_ml.engine.loop import Finished
from argo_ml.errors import ArgoError, one_line
from argo_ml.serving.answering import AnsweringService
from argo_ml.serving.deciding import LoadedPolicy, PolicyDecision
from argo_ml.serving.priced import RequestPrice, amounts
from argo_ml.serving.published import FOLDER
from argo_ml.serving.questions import Asked, RequestError, read_asked
from argo_ml.serving.tracing import RequestTracer
from argo_ml.tracking.stores import STORE_VARIABLE
from argo_ml.types import Action, Evidence

logger = logging.getLogger(__name__)


class ServedError(MlflowException):
    """An error whose answer is its own line; MLflow would put the whole request in front of it."""

    def __init__(self, message: str, error_code: int) -> None:
        super().__init__(message, error_code=error_code)
        self._own = message

    def serialize_as_json(self) -> str:
        return json.dumps({"error_code": self.error_code, "message": self._own})


class _Answering:
    """The methods that MLflow calls.

    They are of a class beside the agent's own, so that MLflow does not trace every request with all
    that was sent: `argo_ml` traces what it was asked to (`argo_ml.serving.tracing`).
    """

    def load_context(self, context: PythonModelContext) -> None:
        self.policy = LoadedPolicy.read(Path(context.artifacts[FOLDER]))
        self.answers = AnsweringService(self.policy)
        self.tracer = RequestTracer(self.policy.published, tracking_uri())
        self.policy.warm_up()
        self.answers.open_ahead()

    def predict(self, request: ResponsesAgentRequest) -> ResponsesAgentResponse:
        try:
            asked = read_asked(_values(request))
            if asked.decide_only:
                return self._decided(asked)
            price = self.policy.price_of(asked)
            finished = self.answers.answer(asked.as_question(), price)
            trace_id = self.tracer.answered(asked, price, finished, _model_id())
            return self._answered(price, finished, trace_id)
        except RequestError as error:
            raise ServedError(str(error), INVALID_PARAMETER_VALUE) from None
        except ArgoError as error:
            raise ServedError(str(error), TEMPORARILY_UNAVAILABLE) from None
        except Exception as error:
            logger.exception("a request failed")
            line = f"{type(error).__name__}: {one_line(error)}"[:500]
            raise ServedError(line, TEMPORARILY_UNAVAILABLE) from None

    def _decided(self, asked: Asked) -> ResponsesAgentResponse:
        decision = self.policy.decide_asked(asked)
        return _decided(decision, self.tracer.decided(asked, decision, _model_id()))

    def _answered(
        self, price: RequestPrice, finished: Finished, trace_id: str
    ) -> ResponsesAgentResponse:
        outcome = finished.outcome
        custom = {
            "strategy": self.policy.published.strategy_at(price.retrieval_cost),
            "retrieval_cost": price.retrieval_cost,
            "actions": [step.action.value for step in outcome.steps],
            "retrievals": outcome.count(Action.RETRIEVE),
            "stop_reason": outcome.stop_reason.value,
            "expected_gain": outcome.expected_at_first.gain,
            "p_hat": outcome.expected.confidence,
            "cost": outcome.cost,
            **amounts(price, outcome.usage, outcome.count(Action.RETRIEVE)),
            "choice": outcome.answer.choice,
            "parsed": outcome.answer.parsed,
            "passages": [_passage(hit) for hit in outcome.retrieved],
            "lm_calls": outcome.usage.calls,
            "lm_calls_executed": finished.paid_calls,
            **_traced(trace_id),
        }
        return ResponsesAgentResponse(
            output=[_message(outcome.answer.text, [hit.passage.id for hit in outcome.retrieved])],
            usage=_usage(outcome.usage.prompt_tokens, outcome.usage.completion_tokens),
            custom_outputs=custom,
        )


class PolicyAgent(_Answering, ResponsesAgent):  # type: ignore[misc]
    """Answers questions over the user's documents with the user's model, by a published policy."""


def _model_id() -> str:
    """The model that MLflow answers with at the moment; empty outside of one that was loaded."""
    context = get_prediction_context()
    return (context and context.model_id) or ""


def tracking_uri() -> str:
    """The store that was named for this process; none is made for traces alone."""
    return os.environ.get(STORE_VARIABLE, "")


def _values(request: ResponsesAgentRequest) -> dict[str, Any]:
    custom = dict(request.custom_inputs or {})
    if "question" in custom:
        raise RequestError("custom_inputs has a question; put it into input as the user's message")
    return {"question": _asked_text(request), **custom}


def _asked_text(request: ResponsesAgentRequest) -> str:
    """The last message of the user."""
    for item in reversed(request.input):
        values = item.model_dump()
        if values.get("role") == "user":
            return _content_text(values.get("content"))
    raise RequestError('input has no message of the user; send {"role": "user", "content": "..."}')


def _content_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = [part.get("text") for part in content or () if isinstance(part, dict)]
    return "\n".join(text for text in parts if isinstance(text, str))


def _decided(decision: PolicyDecision, trace_id: str) -> ResponsesAgentResponse:
    custom = {**asdict(decision), **_traced(trace_id)}
    return ResponsesAgentResponse(output=[_message(decision.action, [])], custom_outputs=custom)


def _traced(trace_id: str) -> dict[str, str]:
    """What feedback on the answer is given by; nothing where it has no trace."""
    return {"trace_id": trace_id} if trace_id else {}


def _message(text: str, passage_ids: list[str]) -> dict[str, Any]:
    cited = [
        {"type": "file_citation", "file_id": passage_id, "index": len(text)}
        for passage_id in passage_ids
    ]
    return ResponsesAgent.create_text_output_item(text, f"msg_{uuid4().hex}", cited)


def _passage(hit: Evidence) -> dict[str, Any]:
    passage = hit.passage
    return {
        "id": passage.id,
        "title": passage.title,
        "text": passage.text,
        "source": passage.source,
        "similarity": hit.similarity,
    }


def _usage(prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt_tokens + completion_tokens,
    }
