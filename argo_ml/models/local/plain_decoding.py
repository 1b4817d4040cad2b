"""Decoding and choice scoring by Transformers' own means, for models the fast path cannot carry."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from argo_ml.models.base import TokenCounts
from argo_ml.models.chat import PromptIds
from argo_ml.models.local.decoding import Choose, TokenIds, checked_numbers, most_probable
from argo_ml.models.local.hidden_states import OnStates, ResultType, with_states

# Transformers does not annotate its constructor.
_settings: Any = GenerationConfig


class PlainDecoder:
    """Computes prompts one at a time: slow, and right for every model that can ``generate``.

    ``model`` loses its own generation settings (such as a repetition penalty), which ``generate``
    would fall back on.
    """

    batches = False

    def __init__(self, model: Any) -> None:
        model.generation_config = _settings()
        self._model = model
        self._can_keep_last = "logits_to_keep" in inspect.signature(model.forward).parameters
        self.tokens = TokenCounts()

    def generate(
        self,
        prompts: Sequence[PromptIds],
        limits: Sequence[int],
        is_finished: Callable[[int, list[int]], bool],
        choose: Choose = most_probable,
        on_states: OnStates | None = None,
    ) -> list[list[int]]:
        """What `Decoder.generate` gives."""

        def run(row: int) -> list[int]:
            return self._generate_row(row, prompts[row].ids, limits[row], is_finished, choose)

        return [
            self._run(row, partial(run, row), len(prompt.ids), on_states)
            for row, prompt in enumerate(prompts)
        ]

    def choice_log_likelihoods(
        self,
        prompts: Sequence[PromptIds],
        choices: Sequence[Sequence[TokenIds]],
        on_states: OnStates | None = None,
    ) -> list[list[float]]:
        """What `Decoder.choice_log_likelihoods` gives; nothing is kept from a prompt's choices."""

        def run(row: int) -> list[float]:
            return [self._log_likelihood(prompts[row].ids, ids) for ids in choices[row]]

        with torch.inference_mode():
            return [
                self._run(row, partial(run, row), len(prompt.ids), on_states)
                for row, prompt in enumerate(prompts)
            ]

    def _run(
        self, row: int, run: Callable[[], ResultType], n_tokens: int, on_states: OnStates | None
    ) -> ResultType:
        """Compute one row; the first pass, whatever follows the prompt in it, has its state."""
        if on_states is None:
            return run()
        result, states = with_states(self._model, run, n_tokens - 1)
        on_states([row], states)
        return result

    def _generate_row(
        self,
        row: int,
        prompt: list[int],
        limit: int,
        is_finished: Callable[[int, list[int]], bool],
        choose: Choose,
    ) -> list[int]:
        def only_the_chosen(_: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
            chosen = choose([row], checked_numbers(logits, self._model.dtype))
            kept = torch.full_like(logits, -torch.inf)
            kept[0, chosen[0]] = 0
            return kept

        def ends(ids: torch.Tensor, _: Any, **__: Any) -> torch.Tensor:
            finished = is_finished(row, ids[0, len(prompt) :].tolist())
            return torch.tensor([finished], device=ids.device)

        ids = torch.tensor([prompt], device=self._model.device)
        output = self._model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=limit,
            do_sample=False,
            logits_processor=LogitsProcessorList([only_the_chosen]),
            stopping_criteria=StoppingCriteriaList([ends]),
        )
        new_ids: list[int] = output[0, len(prompt) :].tolist()
        self.tokens += TokenCounts(len(prompt) + len(new_ids) - 1)
        return new_ids

    def _log_likelihood(self, prompt: list[int], choice: TokenIds) -> float:
        ids = torch.tensor([[*prompt, *choice]], device=self._model.device)
        self.tokens += TokenCounts(ids.numel())
        kept = {"logits_to_keep": len(choice) + 1} if self._can_keep_last else {}
        output = self._model(input_ids=ids, use_cache=False, **kept)
        logits = output.logits[0, -len(choice) - 1 : -1]
        log_p = torch.log_softmax(checked_numbers(logits, self._model.dtype).float(), dim=-1)
        # Of a model spread over GPUs the logits stay on the last one.
        chosen = ids[0, len(prompt) :, None].to(log_p.device)
        return float(log_p.gather(1, chosen).sum())
