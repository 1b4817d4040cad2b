"""The description of a strategy: everything that other packages ask about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from argo_ml.policies.base import Policy
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.parameters import GateParameters, StrategyParameters
from argo_ml.policies.search import Search, search_nothing


class Role(Enum):
    """The part that a strategy plays in a comparison."""

    ORIGINAL = "original"
    """Acts by the decision process of the original study."""
    BASELINE = "baseline"
    """Compared with in the original study."""
    FIXED_PLAN = "fixed plan"
    """Follows a plan that was made before the question was seen."""
    ADAPTIVE = "adaptive"
    """Decides by the question, with what a calibration taught."""
    GATE = "gate"
    """A published method, with a threshold or classes from a calibration."""
    CEILING = "ceiling"
    """Knows the gold answers: a bound, and no method."""


BASELINE = Role.BASELINE.value


class RecordedSignal(Enum):
    """The part of a recorded answer without retrieval that replaying a policy needs."""

    NOTHING = "nothing"
    DRAFT_ENTROPY = "entropy"
    DRAFT_MARGIN = "margin"
    SAMPLES = "samples"
    ANSWER = "answer"
    """The answer itself; probabilities and means over its tokens are used where they are there."""
    CONFIDENCE = "confidence"
    """p-hat itself, or what it is fitted on, as for `ANSWER`."""
    ANSWER_MARGIN = "answer margin"
    """The margin of the answer itself, or probabilities of the choices."""
    OWN_SCORE = "own score"
    """A score of the user's own, by the name that the strategy's parameters give."""


@dataclass(frozen=True, slots=True)
class ReplayNeeds:
    """The recorded data that replaying needs beside the answers without and with one retrieval.

    ``plans`` are the further recorded outcomes that it chooses among; ``embeds`` says whether it
    reads the question's embedding, ``n_steps`` to how many steps questions have to be explored, and
    ``promises`` whether it can be given a guarantee.
    """

    signal: RecordedSignal = RecordedSignal.NOTHING
    plans: tuple[str, ...] = ()
    embeds: bool = False
    n_steps: int = 1
    promises: bool = True


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a strategy's policy is made, and what it is.

    ``parameters`` is the type of what the user may set of it; a gate has `GateParameters` unless it
    names others. ``search`` is what a study may search of it. ``by_price`` says whether the policy
    depends on the retrieval cost, ``calibrated`` whether it needs a calibration, ``treats_alike``
    whether it treats all questions alike, so that deciding by the question is compared with it, and
    ``decides_once`` whether it decides before the first step alone. ``reports_p_hat`` says whether
    its decisions carry p-hat of the answer so far, ``own_queries`` whether its retrievals differ
    from those of the same actions under other strategies, and ``is_contender`` whether the headline
    asks about it, although it is not adaptive, where progress is measured on the question.
    ``stops_at_theta_star`` says whether it stops once progress reaches ARGO's theta_star at the
    price, and ``first_confidence_is_p_hat`` whether the confidence of its first decision is p-hat
    of the answer without retrieval. ``gained_nowhere`` says whether no mean in the table of
    docs/policies.md, of the atlas and of recorded answers, is above that of the best fixed plan, so
    that it is kept to be compared with. ``replay`` is None for what cannot be replayed on recorded
    outcomes.
    """

    make: Callable[[PolicyContext], Policy]
    role: Role
    parameters: type[StrategyParameters] | None = None
    search: Search = search_nothing
    by_price: bool = True
    calibrated: bool = False
    treats_alike: bool = False
    decides_once: bool = False
    reports_p_hat: bool = False
    own_queries: bool = False
    is_contender: bool = False
    stops_at_theta_star: bool = False
    first_confidence_is_p_hat: bool = False
    gained_nowhere: bool = False
    replay: ReplayNeeds | None = None

    def __post_init__(self) -> None:
        if self.parameters is None and self.is_gate:
            object.__setattr__(self, "parameters", GateParameters)

    @property
    def kind(self) -> str:
        """The role in words, or that it is kept as a baseline."""
        if not self.gained_nowhere:
            return self.role.value
        return f"{'published' if self.role is Role.GATE else 'earlier'} {BASELINE}"

    @property
    def reads_own_scores(self) -> bool:
        """Whether it decides by scores of the user's own, which nothing here computes."""
        return self.replay is not None and self.replay.signal is RecordedSignal.OWN_SCORE

    @property
    def is_gate(self) -> bool:
        """Whether it decides once, by a threshold, whether to retrieve."""
        return self.role is Role.GATE and self.decides_once

    @property
    def contends(self) -> bool:
        """Whether the headline asks about it."""
        return self.is_contender or self.role is Role.ADAPTIVE

    @property
    def is_ceiling(self) -> bool:
        return self.role is Role.CEILING
