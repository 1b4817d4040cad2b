"""What a sweep will need before it runs: calls, tokens, time and disk."""

from argo_ml.sweep.estimate.estimation import Estimate, estimate, run_estimate

__all__ = ["Estimate", "estimate", "run_estimate"]
