"""What MLflow answers a request with."""

from __future__ import annotations

from builders.policy_files import published
from mlflow import MlflowClient
from mlflow.types.responses import ResponsesAgentRequest

from argo_ml.config import CellSpec, build
from argo_ml.serving.agent import PolicyAgent
from argo_ml.serving.deciding import LoadedPolicy
from argo_ml.serving.published import PolicyFiles, StrategyRange
from argo_ml.serving.tracing import RequestTracer


def agent(tracking_uri: str) -> PolicyAgent:
    """Of a policy that decides without being told anything."""
    values = {"strategy": "never", "retrieval_cost": 0.1, "calibration": ""}
    policy = published(values, StrategyRange(strategy="never")).model_copy(
        update={"trace_sampling": 1.0, "experiment_id": "0"}
    )
    made = PolicyAgent()
    made.policy = LoadedPolicy(PolicyFiles(policy), build(CellSpec, values))
    made.tracer = RequestTracer(policy, tracking_uri)
    return made


def request() -> ResponsesAgentRequest:
    asked = [{"role": "user", "content": "Why?"}]
    return ResponsesAgentRequest(input=asked, custom_inputs={"decide_only": True})


def test_an_answer_says_which_trace_is_its_own(tracking_uri: str) -> None:
    made = agent(tracking_uri)

    said = made.predict(request()).custom_outputs
    made.tracer.flush()

    trace = MlflowClient(tracking_uri).get_trace(said["trace_id"])
    assert trace.info.tags["argo.kind"] == "served"


def test_an_answer_without_a_trace_names_none() -> None:
    assert "trace_id" not in agent("").predict(request()).custom_outputs
