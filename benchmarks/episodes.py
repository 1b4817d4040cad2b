"""What episodes cost beside the model: engine, retrieval and call cache, in processor time.

A full sweep's cells on atlas with a scripted model, without MLflow, figures or estimates: first
with nothing known but the index, then with every call and vector in the cache. The embedder is
loaded before. ``PYTHONPATH=CHECKOUT`` measures the package of another checkout.
"""

from __future__ import annotations

import argparse
import time

from argo_ml.config import SweepSpec, build
from argo_ml.sweep.context import LocalContext
from benchmarks.reporting import report
from benchmarks.workplace import needed_and_paid, run_grid, scripted, workplace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-questions", default="30")
    given = parser.parse_args()
    rows = []
    with workplace() as folder:
        values = {"n_questions": given.n_questions, "cache_dir": folder, "model": scripted(folder)}
        spec = build(SweepSpec, {**values, "mode": "full"})
        for what in ("nothing known", "every call known"):
            context = LocalContext.open(spec)
            context.corpus.retriever.embed(["loads the embedder"])
            started = time.process_time()
            needed, paid = needed_and_paid(run_grid(context.spec, context))
            seconds = time.process_time() - started
            rows.append(
                {
                    "what": what,
                    "calls needed": needed,
                    "calls of this run": paid,
                    "processor s": seconds,
                    "ms per call needed": 1000 * seconds / needed,
                }
            )
    report("episodes", rows, questions=given.n_questions)


if __name__ == "__main__":
    main()
