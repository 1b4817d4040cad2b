"""Kills of the llama.cpp server that a run has started: is every call answered, and stored once?"""

from __future__ import annotations

import argparse
import random
import threading
import time

import psutil

from argo_ml.config import ExperimentSpec
from argo_ml.models import load_model
from argo_ml.models.base import Generation, Prompt
from argo_ml.models.cache.caching import CachingModel, CallCache
from argo_ml.models.engines.process import EngineProcess
from argo_ml.models.server.model import ServerModel
from benchmarks.reporting import report
from benchmarks.workplace import workplace

AT_ONCE = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with workplace() as folder:
        spec = ExperimentSpec(
            engine="llamacpp", cache_dir=str(folder), device="cpu", server_concurrency=AT_ONCE
        )
        model, cache = load_model(spec), CallCache(folder / "calls.sqlite")
        assert isinstance(model, ServerModel)
        killer = Killer(model, given.kills, random.Random(given.seed))
        killer.start()
        n_asked = n_answered = 0
        while killer.is_alive():
            requests = [question(n_asked + index) for index in range(AT_ONCE)]
            n_asked += AT_ONCE
            n_answered += len(CachingModel(model, cache, "kills").generate(requests))
        stored = cache.stats().n_entries
        process_of(model).close()
    row = {"kills": killer.n_killed, "asked": n_asked, "answered": n_answered, "stored": stored}
    report("engine-kills", [{**row, "starts": process_of(model).n_starts}])


class Killer(threading.Thread):
    """Kills the server at random moments after it has come up and answered something.

    One that ends three times in a row without an answer is not started again, on purpose.
    """

    def __init__(self, model: ServerModel, n_kills: int, moments: random.Random) -> None:
        super().__init__(daemon=True)
        self._process, self._n_kills, self._moments = process_of(model), n_kills, moments
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


def process_of(model: ServerModel) -> EngineProcess:
    [server] = model._prompting.fleet._servers
    process: EngineProcess = server._process  # type: ignore[attr-defined]
    return process


def question(number: int) -> Generation:
    return Generation(Prompt("Answer briefly.", f"What is {number} plus one?", "Answer:"), 8)


if __name__ == "__main__":
    main()
