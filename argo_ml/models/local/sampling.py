"""How the next token is chosen where the most probable one is not all that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from argo_ml.models.base import Generation
from argo_ml.randomness import deferred_rng

DRAWING_BYTES = 2**26
"""Most memory of one copy of the logits of the rows that are looked at together."""


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

    What a request draws depends on its seed and its prompt. ``statistics`` has, for each request
    with details, those of its tokens, and perhaps of further ones after it had finished.
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
        """Token ids of ``rows`` from their ``logits`` (rows, vocabulary).

        They are chosen where the logits are, and come from there once.
        """
        chosen = logits.argmax(dim=-1)
        drawing = [at for at, row in enumerate(rows) if self._requests[row].temperature]
        if drawing:
            temperatures = [self._requests[rows[at]].temperature for at in drawing]
            uniforms = [self._draws[rows[at]].random() for at in drawing]
            own = logits if len(drawing) == len(rows) else logits[drawing]
            chosen[drawing] = drawn(own, temperatures, uniforms)
        detailed = [at for at, row in enumerate(rows) if self._requests[row].details]
        if detailed:
            statistics_of_rows = token_statistics(logits[detailed], chosen[detailed])
            for at, statistics in zip(detailed, statistics_of_rows, strict=True):
                self.statistics[rows[at]].append(statistics)
        tokens: list[int] = chosen.tolist()
        return tokens


def drawn(
    logits: torch.Tensor, temperatures: Sequence[float], uniforms: Sequence[float]
) -> torch.Tensor:
    """The token of each row at which its distribution function exceeds its uniform number.

    It is computed in float64, so that a row's token depends on its own logits alone; some rows at
    a time, as that takes memory.
    """
    n_rows = max(1, DRAWING_BYTES // (8 * logits.shape[-1]))
    numbers = torch.tensor([temperatures, uniforms], dtype=torch.float64, device=logits.device)
    parts = zip(torch.split(logits, n_rows), torch.split(numbers, n_rows, dim=1), strict=True)
    return torch.cat([_drawn(part, *of_part) for part, of_part in parts])


def _drawn(
    logits: torch.Tensor, temperatures: torch.Tensor, uniforms: torch.Tensor
) -> torch.Tensor:
    exact = logits.double()
    # Without its maximum no logit overflows at a low temperature.
    scaled = (exact - exact.amax(dim=-1, keepdim=True)) / temperatures[:, None]
    shares = torch.softmax(scaled, dim=-1).cumsum(dim=-1)
    # The last share may be a little off 1.
    wanted = uniforms * shares[:, -1]
    tokens = torch.searchsorted(shares, wanted[:, None], right=True)[:, 0]
    return tokens.clamp(max=logits.shape[-1] - 1)


def token_statistics(logits: torch.Tensor, chosen: torch.Tensor) -> list[TokenStatistics]:
    """Statistics of each row's chosen token, from ``logits`` (rows, vocabulary), in float32.

    Some rows at a time, as that takes memory.
    """
    n_rows = max(1, DRAWING_BYTES // (4 * logits.shape[-1]))
    parts = zip(torch.split(logits, n_rows), torch.split(chosen, n_rows), strict=True)
    rows = torch.cat([_statistics(*part) for part in parts]).tolist()
    return [TokenStatistics(*statistics) for statistics in rows]


def _statistics(logits: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """A row of numbers for each of the logits, in the order of `TokenStatistics`."""
    log_p = torch.log_softmax(logits.float(), dim=-1)
    own = log_p.gather(1, chosen[:, None])[:, 0]
    entropies = torch.special.entr(log_p.exp()).sum(dim=-1)
    first, second = log_p.topk(2, dim=-1).values.unbind(dim=-1)
    return torch.stack([own, entropies, first - second], dim=1)
