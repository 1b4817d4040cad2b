"""Prompt and new tokens per second of every engine, with prompts of one length side by side.

Presets other than the embedded model get random weights of their configuration, which are as fast
to compute: nothing is downloaded. In this process weights are float32 or bfloat16; llama.cpp has
the embedded model's own file (Q4_1) and random ones in ``--quantization``. Threads are those that
each engine takes by itself, or ``--threads``. For GPUs: ``python -m benchmarks.gpu``.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import torch
from transformers import AutoModelForCausalLM

from argo_ml.config import EMBEDDED_MODEL, ModelSpec
from argo_ml.devices import limits
from argo_ml.devices.processor import multiplies_bfloat16
from argo_ml.models import load_model
from argo_ml.models.chat import PromptIds
from argo_ml.models.deferred import load_now
from argo_ml.models.engines import llamacpp
from argo_ml.models.engines.process import EngineProcess
from argo_ml.models.local.decoding import Decoder
from argo_ml.models.local.float32_head import use_float32_head
from argo_ml.models.local.forward import Forward
from argo_ml.models.local.packed_linear import pack_linear_layers
from argo_ml.models.local.planning import recorded_config
from argo_ml.models.local.prefix_cache import PrefixCache
from argo_ml.models.presets import resolve
from benchmarks.random_gguf import write_random_gguf
from benchmarks.reporting import report
from benchmarks.workplace import workplace

MODELS = (EMBEDDED_MODEL, "qwen2.5-0.5b", "qwen2.5-1.5b")
ENGINES = ("float32", "bfloat16", "llamacpp")
FEW = 8
FIRST_ID, LAST_ID = 1000, 40000
"""Tokens of prompts: ordinary ones of every vocabulary here."""

Generate = Callable[[Sequence[Sequence[int]], int], None]
"""Writes so many tokens after each of the prompts."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--rows", default="1,4,16")
    parser.add_argument("--prompt-tokens", type=int, default=256)
    parser.add_argument("--new-tokens", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=2, help="of which the fastest counts")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--quantization", default="Q8_0")
    given = parser.parse_args()
    rows = []
    with workplace() as folder:
        for model in given.models.split(","):
            for engine in given.engines.split(","):
                opened = by_llamacpp if engine == "llamacpp" else in_process
                named = (given.quantization if engine == "llamacpp" else engine, folder)
                for generate, threads in opened(model, *named, given.threads):
                    for n_rows in map(int, given.rows.split(",")):
                        sizes = (n_rows, given.prompt_tokens, given.new_tokens)
                        measured = speed(generate, *sizes, given.repeats)
                        facts = {"model": model, "engine": engine, "threads": threads}
                        rows.append({**facts, "rows": n_rows, **measured})
                gc.collect()
    load = os.getloadavg()[0]
    report("engines", rows, prompt_tokens=given.prompt_tokens, amx=multiplies_bfloat16(), load=load)


def speed(
    generate: Generate, n_rows: int, n_prompt: int, n_new: int, n_repeats: int
) -> dict[str, float]:
    """Rates of all rows together; new tokens are written after a few alone, since the time of long
    prompts varies by more than that of the answers."""
    numbers = torch.Generator().manual_seed(n_rows)
    prompts = torch.randint(FIRST_ID, LAST_ID, (n_rows, n_prompt), generator=numbers).tolist()
    short = [prompt[:FEW] for prompt in prompts]
    generate(short, 2)
    prefill, few, whole = (
        min(timed(partial(generate, *asked)) for _ in range(n_repeats))
        for asked in ((prompts, 1), (short, 1), (short, 1 + n_new))
    )
    return {
        "prompt tok/s": n_rows * n_prompt / prefill,
        "new tok/s": n_rows * n_new / max(whole - few, 1e-9),
    }


def timed(run: Callable[[], None]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def in_process(
    model: str, precision: str, folder: Path, threads: int | None
) -> Iterator[tuple[Generate, int]]:
    if threads:
        torch.set_num_threads(threads)
    if model == EMBEDDED_MODEL:
        given = {"precision": precision, "cache_dir": folder, "device": "cpu", "prefix_cache_mb": 0}
        decoder: Decoder = load_now(load_model(ModelSpec.model_validate(given))).loaded._decoder  # type: ignore[attr-defined]
    else:
        decoder = Decoder(Forward(random_model(model, precision)), PrefixCache(0))

    def generate(prompts: Sequence[Sequence[int]], n_new: int) -> None:
        rows = [PromptIds(list(prompt)) for prompt in prompts]
        decoder.generate(rows, [n_new] * len(rows), lambda *_: False)

    with torch.inference_mode():
        yield generate, torch.get_num_threads()


def random_model(preset: str, precision: str) -> Any:
    """As a model of this preset is loaded, but for what its weights are."""
    models: Any = AutoModelForCausalLM
    torch.manual_seed(0)
    model = models.from_config(recorded_config(preset), dtype=getattr(torch, precision)).eval()
    use_float32_head(model)
    pack_linear_layers(model)
    return model


def by_llamacpp(
    model: str, quantization: str, folder: Path, threads: int | None
) -> Iterator[tuple[Generate, int]]:
    name = model
    if model != EMBEDDED_MODEL:
        name = str(folder / f"{model}-{quantization}.gguf")
        write_random_gguf(recorded_config(model), quantization, Path(name))
    spec = ModelSpec(model=name, engine="llamacpp", cache_dir=folder, device="cpu", threads=threads)
    source = resolve(name, spec.cache_path)
    files = llamacpp.find_files(spec, source)
    server = llamacpp.prepare(spec, source, files, limits.available_bytes())
    with (
        closing(EngineProcess(server.command)) as process,
        httpx2.Client(base_url=process.url, timeout=600) as client,
        ThreadPoolExecutor(server.n_at_once) as pool,
    ):
        process.make_ready()

        def generate(prompts: Sequence[Sequence[int]], n_new: int) -> None:
            settings = {"n_predict": n_new, "cache_prompt": False, "ignore_eos": True}
            bodies = [{"prompt": list(prompt), "temperature": 0, **settings} for prompt in prompts]
            for answer in pool.map(lambda body: client.post("/completion", json=body), bodies):
                answer.raise_for_status()
                assert answer.json()["tokens_predicted"] == n_new

        yield generate, llamacpp.n_threads(threads)


if __name__ == "__main__":
    main()
