"""What the gates of TARG read: a draft without evidence, or the scores of the choices.

A question with choices needs no draft: how sure the model is of them says the same, and is the
final answer's own call. Where choices are answered by number, without scores, the tokens of that
answer take the draft's place.
"""

from __future__ import annotations

from argo_ml.policies.base import AnswerNow, Probe, State
from argo_ml.policies.gates.base import not_probed
from argo_ml.types import Question, TokenDetail


def probes_for(question: Question, without_choices: Probe) -> frozenset[Probe]:
    return frozenset({Probe.ANSWER if question.choices else without_choices})


def seen_answer(state: State) -> AnswerNow:
    """Raises `ConfigError` where it was not looked at, as do the others here."""
    if state.observations.answer is None:
        raise not_probed(state.question, "answer")
    return state.observations.answer


def draft_tokens(state: State) -> tuple[TokenDetail, ...]:
    if state.observations.draft is None:
        raise not_probed(state.question, "draft")
    return state.observations.draft.tokens


def sampled_texts(state: State) -> tuple[str, ...]:
    if not state.observations.samples:
        raise not_probed(state.question, "sampled drafts")
    return state.observations.samples
