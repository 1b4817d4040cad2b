"""The field's published gates: policies that decide by a score whether to retrieve."""

from argo_ml.policies.gates.adaptive_rag import adaptive_rag
from argo_ml.policies.gates.base import Gate, Signal, SignalReading, make_gate
from argo_ml.policies.gates.benefit_gate import benefit_gate
from argo_ml.policies.gates.entropy_gate import entropy_gate
from argo_ml.policies.gates.flare import flare
from argo_ml.policies.gates.graded import graded
from argo_ml.policies.gates.margin_gate import margin_gate
from argo_ml.policies.gates.max_prob_gate import max_prob_gate
from argo_ml.policies.gates.question_only import question_only
from argo_ml.policies.gates.skr_knn import skr_knn
from argo_ml.policies.gates.tasr import tasr
from argo_ml.policies.gates.variance_gate import variance_gate

__all__ = [
    "Gate",
    "Signal",
    "SignalReading",
    "adaptive_rag",
    "benefit_gate",
    "entropy_gate",
    "flare",
    "graded",
    "make_gate",
    "margin_gate",
    "max_prob_gate",
    "question_only",
    "skr_knn",
    "tasr",
    "variance_gate",
]
