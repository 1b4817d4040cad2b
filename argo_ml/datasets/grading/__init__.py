"""How the text of an open answer is compared with the gold ones."""

from argo_ml.datasets.grading.matching import contains, exact_match, normalize, token_f1
from argo_ml.datasets.grading.scorers import Scorer, scorer_named
from argo_ml.datasets.grading.verdicts import verdict_of

__all__ = [
    "Scorer",
    "contains",
    "exact_match",
    "normalize",
    "scorer_named",
    "token_f1",
    "verdict_of",
]
