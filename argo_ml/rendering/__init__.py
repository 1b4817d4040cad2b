"""What the command line shows: the only place beside the commands that writes to the terminal."""

from argo_ml.rendering.calibration import print_calibration
from argo_ml.rendering.checks import print_check, print_corpus, print_verdict
from argo_ml.rendering.models import print_comparison
from argo_ml.rendering.plan import print_plan
from argo_ml.rendering.progress import progress
from argo_ml.rendering.report import print_report
from argo_ml.rendering.results import print_results
from argo_ml.rendering.study import print_study
from argo_ml.rendering.trajectory import print_answered

__all__ = [
    "print_answered",
    "print_calibration",
    "print_check",
    "print_comparison",
    "print_corpus",
    "print_plan",
    "print_report",
    "print_results",
    "print_study",
    "print_verdict",
    "progress",
]
