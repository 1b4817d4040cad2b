"""A published policy behind `mlflow models serve`: equal decisions, latency, and growth in memory.

    python -m benchmarks.serving models:/support-bot@champion --tracking-uri sqlite:///mlflow.db \
        --clients 8 --minutes 10

It asks every question of the sweep that justifies the policy at up to three of its prices, and
counts answers and actions that are the sweep's; then it asks for decisions about the same answers
one by one, and about questions that are new, and lets several clients ask for answers and decisions
at once for some minutes. For 300 questions at three prices, each about a thousand requests:

    argo-ml calibrate --n_questions 80 --policies argo_fitted
    argo-ml sweep --n_questions 300 --retrieval_costs 0.05,0.2,0.4 --difficulty all --max_steps 3 \
        --strategies never,single,argo_fitted --calibration RUN_ID
    argo-ml publish --sweep RUN_ID --strategy argo_fitted --name bench
    python -m benchmarks.serving models:/bench@champion --tracking-uri sqlite:///mlflow.db

A client keeps its connection, as applications do. MLFLOW_TRACE_SAMPLING_RATIO=0 leaves traces out.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil

from argo_ml.results.records import QuestionResult
from argo_ml.serving.loading import load_policy
from argo_ml.sweep.record import open_record

STARTUP_S = 180.0
_connections = threading.local()


@dataclass(frozen=True)
class Case:
    """A swept episode as a request, and its row."""

    price: float
    line: Mapping[str, Any]
    row: QuestionResult

    def body(self, decide_only: bool = False) -> bytes:
        custom: dict[str, Any] = {"retrieval_cost": self.price}
        if self.line["choices"]:
            custom["choices"] = self.line["choices"]
        if decide_only:
            custom |= self._known()
        message = {"role": "user", "content": self.line["question"]}
        return json.dumps({"input": [message], "custom_inputs": custom}).encode()

    def _known(self) -> dict[str, Any]:
        """The answer without any step, and how sure it looked."""
        line = self.line
        first = line["steps"][0].get("answer_before") if line["steps"] else line["answer"]
        known: dict[str, Any] = {"decide_only": True, "answer": first}
        if (seen := line.get("seen", {}).get("answer")) is not None:
            token = {"logprob": seen["logprob"], "entropy": seen["entropy"]}
            token["gap"] = -math.log1p(-min(seen["margin"], 1 - 1e-12))
            known["token_logprobs"] = [token]
        elif line["choices"] and not line["steps"]:
            known["choice_logprobs"] = line["scores"]
        return known


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("uri")
    parser.add_argument("--tracking-uri", required=True)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=10.0)
    given = parser.parse_args()
    cases = list(swept_cases(given.uri, given.tracking_uri))
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        process = start(given.uri, given.tracking_uri, port, log)
        try:
            wait_until_up(port, process, log)
            report("answers", compare_answers(cases, port))
            report("decide_only", time_decisions(cases, port))
            report("decide_only, new questions", time_decisions(renamed(cases), port))
            report("load", load(cases, port, given.clients, given.minutes, process))
        finally:
            process.terminate()
            process.wait(timeout=30)


def swept_cases(uri: str, tracking_uri: str) -> Iterator[Case]:
    published = load_policy(uri, tracking_uri).published
    with tempfile.TemporaryDirectory() as folder:
        record = open_record(published.sweep_id, tracking_uri, "", Path(folder))
        prices = [own.retrieval_cost for own in published.prices]
        wanted = {prices[0], prices[len(prices) // 2], prices[-1]}
        for cell in record.results().cells:
            price = cell.retrieval_cost
            if price in wanted and cell.strategy == published.strategy_at(price):
                lines = {line["question_id"]: line for line in record.trajectories(cell)}
                yield from (Case(price, lines[row.question_id], row) for row in cell.questions)


def compare_answers(cases: list[Case], port: int) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    for case in cases:
        status, answer, _ = ask(port, case.body())
        actions = tuple(answer.get("custom_outputs", {}).get("actions", ()))
        text = answer["output"][0]["content"][0]["text"] if status == 200 else ""
        counts["asked"] += 1
        counts["equal"] += (actions, text) == (case.row.actions, case.row.answer)
        counts[f"status {status}"] += 1
    return dict(counts)


def time_decisions(cases: list[Case], port: int) -> dict[str, Any]:
    """One after the other; a case without what the policy looks at is left out."""
    seconds, counts = [], Counter[str]()
    for case in cases:
        status, answer, took = ask(port, case.body(decide_only=True))
        if status != 200:
            counts["left out"] += 1
            continue
        seconds.append(took)
        counts["equal"] += answer["custom_outputs"]["action"] == (*case.row.actions, "stop")[0]
    return {"n": len(seconds), **counts, **quantiles(seconds)}


def renamed(cases: list[Case]) -> list[Case]:
    """The same about questions that nobody has embedded; what is decided may differ."""
    began = int(time.time())
    return [
        replace(case, line={**case.line, "question": f"{case.line['question']} ({began}.{number})"})
        for number, case in enumerate(cases)
    ]


def load(
    cases: list[Case], port: int, n_clients: int, minutes: float, process: subprocess.Popen[bytes]
) -> dict[str, Any]:
    """Whole answers and decisions in turn, by several clients at once."""
    ends = time.monotonic() + 60 * minutes
    statuses: Counter[int] = Counter()
    seconds: list[float] = []
    memory = [resident_mb(process)]

    def client(number: int) -> None:
        turn = number
        while time.monotonic() < ends:
            case = cases[turn % len(cases)]
            status, _, took = ask(port, case.body(decide_only=turn % 2 == 0))
            statuses[status] += 1
            seconds.append(took)
            turn += n_clients + 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(n_clients)]
    for thread in threads:
        thread.start()
    while time.monotonic() < ends:
        time.sleep(min(15.0, 60 * minutes / 4))
        memory.append(resident_mb(process))
    for thread in threads:
        thread.join()
    return {
        "requests": len(seconds),
        "statuses": dict(statuses),
        "resident_mb": [round(value) for value in memory],
        **quantiles(seconds),
    }


def ask(port: int, body: bytes) -> tuple[int, dict[str, Any], float]:
    """Each thread has a connection of its own, which stays open."""
    began = time.perf_counter()
    connection = getattr(_connections, "open", None)
    if connection is None:
        connection = _connections.open = HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    return response.status, json.loads(content), time.perf_counter() - began


def quantiles(seconds: list[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {}
    cuts = statistics.quantiles(seconds, n=100)
    return {"p50_ms": round(1e3 * cuts[49], 2), "p95_ms": round(1e3 * cuts[94], 2)}


def start(uri: str, tracking_uri: str, port: int, log: Path) -> subprocess.Popen[bytes]:
    command = [
        *(sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"),
        *("-m", uri, "--port", str(port)),
    ]
    environ = {**os.environ, "MLFLOW_TRACKING_URI": tracking_uri}
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, env=environ)


def wait_until_up(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + STARTUP_S
    while time.monotonic() < ends and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.3)
    raise SystemExit(log.read_text())


def resident_mb(process: subprocess.Popen[bytes]) -> float:
    """Of the server and of what it has started."""
    own = psutil.Process(process.pid)
    everybody = [own, *own.children(recursive=True)]
    return sum(each.memory_info().rss for each in everybody) / 1e6


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def report(name: str, values: Mapping[str, Any]) -> None:
    sys.stdout.write(f"{name}: {json.dumps(values)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
