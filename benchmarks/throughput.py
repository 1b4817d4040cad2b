"""Prefill and decoding of a model as a share of the machine's own matrix-multiply rate.

Floating-point operations are those of the model's matrix products: 2 x weights x tokens for its
linear layers, the output projection for the last position alone, and for the attention
4 x layers x heads x head width x (pairs of tokens that attend). The rate to compare with is float32
matrix multiplication by the same library on the same cores, measured before each shape: one
large square product, and the model's own shapes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import torch

from argo_ml.config import SweepSpec, build
from argo_ml.models import load_model
from argo_ml.models.chat import PromptIds
from argo_ml.models.deferred import load_now
from argo_ml.models.local.packed_linear import PackedLinear
from argo_ml.models.local.recovery import RecoveringModel
from argo_ml.models.local.transformers_model import TransformersModel
from benchmarks.reporting import report

SHAPES = ((1, 250), (8, 250), (20, 150), (20, 300), (16, 500))
"""Rows and tokens per prompt."""
SQUARE = 1536
REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=SweepSpec().model)
    parser.add_argument("--new-tokens", type=int, default=16)
    given = parser.parse_args()
    model = load_now(load_model(build(SweepSpec, {"model": given.model, "prefix_cache_mb": 0})))
    assert isinstance(model, RecoveringModel)
    loaded = model.loaded
    assert isinstance(loaded, TransformersModel)
    rows = [measure(loaded, *shape, given.new_tokens) for shape in SHAPES]
    report("throughput", rows, model=given.model, threads=torch.get_num_threads())


def measure(model: TransformersModel, n_rows: int, length: int, n_new: int) -> dict[str, float]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1000, 40000, (n_rows, length), generator=generator)
    prompts = [PromptIds(row.tolist()) for row in ids]
    decoder = model._decoder
    rate = square_rate()

    prefill = best(lambda: decoder.generate(prompts, [1] * n_rows, lambda *_: False))
    decode = decoding_step(model, prompts, n_new)
    operations = prefill_operations(model, n_rows, length)
    return {
        "rows": n_rows,
        "prompt tokens": length,
        "prefill tok/s": n_rows * length / prefill,
        "prefill GFLOP/s": operations / prefill / 1e9,
        "sgemm GFLOP/s": rate / 1e9,
        "share": operations / prefill / rate,
        "decoding step (s)": decode,
        "decoding tok/s": n_rows / decode,
    }


def decoding_step(model: TransformersModel, prompts: list[PromptIds], n_new: int) -> float:
    """Median seconds between two tokens of every row."""
    moments: list[float] = []

    def note(row: int, _: list[int]) -> bool:
        if row == 0:
            moments.append(time.perf_counter())
        return False

    model._decoder.generate(prompts, [n_new] * len(prompts), note)
    return statistics.median(late - early for early, late in pairwise(moments))


def prefill_operations(model: TransformersModel, n_rows: int, length: int) -> float:
    network, config = model._network, model._network.config
    embedding = network.get_input_embeddings().weight.numel()
    linear = sum(
        layer.in_features * layer.out_features
        for layer in network.modules()
        if isinstance(layer, (torch.nn.Linear, PackedLinear))
    )
    linear -= embedding  # the output projection, which is computed once per prompt
    width = config.num_attention_heads * (config.hidden_size // config.num_attention_heads)
    attention = 4 * config.num_hidden_layers * width * length * (length + 1) / 2
    return float(n_rows * (2 * linear * length + 2 * embedding + attention))


def square_rate() -> float:
    """Operations per second of the best of some large products."""
    a, b = torch.rand(SQUARE, SQUARE), torch.rand(SQUARE, SQUARE)
    return 2 * SQUARE**3 / best(lambda: a @ b, repeats=10)


def best(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Seconds of the fastest repetition: what the others lose, the machine's noise takes."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


if __name__ == "__main__":
    main()
