"""Whether what a server takes of a prompt and its answer is enough for what will be asked."""

from __future__ import annotations

from argo_ml.config import ContextSpec, ModelSpec
from argo_ml.errors import ModelError
from argo_ml.models.reasoning import PROMPT_TOKENS, room_needed

FEWEST_TOKENS = 1024
"""A context that is smaller than this takes hardly any prompt: evidence alone has up to 384."""
READER_TOKENS = 256
"""The least that a prompt of passages and one short question is to have room for beside them."""
LARGER = (
    "start it with a larger one (--ctx-size of llama.cpp for each of its slots, --max-model-len of "
    "vLLM)"
)


def needed_tokens(spec: ModelSpec) -> int:
    """Most tokens of a usual prompt and its answer; histories of many steps may be longer."""
    if not isinstance(spec, ContextSpec):
        return FEWEST_TOKENS
    n_read = spec.top_k * spec.chunk_size if spec.documents else 0
    n_prompt = max(spec.evidence_tokens + PROMPT_TOKENS, n_read + READER_TOKENS)
    return max(FEWEST_TOKENS, n_prompt + spec.generation_limit)


def check_context(where: str, context: int, spec: ModelSpec, advice: str = LARGER) -> None:
    """Raises `ModelError` where prompts or answers have no room; 0 is an unknown context."""
    needed = needed_tokens(spec)
    if not 0 < context < needed:
        return
    lower = ", or lower evidence_tokens, top_k, chunk_size or max_new_tokens"
    raise ModelError(
        f"{where}: serves a context of {context} tokens; prompts and answers here need {needed} or "
        f"more; {advice}{lower if needed > FEWEST_TOKENS else ''}"
    )


def check_room(where: str, context: int, spec: ModelSpec, advice: str = LARGER) -> None:
    """Raises `ModelError` where a model that thinks has no room for it; 0 is an unknown context."""
    needed = room_needed(context, spec)
    if needed:
        raise ModelError(
            f"{where}: serves a context of {context} tokens, its model thinks before it answers "
            f"and {needed}; {advice}, or lower thinking_tokens"
        )
