"""Decisions about answers that a caller already has: no model, no documents, no index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from argo_ml.config import CellSpec
from argo_ml.errors import ConfigError
from argo_ml.pipeline.probing import choice_probabilities
from argo_ml.policies.base import Decision, Probe, required_probes_of
from argo_ml.randomness import deferred_rng
from argo_ml.serving.priced import PricedPolicies, PricedPolicy, RequestPrice, served_spec
from argo_ml.serving.published import PolicyFiles, read_policy
from argo_ml.serving.questions import Asked, KnownAnswer, RequestError, TakenStep, read_asked
from argo_ml.serving.signals import AnswerSignals, is_estimated
from argo_ml.serving.steps import EVERYTHING, Actions, Shown, made_steps, shown_after
from argo_ml.serving.vectors import ServedVectors
from argo_ml.state import CONFIDENCE_PROBES, AnswerNow, Observations, State
from argo_ml.sweep.cells import cell_process, measure
from argo_ml.types import Action, Answer, Question, Step, StopReason

AT_THE_LIMIT = Decision(Action.STOP, StopReason.LIMIT)
KNOWN_PROBES = frozenset({Probe.ANSWER, Probe.VECTOR})
"""What a caller's answer can show; the rest takes calls of the model."""


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """What the policy would do about an answer; ``retrieve`` is whether that is a retrieval.

    ``action`` is ``stop`` where the answer is to be given, and ``abstain`` where it is withheld.
    ``p_hat`` is the calibrated probability that the answer is right, ``expected_gain`` the utility
    that the action is expected to add to giving the answer, ``score`` what a gate compared with
    its threshold; None where the strategy has nothing of the kind. ``is_estimated``: part of how
    sure the answer looked was filled in from the calibration.
    """

    action: str
    retrieve: bool
    strategy: str
    retrieval_cost: float
    p_hat: float | None = None
    expected_gain: float | None = None
    score: float | None = None
    query: str | None = None
    top_k: int | None = None
    is_estimated: bool = False


class LoadedPolicy:
    """A published policy, ready to decide; `answering` adds the answers."""

    def __init__(self, files: PolicyFiles, spec: CellSpec) -> None:
        self.published = files.published
        self.calibration = files.calibration
        self.spec = spec
        self.policies = PricedPolicies(files, spec)
        self._walked = files.stepwise or files.calibration
        self._vector = ServedVectors(spec)

    @classmethod
    def read(cls, folder: Path) -> LoadedPolicy:
        """Raises `ArgoError` for files that are none of a published policy."""
        files = read_policy(folder)
        return cls(files, served_spec(files.published, folder))

    def warm_up(self) -> None:
        """Make the policies of the swept prices, and load the embedder where it is needed."""
        made = [
            self.policies.at(RequestPrice(swept.retrieval_cost, self.spec.money))
            for swept in self.published.prices
        ]
        if any(map(self._needs_vector, made)):
            self._vector("warm")

    def decide(
        self,
        question: str,
        answer: str | None = None,
        token_logprobs: tuple[Any, ...] | list[Any] = (),
        price: float | None = None,
        **more: Any,
    ) -> PolicyDecision:
        """Decide about an answer that is already there.

        ``token_logprobs`` are log-probabilities of its tokens, or mappings that have ``logprob``
        and ``top_logprobs``, or ``entropy`` and ``gap``; ``more`` are ``choices`` and
        ``choice_logprobs`` of a question with choices, ``steps`` that led to the answer,
        ``question_id``, and prices in the caller's own unit. Raises `RequestError` for what cannot
        be.
        """
        asked = {"question": question, "answer": answer, "token_logprobs": token_logprobs}
        return self.decide_values({**asked, "retrieval_cost": price, "decide_only": True, **more})

    def decide_values(self, values: Mapping[str, Any]) -> PolicyDecision:
        return self.decide_asked(read_asked(values))

    def decide_asked(self, asked: Asked) -> PolicyDecision:
        priced = self.policies.at(self.price_of(asked))
        n_steps, most = len(asked.steps), priced.spec.max_steps
        if n_steps > most or (n_steps and priced.decides_once):
            return _described(AT_THE_LIMIT, priced)
        state = self._measured(self._seen(asked, priced), priced)
        rng = deferred_rng(priced.spec.seed, state.question.id, n_steps, "policy")
        try:
            decision = priced.policy.decide(state, rng)
        except ConfigError as error:
            # It lacks a score that the request could say.
            raise RequestError(str(error)) from None
        if n_steps == most and decision.stop_reason is None:
            decision = replace(AT_THE_LIMIT, expected=decision.expected)
        is_read = state.observations.answer is not None
        return _described(decision, priced, is_read and is_estimated(asked.known.tokens))

    def price_of(self, asked: Asked) -> RequestPrice:
        return self.policies.price_of(asked)

    def _measured(self, state: State, priced: PricedPolicy) -> State:
        """The state with its progress, where that is measured on the question."""
        measured = measure(priced.spec, priced.calibration)
        return state if measured is None else replace(state, progress=measured(state))

    def _seen(self, asked: Asked, priced: PricedPolicy) -> State:
        """The state that the caller has come to, with what is looked at there."""
        question = asked.as_question()
        answers = self._answers(asked, question, priced)
        before = [None if own is None else own.answer for own in answers]
        steps = made_steps(asked.steps, self._shown, before) if asked.steps else ()
        vector = self._vector(question.text) if self._reads_vector(priced, question) else ()
        observations = Observations(answers=answers, vector=vector, scores=asked.scores)
        return State(question, _progress(steps, priced), steps, observations)

    def _answers(
        self, asked: Asked, question: Question, priced: PricedPolicy
    ) -> tuple[AnswerNow | None, ...]:
        """Those before each step and the present one; None where it is not looked at.

        On records every answer is looked at on the way to one that is.
        """
        known = (*asked.steps, asked.known)
        actions = tuple(step.action for step in asked.steps)
        looks = [
            Probe.ANSWER in self._checked_probes(priced, question, actions[:n_steps])
            for n_steps in range(len(known))
        ]
        if self.published.decides_only and looks[-1]:
            looks = [True] * len(looks)
        return tuple(
            self._answer(own, question.choices, actions[:n_steps]) if looks[n_steps] else None
            for n_steps, own in enumerate(known)
        )

    def _checked_probes(
        self, priced: PricedPolicy, question: Question, actions: Actions
    ) -> AbstractSet[Probe]:
        """What is looked at after these actions. Raises `RequestError` for what no caller knows."""
        probes = _probes(priced, question, actions)
        if beyond := sorted(probe.value for probe in probes - KNOWN_PROBES):
            raise RequestError(
                f"strategy={priced.spec.strategy} looks at {', '.join(beyond)}, which takes calls "
                "of the model; ask without decide_only, or publish a strategy that decides by the "
                "answer"
            )
        reads_states = priced.calibration is not None and priced.calibration.has_hidden_states
        if reads_states and Probe.ANSWER in probes:
            raise RequestError(
                f"strategy={priced.spec.strategy} reads the model's hidden states, which only a "
                "call of the model tells; ask without decide_only, or publish a sweep without "
                "hidden_states"
            )
        return probes

    def _answer(self, known: KnownAnswer, choices: tuple[str, ...], actions: Actions) -> AnswerNow:
        """The answer that the caller has after these actions."""
        has_sureness = self._has_sureness(actions)
        is_shown = has_sureness or not actions
        if known.choice_logprobs:
            scores = known.choice_logprobs
            best = max(range(len(scores)), key=scores.__getitem__)
            answer = Answer(choices[best], choice=best, scores=scores)
            return AnswerNow(answer, choice_probabilities(answer) if is_shown else ())
        if known.answer is None or (has_sureness and not known.tokens):
            place = f"steps.{len(actions)}" if isinstance(known, TakenStep) else "decide_only"
            wanted = "choice_logprobs" if choices else "answer and token_logprobs"
            raise RequestError(f"{place} needs {wanted}: how sure the answer looked")
        choice = choices.index(known.answer) if known.answer in choices else None
        answer = Answer(known.answer, choice=choice, parsed=choice is not None or not choices)
        is_told = bool(known.tokens) and is_shown
        return AnswerNow(answer, (), self._signals.of_tokens(known.tokens) if is_told else ())

    def _has_sureness(self, actions: Actions) -> bool:
        """Whether it was known how sure answers looked after these actions."""
        if not actions:
            return not self._knows_no_tokens
        return self._shown.get(actions, EVERYTHING).sureness

    @cached_property
    def _shown(self) -> Mapping[Actions, Shown]:
        return {} if self._walked is None else shown_after(self._walked)

    @cached_property
    def _knows_no_tokens(self) -> bool:
        """Whether nothing was recorded of how sure answers looked, so that nothing is asked for."""
        questions = self.calibration.questions if self.calibration else ()
        return bool(questions) and not any(
            question.answer.tokens or question.answer.probabilities for question in questions
        )

    @cached_property
    def _signals(self) -> AnswerSignals:
        if self.calibration is None:
            return AnswerSignals((), (), ())
        return AnswerSignals.of(self.calibration)

    def _reads_vector(self, priced: PricedPolicy, question: Question) -> bool:
        return Probe.VECTOR in _probes(priced, question) and self._needs_vector(priced)

    def _needs_vector(self, priced: PricedPolicy) -> bool:
        """Whether anything reads the question's embedding: nothing does where none was known when
        the policy was made."""
        if priced.calibration is None or not priced.calibration.projection.components:
            return False
        return Probe.VECTOR in _probes(priced, Question("", "any"))


def _progress(steps: Sequence[Step], priced: PricedPolicy) -> float:
    """Progress by the gains of the process."""
    progress = 0.0
    for step in steps:
        gains = cell_process(priced.spec, priced.calibration).gains
        progress = gains.advance(progress, step.action, step.succeeded)
    return progress


def _probes(priced: PricedPolicy, question: Question, actions: Actions = ()) -> AbstractSet[Probe]:
    """What is looked at after these actions: by the policy, and to measure progress."""
    steps = tuple(Step("", Action(action), "", 0.0, 0.0) for action in actions)
    required = required_probes_of(priced.policy)(State(question, steps=steps))
    is_measured = measure(priced.spec, priced.calibration) is not None
    return required | CONFIDENCE_PROBES if is_measured else required


def _described(decision: Decision, priced: PricedPolicy, estimated: bool = False) -> PolicyDecision:
    expected, withholds = decision.expected, decision.stop_reason is StopReason.ABSTAIN
    return PolicyDecision(
        action=StopReason.ABSTAIN.value if withholds else decision.action.value,
        retrieve=decision.action.value == "retrieve",
        strategy=priced.spec.strategy,
        retrieval_cost=priced.spec.retrieval_cost,
        p_hat=expected.confidence,
        expected_gain=expected.gain,
        score=expected.score,
        query=decision.query,
        top_k=decision.top_k,
        is_estimated=estimated,
    )
