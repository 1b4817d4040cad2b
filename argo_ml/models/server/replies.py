"""What a server has answered, whichever way it was asked."""

from __future__ import annotations

from dataclasses import dataclass

from argo_ml.models.reasoning import has_reasoning, is_unfinished, reply_start
from argo_ml.models.server.wire import ChatChoice, DetailedTextChoice, TextChoice, TokenUsage
from argo_ml.types import TokenDetail

LIMIT = "length"
"""Why an answer has ended that has all tokens that it may have."""
OWN_ENDS = frozenset({"stop", "stop_sequence", "eos_token", "eos", "end_turn"})
"""Why answers end by themselves or at a stop string: OpenAI's word, TGI's two, and what gateways
pass on from others."""


@dataclass(frozen=True, slots=True)
class ServerReply:
    """What a server has answered, and for what reason it ended, where it tells.

    ``tokens`` are those of ``text``, where they were asked for and the server reports them, and
    ``usage`` is None where it does not count. ``reasoned``: there is reasoning beside the text,
    which where there is no other text is the text.
    """

    text: str
    usage: TokenUsage | None
    ending: str | None
    tokens: tuple[TokenDetail, ...] = ()
    reasoned: bool = False

    @property
    def stopped(self) -> bool:
        """By the model or a stop string, not by a limit."""
        return self.ending in OWN_ENDS

    @property
    def is_empty(self) -> bool:
        return not self.text.strip()

    @property
    def is_unsaid(self) -> bool:
        """Whether it is no more than reasoning, or tokens of which none is a reply's.

        A model may end its turn at once: it has said nothing then, by a token that was counted.
        """
        if self.text[reply_start(self.text) :].strip():
            return self.reasoned and is_unfinished(self.text)
        return self.reasoned or has_reasoning(self.text) or not self._n_said

    @property
    def _n_said(self) -> int:
        """Tokens beside those of reasoning, as far as the server has counted them."""
        if self.usage is None:
            return 0
        return max(0, self.usage.completion_tokens - self.usage.reasoning_tokens)

    @property
    def has_thought(self) -> bool:
        """Whether there is reasoning in the text or beside it, or hidden where nothing is shown."""
        is_hidden = self.is_empty and self.ending == LIMIT
        is_counted = self.usage is not None and self.usage.reasoning_tokens > 0
        return self.reasoned or is_counted or is_hidden or has_reasoning(self.text)


def text_reply(
    choice: TextChoice | DetailedTextChoice,
    usage: TokenUsage | None,
    tokens: tuple[TokenDetail, ...] = (),
) -> ServerReply:
    return ServerReply(choice.text, usage, choice.finish_reason, tokens)


def chat_reply(
    choice: ChatChoice, usage: TokenUsage | None, tokens: tuple[TokenDetail, ...] = ()
) -> ServerReply:
    message = choice.message
    return ServerReply(
        message.text, usage, choice.finish_reason, tokens, reasoned=bool(message.reasons)
    )
