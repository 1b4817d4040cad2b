"""What exploring one split of questions teaches: how far to trust an answer, what a step does."""

from argo_ml.calibration.features import FEATURES, features
from argo_ml.calibration.fitted_models import LinearModel, ProbabilityModel
from argo_ml.calibration.node import Node
from argo_ml.calibration.record import Calibration, CalibrationQuestion

__all__ = [
    "FEATURES",
    "Calibration",
    "CalibrationQuestion",
    "LinearModel",
    "Node",
    "ProbabilityModel",
    "features",
]
