"""What can be seen of questions and documents before a model is asked anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from argo_ml.advising.hit_rates import REACH, HitRates, better_retriever, gold_texts, hit_rates
from argo_ml.calibration.building import FEW_CALIBRATION_QUESTIONS, MIN_CALIBRATION_QUESTIONS
from argo_ml.config import STAGE_SPLITS, AdviseSpec, QuestionSpec, build, shared_fields
from argo_ml.corpus.embedder_files import find_embedder
from argo_ml.corpus.opening import open_corpus
from argo_ml.corpus.query_length import REMEDY, long_questions
from argo_ml.datasets.loading import load_all
from argo_ml.datasets.sampling import SPLIT_PERCENT, in_split, sample
from argo_ml.errors import DataError
from argo_ml.evaluation.advice import DataCheck, SplitCheck
from argo_ml.progress import PASSAGES, OnProgress
from argo_ml.types import Question

LOOKED_UP = 200
"""Questions whose passages are looked at, at most."""
LOW_HIT_RATE = 0.5
FEWEST_CONFIRMING = 10
"""Questions of the tune and of the test split below which nothing is chosen or confirmed."""
FEWEST: Mapping[str, int] = {
    "calibration": MIN_CALIBRATION_QUESTIONS,
    "tune": FEWEST_CONFIRMING,
    "test": FEWEST_CONFIRMING,
}
CLAIMS: Mapping[str, str] = {
    "calibration": "to calibrate on",
    "tune": "to choose a policy on",
    "test": "to confirm it on",
}


def check_data(spec: AdviseSpec, on_progress: OnProgress) -> DataCheck:
    """Look at the questions of all splits and at what retrieving finds for them.

    Raises `DataError` where there are too few questions for the three splits.
    """
    loaded = load_all(build(QuestionSpec, {**shared_fields(spec, QuestionSpec), "split": "all"}))
    splits = tuple(_split(spec, split, loaded.questions) for split in STAGE_SPLITS)
    check_sizes(spec, splits)
    corpus = open_corpus(spec, partial(on_progress, PASSAGES))
    asked = [
        question
        for own in splits
        for question in sample(in_split(loaded.questions, own.split), own.n_used, spec.seed)
    ]
    looked_up = [
        question for question in sample(asked, LOOKED_UP, spec.seed) if gold_texts(question)
    ]
    rates = hit_rates(spec, corpus, looked_up)
    return DataCheck(
        splits=splits,
        n_repeated=loaded.n_repeated,
        n_rejected=len(loaded.rejected),
        n_passages=corpus.n_passages,
        top_k=spec.top_k,
        hit_rate=rates.near,
        reachable=rates.far,
        n_looked_up=len(looked_up),
        hit_rates=rates.by_retriever,
        concerns=(
            *_concerns(splits, rates, spec.top_k),
            *_unread_ends(spec, asked),
            *better_retriever(spec, rates),
        ),
        corpus_digest=corpus.digest,
    )


def _split(spec: AdviseSpec, split: str, questions: Sequence[Question]) -> SplitCheck:
    n_questions = len(in_split(questions, split))
    return SplitCheck(
        split=split, n_questions=n_questions, n_used=min(n_questions, spec.size(split))
    )


def check_sizes(spec: AdviseSpec, splits: Sequence[SplitCheck]) -> None:
    """Raises `DataError` naming every claim that there are too few questions for."""
    for own in splits:
        wanted = getattr(spec, f"n_{own.split}")
        if wanted is not None and wanted > own.n_questions:
            raise DataError(
                f"n_{own.split}={wanted}: the {own.split} split has {own.n_questions} questions; "
                "ask for at most that many"
            )
    lacking = [own for own in splits if own.n_used < FEWEST[own.split]]
    if not lacking:
        return
    n_all = sum(own.n_questions for own in splits)
    parts = [
        f"{FEWEST[own.split]} {CLAIMS[own.split]} ({own.n_used} here; {further_questions(own)} "
        "more questions would do in 19 of 20 cases)"
        for own in lacking
    ]
    raise DataError(
        f"questions={spec.questions or spec.dataset}: {n_all} are too few for three splits: an "
        f"advice needs {' and '.join(parts)}; add questions, or replay recorded outcomes"
    )


def further_questions(own: SplitCheck) -> int:
    """Questions to add so that the split, to which each goes by its id, very likely has enough."""
    from scipy.stats import nbinom  # type: ignore[import-untyped]

    n_lacking = FEWEST[own.split] - own.n_used
    n_elsewhere = nbinom.ppf(0.95, n_lacking, SPLIT_PERCENT[own.split] / 100)
    return n_lacking + int(n_elsewhere)


def _unread_ends(spec: AdviseSpec, asked: Sequence[Question]) -> Iterator[str]:
    folder = find_embedder(spec.embedding_model)
    if concern := long_questions(spec, folder, asked):
        yield f"{concern}: {REMEDY}."


def _concerns(splits: Sequence[SplitCheck], rates: HitRates, top_k: int) -> Iterator[str]:
    near, far = rates.near, rates.far
    for own in splits:
        if own.split == "calibration" and own.n_used < FEW_CALIBRATION_QUESTIONS:
            yield (
                f"Only {own.n_used} questions calibrate: policies that decide by the question are "
                f"learned from few; {FEW_CALIBRATION_QUESTIONS} or more are better."
            )
    if near is None or far is None:
        yield "No gold answer is a text that could be looked for in the documents."
    elif far < LOW_HIT_RATE:
        yield (
            f"Only {100 * far:.0f} % of the questions have a gold answer word for word in the "
            f"{REACH} nearest passages: these documents hardly hold the answers, or in other words."
        )
    elif near < LOW_HIT_RATE:
        yield (
            f"Only {100 * near:.0f} % of the questions have a gold answer in the {top_k} nearest "
            f"passages and {100 * far:.0f} % in the {REACH} nearest: more passages per retrieval "
            "(top_k) or another embedding model may do more than any policy."
        )
