"""How fast a study's trials are once every call is known, with a scripted model.

One trial's evaluation alone, and the whole study with its Optuna storage and an MLflow run for
every trial: a first study fills the caches, a second with another seed is measured.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import optuna

from argo_ml.config import StudySpec, build
from argo_ml.engine.stages import StageTimes
from argo_ml.study import run_study
from argo_ml.study.evaluation import Evaluator
from argo_ml.study.space import SearchSpace
from argo_ml.sweep.context import LocalContext
from benchmarks.reporting import report
from benchmarks.workplace import scripted, workplace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-questions", type=int, default=100)
    parser.add_argument("--n-trials", type=int, default=100)
    given = parser.parse_args()
    with workplace() as folder, tempfile.TemporaryDirectory() as store:
        os.chdir(store)
        values = {
            "n_questions": given.n_questions,
            "n_trials": given.n_trials,
            "cache_dir": folder,
            "model": scripted(folder),
            "tracking_uri": f"sqlite:///{Path(store) / 'mlflow.db'}",
        }
        rows = [evaluation(build(StudySpec, values), given.n_trials)]
        for seed in (1, 2):
            started = time.perf_counter()
            found = run_study(build(StudySpec, {**values, "sampler_seed": seed}))
            rows.append(
                {
                    "what": f"study, sampler seed {seed}",
                    "trials": found.n_complete + found.n_pruned,
                    "pruned": found.n_pruned,
                    "ms per trial": 1000 / (found.trials_per_second or 1),
                    "trials/s": found.trials_per_second or 0.0,
                    "calls paid per trial": found.lm_calls_paid_per_trial,
                    "whole command (s)": time.perf_counter() - started,
                }
            )
    report("study", rows, questions=given.n_questions)


def evaluation(spec: StudySpec, n_trials: int) -> dict[str, object]:
    """The same random settings twice: what the second time takes."""
    context = LocalContext.open(spec)
    evaluator, space = Evaluator(context, StageTimes()), SearchSpace(spec)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    settings = [space.settings(study.ask()) for _ in range(n_trials)]
    for _ in range(2):
        started = time.perf_counter()
        for each in settings:
            list(evaluator.blocks(evaluator.cell(each), "benchmark"))
        seconds = time.perf_counter() - started
    return {
        "what": "evaluation alone",
        "trials": n_trials,
        "ms per trial": 1000 * seconds / n_trials,
        "trials/s": n_trials / seconds,
    }


if __name__ == "__main__":
    main()
