"""What every policy must satisfy: inherit `PolicyConformance` and say how to build yours.

class TestMine(PolicyConformance):
    def make(self, context):
        return Mine(context.solution.theta_star)

A policy that decides by progress inherits `ProgressConformance`, which also says where it must end.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import ClassVar

from argo_ml.mdp.process import MDPSpec, Solution, solve
from argo_ml.policies.base import Decision, Observations, Policy, Probe, State, required_probes_of
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.parameters import GradedParameters, StrategyParameters
from argo_ml.testing.calibrations import WORLDS, World
from argo_ml.types import Action, Question, Step

PRICES = (0.02, 0.075, 0.2, 50.0)
QUESTION = Question(id="q", text="What is asked?")
MAX_STEPS = 16
RETRIEVE, REASON = Action.RETRIEVE, Action.REASON
HISTORIES = ((), (RETRIEVE,), (REASON,), (RETRIEVE, RETRIEVE), (REASON, RETRIEVE, REASON))
N_QUESTIONS = 4
AT_THE_LIMIT = frozenset({Probe.ANSWER, Probe.VECTOR})
"""The probes that an episode still makes where no further step is possible."""


@dataclass(frozen=True)
class Trial:
    """A policy, what it was built from, and the world that it is tried in."""

    policy: Policy
    context: PolicyContext
    world: World

    @property
    def questions(self) -> Sequence[Question]:
        return self.world.questions[:N_QUESTIONS]

    def state(self, question: Question, actions: Sequence[Action]) -> State:
        """The state after ``actions`` that all succeed, with every probe made."""
        gains, progress = self.context.solution.spec.gains, 0.0
        state = self.world.state(question, tuple(actions))
        steps = []
        for step in state.steps:
            progress = gains.advance(progress, step.action, succeeded=True)
            steps.append(replace(step, progress=progress))
        return replace(state, progress=progress, steps=tuple(steps))

    def states(self) -> Iterator[State]:
        for question in self.questions:
            for actions in HISTORIES:
                yield self.state(question, actions)

    def observed(self, state: State) -> State:
        """The state as an episode would show it: with the probes that the policy requires.

        Recorded scores are there without any.
        """
        shown = state.observations
        observations = Observations(scores=shown.scores)
        for n_steps, answer in enumerate(shown.answers):
            before = replace(observations, tentative=None)
            required = self._required_probes(
                replace(state, steps=state.steps[:n_steps], observations=before)
            )
            is_present = n_steps == len(state.steps)
            observations = Observations(
                answers=(*before.answers, answer if Probe.ANSWER in required else None),
                draft=shown.draft if Probe.DRAFT in required else before.draft,
                samples=shown.samples if Probe.SAMPLES in required else before.samples,
                tentative=shown.tentative if is_present and Probe.TENTATIVE in required else None,
                vector=shown.vector if Probe.VECTOR in required else before.vector,
                scores=shown.scores,
            )
        return replace(state, observations=observations)

    def episode(self, question: Question) -> list[Action]:
        """Actions until the policy stops, or one more than there may be steps."""
        actions: list[Action] = []
        while len(actions) <= MAX_STEPS:
            state = self.observed(self.state(question, actions))
            decision = self.policy.decide(state, random.Random(len(actions)))
            if decision.action is Action.STOP:
                break
            actions.append(decision.action)
        return actions

    def _required_probes(self, state: State) -> AbstractSet[Probe]:
        required = required_probes_of(self.policy)(state)
        return required & AT_THE_LIMIT if len(state.steps) >= MAX_STEPS else required


class PolicyConformance:
    """Every decision is a pure function of state and generator, and every episode ends.

    Policies are compared by value: make yours a frozen dataclass.
    """

    parameters: ClassVar[Sequence[StrategyParameters]] = (
        GradedParameters(),
        GradedParameters(gate_budget=0.3, abstain_below=0.4),
    )
    """What the policy is tried with; name instances of its own parameters where it has any."""

    _made: ClassVar[Sequence[Trial] | None] = None

    def make(self, context: PolicyContext) -> Policy:
        """The policy at the price and with the settings and the calibration of ``context``."""
        raise NotImplementedError

    @property
    def trials(self) -> Sequence[Trial]:
        """The policy at every price in every world; made once, since fitting may take its time."""
        suite = type(self)
        made = suite.__dict__.get("_made") or [
            Trial(self.make(context), context, world)
            for world in WORLDS
            for context in _contexts(world, self.parameters)
        ]
        suite._made = made
        return made

    def test_equal_generators_give_equal_decisions(self) -> None:
        for policy, state in self.situations():
            decisions = {policy.decide(state, random.Random(7)) for _ in range(5)}
            assert len(decisions) == 1

    def test_a_decision_depends_on_no_earlier_one(self) -> None:
        situations = self.situations()
        forward = [_decide(policy, state) for policy, state in situations]
        backward = [_decide(policy, state) for policy, state in reversed(situations)]
        assert forward == backward[::-1]

    def test_deciding_changes_neither_policy_nor_global_generator(self) -> None:
        before, luck = copy.deepcopy(self.trials), random.getstate()
        for policy, state in self.situations():
            required_probes_of(policy)(state)
            _decide(policy, state)
        assert [trial.policy for trial in self.trials] == [trial.policy for trial in before]
        assert random.getstate() == luck

    def test_a_stop_and_only_a_stop_carries_a_reason(self) -> None:
        for policy, state in self.situations():
            decision = _decide(policy, state)
            assert (decision.stop_reason is not None) == (decision.action is Action.STOP)

    def test_decides_from_the_probes_that_it_requires(self) -> None:
        for trial in self.trials:
            for state in trial.states():
                observed = trial.observed(state)
                assert _decide(trial.policy, observed) == _decide(trial.policy, state)

    def test_every_episode_ends_within_the_step_limit(self) -> None:
        for trial in self.trials:
            for question in trial.questions:
                assert len(trial.episode(question)) <= MAX_STEPS

    def situations(self) -> list[tuple[Policy, State]]:
        return [(trial.policy, state) for trial in self.trials for state in trial.states()]


class ProgressConformance(PolicyConformance):
    """The suite of a policy that decides by progress: its work is done where progress is full."""

    def test_stops_at_full_progress(self) -> None:
        for trial in self.trials:
            state = State(QUESTION, progress=trial.context.solution.spec.u_max)
            assert _decide(trial.policy, state).action is Action.STOP

    def test_every_episode_ends_when_its_actions_succeed(self) -> None:
        for trial in self.trials:
            solution = trial.context.solution
            assert len(_progress_episode(trial.policy, solution)) <= len(solution.states)

    def situations(self) -> list[tuple[Policy, State]]:
        return super().situations() + [
            (trial.policy, State(QUESTION, progress))
            for trial in self.trials
            for progress in trial.context.solution.states
        ]


def _contexts(world: World, parameters: Sequence[StrategyParameters]) -> list[PolicyContext]:
    """The first parameters at every price, the others at the first price."""
    first, *others = parameters
    by_price = [
        PolicyContext(
            solve(MDPSpec(retrieval_cost=price)),
            first,
            max_steps=MAX_STEPS,
            calibration=world.calibration,
        )
        for price in PRICES
    ]
    return [*by_price, *(replace(by_price[0], parameters=other) for other in others)]


def _decide(policy: Policy, state: State) -> Decision:
    return policy.decide(state, random.Random(7))


def _progress_episode(policy: Policy, solution: Solution) -> list[Action]:
    """Actions until the policy stops, or one more than there are states."""
    state = State(QUESTION)
    actions: list[Action] = []
    while len(actions) <= len(solution.states):
        decision = policy.decide(state, random.Random(len(actions)))
        if decision.action is Action.STOP:
            break
        actions.append(decision.action)
        progress = solution.spec.gains.advance(state.progress, decision.action, succeeded=True)
        step = Step("sub-question", decision.action, "sub-answer", progress, cost=0.0)
        state = State(QUESTION, progress, (*state.steps, step))
    return actions
