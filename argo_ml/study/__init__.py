"""Hyper-parameter studies: Optuna over decomposition depth and retrieval thresholds."""

from argo_ml.study.running import load_report, run_study

__all__ = ["load_report", "run_study"]
