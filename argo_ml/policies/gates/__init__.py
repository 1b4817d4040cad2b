"""The field's published gates: policies that decide by a score whether to retrieve."""

from argo_ml.policies.gates.base import Gate, Signal, SignalReading, make_gate

__all__ = ["Gate", "Signal", "SignalReading", "make_gate"]
