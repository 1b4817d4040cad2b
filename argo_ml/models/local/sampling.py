"""How the next token is chosen where the most probable one is not all that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from argo_ml.models.base import Generation
from argo_ml.models.local.decoding import most_probable
from argo_ml.randomness import deferred_rng


@dataclass(frozen=True, slots=True)
class TokenStatistics:
    """The numbers of a `TokenDetail`: log-probability, entropy (nats) and gap."""

    log_probability: float
    entropy: float
    gap: float


def needs_only_the_most_probable(request: Generation) -> bool:
    """Whether the most probable tokens are all that is asked for."""
    return not request.temperature and not request.details


class Chooser:
    """Chooses the tokens of a batch of requests, each as if it were alone.

    What a request draws depends on its seed and its prompt. ``numbers`` has, for each request with
    details, those of its tokens, and perhaps of further ones after it had finished.
    """

    def __init__(self, requests: Sequence[Generation]) -> None:
        self._requests = requests
        self._draws = [
            deferred_rng(
                request.seed,
                request.prompt.system,
                request.prompt.turn,
                request.prompt.prefix,
                "sampling",
            )
            for request in requests
        ]
        self.statistics: list[list[TokenStatistics]] = [[] for _ in requests]

    def __call__(self, rows: Sequence[int], logits: torch.Tensor) -> list[int]:
        """Token ids of ``rows`` from their ``logits`` (rows, vocabulary)."""
        chosen = most_probable(rows, logits)
        for position, row in enumerate(rows):
            temperature = self._requests[row].temperature
            if temperature:
                chosen[position] = drawn(logits[position], temperature, self._draws[row].random())
        detailed = [position for position, row in enumerate(rows) if self._requests[row].details]
        if detailed:
            statistics_of_rows = token_statistics(
                logits[detailed], [chosen[position] for position in detailed]
            )
            for position, statistics in zip(detailed, statistics_of_rows, strict=True):
                self.statistics[rows[position]].append(statistics)
        return chosen


def drawn(logits: torch.Tensor, temperature: float, uniform: float) -> int:
    """The token at which the distribution function at a temperature exceeds ``uniform``.

    It is computed in float64 on the CPU, so that devices differ by their logits alone.
    """
    exact = logits.to("cpu", torch.float64)
    # Without its maximum no logit overflows at a low temperature.
    shares = torch.softmax((exact - exact.max()) / temperature, dim=-1).cumsum(dim=-1)
    # The last share may be a little off 1.
    index = int(torch.searchsorted(shares, uniform * float(shares[-1]), right=True))
    return min(index, len(shares) - 1)


def token_statistics(logits: torch.Tensor, chosen: Sequence[int]) -> list[TokenStatistics]:
    """Statistics of each row's chosen token, from ``logits`` (rows, vocabulary), in float32."""
    log_p = torch.log_softmax(logits.float(), dim=-1)
    ids = torch.tensor(chosen, device=log_p.device)
    own = log_p.gather(1, ids[:, None])[:, 0].tolist()
    entropies = torch.special.entr(log_p.exp()).sum(dim=-1).tolist()
    first, second = log_p.topk(2, dim=-1).values.unbind(dim=-1)
    gaps = (first - second).tolist()
    return [TokenStatistics(*statistics) for statistics in zip(own, entropies, gaps, strict=True)]
