"""What every policy must satisfy: inherit `PolicyConformance` and say how to build yours.

class TestMine(PolicyConformance):
    def make(self, solution):
        return Mine(solution.theta_star)
"""

from __future__ import annotations

import copy
import random

from argo_ml.policies.base import Decision, Policy, State
from argo_ml.policies.mdp import MDPSpec, Solution, solve
from argo_ml.types import Action, Question, Step

PRICES = (0.02, 0.075, 0.2, 50.0)
QUESTION = Question(id="q", text="What is asked?")


class PolicyConformance:
    """Every decision is a pure function of state and generator, and every episode ends.

    Policies are compared by value: make yours a frozen dataclass.
    """

    def make(self, solution: Solution) -> Policy:
        """The policy at the price of ``solution``."""
        raise NotImplementedError

    def test_equal_generators_give_equal_decisions(self) -> None:
        for policy, state in self._situations():
            decisions = {policy.decide(state, random.Random(7)) for _ in range(5)}
            assert len(decisions) == 1

    def test_a_decision_depends_on_no_earlier_one(self) -> None:
        situations = self._situations()
        forward = [_decide(policy, state) for policy, state in situations]
        backward = [_decide(policy, state) for policy, state in reversed(situations)]
        assert forward == backward[::-1]

    def test_deciding_changes_neither_policy_nor_global_generator(self) -> None:
        for policy, state in self._situations():
            before, luck = copy.deepcopy(policy), random.getstate()
            _decide(policy, state)
            assert policy == before
            assert random.getstate() == luck

    def test_a_stop_and_only_a_stop_carries_a_reason(self) -> None:
        for policy, state in self._situations():
            decision = _decide(policy, state)
            assert (decision.stop_reason is not None) == (decision.action is Action.STOP)

    def test_stops_at_full_progress(self) -> None:
        for solution in map(_solution, PRICES):
            policy = self.make(solution)
            state = State(QUESTION, progress=solution.spec.u_max)
            assert _decide(policy, state).action is Action.STOP

    def test_every_episode_ends_when_its_actions_succeed(self) -> None:
        for solution in map(_solution, PRICES):
            assert len(_episode(self.make(solution), solution)) <= len(solution.states)

    def _situations(self) -> list[tuple[Policy, State]]:
        return [
            (self.make(solution), State(QUESTION, progress))
            for solution in map(_solution, PRICES)
            for progress in solution.states
        ]


def _solution(price: float) -> Solution:
    return solve(MDPSpec(retrieval_cost=price))


def _decide(policy: Policy, state: State) -> Decision:
    return policy.decide(state, random.Random(7))


def _episode(policy: Policy, solution: Solution) -> list[Action]:
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
