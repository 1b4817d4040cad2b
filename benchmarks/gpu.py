"""What the in-process engine does on a GPU, with a random model of qwen2.5-7b's configuration.

No network, no files of weights. One JSON line per step: memory against the plan, of the weights and
of batches; prefill, decoding and synchronisations at several batch sizes beside Transformers' own
``generate`` and ``generate_batch``; what stop checks cost; sampling, known beginnings,
scoring; memory that runs out while prompts are computed, tokens decoded and choices scored; one row
against many; NVML against nvidia-smi.
``--tiny`` takes a model of two narrow layers, and the CPU where there is no GPU or ``--device cpu``
says so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from typing import Any, TextIO

import psutil
import torch
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedTokenizerFast

from argo_ml.devices import DriverError, open_driver
from argo_ml.models.base import Generation, Prompt
from argo_ml.models.chat import ChatFormat, PromptIds
from argo_ml.models.local.batching import (
    Batcher,
    RequestSize,
    out_of_memory_noticed,
    padded_tokens,
)
from argo_ml.models.local.decoding import Choose, Decoder, most_probable
from argo_ml.models.local.endings import Endings
from argo_ml.models.local.float32_head import use_float32_head
from argo_ml.models.local.forward import Forward
from argo_ml.models.local.loading import Machine
from argo_ml.models.local.planning import recorded_config
from argo_ml.models.local.prefix_cache import PrefixCache
from argo_ml.models.local.sampling import Chooser
from argo_ml.models.local.skeleton import Skeleton
from argo_ml.models.placement.batch_memory import bytes_per_token
from argo_ml.models.placement.plan import ITEM_BYTES, Demand

DEVICE = "cuda:0" if torch.cuda.is_available() else "cpu"
PRESET = "qwen2.5-7b"
PREFIX_BYTES = 2**30
CHOICES = 4
CHOICE_TOKENS = 8
STOP = ("\n\n", "Question:")
N_WORDS = 512
"""Ids that the tokenizer of stop checks knows; others are its first word."""
TINY = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_window_layers": 2,
    "vocab_size": 512,
}


@dataclass(frozen=True)
class Bench:
    """A model on a device, and the size of what it is asked."""

    model: Any
    device: torch.device
    n_prompt: int
    n_new: int
    token_bytes: int
    """What the plan counts for a token of a batch."""

    def decoder(self, prefix_bytes: int = 0) -> Decoder:
        return Decoder(Forward(self.model), PrefixCache(prefix_bytes))

    def prompts(self, n_rows: int) -> list[PromptIds]:
        numbers = torch.Generator().manual_seed(n_rows)
        shape = (n_rows, self.n_prompt)
        ids = torch.randint(3, self.model.config.vocab_size, shape, generator=numbers).tolist()
        return [PromptIds(row, len(row)) for row in ids]

    def planned_mb(self, sizes: Sequence[RequestSize]) -> float:
        """What the plan counts for a batch of these, beside logits."""
        return padded_tokens(sizes) * self.token_bytes / 1e6

    def generated(
        self,
        n_rows: int,
        decoder: Decoder | None = None,
        choose: Choose = most_probable,
        is_finished: Callable[[int, list[int]], bool] = lambda *_: False,
    ) -> list[list[int]]:
        using = decoder or self.decoder()
        limits = [self.n_new] * n_rows
        return using.generate(self.prompts(n_rows), limits, is_finished, choose)

    def scored(self, prompts: Sequence[PromptIds]) -> list[list[float]]:
        choices = [
            [prompt.ids[at : at + CHOICE_TOKENS] for at in range(CHOICES)] for prompt in prompts
        ]
        return self.decoder().choice_log_likelihoods(prompts, choices)


def main(arguments: Sequence[str] | None = None, out: TextIO = sys.stdout) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="two narrow layers, also on the CPU")
    parser.add_argument("--device", choices=("cuda:0", "cpu"), default=DEVICE)
    parser.add_argument("--rows", default="10,59,256", help="batch sizes")
    parser.add_argument("--prompt-tokens", type=int, default=300)
    parser.add_argument("--new-tokens", type=int, default=32)
    given = parser.parse_args(arguments)
    if given.device == "cpu" and not given.tiny:
        parser.error("the CPU takes --tiny alone")
    rows = [int(number) for number in given.rows.split(",")]
    device = torch.device(given.device)
    for line in steps(given.tiny, device, rows, given.prompt_tokens, given.new_tokens):
        out.write(json.dumps(line) + "\n")
        out.flush()


def steps(
    is_tiny: bool, device: torch.device, rows: Sequence[int], n_prompt: int, n_new: int
) -> Iterator[dict[str, Any]]:
    yield {"step": "machine", **machine(device)}
    model, token_bytes, facts = loaded(is_tiny, device)
    yield {"step": "load", **facts}
    bench = Bench(model, device, n_prompt, n_new, token_bytes)
    bench.generated(2)
    for n_rows in rows:
        yield {"step": "generate", "rows": n_rows, **speed(bench, n_rows)}
        for name, run in (("generate", by_transformers), ("generate_batch", by_batching)):
            yield {"step": f"transformers {name}", "rows": n_rows, **tried(run, bench, n_rows)}
    middle = sorted(rows)[len(rows) // 2]
    yield {"step": "stop checks", "rows": middle, **stop_checks(bench, middle)}
    yield {"step": "sampling", "rows": middle, **sampling(bench, middle)}
    yield {"step": "known beginnings", "rows": middle, **known_beginnings(bench, middle)}
    yield {"step": "scoring", "rows": middle, **scoring(bench, middle)}
    for phase in ("prefill", "decoding", "scoring"):
        yield {"step": f"out of memory in {phase}", **shortage(bench, phase, min(rows))}
    yield {"step": "one row against many", "rows": middle, **one_against_many(bench, middle)}
    yield {"step": "readings", **readings(device)}


def machine(device: torch.device) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return {"device": name, "torch": torch.__version__, "cuda": torch.version.cuda}


def loaded(is_tiny: bool, device: torch.device) -> tuple[Any, int, dict[str, Any]]:
    """A random model, what the plan counts for a token of a batch, and memory beside the plan."""
    config = recorded_config(PRESET)
    for name, value in TINY.items() if is_tiny else ():
        setattr(config, name, value)
    if is_tiny:
        config.layer_types = ["full_attention"] * config.num_hidden_layers
    precision = "bfloat16" if device.type == "cuda" else "float32"
    plan = next(
        Machine.detect(device.type, ()).plans(
            Demand(Skeleton(config, precision), config, precision, PREFIX_BYTES)
        )
    )
    causal: Any = AutoModelForCausalLM
    before = used(device)
    started = time.perf_counter()
    torch.manual_seed(0)
    with torch.device(device):
        model = causal.from_config(config, dtype=getattr(torch, precision)).eval()
    model.generation_config = made_settings(eos_token_id=None, pad_token_id=0)
    use_float32_head(model)
    facts = {
        "seconds": time.perf_counter() - started,
        "planned weights MB": plan.weight_bytes / 1e6,
        "weights MB": (used(device) - before) / 1e6,
        "planned batch tokens": plan.batch_tokens,
    }
    token_bytes = bytes_per_token(config, ITEM_BYTES[precision], config.num_hidden_layers)
    return model, token_bytes, facts


def made_settings(**values: Any) -> Any:
    settings: Any = GenerationConfig
    return settings(**values)


def used(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    return int(psutil.Process().memory_info().rss)


@contextmanager
def peak(device: torch.device, into: dict[str, Any]) -> Iterator[None]:
    """Put the most memory that the block needed beside what was there into ``into``."""
    before = used(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    yield
    most = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else used(device)
    into["peak MB"] = (most - before) / 1e6


def timed(device: torch.device, run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def speed(bench: Bench, n_rows: int) -> dict[str, Any]:
    short = replace(bench, n_new=1)
    sizes = [RequestSize(bench.n_prompt, bench.n_new)] * n_rows
    row: dict[str, Any] = {"planned MB": bench.planned_mb(sizes)}
    with peak(bench.device, row):
        whole = timed(bench.device, lambda: bench.generated(n_rows))
    prefill = timed(bench.device, lambda: short.generated(n_rows))
    n_steps = bench.n_new - 1
    return {
        **row,
        "prefill tokens/s": n_rows * bench.n_prompt / prefill,
        "new tokens/s": n_rows * n_steps / max(whole - prefill, 1e-9),
        "all new tokens/s": n_rows * bench.n_new / whole,
        "synchronisations per step": synchronisations(bench, n_rows) / bench.n_new,
    }


def synchronisations(bench: Bench, n_rows: int) -> int:
    """Times that the CPU waited for the GPU; 0 without one."""
    if bench.device.type != "cuda":
        return 0
    mode: Any = torch.cuda.set_sync_debug_mode
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        mode("warn")
        try:
            bench.generated(n_rows)
        finally:
            mode("default")
    return sum("synchroniz" in str(warning.message) for warning in seen)


def tried(run: Callable[[Bench, int], float], bench: Bench, n_rows: int) -> dict[str, Any]:
    """New tokens per second, or why there are none."""
    try:
        return {"all new tokens/s": n_rows * bench.n_new / run(bench, n_rows)}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"[:200].splitlines()[0]}


def by_transformers(bench: Bench, n_rows: int) -> float:
    ids = torch.tensor([prompt.ids for prompt in bench.prompts(n_rows)], device=bench.device)
    settings = {"max_new_tokens": bench.n_new, "min_new_tokens": bench.n_new, "do_sample": False}
    mask = torch.ones_like(ids)
    return timed(bench.device, lambda: bench.model.generate(ids, attention_mask=mask, **settings))


def by_batching(bench: Bench, n_rows: int) -> float:
    if bench.device.type != "cuda":
        raise RuntimeError("continuous batching is for GPUs")
    ids = [prompt.ids for prompt in bench.prompts(n_rows)]
    settings = made_settings(
        max_new_tokens=bench.n_new, do_sample=False, eos_token_id=-1, pad_token_id=0
    )
    results: list[Any] = []

    def generate() -> None:
        # It prints where it fails, between the lines of this benchmark.
        with redirect_stdout(sys.stderr):
            results.extend(bench.model.generate_batch(ids, generation_config=settings).values())

    seconds = timed(bench.device, generate)
    check_complete(results, n_rows, bench.n_new)
    return seconds


def check_complete(results: Sequence[Any], n_rows: int, n_new: int) -> None:
    """Raises where ``generate_batch``, which raises nothing itself, has left something out."""
    n_whole = sum(not row.error and len(row.generated_tokens) == n_new for row in results)
    if n_whole != n_rows:
        reasons = [str(row.error) for row in results if row.error]
        raise RuntimeError(f"{n_whole} of {n_rows} rows are whole: {'; '.join(reasons[:1])}")


def chooser(n_rows: int) -> Chooser:
    prompts = [Prompt("", str(row)) for row in range(n_rows)]
    return Chooser([Generation(prompt, 1, temperature=0.8, seed=1) for prompt in prompts])


def sampling(bench: Bench, n_rows: int) -> dict[str, Any]:
    drawn: list[list[list[int]]] = []
    for _ in range(2):
        seconds = timed(
            bench.device, lambda: drawn.append(bench.generated(n_rows, choose=chooser(n_rows)))
        )
    greedy = timed(bench.device, lambda: bench.generated(n_rows))
    return {
        "all new tokens/s": n_rows * bench.n_new / seconds,
        "against most probable": seconds / greedy,
        "same again": drawn[0] == drawn[1],
    }


def known_beginnings(bench: Bench, n_rows: int) -> dict[str, Any]:
    decoder = bench.decoder(PREFIX_BYTES)
    outputs: list[list[list[int]]] = []
    first, again = (
        timed(bench.device, lambda: outputs.append(bench.generated(n_rows, decoder)))
        for _ in range(2)
    )
    return {"first s": first, "again s": again, "same share": same_share(*outputs)}


def stop_checks(bench: Bench, n_rows: int) -> dict[str, Any]:
    """Decoding with the engine's own endings, which decode each row's text after each token."""
    requests = [Generation(Prompt("", "?"), bench.n_new, stop=STOP)] * n_rows
    endings = Endings(ChatFormat(word_tokenizer()), frozenset(), requests, 0)
    without = timed(bench.device, lambda: bench.generated(n_rows))
    seconds = timed(bench.device, lambda: bench.generated(n_rows, is_finished=endings))
    return {
        "all new tokens/s": n_rows * bench.n_new / seconds,
        "against none": seconds / without,
    }


def word_tokenizer() -> Any:
    """Of words for ids, so that texts have some length; a stop string stands in none of them."""
    wrapped: Any = PreTrainedTokenizerFast
    words = {f"word{number} ": number for number in range(N_WORDS)}
    model = Tokenizer(models.WordLevel(words, unk_token="word0 "))
    return wrapped(tokenizer_object=model, unk_token="word0 ")


def scoring(bench: Bench, n_rows: int) -> dict[str, Any]:
    shared = RequestSize(bench.n_prompt, CHOICE_TOKENS, copies=CHOICES, shared=True)
    row: dict[str, Any] = {"planned MB": bench.planned_mb([shared] * n_rows)}
    with peak(bench.device, row):
        seconds = timed(bench.device, lambda: bench.scored(bench.prompts(n_rows)))
    return {**row, "choices/s": n_rows * CHOICES / seconds}


def shortage(bench: Bench, phase: str, n_rows: int) -> dict[str, Any]:
    """What comes of a pass that raises what PyTorch raises when memory has run out."""
    prompts, limit = bench.prompts(n_rows), n_rows * (bench.n_prompt + bench.n_new)
    events: list[str] = []

    def run(batch: list[int]) -> list[Any]:
        rows = [prompts[index] for index in batch]
        with out_of_memory_noticed():
            if phase == "scoring":
                return list(bench.scored(rows))
            limits = [bench.n_new] * len(rows)
            return list(bench.decoder().generate(rows, limits, lambda *_: False))

    sizes = [RequestSize(bench.n_prompt, bench.n_new) for _ in prompts]
    expected = run(list(range(n_rows)))
    with failing(bench.model, at={"prefill": 1, "decoding": 3, "scoring": 2}[phase]):
        results = Batcher(limit, torch.cuda.empty_cache, events.append).run(sizes, run)
    if phase == "scoring":
        near = torch.isclose(torch.tensor(results), torch.tensor(expected), atol=0.2)
        share = float(near.float().mean())
    else:
        share = same_share(results, expected)
    return {"rows": n_rows, "same share": share, "events": events}


@contextmanager
def failing(model: Any, at: int) -> Iterator[None]:
    """Let the pass number ``at`` run out of memory."""
    n_passes = 0

    def count(*_: Any) -> None:
        nonlocal n_passes
        n_passes += 1
        if n_passes == at:
            raise torch.OutOfMemoryError("CUDA out of memory: made so")

    handle = model.register_forward_pre_hook(count)
    try:
        yield
    finally:
        handle.remove()


def one_against_many(bench: Bench, n_rows: int) -> dict[str, Any]:
    together = bench.generated(n_rows)
    alone = [
        bench.decoder().generate([prompt], [bench.n_new], lambda *_: False)[0]
        for prompt in bench.prompts(n_rows)[:4]
    ]
    return {"compared": len(alone), "same share": same_share(together[: len(alone)], alone)}


def same_share(one: Sequence[Sequence[int]], other: Sequence[Sequence[int]]) -> float:
    pairs = [pair for rows in zip(one, other, strict=True) for pair in zip(*rows, strict=True)]
    return sum(a == b for a, b in pairs) / len(pairs)


def readings(device: torch.device) -> dict[str, Any]:
    """Memory in use as NVML and nvidia-smi say."""
    if device.type != "cuda":
        return {"note": "no GPU was at hand"}
    asked = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    try:
        with open_driver() as driver:
            nvml = driver.read(0).memory_mb if driver else None
        shown = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError, DriverError) as error:
        return {"failed": str(error)}
    return {"NVML MB": nvml, "nvidia-smi MiB": float(shown.split()[0])}


if __name__ == "__main__":
    main()
