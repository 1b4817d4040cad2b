"""From which similarity on does a passage count as found? Retrievals by limit, on one corpus.

Queries are the questions of a data set, never those of its test split, and for comparison those of
another data set, about which the corpus says nothing. Gold passages are known for atlas.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

from argo_ml.config import CorpusSpec, QuestionSpec, build
from argo_ml.corpus.base import Corpus
from argo_ml.corpus.opening import open_corpus
from argo_ml.datasets import load_questions
from argo_ml.types import Evidence, Question
from benchmarks.reporting import report

LIMITS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
TOP_K = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="atlas")
    parser.add_argument("--questions", default="")
    parser.add_argument("--documents", default="")
    parser.add_argument("--other-dataset", default="atlas", help="of questions beside the point")
    parser.add_argument("--other-questions", default="")
    parser.add_argument("--n-questions", type=int, default=400)
    parser.add_argument("--split", default="calibration", choices=("calibration", "tune"))
    parser.add_argument("--cache-dir", type=Path, default=Path("~/.cache/argo_ml"))
    arguments = parser.parse_args()
    where = {"cache_dir": arguments.cache_dir, "documents": arguments.documents}
    corpus = open_corpus(build(CorpusSpec, {**where, "dataset": arguments.dataset}))
    asked = questions(arguments, arguments.dataset, arguments.questions)
    others = questions(arguments, arguments.other_dataset, arguments.other_questions)
    limit = corpus.measure_limit()
    limits = sorted({*LIMITS, *([limit.min_similarity] if limit else [])})
    report(
        "similarity",
        table(corpus, asked, others, limits),
        corpus=f"{arguments.dataset} {arguments.documents}, {corpus.n_passages} passages",
        auto=limit and asdict(limit),
    )


def questions(arguments: argparse.Namespace, dataset: str, path: str) -> Sequence[Question]:
    values = {
        "dataset": dataset,
        "questions": path,
        "split": arguments.split,
        "difficulty": "all",
        "n_questions": arguments.n_questions,
        "cache_dir": arguments.cache_dir,
    }
    return load_questions(build(QuestionSpec, values)).questions


def table(
    corpus: Corpus, asked: Sequence[Question], others: Sequence[Question], limits: Sequence[float]
) -> list[dict[str, object]]:
    found, beside = searched(corpus, asked), searched(corpus, others)
    return [
        {
            "min_similarity": limit,
            "found_nothing": share_empty(found, limit),
            "passages": fmean(len(kept(hits, limit)) for hits in found),
            "gold_kept": gold_kept(asked, found, limit),
            "others_found_nothing": share_empty(beside, limit),
        }
        for limit in limits
    ]


def searched(corpus: Corpus, asked: Sequence[Question]) -> list[tuple[Evidence, ...]]:
    return corpus.retriever.retrieve([question.text for question in asked], TOP_K)


def kept(hits: Sequence[Evidence], limit: float) -> list[str]:
    return [hit.passage.id for hit in hits if hit.similarity >= limit]


def share_empty(found: Sequence[Sequence[Evidence]], limit: float) -> float:
    return fmean(not kept(hits, limit) for hits in found)


def gold_kept(
    asked: Sequence[Question], found: Sequence[Sequence[Evidence]], limit: float
) -> float | None:
    """Of the questions that found a gold passage, the share that still has one."""
    pairs = [
        (set(question.gold_passages), hits) for question, hits in zip(asked, found, strict=True)
    ]
    hit = [(gold, hits) for gold, hits in pairs if gold & set(kept(hits, -1))]
    return fmean(bool(gold & set(kept(hits, limit))) for gold, hits in hit) if hit else None


if __name__ == "__main__":
    main()
