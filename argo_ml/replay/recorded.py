"""A question with its recorded outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from argo_ml.calibration.plans import NONE, SIZED, actions_of
from argo_ml.datasets.answers import Grade
from argo_ml.results.text_signals import TextSignals
from argo_ml.types import NO_USAGE, Action, Answer, Evidence, Question, Usage

NO_SIGNALS = TextSignals()


@dataclass(frozen=True, slots=True)
class Course:
    """How an answer was come to, as far as that is recorded.

    ``signals`` are of its text and ``reasoning`` is what the model wrote before it. ``succeeded``
    says whether the last action found something, and ``evidence`` what. ``actions`` are those of a
    plan that its name does not say, ``usage`` what all of them took, and ``money`` what they cost
    where that is recorded. The others are whether it is recorded what evidence there was, how
    similar it was, and whether the last action succeeded, and which parts of the usage are.
    """

    signals: TextSignals = NO_SIGNALS
    reasoning: str = ""
    succeeded: bool = True
    evidence: tuple[Evidence, ...] = ()
    actions: tuple[Action, ...] | None = None
    usage: Usage = NO_USAGE
    money: float | None = None
    knows_evidence: bool = field(default=False, repr=False, compare=False)
    knows_similarities: bool = field(default=False, repr=False, compare=False)
    says_success: bool = field(default=False, repr=False, compare=False)
    said_usage: frozenset[str] = field(default=frozenset(), repr=False, compare=False)


UNRECORDED = Course()


@dataclass(frozen=True, slots=True)
class RecordedOutcome:
    """``probabilities`` are those of the choices; empty where they are not recorded."""

    answer: Answer
    grade: Grade
    probabilities: tuple[float, ...] = ()
    course: Course = field(default=UNRECORDED, repr=False)

    @property
    def correct(self) -> bool:
        return self.grade.correct


@dataclass(frozen=True, slots=True)
class Reach:
    """Sequences of at most ``n_steps`` of some ``actions``."""

    n_steps: int
    actions: frozenset[str]

    def contains(self, actions: Sequence[str]) -> bool:
        return len(actions) <= self.n_steps and self.actions.issuperset(actions)


@dataclass(frozen=True, slots=True)
class RecordedQuestion:
    """``place`` says where it stands, ``split`` is empty where none is recorded.

    ``outcomes`` are by plan, `NONE` and `ONCE` among them. The others are of the closed-book
    answer: ``signals`` of its text, ``draft`` of a shorter one (that of the answer where none is
    recorded), ``samples`` drawn, ``confidence`` the probability that it is right,
    ``scores`` the user's own, by name.
    """

    place: str
    question: Question
    outcomes: Mapping[str, RecordedOutcome]
    signals: TextSignals
    draft: TextSignals
    samples: tuple[str, ...] = ()
    confidence: float | None = None
    split: str = ""
    scores: Mapping[str, float] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        return self.question.id

    @property
    def has_draft(self) -> bool:
        return self.draft is not self.signals

    @property
    def sequences(self) -> dict[tuple[str, ...], RecordedOutcome]:
        """The outcomes of sequences of actions, by these."""
        named = ((actions_of(plan), outcome) for plan, outcome in self.outcomes.items())
        return {actions: outcome for actions, outcome in named if actions is not None}

    def actions(self, plan: str) -> tuple[str, ...] | None:
        """The actions of a plan: those of its name, those recorded, else one retrieval of another
        size; None where nothing says how many."""
        named, course = actions_of(plan), self.outcomes[plan].course
        if course.actions is not None:
            return tuple(action.value for action in course.actions)
        if named is None and plan in SIZED:
            return (Action.RETRIEVE.value,)
        return named

    def reaches(self, reach: Reach) -> dict[tuple[str, ...], RecordedOutcome]:
        """The outcomes of the sequences within ``reach``, the shortest first."""
        by_length = sorted(self.sequences.items(), key=lambda item: len(item[0]))
        return {actions: outcome for actions, outcome in by_length if reach.contains(actions)}

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Of the choices, without retrieval."""
        return self.outcomes[NONE].probabilities


def common_reach(questions: Sequence[RecordedQuestion]) -> Reach:
    """The farthest to which every question has every sequence of the actions that all have."""
    known = [frozenset(question.sequences) for question in questions]
    common = frozenset.intersection(*known)
    kinds = sorted(actions[0] for actions in common if len(actions) == 1)
    n_steps = 1
    level: list[tuple[str, ...]] = [(kind,) for kind in kinds]
    while common.issuperset(level := [(*actions, kind) for actions in level for kind in kinds]):
        n_steps += 1
    return Reach(n_steps, frozenset(kinds))
