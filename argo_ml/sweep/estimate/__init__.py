"""What a sweep will need before it runs: calls, tokens, time and disk."""

from argo_ml.sweep.estimate.estimation import SweepEstimate, estimate, run_estimate

__all__ = ["SweepEstimate", "estimate", "run_estimate"]
