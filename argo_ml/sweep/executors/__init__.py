"""What runs shards: one after the other in this process, or by several workers at once."""

from argo_ml.sweep.executors.base import Executor, FinishedShard
from argo_ml.sweep.executors.local import LocalExecutor

__all__ = ["Executor", "FinishedShard", "LocalExecutor"]
