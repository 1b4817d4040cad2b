"""Ways to run the embedded model on a CPU: how fast each is, and how often it answers the same.

Each way answers the same requests (a reading, a reasoning step and a scoring of choices for each
question) in a process of its own, in batches of a few questions, until all are answered or its time
is up. The reference is float32 as Transformers loads it.
"""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from argo_ml.config import SweepSpec, build
from argo_ml.models.base import Generation, Scoring
from argo_ml.models.digests import files_digest
from argo_ml.models.local import loading
from argo_ml.models.local.converted import converted_files
from argo_ml.models.local.loading import Machine, ModelFiles
from argo_ml.models.local.packed_linear import pack_linear_layers
from argo_ml.models.local.transformers_model import TransformersModel
from argo_ml.models.presets import resolve
from argo_ml.pipeline import prompts
from argo_ml.sweep.context import LocalContext
from benchmarks.reporting import report

Request = Generation | Scoring

PATIENCE = 4
"""A way that has not ended after so many times its limit is given up."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-questions", type=int, default=20)
    parser.add_argument("--batch", type=int, default=10, help="questions answered together")
    parser.add_argument("--limit-s", type=float, default=120, help="seconds of each way")
    parser.add_argument("--ways", default=";".join(WAYS))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        way, path = given.one
        print(json.dumps(measure(way, Path(path), given.limit_s)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests.pickle"
        path.write_bytes(pickle.dumps(requests(given.n_questions, given.batch)))
        found = {}
        for way in given.ways.split(";"):
            found[way] = run(way, path, given.limit_s)
            print(f"{way}: {found[way].get('failed', 'measured')}", file=sys.stderr, flush=True)
    reference = found[next(iter(found))]
    rows = [row(way, result, reference) for way, result in found.items()]
    report("backends", rows, questions=given.n_questions, batch=given.batch)


def requests(n_questions: int, n_together: int) -> list[list[Request]]:
    """One list per batch: readings and reasonings, then scorings."""
    spec = build(SweepSpec, {"n_questions": n_questions, "difficulty": "all"})
    context = LocalContext.open(spec)
    limit = spec.generation_limit
    listed = context.questions.questions
    evidence = context.corpus.retriever.retrieve([question.text for question in listed], spec.top_k)
    batches: list[list[Request]] = []
    for start in range(0, n_questions, n_together):
        batch: list[Request] = []
        part = slice(start, start + n_together)
        for question, hits in zip(listed[part], evidence[part], strict=True):
            passages = [hit.passage for hit in hits]
            batch += [
                Generation(prompts.reader(question.text, passages), limit),
                Generation(prompts.reasoner(question.text, (), question.text), limit),
                Scoring(prompts.synthesizer(question.text, (), passages[:1]), question.choices),
            ]
        batches.append(batch)
    return batches


def run(way: str, path: Path, limit_s: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.backends", "--limit-s", str(limit_s)]
    command += ["--one", way, str(path)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE * limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"no batch within {PATIENCE * limit_s:.0f} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["killed"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(way: str, path: Path, limit_s: float) -> dict[str, Any]:
    batches: list[list[Request]] = pickle.loads(path.read_bytes())
    started = time.perf_counter()
    model = WAYS[way]()
    # The first pass is slower than the others, most of all where it compiles.
    answer(model, batches[0][:3])
    prepared = time.perf_counter() - started
    answers: list[str] = []
    started = time.perf_counter()
    for batch in batches:
        answers += answer(model, batch)
        if time.perf_counter() - started > limit_s:
            break
    return {
        "answers": answers,
        "seconds": time.perf_counter() - started,
        "prepared": prepared,
    }


def answer(model: TransformersModel, batch: list[Request]) -> list[str]:
    """The completions and the chosen choices, each as text."""
    generations = [request for request in batch if isinstance(request, Generation)]
    scorings = [request for request in batch if isinstance(request, Scoring)]
    texts = [completion.text for completion in model.generate(generations)]
    for request, scores in zip(scorings, model.score(scorings), strict=True):
        best = max(range(len(request.choices)), key=scores.normalised.__getitem__)
        texts.append(request.choices[best])
    return texts


def row(way: str, found: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    if "failed" in found:
        return {"way": way, "requests/s": 0.0, "note": found["failed"][:60]}
    answers, expected = found["answers"], reference["answers"]
    same = sum(a == b for a, b in zip(answers, expected, strict=False))
    rate = len(answers) / found["seconds"]
    return {
        "way": way,
        "requests": len(answers),
        "requests/s": rate,
        "against the first": rate * reference["seconds"] / len(expected),
        "same answers": same / min(len(answers), len(expected)),
        "to prepare (s)": found["prepared"],
    }


def plain(precision: str = "float32", packed: bool = False) -> TransformersModel:
    return wrapped(*network(precision), precision, packed)


def network(precision: str) -> tuple[Any, Any]:
    """The embedded model and its tokenizer as Transformers loads them."""
    spec = build(SweepSpec, {})
    source = resolve(spec.model, spec.cache_path)
    files = ModelFiles(spec.model, Path(source.location), source.gguf_file)
    digest = files_digest([files.folder / files.gguf_file], spec.cache_path / "model_digests.json")
    files = converted_files(files, f"sha256:{digest}", "float32", spec.cache_path)
    config = loading.load_config(files)
    demand = loading.make_demand(files, config, precision, "none", prefix_bytes=0, on_gpu=False)
    plan = next(Machine.detect("cpu", ()).plans(demand))
    model = loading.load_weights(files, config, precision, "none", plan)
    return model, loading.load_tokenizer(files)


def wrapped(model: Any, tokenizer: Any, precision: str, packed: bool = False) -> TransformersModel:
    if packed:
        pack_linear_layers(model)
    return TransformersModel(model, tokenizer, "benchmark", precision, batch_tokens=8192)


def one_thread() -> TransformersModel:
    torch.set_num_threads(1)
    return plain(packed=True)


def compiled() -> TransformersModel:
    model, tokenizer = network("float32")
    model.forward = torch.compile(model.forward, dynamic=True)
    return wrapped(model, tokenizer, "float32")


def dynamic_int8() -> TransformersModel:
    """PyTorch's own, deprecated: one scale of activations for the whole batch."""
    model, tokenizer = network("float32")
    quantized = torch.ao.quantization.quantize_dynamic(  # type: ignore[no-untyped-call]
        model, {torch.nn.Linear}, torch.qint8
    )
    return wrapped(quantized, tokenizer, "int8")


def torchao_int8() -> TransformersModel:
    from torchao.quantization import (  # type: ignore[import-not-found]
        Int8DynamicActivationInt8WeightConfig,
        quantize_,
    )

    model, tokenizer = network("float32")
    quantize_(model, Int8DynamicActivationInt8WeightConfig())
    return wrapped(model, tokenizer, "int8")


def torchao_int8_weights() -> TransformersModel:
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    model, tokenizer = network("float32")
    quantize_(model, Int8WeightOnlyConfig())
    return wrapped(model, tokenizer, "int8")


WAYS: Mapping[str, Callable[[], TransformersModel]] = {
    "float32": plain,
    "float32, packed": lambda: plain(packed=True),
    "float32, packed, 1 thread": one_thread,
    "float32, torch.compile": compiled,
    "bfloat16": lambda: plain("bfloat16"),
    "int8 by torch.ao": dynamic_int8,
    "int8 by torchao": torchao_int8,
    "int8 weights by torchao": torchao_int8_weights,
}


if __name__ == "__main__":
    main()
