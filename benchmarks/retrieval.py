"""How often a gold answer stands in the first k passages, by retriever; no language model is asked.

    python -m benchmarks.retrieval --dataset oran_bench --questions FOLDER --documents FOLDER

Questions are of the calibration split or the tune split, never those of the test split.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from argo_ml.advising.hit_rates import gold_texts, holds_gold
from argo_ml.config import CorpusSpec, QuestionSpec, build
from argo_ml.corpus.opening import open_corpus
from argo_ml.datasets import load_questions
from argo_ml.statistics.intervals import wilson
from argo_ml.types import Question
from benchmarks.reporting import report

RETRIEVERS = ("dense", "bm25", "hybrid")
DEPTHS = (1, 3, 5, 10, 50)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="atlas")
    parser.add_argument("--questions", default="")
    parser.add_argument("--documents", default="")
    parser.add_argument("--n-questions", type=int, default=400)
    parser.add_argument("--split", default="calibration", choices=("calibration", "tune"))
    parser.add_argument("--cache-dir", type=Path, default=Path("~/.cache/argo_ml"))
    arguments = parser.parse_args()
    asked = questions(arguments)
    rows = [row for name in RETRIEVERS for row in hit_rates(name, arguments, asked)]
    report("retrieval", rows, dataset=arguments.dataset, n_questions=len(asked))


def questions(arguments: argparse.Namespace) -> list[Question]:
    """Those that have a gold answer to look for."""
    values = {
        "dataset": arguments.dataset,
        "questions": arguments.questions,
        "split": arguments.split,
        "difficulty": "all",
        "n_questions": arguments.n_questions,
        "cache_dir": arguments.cache_dir,
    }
    loaded = load_questions(build(QuestionSpec, values)).questions
    return [question for question in loaded if gold_texts(question)]


def hit_rates(
    retriever: str, arguments: argparse.Namespace, asked: Sequence[Question]
) -> Iterator[dict[str, object]]:
    where = {"cache_dir": arguments.cache_dir, "documents": arguments.documents}
    values = {**where, "dataset": arguments.dataset, "retriever": retriever}
    corpus = open_corpus(build(CorpusSpec, values))
    began = time.process_time()
    hits = corpus.retriever.retrieve([question.text for question in asked], max(DEPTHS))
    seconds = time.process_time() - began
    for depth in DEPTHS:
        pairs = zip(asked, hits, strict=True)
        n_hits = sum(holds_gold(question, own[:depth]) > 0 for question, own in pairs)
        share = wilson(n_hits, len(asked))
        yield {
            "retriever": retriever,
            "passages": depth,
            "hit_rate": round(n_hits / len(asked), 3),
            "low": round(share.low, 3),
            "high": round(share.high, 3),
            "cpu_ms_per_query": round(1e3 * seconds / len(asked), 2),
        }


if __name__ == "__main__":
    main()
