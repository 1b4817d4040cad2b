"""What the gates of TARG read: a draft without evidence, or the scores of the choices.

A question with choices needs no draft: how sure the model is of them says the same, and is the
final answer's own call. Where choices are answered by number, without scores, the tokens of that
answer take the draft's place.
"""

from __future__ import annotations

from argo_ml.policies.base import AnswerNow, Look, State
from argo_ml.policies.gates.base import not_looked_at
from argo_ml.types import Question, TokenDetail


def looks_for(question: Question, without_choices: Look) -> frozenset[Look]:
    return frozenset({Look.ANSWER if question.choices else without_choices})


def seen_answer(state: State) -> AnswerNow:
    """Raises `ConfigError` where it was not looked at, as do the others here."""
    if state.sights.answer is None:
        raise not_looked_at(state.question, "answer")
    return state.sights.answer


def draft_tokens(state: State) -> tuple[TokenDetail, ...]:
    if state.sights.draft is None:
        raise not_looked_at(state.question, "draft")
    return state.sights.draft.tokens


def sampled_texts(state: State) -> tuple[str, ...]:
    if not state.sights.samples:
        raise not_looked_at(state.question, "sampled drafts")
    return state.sights.samples
