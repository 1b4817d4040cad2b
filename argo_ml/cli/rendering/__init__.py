"""What the command line shows: the only place beside the commands that writes to the terminal."""

from argo_ml.cli.rendering.calibration import print_calibration
from argo_ml.cli.rendering.checks import print_corpus, print_verdict
from argo_ml.cli.rendering.models import print_comparison
from argo_ml.cli.rendering.plan import print_plan
from argo_ml.cli.rendering.progress import progress
from argo_ml.cli.rendering.report import print_report
from argo_ml.cli.rendering.results import print_results
from argo_ml.cli.rendering.study import print_study
from argo_ml.cli.rendering.trajectory import print_answered

__all__ = [
    "print_answered",
    "print_calibration",
    "print_comparison",
    "print_corpus",
    "print_plan",
    "print_report",
    "print_results",
    "print_study",
    "print_verdict",
    "progress",
]
