"""What is recorded of all answers, of both parts: policies look at nothing else.

What some answers lack would tell them apart by what was recorded. Where only the calibration's have
it, what was learned from it would be asked of answers without.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from argo_ml.calibration.plans import NONE, actions_of
from argo_ml.replay.recorded import Course, Reach, RecordedQuestion
from argo_ml.results.text_signals import MEANS

logger = logging.getLogger(__name__)


class Record(Enum):
    """A part of an answer that need not be recorded, by the fields that hold it."""

    PROBABILITIES = "probabilities"
    MEANS = "logprob, entropy, margin"
    DRAFT = "draft"
    N_TOKENS = "n_tokens"
    EVIDENCE = "evidence"
    SIMILARITY = "evidence.similarity"
    SUCCEEDED = "succeeded"


@dataclass(frozen=True, slots=True)
class Common:
    """``means`` are the signals that all answers have before any step. ``partial`` is what only
    some answers under a plan have, by plan, with the first question that lacks it."""

    means: frozenset[str] = frozenset()
    partial: Mapping[tuple[str, Record], RecordedQuestion] = field(default_factory=dict)

    def shows(self, plan: str, record: Record) -> bool:
        return (plan, record) not in self.partial

    def warn(self, reach: Reach | None) -> None:
        """Say in one line what is left out of the answers within ``reach``, None before any step
        alone."""
        partial = {
            (plan, record): lacking
            for (plan, record), lacking in self.partial.items()
            if plan == NONE or (reach is not None and reach.contains(actions_of(plan) or ()))
        }
        if not partial:
            return
        first = next(iter(partial.values()))
        names = (f"outcomes.{plan}: {record.value}" for plan, record in partial)
        logger.warning(
            "%s: lacks what other lines have, so that policies see it of no line (%s); record it "
            "for all, or for none",
            first.place,
            "; ".join(names),
        )


@dataclass(frozen=True, slots=True)
class Under:
    """The plan that answers are under, and the signals that all have before any step."""

    plan: str
    means: frozenset[str]

    def course(self, question: RecordedQuestion) -> Course:
        return question.outcomes[self.plan].course

    def has_probabilities(self, question: RecordedQuestion) -> bool:
        return bool(question.outcomes[self.plan].probabilities)

    def has_means(self, question: RecordedQuestion) -> bool:
        """Any before the first step, after it all that are used there."""
        if self.plan == NONE:
            return any(map(question.signals.has, MEANS))
        return bool(self.means) and all(map(self.course(question).signals.has, self.means))

    def is_written_choice(self, question: RecordedQuestion) -> bool:
        return bool(question.question.choices) and not self.has_probabilities(question)


def _probabilities(under: Under, question: RecordedQuestion) -> bool | None:
    """A choice that was written may have means instead."""
    if under.has_probabilities(question):
        return True
    return False if question.question.choices and not under.has_means(question) else None


def _means(under: Under, question: RecordedQuestion) -> bool | None:
    """Before any step `Common.means` are those that all have."""
    is_empty = under.course(question).signals.n_tokens == 0
    if under.plan == NONE or is_empty or under.has_probabilities(question):
        return None
    return under.has_means(question)


def _draft(under: Under, question: RecordedQuestion) -> bool | None:
    return question.has_draft if under.plan == NONE and not question.question.choices else None


def _n_tokens(under: Under, question: RecordedQuestion) -> bool | None:
    if under.plan != NONE or not under.is_written_choice(question):
        return None
    return question.signals.n_tokens is not None


def _evidence(under: Under, question: RecordedQuestion) -> bool | None:
    course = under.course(question)
    if course.evidence:
        return True
    return None if course.knows_evidence else False


def _similarity(under: Under, question: RecordedQuestion) -> bool | None:
    course = under.course(question)
    return course.knows_similarities if course.evidence else None


HAS: Mapping[Record, Callable[[Under, RecordedQuestion], bool | None]] = {
    Record.PROBABILITIES: _probabilities,
    Record.MEANS: _means,
    Record.DRAFT: _draft,
    Record.N_TOKENS: _n_tokens,
    Record.EVIDENCE: _evidence,
    Record.SIMILARITY: _similarity,
}
"""Whether a question has the record of its answer; None where it needs none."""


def common_records(
    calibration: Sequence[RecordedQuestion], test: Sequence[RecordedQuestion]
) -> Common:
    """What the answers of both parts have in common."""
    questions = [*calibration, *test]
    texts = [question for question in questions if not question.probabilities]
    means = frozenset(name for name in MEANS if all(text.signals.has(name) for text in texts))
    partial: dict[tuple[str, Record], RecordedQuestion] = {}
    for plan, own in _by_plan(questions):
        for record in HAS:
            lacking = _lacking(record, Under(plan, means), own)
            if lacking is not None:
                partial[plan, record] = lacking
    for one, other in ((calibration, test), (test, calibration)):
        partial |= {(plan, Record.SUCCEEDED): own for plan, own in _unsaid_failures(one, other)}
    return Common(means, partial)


def _by_plan(
    questions: Sequence[RecordedQuestion],
) -> Iterator[tuple[str, Sequence[RecordedQuestion]]]:
    """The sequences of actions, and the questions that have an answer after them."""
    for plan in dict.fromkeys(plan for question in questions for plan in question.outcomes):
        if actions_of(plan) is not None:
            yield plan, [question for question in questions if plan in question.outcomes]


def _lacking(
    record: Record, under: Under, questions: Sequence[RecordedQuestion]
) -> RecordedQuestion | None:
    """The first question that lacks what another has; None where all are alike."""
    known = [HAS[record](under, question) for question in questions]
    return questions[known.index(False)] if True in known and False in known else None


def _unsaid_failures(
    part: Sequence[RecordedQuestion], other: Sequence[RecordedQuestion]
) -> Iterator[tuple[str, RecordedQuestion]]:
    """Plans whose last step failed for some of ``part``, where ``other`` says of none whether it
    did, so that all of these count as having found something."""
    courses_of = {
        plan: [(own, own.outcomes[plan].course) for own in questions]
        for plan, questions in _by_plan(other)
    }
    for plan, questions in _by_plan(part):
        courses = courses_of.get(plan, [])
        is_said = any(course.says_success or course.knows_evidence for _, course in courses)
        if (
            courses
            and not is_said
            and not all(own.outcomes[plan].course.succeeded for own in questions)
        ):
            yield plan, courses[0][0]
