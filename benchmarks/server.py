"""The embedded model in this process and behind a server: how often both answer the same.

Each question is answered in three ways: its choices scored by likelihood and named by number, with
the passage found for it, and read in a short sentence. Without ``--urls`` the server is the test
suite's own, started on loopback for the time of the measurement; with ``--engine llamacpp`` it is
llama.cpp's, as ``engine=llamacpp`` starts it.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_ml.config import EMBEDDED_MODEL, SweepSpec, build
from argo_ml.models import load_model
from argo_ml.models.base import Generation, LanguageModel, Scores, Scoring, can_score
from argo_ml.models.digests import files_digest
from argo_ml.models.local.converted import converted_files
from argo_ml.models.local.loading import ModelFiles
from argo_ml.models.presets import resolve
from argo_ml.pipeline import prompts
from argo_ml.pipeline.option_numbers import read_number
from argo_ml.sweep.context import LocalContext
from benchmarks.reporting import report
from benchmarks.workplace import workplace

TARGET = 0.95


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question makes of a model's three ways of answering."""

    scoring: Scoring
    numbering: Generation
    reading: Generation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-questions", type=int, default=200)
    parser.add_argument("--difficulty", default="hard")
    parser.add_argument("--urls", default="", help="servers of the embedded model to compare")
    parser.add_argument("--engine", choices=["llamacpp"], help="start and compare this one")
    parser.add_argument("--name", default="", help="what they call it")
    given = parser.parse_args()
    with workplace() as folder:
        values = {"n_questions": given.n_questions, "difficulty": given.difficulty}
        spec = build(SweepSpec, {**values, "cache_dir": folder, "device": "cpu"})
        context = LocalContext.open(spec)
        asked = requests(context, spec)
        with contextlib.ExitStack() as until_the_end:
            if given.engine:
                server = {"engine": given.engine, "device": "cpu"}
            else:
                urls = given.urls or until_the_end.enter_context(own_server(spec))
                server = {"model": f"server:{given.name}", "server_urls": urls}
            remote = load_model(build(SweepSpec, {"cache_dir": folder, **server}))
            rows = [row for way in WAYS if (row := way(asked, context.model, remote))]
    report("server", rows, server=remote.identity, target=TARGET)


def requests(context: LocalContext[SweepSpec], spec: SweepSpec) -> list[Asked]:
    questions, limit = context.questions.questions, spec.generation_limit
    found = context.corpus.retriever.retrieve([question.text for question in questions], 1)
    asked = []
    for question, hits in zip(questions, found, strict=True):
        passages = [hit.passage for hit in hits]
        by_number = prompts.synthesizer(question.text, (), passages, question.choices)
        by_likelihood = prompts.synthesizer(question.text, (), passages)
        asked.append(
            Asked(
                Scoring(by_likelihood, question.choices),
                Generation(by_number, limit),
                Generation(prompts.reader(question.text, passages), limit),
            )
        )
    return asked


@contextlib.contextmanager
def own_server(spec: SweepSpec) -> Iterator[str]:
    """The URL of a server of the embedded model, which this process has loaded before."""
    source = resolve(spec.model, spec.cache_path)
    files = ModelFiles(spec.model, Path(source.location), source.gguf_file)
    digest = files_digest([files.folder / files.gguf_file], spec.cache_path / "model_digests.json")
    kept = converted_files(files, f"sha256:{digest}", "float32", spec.cache_path)
    module = "argo_ml.testing.model_server"
    command = [sys.executable, "-m", module, str(kept.folder), "--name", EMBEDDED_MODEL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"{process.stdout.readline().strip()}/vllm/v1"
        finally:
            process.terminate()


def by_likelihood(
    asked: Sequence[Asked], local: LanguageModel, remote: LanguageModel
) -> dict[str, Any] | None:
    """None for a server that gives no log-probabilities of prompts."""
    if not can_score(remote):
        return None
    listed = [each.scoring for each in asked]
    (expected, local_s), (found, remote_s) = (timed(m.score, listed) for m in (local, remote))
    same = [best(a) == best(b) for a, b in zip(expected, found, strict=True)]
    off = [
        abs(a - b)
        for one, other in zip(expected, found, strict=True)
        for a, b in zip(one.normalised, other.normalised, strict=True)
    ]
    lost = [margin(scores) for scores, is_same in zip(expected, same, strict=True) if not is_same]
    return {
        **agreement("choices by likelihood", same, local_s, remote_s),
        "largest difference per token": max(off),
        "largest lead that was lost": max(lost, default=0.0),
    }


def by_number(
    asked: Sequence[Asked], local: LanguageModel, remote: LanguageModel
) -> dict[str, Any]:
    listed = [each.numbering for each in asked]
    (expected, local_s), (found, remote_s) = (timed(m.generate, listed) for m in (local, remote))
    same = [
        read_number(a.text, len(each.scoring.choices))
        == read_number(b.text, len(each.scoring.choices))
        for each, a, b in zip(asked, expected, found, strict=True)
    ]
    return agreement("choices by number", same, local_s, remote_s)


def by_reading(
    asked: Sequence[Asked], local: LanguageModel, remote: LanguageModel
) -> dict[str, Any]:
    listed = [each.reading for each in asked]
    (expected, local_s), (found, remote_s) = (timed(m.generate, listed) for m in (local, remote))
    same = [a.text == b.text for a, b in zip(expected, found, strict=True)]
    return agreement("sub-answers, word for word", same, local_s, remote_s)


WAYS = (by_likelihood, by_number, by_reading)


def timed(run: Callable[[Any], Any], listed: Sequence[Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    return run(listed), time.perf_counter() - started


def agreement(what: str, same: Sequence[bool], local_s: float, remote_s: float) -> dict[str, Any]:
    return {
        "answers": what,
        "questions": len(same),
        "same": sum(same),
        "share": sum(same) / len(same),
        "here (s)": local_s,
        "server (s)": remote_s,
    }


def best(scores: Scores) -> int:
    return max(range(len(scores.normalised)), key=scores.normalised.__getitem__)


def margin(scores: Scores) -> float:
    """Lead of the best choice over the next, log-likelihood per token."""
    first, second, *_ = sorted(scores.normalised, reverse=True)
    return first - second


if __name__ == "__main__":
    main()
