"""What an episode has come to, and what a policy has looked at, as policies and features see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from argo_ml.pricing import Tariff
from argo_ml.types import (
    NOTHING_EXPECTED,
    Action,
    Answer,
    Evidence,
    Expectation,
    Question,
    Step,
    StopReason,
    TokenDetail,
    Usage,
)


class Probe(str, Enum):
    """What a policy can look at before it decides, at the price of one call or more."""

    ANSWER = "answer"
    """The answer that the episode would give now: choices scored, or a text with its tokens."""
    DRAFT = "draft"
    """A short greedy draft without evidence."""
    SAMPLES = "samples"
    """Some sampled drafts without evidence."""
    TENTATIVE = "tentative"
    """The sentence that would answer the next sub-question without evidence."""
    VECTOR = "vector"
    """The embedding of the question, which needs no call of the language model."""


CONFIDENCE_PROBES = frozenset({Probe.ANSWER, Probe.VECTOR})
"""What p-hat is computed from."""


@dataclass(frozen=True, slots=True)
class AnswerNow:
    """The answer that an episode would give; ``probabilities`` are those of its choices.

    They are the softmax of the length-normalised log-likelihoods. A text has ``tokens`` instead.
    ``hidden_state`` is the model's before the answer; empty where it is not asked for.
    """

    answer: Answer
    probabilities: tuple[float, ...] = ()
    tokens: tuple[TokenDetail, ...] = ()
    hidden_state: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    text: str
    tokens: tuple[TokenDetail, ...]


@dataclass(frozen=True, slots=True)
class Observations:
    """What a policy has looked at until now.

    ``answers`` has the answer before each step, the present one last; an answer that was not looked
    at is None. ``tentative`` is of the present step; the others depend on the question alone.
    ``scores`` are the user's own, by name, of questions whose outcomes were recorded.
    """

    answers: tuple[AnswerNow | None, ...] = ()
    draft: Draft | None = None
    samples: tuple[str, ...] = ()
    tentative: Draft | None = None
    vector: Sequence[float] = field(default=(), hash=False)
    scores: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def answer(self) -> AnswerNow | None:
        """The answer that the episode would give now; None where it was not looked at."""
        return self.answers[-1] if self.answers else None


@dataclass(frozen=True, slots=True)
class State:
    """What a policy may look at: the question, progress U, the steps so far, and `Observations`."""

    question: Question
    progress: float = 0.0
    steps: tuple[Step, ...] = ()
    observations: Observations = Observations()

    def count(self, action: Action) -> int:
        return sum(step.action is action for step in self.steps)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One finished episode.

    ``expected`` is what the policy expected when it stopped, ``probe_price`` a look's price, and
    ``observations`` all that the policy looked at. ``unanswered`` is why the model did not take a
    request, which ended the episode without an answer; empty for all others. With a ``tariff`` the
    outcome costs what it used. ``step_usages`` is what every step took, ``answer_usages`` what
    looking at the answer took before each of them and at the end: nothing where it was not looked
    at.
    """

    question_id: str
    answer: Answer
    steps: tuple[Step, ...]
    stop_reason: StopReason
    progress: float
    usage: Usage
    expected: Expectation = NOTHING_EXPECTED
    probe_price: float = 0.0
    observations: Observations | None = field(default=None, compare=False)
    unanswered: str = ""
    tariff: Tariff | None = field(default=None, compare=False)
    step_usages: tuple[Usage, ...] = field(default=(), compare=False)
    answer_usages: tuple[Usage, ...] = field(default=(), compare=False)

    @property
    def cost(self) -> float:
        """c_r * (retrieve actions) + c_p * (reason actions) + probe_cost * (probe and sample
        calls), or what the tariff says of all that was used, whatever a cache served."""
        if self.tariff is not None:
            has_abstained = self.stop_reason is StopReason.ABSTAIN
            return self.tariff.cost(self.usage, self.count(Action.RETRIEVE), has_abstained)
        return sum(step.cost for step in self.steps) + self.probe_price * self.usage.probing_calls

    @property
    def repeated_retrievals(self) -> int:
        """Retrievals that brought nothing new: the same passages by the same query as one before.

        Each was charged like any other.
        """
        made = [
            (step.query or step.sub_question, tuple(hit.passage.id for hit in step.evidence))
            for step in self.steps
            if step.action is Action.RETRIEVE
        ]
        return len(made) - len(set(made))

    @property
    def retrieved(self) -> tuple[Evidence, ...]:
        """Every passage that was retrieved, once, in the order in which they were first."""
        return tuple({hit.passage.id: hit for step in self.steps for hit in step.evidence}.values())

    @property
    def expected_at_first(self) -> Expectation:
        """What the policy expected of its first decision."""
        return self.steps[0].expected if self.steps else self.expected

    def count(self, action: Action) -> int:
        return sum(step.action is action for step in self.steps)
