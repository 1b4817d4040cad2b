"""From recorded questions to states, and to the calibration that policies are made from."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from argo_ml.calibration.building import ROOT, Explored, Visit, build_calibration
from argo_ml.calibration.plans import NONE, after
from argo_ml.calibration.record import Calibration
from argo_ml.replay.common import Common, Record
from argo_ml.replay.recorded import Course, Reach, RecordedOutcome, RecordedQuestion
from argo_ml.results.text_signals import MEANS
from argo_ml.state import AnswerNow, Draft, Observations, State
from argo_ml.statistics.one_thread import one_thread
from argo_ml.types import Action, Evidence, Step

HORIZON = 1
"""Steps of policies that decide once."""

Key = tuple[str, tuple[str, ...]]
"""A state by its question and the actions that led there."""
VectorsByText = Mapping[str, Sequence[float]]
"""Embeddings by the text of the question."""


EVERYTHING = Common()


@dataclass(frozen=True)
class ReplayState:
    """A recorded question in the state in which a policy decides about it, everything probed."""

    recorded: RecordedQuestion
    state: State
    common: Common = EVERYTHING

    @property
    def explored(self) -> Explored:
        """Before the first step alone: what policies learn from that decide once."""
        return Explored(self.recorded.question, {ROOT: self._visit(())}, self._outcomes)

    def explored_within(self, reach: Reach) -> Explored:
        """All that is recorded of sequences within ``reach``."""
        visits = {actions: self._visit(actions) for actions in self.recorded.reaches(reach)}
        return Explored(self.recorded.question, visits, self._outcomes)

    def after(self, actions: tuple[str, ...]) -> State:
        """The state that these actions lead to, everything probed on the way."""
        return self.next(self.after(actions[:-1]), actions) if actions else self.state

    def next(self, before: State, actions: tuple[str, ...], progress: float = 0.0) -> State:
        """The state of this progress that the last of these actions leads to, the others to
        ``before``."""
        step = self._step(before, actions)
        answers = (*before.observations.answers, self._answer_now(actions))
        observations = replace(before.observations, answers=answers)
        return State(before.question, progress, (*before.steps, step), observations)

    def _step(self, before: State, actions: tuple[str, ...]) -> Step:
        plan, course = after(actions), self._outcome(actions).course
        seen = before.observations.answer
        return Step(
            sub_question="",
            action=Action(actions[-1]),
            sub_answer="",
            progress=0.0,
            cost=0.0,
            succeeded=self.succeeded(actions),
            evidence=self._evidence(plan, course),
            before=None if seen is None else seen.answer,
        )

    def succeeded(self, actions: tuple[str, ...]) -> bool:
        """Whether the last action found something, as far as policies see it."""
        found = self._outcome(actions).course.succeeded
        return found or not self.common.shows(after(actions), Record.SUCCEEDED)

    def _evidence(self, plan: str, course: Course) -> tuple[Evidence, ...]:
        if not self.common.shows(plan, Record.EVIDENCE):
            return ()
        if self.common.shows(plan, Record.SIMILARITY):
            return course.evidence
        return tuple(replace(hit, similarity=0.0) for hit in course.evidence)

    @property
    def _outcomes(self) -> dict[str, bool]:
        return {plan: outcome.correct for plan, outcome in self.recorded.outcomes.items()}

    def _visit(self, actions: tuple[str, ...]) -> Visit:
        return Visit(self.after(actions), self._outcome(actions).correct)

    def _outcome(self, actions: tuple[str, ...]) -> RecordedOutcome:
        return self.recorded.outcomes[after(actions)]

    def _answer_now(self, actions: tuple[str, ...]) -> AnswerNow:
        plan, outcome = after(actions), self._outcome(actions)
        means, signals = self.common.means, outcome.course.signals
        shows_means = self.common.shows(plan, Record.MEANS) and all(map(signals.has, means))
        has_tokens = means and shows_means and not outcome.probabilities
        tokens = signals.tokens(means) if has_tokens else ()
        return AnswerNow(outcome.answer, _probabilities(outcome, plan, self.common), tokens)


def make_replay_state(
    recorded: RecordedQuestion, common: Common, vectors: VectorsByText
) -> ReplayState:
    """The state before any step, of which policies see what is in ``common``."""
    question, none = recorded.question, recorded.outcomes[NONE]
    probabilities = _probabilities(none, NONE, common)
    draft = recorded.draft if common.shows(NONE, Record.DRAFT) else recorded.signals
    tokens = (
        () if probabilities else recorded.signals.tokens(common.means, _n_tokens(recorded, common))
    )
    observations = Observations(
        answers=(AnswerNow(none.answer, probabilities, tokens),),
        draft=None if question.choices else Draft("", draft.tokens(frozenset(MEANS))),
        samples=recorded.samples,
        vector=vectors.get(question.text, ()),
        scores=recorded.scores,
    )
    return ReplayState(recorded, State(question, observations=observations), common)


def _probabilities(outcome: RecordedOutcome, plan: str, common: Common) -> tuple[float, ...]:
    return outcome.probabilities if common.shows(plan, Record.PROBABILITIES) else ()


def _n_tokens(recorded: RecordedQuestion, common: Common) -> int:
    """Only of a choice that was written the number matters, to its whole probability."""
    is_used = recorded.question.choices and common.shows(NONE, Record.N_TOKENS)
    return (recorded.signals.n_tokens or 1) if is_used else 1


class RecordedCalibration(Calibration):
    """A calibration made of recorded outcomes; ``recorded`` is p-hat by question where known.

    It remembers what it was asked of a state. One that was made of what stands before the first
    step alone, of ``horizon`` 1 and without later nodes, is asked of nothing else.
    """

    recorded: Mapping[str, float] = {}

    @cached_property
    def known_inputs(self) -> dict[Key, array[float]]:
        """An array of eight bytes a number, where a tuple takes 32.

        No private attribute, which pydantic takes longer to find than what is remembered to make.
        """
        return {}

    @cached_property
    def known_confidences(self) -> dict[Key, float]:
        return {}

    def inputs(self, state: State) -> tuple[float, ...]:
        key = self._key(state)
        if key in self.explored_inputs:
            return self.explored_inputs[key]
        known = self.known_inputs
        if key not in known:
            known[key] = array("d", super().inputs(state))
        return tuple(known[key])

    def confidence(self, state: State, inputs: Sequence[float] | None = None) -> float:
        key = self._key(state)
        if not state.steps and state.question.id in self.recorded:
            return self.recorded[state.question.id]
        known = self.known_confidences
        if key not in known:
            known[key] = super().confidence(state, inputs)
        return known[key]

    @cached_property
    def explored_inputs(self) -> dict[Key, tuple[float, ...]]:
        """The inputs of its own questions, as they were computed when they were explored."""
        ids = [question.id for question in self.questions]
        return {(ids[node.question], node.actions): node.features for node in self.nodes}

    @cached_property
    def knows_steps(self) -> bool:
        return any(node.actions for node in self.nodes)

    def _key(self, state: State) -> Key:
        actions = tuple(step.action.value for step in state.steps)
        if actions and not self.knows_steps:
            raise ValueError(f"question {state.question.id!r}: nothing is recorded of later steps")
        return state.question.id, actions


@one_thread()
def calibrate_on_records(
    calibrating: Sequence[ReplayState],
    tested: Sequence[ReplayState],
    spec: Mapping[str, Any],
    reach: Reach | None = None,
    of_the_same: Calibration | None = None,
) -> RecordedCalibration:
    """Fit what is fitted; p-hat is as recorded where every question has it.

    ``reach`` is how far the recorded sequences of actions are taken in: not at all for policies
    that decide once. ``of_the_same`` is what was made of the same questions for these. Raises
    `DataError` for too few questions.
    """
    explored = [state.explored_within(reach) if reach else state.explored for state in calibrating]
    horizon = reach.n_steps if reach else HORIZON
    built = build_calibration(explored, spec, {}, horizon, of_the_same)
    recorded = {
        state.recorded.id: state.recorded.confidence
        for state in (*calibrating, *tested)
        if state.recorded.confidence is not None
    }
    values = {name: getattr(built, name) for name in Calibration.model_fields}
    if recorded:
        ids = [state.recorded.id for state in calibrating]
        values["nodes"] = tuple(
            node.model_copy(
                update={"confidence": recorded.get(ids[node.question], node.confidence)}
            )
            if not node.actions
            else node
            for node in built.nodes
        )
    return RecordedCalibration(**values, recorded=recorded)
