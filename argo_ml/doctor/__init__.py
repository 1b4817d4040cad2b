"""Can this machine run an experiment: every part looked at, with what to do where it cannot."""

from argo_ml.doctor.check import Check, Status

__all__ = ["Check", "Status"]
