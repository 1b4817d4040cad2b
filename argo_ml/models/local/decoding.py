"""Decoding and choice scoring on batches of token ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from argo_ml.errors import ModelError
from argo_ml.models.base import TokenCounts
from argo_ml.models.chat import PromptIds
from argo_ml.models.local.forward import Forward
from argo_ml.models.local.growing_cache import (
    SPARE_COLUMNS,
    empty_cache,
    filled_cache,
    keeps_every_token,
    merged_cache,
    select_rows,
    selected_cache,
)
from argo_ml.models.local.hidden_states import OnStates
from argo_ml.models.local.prefix_cache import PrefixCache
from argo_ml.models.local.shared_beginnings import Wave, waves
from argo_ml.models.placement.batch_memory import LOGITS_BYTES

VERSION = 2
"""Part of a model's identity: raise it with every change that can change an output."""

LIVE_SHARE = 0.75
"""Finished rows leave a batch when at most this share of its rows is live: leaving copies the
key-value cache, staying computes tokens that nobody reads."""

PASS_TOKENS = 64
"""What a forward pass costs beside its tokens, in tokens: reading the weights once."""

WAVE_TOKENS = 256
"""What one more wave of passes costs, in tokens: its pass, and joining its rows to the others."""

TokenIds = Sequence[int]

Choose = Callable[[Sequence[int], torch.Tensor], list[int]]
"""The next token of each of some rows, from their logits (rows, vocabulary).

Rows are told by their number in the whole batch. Finished ones may be among them: what is chosen
for those is left out.
"""


def most_probable(rows: Sequence[int], logits: torch.Tensor) -> list[int]:
    """The plain arg max of each row."""
    tokens: list[int] = logits.argmax(dim=-1).tolist()
    return tokens


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
        select_rows(self.cache, rows)
        index = torch.tensor(rows)
        self.mask = self.mask[index.to(self.mask.device)]
        self.logits = self.logits[index.to(self.logits.device)]


class Decoder:
    """Computes batches with one model; beginnings of prompts are kept in ``prefixes``.

    A pass is taken to cost ``pass_tokens`` beside its own, `PASS_TOKENS` unless said otherwise.
    """

    batches = True

    def __init__(
        self, forward: Forward, prefixes: PrefixCache, pass_tokens: int | None = None
    ) -> None:
        self._forward = forward
        self._prefixes = prefixes
        self._pass_tokens = pass_tokens
        self._can_merge = keeps_every_token(empty_cache(forward.config))
        self.tokens = TokenCounts()

    def generate(
        self,
        prompts: Sequence[PromptIds],
        limits: Sequence[int],
        is_finished: Callable[[int, list[int]], bool],
        choose: Choose = most_probable,
        on_states: OnStates | None = None,
    ) -> list[list[int]]:
        """New token ids of each prompt, the ending one included.

        ``is_finished(row, new_ids)`` is asked after each token. ``choose`` sees the plain logits:
        a model's own generation settings (such as a repetition penalty) are not applied.
        ``on_states`` receives the states at the prompts' ends. Raises `ModelError` where the logits
        are not numbers.
        """
        outputs: list[list[int]] = [[] for _ in prompts]
        rows = list(range(len(prompts)))
        live = set(rows)
        with torch.inference_mode():
            state = self._prefill(prompts, on_states)
            while True:
                new_ids = choose(rows, state.logits)
                for row, token in zip(rows, new_ids, strict=True):
                    if row in live:
                        outputs[row].append(token)
                        if len(outputs[row]) >= limits[row] or is_finished(row, outputs[row]):
                            live.remove(row)
                if not live:
                    return outputs
                if len(live) <= LIVE_SHARE * len(rows):
                    kept = [position for position, row in enumerate(rows) if row in live]
                    state.select(kept)
                    rows = [rows[position] for position in kept]
                self._advance(state, [[outputs[row][-1]] for row in rows])
                self.tokens += TokenCounts(len(rows), len(rows) - len(live))

    def choice_log_likelihoods(
        self,
        prompts: Sequence[PromptIds],
        choices: Sequence[Sequence[TokenIds]],
        on_states: OnStates | None = None,
    ) -> list[list[float]]:
        """Summed log-likelihood (nats) of each prompt's choices, each at least one token.

        A prompt is computed once; its choices start from copies of its key-value cache.
        ``on_states`` receives the states at the prompts' ends. Raises `ModelError` where the logits
        are not numbers.
        """
        with torch.inference_mode():
            state = self._prefill(prompts, on_states)
            owners = [row for row, texts in enumerate(choices) for _ in texts]
            flat = [ids for texts in choices for ids in texts]
            first = torch.log_softmax(state.logits.float(), dim=-1)
            totals: list[float] = first[owners, [ids[0] for ids in flat]].tolist()
            longer = [index for index, ids in enumerate(flat) if len(ids) > 1]
            for group in self._groups([len(flat[index]) - 1 for index in longer]):
                members = [longer[place] for place in group]
                copies = self._copies(state, [owners[index] for index in members])
                rest = self._continuations(copies, [flat[index] for index in members])
                for index, value in zip(members, rest, strict=True):
                    totals[index] += value
        split = iter(totals)
        return [[next(split) for _ in texts] for texts in choices]

    def _prefill(self, prompts: Sequence[PromptIds], on_states: OnStates | None) -> _State:
        """Compute all prompts but the beginnings that are known, or that several begin with.

        Prompts wait for others that begin as they do, and those of different length are computed
        apart, where that costs less; then all go on together.
        """
        groups: list[list[int]] = []
        states: list[_State] = []
        for wave in self._waves([prompt.ids for prompt in prompts]):
            known = [self._prefixes.cached_tokens(prompts[row].ids) for row in wave.rows]
            fresh = [len(prompts[row].ids) - n for row, n in zip(wave.rows, known, strict=True)]
            kept = dict(zip(wave.rows, wave.n_kept, strict=True))
            for places in self._groups(fresh):
                group = [wave.rows[place] for place in places]
                n_kept = [max(kept[row], prompts[row].n_reusable) for row in group]
                groups.append(group)
                states.append(self._prefill_group(prompts, group, n_kept, on_states))
        return states[0] if len(states) == 1 else _merged(self._forward.config, groups, states)

    def _waves(self, prompts: Sequence[TokenIds]) -> list[Wave]:
        if not self._can_merge:
            return [Wave(list(range(len(prompts))), [0] * len(prompts))]
        n_cached = [self._prefixes.cached_tokens(ids) for ids in prompts]
        return waves(prompts, n_cached, self._prefixes.n_passing_blocks, WAVE_TOKENS)

    def _groups(self, lengths: Sequence[int]) -> list[list[int]]:
        """Rows to compute together, all of them where states cannot be split and joined."""
        if not self._can_merge:
            return [list(range(len(lengths)))] if lengths else []
        cost = PASS_TOKENS if self._pass_tokens is None else self._pass_tokens
        return [sorted(group) for group in groups_by_length(lengths, cost)]

    def _copies(self, state: _State, rows: Sequence[int]) -> _State:
        """A state of these rows, of which some may be named several times."""
        if not self._can_merge:
            # There is one group of them, so that nothing else needs the state.
            state.select(rows)
            return state
        index = torch.tensor(rows)
        mask = state.mask[index.to(state.mask.device)]
        begin = int(mask.any(dim=0).nonzero()[0])
        cache = selected_cache(self._forward.config, state.cache, index, begin)
        return _State(cache, mask[:, begin:], state.logits[index.to(state.logits.device)])

    def _prefill_group(
        self,
        all_prompts: Sequence[PromptIds],
        group: Sequence[int],
        n_kept: Sequence[int],
        on_states: OnStates | None,
    ) -> _State:
        """One forward pass over the prompts of ``group``, of which so many tokens are kept.

        Columns are the known tokens, padded on the left, then the computed ones, padded on the
        left too, so that every prompt ends in the last column.
        """
        prompts = [all_prompts[row] for row in group]
        n_cached = [self._prefixes.cached_tokens(prompt.ids) for prompt in prompts]
        fresh = [prompt.ids[n:] for prompt, n in zip(prompts, n_cached, strict=True)]
        config = self._forward.config
        if any(n_cached):
            n_spare = max(map(len, fresh)) + SPARE_COLUMNS
            known = self._prefixes.read([prompt.ids for prompt in prompts], n_cached, n_spare)
            cache = filled_cache(config, known, max(n_cached))
        else:
            cache = empty_cache(config)
        device = self._forward.device
        old = torch.tensor([_right_aligned([1] * n, max(n_cached)) for n in n_cached])
        width = max(map(len, fresh))
        new = torch.tensor([_right_aligned([1] * len(row), width) for row in fresh])
        mask = torch.cat([old.long(), new], dim=1).to(device)
        inputs = torch.tensor([_right_aligned(row, width) for row in fresh], device=device)
        self.tokens += TokenCounts(inputs.numel(), inputs.numel() - sum(map(len, fresh)))
        run = self._forward if on_states is None else self._forward.with_states
        output = run(inputs, mask, cache)
        if on_states is not None and output.states is not None:
            on_states(group, output.states)
        logits = checked_numbers(output.logits[:, -1], self._forward.dtype)
        if keeps_every_token(output.cache):
            begins = [mask.shape[1] - len(row) for row in fresh]
            kept = [prompt.ids[:n] for prompt, n in zip(prompts, n_kept, strict=True)]
            n_lasting = [prompt.n_reusable for prompt in prompts]
            self._prefixes.write(kept, n_cached, output.cache.layers, begins, n_lasting)
        return _State(output.cache, mask, logits)

    def _advance(self, state: _State, new_ids: Sequence[TokenIds]) -> None:
        """Append one token to every row."""
        ids = torch.tensor(new_ids, device=self._forward.device)
        state.mask = torch.cat([state.mask, torch.ones_like(ids)], dim=1)
        state.logits = self._forward(ids, state.mask, state.cache).logits[:, -1]

    def _continuations(self, state: _State, texts: Sequence[TokenIds]) -> list[float]:
        """Log-likelihood of each text's second and later tokens after the state's rows.

        As many columns go into one pass as their logits have memory.
        """
        width = max(map(len, texts)) - 1
        n_bytes = 4 * len(texts) * state.logits.shape[1]
        n_columns = max(1, LOGITS_BYTES // n_bytes)
        totals = [0.0] * len(texts)
        for begin in range(0, width, n_columns):
            end = min(begin + n_columns, width)
            parts = [ids[begin : end + 1] for ids in texts]
            for row, value in enumerate(self._columns(state, parts, end - begin)):
                totals[row] += value
        return totals

    def _columns(self, state: _State, texts: Sequence[TokenIds], width: int) -> list[float]:
        """Log-likelihood of each text's second and later tokens, of which some have none."""
        device = self._forward.device
        inputs = torch.tensor([_left_aligned(ids[:-1], width) for ids in texts], device=device)
        targets = torch.tensor([_left_aligned(ids[1:], width) for ids in texts])
        real = torch.tensor([_left_aligned([1] * (len(ids) - 1), width) for ids in texts])
        self.tokens += TokenCounts(real.numel(), int((1 - real).sum()))
        state.mask = torch.cat([state.mask, real.to(device)], dim=1)
        logits = self._forward(inputs, state.mask, state.cache, last_only=False).logits
        wanted = targets.to(logits.device)[:, :, None]
        chosen = torch.log_softmax(logits.float(), dim=-1).gather(2, wanted)[:, :, 0]
        values: list[float] = (chosen * real.to(logits.device)).sum(dim=1).tolist()
        return values


def checked_numbers(logits: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The logits themselves. Raises `ModelError` where some are not numbers.

    ``dtype`` is what the model computed in.
    """
    if bool(torch.isnan(logits).any()):
        raise ModelError(
            f"the model's output is not a number in {dtype}".replace("torch.", "")
            + "; use precision=bfloat16 or float32, or check its weights"
        )
    return logits


def groups_by_length(lengths: Sequence[int], pass_tokens: int = PASS_TOKENS) -> list[list[int]]:
    """Rows to compute together so that padding and passes cost least.

    A group of n rows costs n times its longest row, and ``pass_tokens``. Groups are neighbours in
    order of length, so the best grouping of the k longest rows is found from those of fewer.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    best = [0]
    begins = [0]
    for end in range(1, len(order) + 1):
        cost, begin = min(
            (best[begin] + (end - begin) * lengths[order[begin]] + pass_tokens, begin)
            for begin in range(end)
        )
        best.append(cost)
        begins.append(begin)
    groups: list[list[int]] = []
    end = len(order)
    while end:
        groups.insert(0, order[begins[end] : end])
        end = begins[end]
    return groups


def _merged(config: Any, groups: Sequence[Sequence[int]], states: Sequence[_State]) -> _State:
    """One state of all rows, in their order."""
    cache = merged_cache(
        config, [(rows, state.cache) for rows, state in zip(groups, states, strict=True)]
    )
    n_rows = sum(map(len, groups))
    width = max(state.mask.shape[1] for state in states)
    mask = states[0].mask.new_zeros((n_rows, width))
    logits = states[0].logits.new_empty((n_rows, states[0].logits.shape[1]))
    for rows, state in zip(groups, states, strict=True):
        mask[list(rows), width - state.mask.shape[1] :] = state.mask
        logits[list(rows)] = state.logits
    return _State(cache, mask, logits)


def _left_aligned(ids: TokenIds, width: int) -> list[int]:
    return [*ids, *[0] * (width - len(ids))]


def _right_aligned(ids: TokenIds, width: int) -> list[int]:
    return [*[0] * (width - len(ids)), *ids]
