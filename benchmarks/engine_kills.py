"""Kills of the llama.cpp server that a run has started: is every call answered, and stored once?

With ``--questions`` it is killed while a sweep's shards run, choices by likelihood, and the same is
run without kills and with a call cache of its own. Its model is a narrow one of random weights, so
that minutes are enough: what is lost or paid does not depend on the weights.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from argo_ml.config import ExperimentSpec, SweepSpec, build
from argo_ml.models import load_model
from argo_ml.models.base import Generation, Prompt
from argo_ml.models.cache.caching import CachingModel, CallCache
from argo_ml.models.cache.store import GENERATE, SCORE
from argo_ml.models.deferred import load_now
from argo_ml.models.engines.process import EngineProcess
from argo_ml.models.local.planning import recorded_config
from argo_ml.models.server.model import ServerModel
from argo_ml.results.records import QuestionResult
from argo_ml.sweep.context import LocalContext
from benchmarks.gpu import TINY
from benchmarks.random_gguf import write_random_gguf
from benchmarks.reporting import report
from benchmarks.workplace import needed_and_paid, run_grid, workplace

AT_ONCE = 8
SERVER = {"engine": "llamacpp", "device": "cpu", "server_concurrency": AT_ONCE}
SWEEP = {
    "max_new_tokens": "8",
    "strategies": "never,single",
    "retrieval_costs": "0.05",
    "max_steps": "1",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--questions", type=int, default=0, help="of a sweep that is run instead")
    given = parser.parse_args()
    moments = random.Random(given.seed)
    with workplace() as folder:
        if given.questions:
            rows = sweeps(folder, given.questions, given.kills, moments)
        else:
            rows = [calls(folder, given.kills, moments)]
    report("engine-kills", rows)


def calls(folder: Path, n_kills: int, moments: random.Random) -> dict[str, int]:
    spec = build(ExperimentSpec, {**SERVER, "cache_dir": folder})
    model, cache = load_now(load_model(spec)), CallCache(folder / "calls.sqlite")
    killer = Killer(process_of(model), n_kills, moments)
    killer.start()
    n_asked = n_answered = 0
    while killer.is_alive():
        requests = [question(n_asked + index) for index in range(AT_ONCE)]
        n_asked += AT_ONCE
        n_answered += len(CachingModel(model, cache, "kills").generate(requests))
    stored = cache.stats().n_entries
    process_of(model).close()
    row = {"kills": killer.n_killed, "asked": n_asked, "answered": n_answered, "stored": stored}
    return {**row, "starts": process_of(model).n_starts}


def sweeps(
    folder: Path, n_questions: int, n_kills: int, moments: random.Random
) -> list[dict[str, int]]:
    """A sweep without kills, and the same with."""
    config = recorded_config("qwen2.5-0.5b")
    for name, value in TINY.items():
        setattr(config, name, value)
    write_random_gguf(config, "Q8_0", folder / "tiny.gguf")
    expected, undisturbed = swept(folder / "calls-of-none.sqlite", folder, n_questions, 0, moments)
    found, killed = swept(folder / "calls.sqlite", folder, n_questions, n_kills, moments)
    same = [
        a.choice == b.choice
        for name in found
        for a, b in zip(found[name], expected[name], strict=True)
    ]
    return [undisturbed, {**killed, "same choice": sum(same)}]


def swept(
    calls_path: Path, folder: Path, n_questions: int, n_kills: int, moments: random.Random
) -> tuple[Mapping[str, list[QuestionResult]], dict[str, Any]]:
    values = {**SWEEP, **SERVER, "n_questions": n_questions}
    own = {"model": str(folder / "tiny.gguf"), "cache_dir": folder, "shard_size": 4}
    spec = build(SweepSpec, {**values, **own})
    context = LocalContext.open(spec)
    cache = CallCache(calls_path)
    model = load_now(context.model)
    context = LocalContext(context.spec, context.questions, context.corpus, model, cache)
    killer = Killer(process_of(model), n_kills, moments)
    started = time.perf_counter()
    killer.start()
    rows = run_grid(context.spec, context)
    seconds = time.perf_counter() - started
    process_of(model).close()
    needed, paid = needed_and_paid(rows)
    answered = sum(not row.unanswered for listed in rows.values() for row in listed)
    facts = {"kills": killer.n_killed, "episodes": sum(map(len, rows.values()))}
    of_calls = {"calls needed": needed, "paid": paid, "stored": n_model_calls(cache)}
    starts = process_of(model).n_starts
    return rows, {**facts, "answered": answered, **of_calls, "starts": starts, "seconds": seconds}


def n_model_calls(cache: CallCache) -> int:
    """Of the cache's entries, those that are no counts of tokens."""
    entries = cache.stats().entries
    return entries.get(GENERATE, 0) + entries.get(SCORE, 0)


class Killer(threading.Thread):
    """Kills the server at random moments after it has come up and answered something.

    One that ends three times in a row without an answer is not started again, on purpose.
    """

    def __init__(self, process: EngineProcess, n_kills: int, moments: random.Random) -> None:
        super().__init__(daemon=True)
        self._process, self._n_kills, self._moments = process, n_kills, moments
        self.n_killed = 0

    def run(self) -> None:
        while self.n_killed < self._n_kills:
            time.sleep(self._moments.uniform(0.0, 1.0))
            n_starts = self._process.n_starts
            for server in psutil.Process(self._process._holder[0].pid).children():
                server.kill()
                self.n_killed += 1
            while self._process.n_starts == n_starts or self._process._n_failures:
                time.sleep(0.1)


def process_of(model: Any) -> EngineProcess:
    assert isinstance(model, ServerModel)
    [server] = model._prompting.fleet._servers
    process: EngineProcess = server._process  # type: ignore[attr-defined]
    return process


def question(number: int) -> Generation:
    return Generation(Prompt("Answer briefly.", f"What is {number} plus one?", "Answer:"), 8)


if __name__ == "__main__":
    main()
