"""What a finished sweep is checked for, one small file per subject."""

from argo_ml.sweep.record import SweepRecord
from argo_ml.verification.verdict import Verdict

__all__ = ["SweepRecord", "Verdict"]
