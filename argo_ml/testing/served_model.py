"""The part of a test server that computes: plain Transformers, one prompt at a time."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from argo_ml.models.local.forward import Forward

# Transformers annotates these in part only.
_models: Any = AutoModelForCausalLM
_tokenizers: Any = AutoTokenizer
_logging: Any = transformers_logging


@dataclass(frozen=True, slots=True)
class Drawing:
    """How tokens are chosen, greedily at temperature 0, and of how many at a place to tell."""

    temperature: float = 0.0
    seed: int = 0
    n_top: int = 0


GREEDY_DRAWING = Drawing()


@dataclass(frozen=True, slots=True)
class ServedToken:
    """A token as servers show it, its log-probability, and the most probable ones with theirs."""

    text: str
    log_probability: float
    top: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Continuation:
    """Generated text; ``stopped``: by the end of the turn or a stop string before the limit.

    ``tokens`` are all that were generated, where any were to be told of.
    """

    text: str
    n_tokens: int
    stopped: bool
    tokens: tuple[ServedToken, ...] = ()


class ServedModel:
    """A model of a Transformers folder in float32; threads take turns."""

    def __init__(self, folder: Path) -> None:
        _logging.disable_progress_bar()
        self._tokenizer = _tokenizers.from_pretrained(folder, local_files_only=True)
        model = _models.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        self._forward = Forward(model.eval())
        self._turn = threading.Lock()
        self.context = int(model.config.max_position_embeddings)

    def render(self, messages: Sequence[Mapping[str, str]], continued: bool = False) -> str:
        """Text of a chat whose last turn is a new one of the assistant, or left open."""
        return str(
            self._tokenizer.apply_chat_template(
                list(messages),
                tokenize=False,
                add_generation_prompt=not continued,
                continue_final_message=continued,
            )
        )

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, special ones included."""
        return str(self._tokenizer.decode(list(ids)))

    def complete(
        self, ids: Sequence[int], limit: int, stop: Sequence[str], drawing: Drawing = GREEDY_DRAWING
    ) -> Continuation:
        """Complete as servers do: cut at a stop string even where nothing stands before it."""
        new: list[int] = []
        served_tokens: list[ServedToken] = []
        generator = torch.Generator().manual_seed(drawing.seed)
        cache, columns = None, list(ids)
        with self._turn, torch.inference_mode():
            while len(new) < limit:
                mask = torch.ones(1, len(ids) + len(new), dtype=torch.long)
                output = self._forward(torch.tensor([columns]), mask, cache)
                logits, cache = output.logits[0, -1], output.cache
                columns = [_drawn(logits, drawing.temperature, generator)]
                new += columns
                if drawing.n_top:
                    served_tokens.append(self._served_token(logits, columns[0], drawing.n_top))
                text = self._text(new) if stop else ""
                cuts = [text.index(string) for string in stop if string in text]
                if cuts or columns[0] == self._tokenizer.eos_token_id:
                    cut = text[: min(cuts)] if cuts else self._text(new)
                    return Continuation(cut, len(new), True, tuple(served_tokens))
        return Continuation(self._text(new), len(new), False, tuple(served_tokens))

    def _served_token(self, logits: torch.Tensor, chosen: int, n_top: int) -> ServedToken:
        log_p = torch.log_softmax(logits.float(), dim=-1)
        best = log_p.topk(n_top)
        top = [
            (self._shown(token), value)
            for token, value in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]
        return ServedToken(self._shown(chosen), float(log_p[chosen]), tuple(top))

    def _shown(self, token: int) -> str:
        return self.decode([token])

    def log_likelihoods(self, ids: Sequence[int]) -> list[float | None]:
        """Log-likelihood of each token after those before it; the first has none."""
        mask = torch.ones(1, len(ids), dtype=torch.long)
        with self._turn, torch.inference_mode():
            logits = self._forward(torch.tensor([ids]), mask, last_only=False).logits[0]
        rows = torch.log_softmax(logits.float(), dim=-1)[:-1]
        return [None, *(float(row[token]) for row, token in zip(rows, ids[1:], strict=True))]

    def _text(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))


def _drawn(logits: torch.Tensor, temperature: float, generator: torch.Generator) -> int:
    if not temperature:
        return int(logits.argmax())
    shares = torch.softmax(logits.double() / temperature, dim=-1)
    return int(torch.multinomial(shares, 1, generator=generator))
