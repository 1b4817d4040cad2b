"""What one shard of questions came to under all cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from argo_ml.results.records import QuestionResult


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """One shard's results and trajectories by cell id, and the passages they cite by id.

    ``paid`` are the keys of the calls that every result pays for, unless an earlier shard needs
    them too; empty in a record of an argo_ml that ran shards in order alone, whose results are
    final.
    """

    results: Mapping[str, list[QuestionResult]]
    trajectories: Mapping[str, list[dict[str, Any]]]
    passages: Mapping[str, dict[str, str]]
    paid: Mapping[str, list[list[str]]] = field(default_factory=dict)
