"""When a row of a batch has come to its end."""

from __future__ import annotations

from collections.abc import Sequence

from argo_ml.models.base import Generation
from argo_ml.models.chat import ChatFormat, cut_at_stop
from argo_ml.models.reasoning import is_unfinished


class Endings:
    """Says whether a row has ended, asked after each of its tokens.

    ``thoughts`` are the tokens of each row's reasoning, which do not count as its answer's; at
    ``thinking_tokens`` of them it ends within reasoning.
    """

    def __init__(
        self,
        chat: ChatFormat,
        end_ids: frozenset[int],
        requests: Sequence[Generation],
        thinking_tokens: int,
    ) -> None:
        self._chat = chat
        self._end_ids = end_ids
        self._requests = requests
        self._thinking_tokens = thinking_tokens
        self.thoughts = [0] * len(requests)

    def __call__(self, row: int, new_ids: Sequence[int]) -> bool:
        if new_ids[-1] in self._end_ids:
            return True
        if self._goes_on_thinking(row, new_ids):
            return self._thinks(row, new_ids)
        text = self._chat.text(new_ids)
        if self._chat.may_think and is_unfinished(text):
            return self._thinks(row, new_ids)
        request = self._requests[row]
        n_reply = len(new_ids) - self.thoughts[row]
        return cut_at_stop(text, request.stop)[1] or n_reply >= request.max_new_tokens

    def _goes_on_thinking(self, row: int, new_ids: Sequence[int]) -> bool:
        """Whether the last token cannot have ended reasoning that went on up to it.

        Reasoning is long, and what is written has not to be decoded again for each of its tokens.
        """
        n_before = len(new_ids) - 1
        return 0 < n_before == self.thoughts[row] and not self._chat.may_close(new_ids[-1])

    def _thinks(self, row: int, new_ids: Sequence[int]) -> bool:
        self.thoughts[row] = len(new_ids)
        return self.thoughts[row] >= self._thinking_tokens
