"""Greedy decoding and choice scoring on batches of token ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

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
    model: Any,
    prompts: Sequence[Ids],
    limits: Sequence[int],
    is_finished: Callable[[int, list[int]], bool],
) -> list[list[int]]:
    """New token ids of each prompt, the ending one included.

    ``is_finished(row, new_ids)`` is asked after each token. Finished rows leave the batch. The
    plain arg max is taken: a model's own generation settings (such as a repetition penalty) are
    not applied.
    """
    outputs: list[list[int]] = [[] for _ in prompts]
    rows = list(range(len(prompts)))
    with torch.inference_mode():
        state = _prefill(model, prompts)
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
            _advance(model, state, [[outputs[row][-1]] for row in rows])


def choice_log_likelihoods(
    model: Any, prompts: Sequence[Ids], choices: Sequence[Sequence[Ids]]
) -> list[list[float]]:
    """Summed log-likelihood (nats) of each prompt's choices, each at least one token.

    A prompt is computed once; its choices start from copies of its key-value cache.
    """
    with torch.inference_mode():
        state = _prefill(model, prompts)
        owners = [row for row, texts in enumerate(choices) for _ in texts]
        flat = [ids for texts in choices for ids in texts]
        first = torch.log_softmax(state.logits.float(), dim=-1)
        totals = [float(first[owner, ids[0]]) for owner, ids in zip(owners, flat, strict=True)]
        longer = [index for index, ids in enumerate(flat) if len(ids) > 1]
        if longer:
            state.select([owners[index] for index in longer])
            rest = _continuations(model, state, [flat[index] for index in longer])
            for index, value in zip(longer, rest, strict=True):
                totals[index] += value
    split = iter(totals)
    return [[next(split) for _ in texts] for texts in choices]


def _prefill(model: Any, prompts: Sequence[Ids]) -> _State:
    """Compute all prompts, padded on the left so that each ends in the last column."""
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in prompts])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts])
    ids, mask = ids.to(model.device), mask.to(model.device)
    output = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=_positions(mask),
        use_cache=True,
        logits_to_keep=1,
    )
    return _State(output.cache, mask, output.logits[:, -1])


def _advance(model: Any, state: _State, new_ids: Sequence[Ids]) -> None:
    """Append one token to every row."""
    ids = torch.tensor(new_ids, device=model.device)
    state.mask = torch.cat([state.mask, torch.ones_like(ids)], dim=1)
    output = model(
        input_ids=ids,
        attention_mask=state.mask,
        position_ids=_positions(state.mask)[:, -1:],
        cache=state.cache,
        use_cache=True,
        logits_to_keep=1,
    )
    state.logits = output.logits[:, -1]


def _continuations(model: Any, state: _State, texts: Sequence[Ids]) -> list[float]:
    """Log-likelihood of each text's second and later tokens after the state's rows."""
    width = max(map(len, texts)) - 1
    inputs = [_padded(ids[:-1], width) for ids in texts]
    targets = torch.tensor([_padded(ids[1:], width) for ids in texts], device=model.device)
    real = torch.tensor(
        [_padded([1] * (len(ids) - 1), width) for ids in texts], device=model.device
    )
    mask = torch.cat([state.mask, real], dim=1)
    logits = model(
        input_ids=torch.tensor(inputs, device=model.device),
        attention_mask=mask,
        position_ids=_positions(mask)[:, -width:],
        cache=state.cache,
        use_cache=True,
    ).logits
    chosen = torch.log_softmax(logits.float(), dim=-1).gather(2, targets[:, :, None])[:, :, 0]
    return [float(value) for value in (chosen * real).sum(dim=1)]


def _padded(ids: Ids, width: int) -> list[int]:
    return [*ids, *[0] * (width - len(ids))]


def _positions(mask: torch.Tensor) -> torch.Tensor:
    return (mask.cumsum(dim=1) - 1).clamp(min=0)
