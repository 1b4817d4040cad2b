"""The experiment context that a sweep asks for: in this process, or in Ray workers."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import Any

from argo_ml.calibration.record import Calibration
from argo_ml.config import SweepSpec
from argo_ml.datasets import QuestionSet, load_questions
from argo_ml.engine.shards import make_shards
from argo_ml.progress import OnProgress, ignore_progress
from argo_ml.sweep.calibration_source import open_calibration
from argo_ml.sweep.context import ExperimentContext, LocalContext, resolved_as
from argo_ml.sweep.executors import ray_cluster
from argo_ml.sweep.executors.capacity import WorkerPlan, memory_share, plan_workers
from argo_ml.sweep.executors.ray_executor import RemoteContext
from argo_ml.sweep.executors.ray_worker import Worker
from argo_ml.sweep.executors.worker_pool import WorkerPool

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def open_context(
    spec: SweepSpec, on_progress: OnProgress = ignore_progress, begun_with: str = ""
) -> Iterator[ExperimentContext[SweepSpec]]:
    """Open what ``spec`` names here, or in workers that are dismissed at the end.

    ``begun_with`` is the digest of the questions of a sweep that goes on.

    Raises `ArgoError` for what is missing, before any worker starts where that can be known.
    """
    if spec.executor != "ray":
        yield LocalContext.open(spec, on_progress, load_questions(spec, begun_with))
        return
    ray_cluster.find_ray()
    questions = load_questions(spec, begun_with)
    calibration = open_calibration(spec)
    with ray_cluster.running_ray(spec) as ray:
        pool = _hire(ray, spec, questions, calibration)
        try:
            facts = pool.wait_for_facts()
            resolved = resolved_as(spec, facts)
            executes_here = ray_cluster.is_this_machine(ray)
            yield RemoteContext(resolved, questions, facts, pool, calibration, executes_here)
        finally:
            pool.dismiss()


def _hire(
    ray: Any, spec: SweepSpec, questions: QuestionSet, calibration: Calibration | None
) -> WorkerPool:
    n_shards = len(make_shards(questions.questions, spec.shard_size))
    n_gpus = 0 if spec.device == "cpu" else spec.gpus_per_worker
    nodes = ray_cluster.nodes(ray)
    plan = plan_workers(nodes, spec.workers, n_gpus, n_shards)
    logger.info(
        "%d Ray workers with %d GPUs and %d CPUs each, for %d shards",
        plan.n_workers,
        plan.n_gpus,
        plan.n_cpus,
        n_shards,
    )
    # A second thread answers how far the first one is.
    options = {"num_gpus": plan.n_gpus, "num_cpus": plan.n_cpus, "max_concurrency": 2}
    actor = ray.remote(Worker).options(**options)
    shared = ray.put(questions), os.getcwd(), ray.put(calibration)
    arguments = (worker_spec(spec, plan), *shared, memory_share(nodes, plan))
    return WorkerPool(ray, lambda: actor.remote(*arguments), plan.n_workers)


def worker_spec(spec: SweepSpec, plan: WorkerPlan) -> SweepSpec:
    """What a worker opens: the GPUs that Ray shows to it are 0 and on, whichever they are."""
    if not plan.n_gpus:
        return spec.model_copy(update={"device": "cpu", "gpus": ()})
    return spec.model_copy(update={"gpus": tuple(range(plan.n_gpus))})
