"""What is stored goes by these names."""

from __future__ import annotations


def cell_name(strategy: str, retrieval_cost: float) -> str:
    """How a cell is shown: in tables, messages and the names of runs."""
    return f"{strategy} c_r={retrieval_cost:g}"
