"""From a question to an outcome: prompts, components, and the episode itself."""

from argo_ml.pipeline.episode import Pipeline, build_pipeline, run_episode
from argo_ml.pipeline.known import Known

__all__ = ["Known", "Pipeline", "build_pipeline", "run_episode"]
