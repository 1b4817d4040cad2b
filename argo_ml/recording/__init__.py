"""A pipeline of the caller's own, asked every question once, for `argo-ml replay`."""

from argo_ml.recording.pipeline import Asked, Pipeline
from argo_ml.recording.recording import Recorded, run_recording

__all__ = ["Asked", "Pipeline", "Recorded", "run_recording"]
