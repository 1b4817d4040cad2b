"""The parameters of every command."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from argo_ml.config import (
    AdviseSpec,
    AnswerSpec,
    CachePruneSpec,
    CacheSpec,
    CalibrateSpec,
    CellSpec,
    CompareSpec,
    DoctorSpec,
    EstimateSpec,
    FetchSpec,
    IndexSpec,
    PlanSpec,
    PublishSpec,
    ReplaySpec,
    ReportSpec,
    Spec,
    StudySpec,
    SweepSpec,
    VerifySpec,
    WatchSpec,
)

ENTRY_POINTS: Mapping[str, tuple[str, type[Spec]]] = MappingProxyType(
    {
        "main": ("sweep", SweepSpec),
        "advise": ("advise", AdviseSpec),
        "run": ("run", CellSpec),
        "tune": ("tune", StudySpec),
        "calibrate": ("calibrate", CalibrateSpec),
        "compare": ("compare", CompareSpec),
        "index": ("index", IndexSpec),
        "fetch": ("fetch", FetchSpec),
        "doctor": ("doctor", DoctorSpec),
        "plan": ("plan", PlanSpec),
        "estimate": ("estimate", EstimateSpec),
        "verify": ("verify", VerifySpec),
        "report": ("report", ReportSpec),
        "replay": ("replay", ReplaySpec),
        "answer": ("answer", AnswerSpec),
        "publish": ("publish", PublishSpec),
        "watch": ("watch", WatchSpec),
    }
)
"""Entry point -> (command, its spec)."""
COMMANDS: Mapping[str, type[Spec]] = MappingProxyType(
    {
        **{name: spec_type for name, (_, spec_type) in ENTRY_POINTS.items()},
        "cache stats": CacheSpec,
        "cache check": CacheSpec,
        "cache ledger": CacheSpec,
        "cache prune": CachePruneSpec,
    }
)
"""Entry points, and commands that are none."""
