"""What a study may take is counted from when it begins, or goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from argo_ml.advising import budget
from argo_ml.advising.budget import Budget
from argo_ml.config import AdviseSpec, BudgetFields, build
from argo_ml.errors import StoppedError
from argo_ml.models.cache.store import CallCache
from argo_ml.models.cache.summaries import Payment
from argo_ml.progress import EPISODES, ignore_progress


@dataclass
class Ledger:
    """Stands for a call cache that knows how many calls a run has paid."""

    executed: int

    def paid_by(self, run_id: str) -> Payment:
        return Payment(executed=self.executed)


def limits(**values: Any) -> BudgetFields:
    return build(AdviseSpec, values)


def test_what_was_paid_before_a_study_is_gone_on_with_is_not_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(budget, "LOOKS_EVERY_S", 0.0)
    ledger = Ledger(executed=1000)
    own = Budget(limits(max_calls="10"), cast(CallCache, ledger), lambda: ["a run"])
    watch = own.watching(ignore_progress, 1.0)

    ledger.executed += 10
    watch(EPISODES, 1, 2)
    ledger.executed += 1
    with pytest.raises(StoppedError, match="max_calls=10: 11 calls are spent"):
        watch(EPISODES, 1, 2)
