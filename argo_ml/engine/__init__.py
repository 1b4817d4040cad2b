"""The one loop that advances all live episodes of a shard together."""

from argo_ml.engine.loop import Engine, Finished

__all__ = ["Engine", "Finished"]
