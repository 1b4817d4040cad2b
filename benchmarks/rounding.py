"""What a batch changes in bfloat16 on the CPU: the embedded model's logits, alone and in a batch.

At every position of atlas questions: the share whose most probable token is another one in a batch,
the share whose two most probable tokens tie, and how far the score of the token that follows is
off, once with the model's own output layer and once with products in float32.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from argo_ml.config import SweepSpec, build
from argo_ml.datasets.loading import load_questions
from argo_ml.models.base import Prompt
from argo_ml.models.chat import ChatFormat
from argo_ml.models.local.float32_head import Float32Head
from argo_ml.models.local.forward import Forward
from benchmarks.backends import network
from benchmarks.reporting import report

Heads = Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-questions", type=int, default=64)
    parser.add_argument("--rows", type=int, default=16, help="prompts of a batch")
    given = parser.parse_args()
    model, prompts = opened(given.n_questions)
    batches = [prompts[at : at + given.rows] for at in range(0, len(prompts), given.rows)]
    report("rounding", rounding(model, batches), prompts=len(prompts), batch=given.rows)


def rounding(model: Any, batches: Sequence[Sequence[list[int]]]) -> list[dict[str, Any]]:
    """One row for each output layer, over all positions of all prompts."""
    own = model.get_output_embeddings()
    heads: Heads = {"its own": own, "float32": Float32Head(own)}
    counts = {name: Counts() for name in heads}
    for batch in batches:
        together = states(model, batch)
        for row, ids in enumerate(batch):
            alone = states(model, [ids])[0]
            for name, head in heads.items():
                with torch.inference_mode():
                    counts[name].add(head(alone), head(together[row]), ids)
    return [{"output layer": name, **each.shares()} for name, each in counts.items()]


def states(model: Any, batch: Sequence[list[int]]) -> list[torch.Tensor]:
    """The last layer's output at every position of each prompt, padded on the left."""
    width = max(map(len, batch))
    inputs = torch.tensor([[0] * (width - len(ids)) + ids for ids in batch])
    mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in batch])
    kept: list[torch.Tensor] = []
    bare = copy.copy(model)
    bare._modules = {**model._modules, "lm_head": _Keeping(kept)}
    with torch.inference_mode():
        Forward(bare)(inputs, mask, last_only=False)
    return [row[width - len(ids) :] for row, ids in zip(kept[0], batch, strict=True)]


class _Keeping(torch.nn.Module):
    """An output layer that keeps what it is given."""

    def __init__(self, kept: list[torch.Tensor]) -> None:
        super().__init__()
        self._kept = kept

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        self._kept.append(hidden)
        return hidden


class Counts:
    """Of positions, what a batch changes at them."""

    def __init__(self) -> None:
        self.n = self.n_changed = self.n_tied = 0
        self.largest = 0.0

    def add(self, alone: torch.Tensor, batched: torch.Tensor, ids: Sequence[int]) -> None:
        """Logits (positions, vocabulary) of a prompt of these ``ids``."""
        best = alone.topk(2, dim=-1).values
        self.n += len(ids)
        self.n_changed += int((alone.argmax(dim=-1) != batched.argmax(dim=-1)).sum())
        self.n_tied += int((best[:, 0] == best[:, 1]).sum())
        following = torch.tensor(ids[1:])[:, None]
        scores = [
            torch.log_softmax(logits[:-1].float(), dim=-1).gather(1, following)
            for logits in (alone, batched)
        ]
        self.largest = max(self.largest, float((scores[0] - scores[1]).abs().max()))

    def shares(self) -> dict[str, Any]:
        return {
            "positions": self.n,
            "other token": self.n_changed / self.n,
            "tied": self.n_tied / self.n,
            "largest difference per token": self.largest,
        }


def opened(n_questions: int) -> tuple[Any, list[list[int]]]:
    """The embedded model in bfloat16, with its own output layer, and questions as its prompts."""
    model, tokenizer = network("bfloat16")
    spec = build(SweepSpec, {"n_questions": n_questions, "difficulty": "all"})
    questions = load_questions(spec).questions
    asked = [Prompt("", "\n".join((each.text, *each.choices))) for each in questions]
    return model, [prompt.ids for prompt in ChatFormat(tokenizer).encode_prompts(asked)]


if __name__ == "__main__":
    main()
