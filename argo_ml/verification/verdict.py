"""What a check came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_N_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """A check's result, or a finding: something that the sweep says, true or not.

    ``ok`` of a check is whether it holds; of a finding, whether the statement of its name is so.
    """

    name: str
    ok: bool
    detail: str
    is_finding: bool = False

    @property
    def has_failed(self) -> bool:
        """Findings cannot fail."""
        return not self.ok and not self.is_finding


def judged(name: str, problems: Sequence[str], fine: str) -> Verdict:
    """A check that holds if nothing was found wrong; ``fine`` says what was looked at."""
    if not problems:
        return Verdict(name, True, fine)
    shown = "; ".join(problems[:_N_SHOWN])
    n_more = len(problems) - _N_SHOWN
    return Verdict(name, False, f"{shown}; and {n_more} more" if n_more > 0 else shown)
