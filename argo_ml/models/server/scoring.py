"""Log-likelihoods of choices from servers that give those of a prompt's own tokens."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from argo_ml.errors import ModelError
from argo_ml.models.base import Prompt, Scores, Scoring
from argo_ml.models.server.prompting import COMPLETIONS, GREEDY_SETTINGS, ByTokens
from argo_ml.models.server.wire import Completions, RefusedError, TextChoice


@dataclass(frozen=True, slots=True)
class EchoScoring:
    """Sends each prompt with each choice after it, and reads what `echo` returns.

    One token is generated beyond them and left out, since not every server takes 0 for an answer's
    length.
    """

    prompting: ByTokens

    @property
    def works(self) -> bool:
        """Whether the server gives log-probabilities of prompts. Raises `ModelError`."""
        probe = Scoring(Prompt("", "What is the capital of France?", "Answer:"), ("Paris",))
        try:
            self.score(probe)
        except RefusedError:
            return False
        return True

    def score(self, request: Scoring) -> Scores:
        """Raises `ModelError`."""
        started = time.perf_counter()
        prompt = self.prompting.render(request.prompt)
        choices = [self._added(prompt, request.prompt, choice) for choice in request.choices]
        totals = self._totals(prompt, choices) if choices else []
        seconds = time.perf_counter() - started
        return Scores(tuple(totals), tuple(map(len, choices)), len(prompt), seconds)

    def _added(self, prompt: list[int], request: Prompt, choice: str) -> list[int]:
        """Ids that ``choice`` adds to the prompt's; those of its text alone where they merge."""
        begin = request.prefix
        continuation = choice if not begin or begin[-1].isspace() else f" {choice}"
        whole = self.prompting.render(request, continuation)
        if whole[: len(prompt)] == prompt and len(whole) > len(prompt):
            return whole[len(prompt) :]
        ids = self.prompting.plain(continuation)
        if not ids:
            raise ModelError(f"choice={choice!r}: has no text to score; give it some")
        return ids

    def _totals(self, prompt: list[int], choices: Sequence[list[int]]) -> list[float]:
        body: dict[str, Any] = {
            "model": self.prompting.model,
            "prompt": [[*prompt, *choice] for choice in choices],
            "echo": True,
            "logprobs": 1,
            "max_tokens": 1,
            **GREEDY_SETTINGS,
        }
        completions = self.prompting.fleet.request(COMPLETIONS, body, Completions).choices
        by_index = {choice.index: choice for choice in completions}
        if by_index.keys() != set(range(len(choices))):
            raise RefusedError(
                f"{len(completions)} completions came back for {len(choices)} prompts"
            )
        return [
            _log_likelihood(by_index[index], len(prompt), len(prompt) + len(choice))
            for index, choice in enumerate(choices)
        ]


def _log_likelihood(choice: TextChoice, start: int, end: int) -> float:
    """Summed log-likelihood of the tokens from ``start`` to ``end``."""
    given = choice.logprobs.token_logprobs if choice.logprobs else []
    values = [value for value in given[start:end] if value is not None and math.isfinite(value)]
    if len(values) != end - start:
        raise RefusedError(
            f"{len(given)} log-probabilities came back for {end} tokens of a prompt; "
            "use answering=number"
        )
    return sum(values)
