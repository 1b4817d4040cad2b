"""What runs shards: one after the other in this process, or by several workers at once."""

from argo_ml.experiments.executors.base import Executor, FinishedShard
from argo_ml.experiments.executors.local import LocalExecutor

__all__ = ["Executor", "FinishedShard", "LocalExecutor"]
