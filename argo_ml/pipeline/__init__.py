"""From a question to an outcome: prompts, components, and the episode itself."""

from argo_ml.pipeline.episode import Pipeline, build_pipeline, run_episode

__all__ = ["Pipeline", "build_pipeline", "run_episode"]
