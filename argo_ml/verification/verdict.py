"""What a check came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

_N_SHOWN = 3


class Claim(Enum):
    """Whether a statement is so, by what is told of the difference that it is about."""

    YES = "yes"
    NO = "no"
    OPEN = "not settled by this n"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A check's result, or a finding: something that the sweep says, true or not.

    ``ok`` of a check is whether it holds; of a finding, whether its ``claim`` is yes.
    """

    name: str
    ok: bool
    detail: str
    claim: Claim | None = None

    @property
    def is_finding(self) -> bool:
        return self.claim is not None

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


def finding(name: str, claim: Claim, detail: str) -> Verdict:
    return Verdict(name, claim is Claim.YES, detail, claim)


def claim_above(sign: int) -> Claim:
    """Whether a difference is above 0, by the sign that it is told to have (`Resampled.sign`)."""
    if not sign:
        return Claim.OPEN
    return Claim.YES if sign > 0 else Claim.NO
