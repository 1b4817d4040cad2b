"""Greedy decoding and choice scoring on batches of token ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from argo_ml.errors import ModelError
from argo_ml.models.forward import Forward

VERSION = 1
"""Part of a model's identity: raise it with every change that can change an output."""

Ids = Sequence[int]


@dataclass
class _State:
    """The key-value cache after some tokens, and the next token's logits.

    ``mask`` has a row per sequence and a column per cached token, 0 for padding; ``logits`` is
    (rows, vocabulary).
    """

    cache: Any
    mask: torch.Tensor
    logits: torch.Tensor

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows; a row named several times is copied."""
        # On the CPU, since layers of one cache may lie on several devices.
        index = torch.tensor(rows)
        self.cache.batch_select_indices(index)
        self.mask = self.mask[index]
        self.logits = self.logits[index]


def greedy(
    forward: Forward,
    prompts: Sequence[Ids],
    limits: Sequence[int],
    is_finished: Callable[[int, list[int]], bool],
) -> list[list[int]]:
    """New token ids of each prompt, the ending one included.

    ``is_finished(row, new_ids)`` is asked after each token. Finished rows leave the batch. The
    plain arg max is taken: a model's own generation settings (such as a repetition penalty) are
    not applied. Raises `ModelError` where the logits are not numbers.
    """
    outputs: list[list[int]] = [[] for _ in prompts]
    rows = list(range(len(prompts)))
    with torch.inference_mode():
        state = _prefill(forward, prompts)
        while True:
            new_ids = state.logits.argmax(dim=-1).tolist()
            for row, token in zip(rows, new_ids, strict=True):
                outputs[row].append(token)
            live = [
                position
                for position, row in enumerate(rows)
                if len(outputs[row]) < limits[row] and not is_finished(row, outputs[row])
            ]
            if not live:
                return outputs
            if len(live) < len(rows):
                state.select(live)
                rows = [rows[position] for position in live]
            _advance(forward, state, [[outputs[row][-1]] for row in rows])


def choice_log_likelihoods(
    forward: Forward, prompts: Sequence[Ids], choices: Sequence[Sequence[Ids]]
) -> list[list[float]]:
    """Summed log-likelihood (nats) of each prompt's choices, each at least one token.

    A prompt is computed once; its choices start from copies of its key-value cache. Raises
    `ModelError` where the logits are not numbers.
    """
    with torch.inference_mode():
        state = _prefill(forward, prompts)
        owners = [row for row, texts in enumerate(choices) for _ in texts]
        flat = [ids for texts in choices for ids in texts]
        first = torch.log_softmax(state.logits.float(), dim=-1)
        totals = [float(first[owner, ids[0]]) for owner, ids in zip(owners, flat, strict=True)]
        longer = [index for index, ids in enumerate(flat) if len(ids) > 1]
        if longer:
            state.select([owners[index] for index in longer])
            rest = _continuations(forward, state, [flat[index] for index in longer])
            for index, value in zip(longer, rest, strict=True):
                totals[index] += value
    split = iter(totals)
    return [[next(split) for _ in texts] for texts in choices]


def _prefill(forward: Forward, prompts: Sequence[Ids]) -> _State:
    """Compute all prompts, padded on the left so that each ends in the last column."""
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in prompts])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts])
    ids, mask = ids.to(forward.device), mask.to(forward.device)
    output = forward(ids, mask)
    logits = output.logits[:, -1]
    if bool(torch.isnan(logits).any()):
        raise ModelError(
            f"the model's output is not a number in {logits.dtype}".replace("torch.", "")
            + "; use precision=bfloat16 or float32, or check its weights"
        )
    return _State(output.cache, mask, logits)


def _advance(forward: Forward, state: _State, new_ids: Sequence[Ids]) -> None:
    """Append one token to every row."""
    ids = torch.tensor(new_ids, device=forward.device)
    state.mask = torch.cat([state.mask, torch.ones_like(ids)], dim=1)
    state.logits = forward(ids, state.mask, state.cache).logits[:, -1]


def _continuations(forward: Forward, state: _State, texts: Sequence[Ids]) -> list[float]:
    """Log-likelihood of each text's second and later tokens after the state's rows."""
    width = max(map(len, texts)) - 1
    inputs = torch.tensor([_padded(ids[:-1], width) for ids in texts], device=forward.device)
    targets = torch.tensor([_padded(ids[1:], width) for ids in texts], device=forward.device)
    real = torch.tensor([_padded([1] * (len(ids) - 1), width) for ids in texts])
    real = real.to(forward.device)
    mask = torch.cat([state.mask, real], dim=1)
    logits = forward(inputs, mask, state.cache, last_only=False).logits
    chosen = torch.log_softmax(logits.float(), dim=-1).gather(2, targets[:, :, None])[:, :, 0]
    return [float(value) for value in (chosen * real).sum(dim=1)]


def _padded(ids: Ids, width: int) -> list[int]:
    return [*ids, *[0] * (width - len(ids))]
