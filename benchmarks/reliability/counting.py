"""What became of the cases of a campaign, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

FAILURES = ("wrong_values", "wrong_accounting", "raw_exceptions", "misleading_messages", "unhealed")
"""What must not happen to any case."""


@dataclass(slots=True)
class Counts:
    """One kind of fault: how many cases, and what came of them; a case may count as several."""

    fault: str
    n_cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    """What failures said, for whoever looks into them."""

    def add(self, *outcomes: str) -> None:
        self.n_cases += 1
        self.outcomes.update(set(outcomes))

    @property
    def n_failures(self) -> int:
        return sum(self.outcomes[name] for name in FAILURES)

    def as_dict(self) -> dict[str, Any]:
        """A row of the table, failures first."""
        names = [*FAILURES, *sorted(self.outcomes.keys() - set(FAILURES))]
        counts = {name: self.outcomes[name] for name in names}
        return {"fault": self.fault, "cases": self.n_cases, **counts}


class Row(Protocol):
    """A row of a campaign's table."""

    def as_dict(self) -> dict[str, Any]: ...


Campaign = Callable[[Path, int, int], Sequence[Row]]
"""Takes a folder, the number of cases (0: its own) and a seed."""
