"""A published policy behind `mlflow models serve`, asked through HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from builders.places import free_port
from builders.published_policy import NAME, PublishedSweep
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from argo_ml.config import WatchSpec, build
from argo_ml.serving.watching import watch

pytestmark = pytest.mark.slow

STARTUP_S = 120.0


@dataclass(frozen=True)
class Served:
    url: str

    def post(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and answer."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/invocations", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def ask(self, question: str, **custom: Any) -> tuple[int, dict[str, Any]]:
        body = {"input": [{"role": "user", "content": question}], "custom_inputs": custom}
        return self.post(json.dumps(body).encode())


@pytest.fixture(scope="module")
def served(
    published_sweep: PublishedSweep, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    port, log = free_port(), tmp_path_factory.mktemp("serve") / "log"
    command = [
        *(sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"),
        *("-m", published_sweep.model, "--port", str(port)),
    ]
    environ = {**os.environ, "MLFLOW_TRACKING_URI": published_sweep.uri}
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=environ, start_new_session=True
        )
    try:
        yield _ready(Served(f"http://127.0.0.1:{port}"), process, log)
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)


def _ready(served: Served, process: subprocess.Popen[bytes], log: Path) -> Served:
    deadline = time.monotonic() + STARTUP_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{served.url}/health", timeout=5).close()
            return served
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def test_answers_through_http_are_those_of_the_sweep(
    published_sweep: PublishedSweep, served: Served
) -> None:
    for cell in published_sweep.results.row("argo_calibrated"):
        lines: Any = published_sweep.trajectories("argo_calibrated", cell.retrieval_cost)
        for row in cell.questions:
            question = lines[row.question_id]["question"]
            status, answer = served.ask(question, retrieval_cost=cell.retrieval_cost)
            assert status == 200
            assert answer["output"][0]["content"][0]["text"] == row.answer
            assert tuple(answer["custom_outputs"]["actions"]) == row.actions
            n_passages = len(answer["custom_outputs"]["passages"])
            assert (n_passages > 0) == ("retrieve" in row.actions)


def test_a_decision_about_the_callers_own_answer_takes_no_model(served: Served) -> None:
    status, answer = served.ask(
        "What is the capital of Land1?",
        **{"decide_only": True, "answer": "Port1", "token_logprobs": [-2.5, -3.0]},
        retrieval_cost=0.02,
    )
    assert status == 200
    decision = answer["custom_outputs"]
    assert decision["retrieve"] is (decision["action"] == "retrieve")
    assert 0.0 <= decision["p_hat"] <= 1.0


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (json.dumps({"input": []}).encode(), "no message of the user"),
        (json.dumps({"input": [{"role": "user", "content": " "}]}).encode(), "is empty"),
        (
            json.dumps({"input": [{"role": "user", "content": "a" * 1_000_000}]}).encode(),
            "at most 20000 characters",
        ),
        (bytes(range(256)) * 40, "valid JSON"),
        (json.dumps({"question": "What is it?"}).encode(), "JSON dictionary"),
    ],
)
def test_what_is_no_question_gets_a_clear_4xx(served: Served, body: bytes, reason: str) -> None:
    status, answer = served.post(body)
    assert status == 400
    assert reason in answer["message"]


def test_requests_are_traced_and_compared_with_the_sweep_by_week(
    published_sweep: PublishedSweep, served: Served
) -> None:
    status, answer = served.ask("What is the capital of Land1?", retrieval_cost=0.1)
    assert status == 200
    _wait_for_trace(published_sweep.uri, answer["custom_outputs"]["trace_id"])
    spec = build(WatchSpec, {"name": NAME, "tracking_uri": published_sweep.uri})
    [week] = watch(spec)
    assert week.n_requests >= 1
    assert week.mean_p_hat is not None


def _wait_for_trace(uri: str, trace_id: str) -> None:
    """Traces are written after the answers."""
    deadline = time.monotonic() + STARTUP_S
    while True:
        try:
            MlflowClient(uri).get_trace(trace_id)
            return
        except MlflowException:
            assert time.monotonic() < deadline
            time.sleep(0.5)
