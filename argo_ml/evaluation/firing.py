"""How often a gate retrieves, and whether it decides anything."""

from __future__ import annotations

from argo_ml.evaluation.roles import is_gate
from argo_ml.results.question_rows import action_counts
from argo_ml.results.records import CellResult
from argo_ml.types import Action

DEGENERATE_BELOW, DEGENERATE_ABOVE = 0.01, 0.99
"""Shares of questions outside which a gate decides nothing: it hardly ever, or nearly always,
retrieves."""


def fire_share(cell: CellResult) -> float | None:
    """Share of questions that a gate retrieved for; None for a cell of no gate."""
    if not is_gate(cell.strategy):
        return None
    n_fired = int((action_counts(cell.questions, Action.RETRIEVE) > 0).sum())
    return n_fired / len(cell.questions)


def is_degenerate(share: float | None) -> bool:
    """Whether a `fire_share` is that of a gate that decides nothing."""
    return share is not None and not DEGENERATE_BELOW <= share <= DEGENERATE_ABOVE
