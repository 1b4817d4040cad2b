"""From a spec to the questions of an experiment."""

from __future__ import annotations

import contextlib
import logging
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from argo_ml.config import CacheFields, QuestionSpec, suggest
from argo_ml.datasets.atlas import ATLAS
from argo_ml.datasets.base import Dataset, LoadedQuestions, OwnDocuments, QuestionSet
from argo_ml.datasets.grading import scorer_named
from argo_ml.datasets.jsonl import JSONL
from argo_ml.datasets.oran_bench import ORAN_BENCH
from argo_ml.datasets.repeats import repeats_of_earlier_splits
from argo_ml.datasets.sampling import (
    in_split,
    questions_digest,
    refers_to_others,
    sample,
    shuffle_all_choices,
    shuffle_choices,
)
from argo_ml.errors import ConfigError, DataError
from argo_ml.plugins import PartTable
from argo_ml.types import Question

logger = logging.getLogger(__name__)

_N_SHOWN = 3


DATASETS: dict[str, Dataset] = {
    "atlas": ATLAS,
    "oran_bench": ORAN_BENCH,
    "jsonl": JSONL,
}
ALL_DATASETS = PartTable(
    "argo_ml.datasets", "dataset", DATASETS, lambda part: isinstance(part, Dataset)
)
"""The datasets above, and those of other installed packages."""
MLFLOW = "mlflow:"
"""Before the name of an evaluation dataset of MLflow."""
EVALUATION_DATASET = "argo_ml.tracking.evaluation_datasets:evaluation_dataset"


def find_dataset(name: str) -> Dataset:
    """Raises `ConfigError` for a name that is unknown."""
    if name.startswith(MLFLOW):
        # What imports MLflow is imported when it is asked for.
        evaluation_dataset: Callable[[str], Dataset] = pkgutil.resolve_name(EVALUATION_DATASET)
        return evaluation_dataset(name)
    if name not in ALL_DATASETS:
        raise ConfigError(f"dataset={name} is unknown{suggest(name, ALL_DATASETS)}")
    return ALL_DATASETS[name]


def check_dataset(name: str, documents: str) -> None:
    """Raises `ConfigError` for a dataset that is unknown, or that needs ``documents``."""
    if find_dataset(name).documents is None and not documents:
        raise _brings_none(name)


def own_documents(name: str, spec: CacheFields) -> OwnDocuments:
    """The documents that a dataset brings.

    Raises `ConfigError` where it brings none and `DataError` where they are missing.
    """
    documents = find_dataset(name).documents
    if documents is None:
        raise _brings_none(name)
    return documents(spec)


def _brings_none(name: str) -> ConfigError:
    return ConfigError(
        f"dataset={name} brings no documents; give documents=FOLDER or a corpus JSONL"
    )


def load_questions(spec: QuestionSpec, begun_with: str = "") -> QuestionSet:
    """Load, split, filter by difficulty, sample and shuffle, all decided by the spec alone.

    What an earlier split asks in the same words is left out, and choices that speak of others keep
    their order, but where an experiment goes on that has begun without regard to either:
    ``begun_with`` is the digest of its questions.

    Raises `ConfigError` for an unknown dataset or scorer and for ``questions`` that the dataset
    does not read, and `DataError` where the dataset cannot be read or holds too few questions.
    """
    loaded = _load(spec, is_begun=bool(begun_with))
    begun = _begun(loaded, spec, begun_with) if begun_with else None
    if begun is not None:
        return begun
    repeats = _repeats(loaded, spec)
    sampled = _sampled(loaded, repeats, spec)
    _report_choice(loaded, repeats, spec)
    n_kept = sum(map(refers_to_others, sampled))
    if n_kept:
        logger.info(
            "%s: %d questions keep the order of their choices, since one speaks of others by place",
            loaded.source,
            n_kept,
        )
    chosen = _question_set(loaded, sampled, shuffle_choices, spec)
    return replace(chosen, is_begun=bool(begun_with))


def _begun(loaded: LoadedQuestions, spec: QuestionSpec, digest: str) -> QuestionSet | None:
    """The questions of this digest as an earlier version chose them; None where none did."""
    for held, repeats in _as_versions_took(loaded, spec):
        with contextlib.suppress(DataError):
            sampled = _sampled(held, repeats, spec)
            for shuffle in (shuffle_all_choices, shuffle_choices):
                begun = _question_set(held, sampled, shuffle, spec)
                if begun.digest == digest:
                    _report_choice(held, repeats, spec)
                    return replace(begun, is_begun=True)
    return None


def _as_versions_took(
    loaded: LoadedQuestions, spec: QuestionSpec
) -> Iterator[tuple[LoadedQuestions, Mapping[str, str]]]:
    """The questions that a version held, and which of them it left out of the split."""
    for held in (loaded, loaded.as_before) if loaded.once_dropped else (loaded,):
        yield held, {}
        repeats = _repeats(held, spec)
        if repeats:
            yield held, repeats


def _repeats(loaded: LoadedQuestions, spec: QuestionSpec) -> Mapping[str, str]:
    return {} if spec.split == "all" else repeats_of_earlier_splits(loaded.questions)


def _sampled(
    loaded: LoadedQuestions, repeats: Mapping[str, str], spec: QuestionSpec
) -> list[Question]:
    eligible = _of_difficulty(_of_split(loaded, repeats, spec), spec)
    return sample(eligible, _n_questions(spec, eligible), spec.seed)


def _question_set(
    loaded: LoadedQuestions,
    sampled: Sequence[Question],
    shuffle: Callable[[Question, int], Question],
    spec: QuestionSpec,
) -> QuestionSet:
    questions = tuple(
        replace(shuffle(question, spec.seed), scorer=spec.scorer) for question in sampled
    )
    return QuestionSet(
        questions, questions_digest(questions), loaded.source, loaded.rejected, loaded.n_repeated
    )


def load_all(spec: QuestionSpec) -> LoadedQuestions:
    """All questions of the spec's difficulty, whatever their split, but for those that an earlier
    split asks in the same words. Raises as `load_questions`."""
    loaded = _load(spec)
    repeats = repeats_of_earlier_splits(loaded.questions)
    asked = [question for question in loaded.questions if question.id not in repeats]
    _report_difficulty(asked, spec)
    return replace(loaded, questions=tuple(_of_difficulty(asked, spec)))


def _load(spec: QuestionSpec, is_begun: bool = False) -> LoadedQuestions:
    """What an earlier version has begun goes on with what it has asked until now."""
    scorer_named(spec.scorer)
    dataset = find_dataset(spec.dataset)
    if dataset.brings_questions and spec.questions and not is_begun:
        raise ConfigError(
            f"questions={spec.questions}: dataset={spec.dataset} brings its own; add "
            "dataset=jsonl, or leave questions out"
        )
    loaded = dataset.open(spec).load()
    _report(loaded)
    return loaded


def _report(loaded: LoadedQuestions) -> None:
    if loaded.rejected:
        shown = "; ".join(map(str, loaded.rejected[:_N_SHOWN]))
        more = "; ..." if len(loaded.rejected) > _N_SHOWN else ""
        logger.warning(
            "%s: set aside %d lines: %s%s", loaded.source, len(loaded.rejected), shown, more
        )
    if loaded.n_repeated:
        logger.info("%s: dropped %d repeated questions", loaded.source, loaded.n_repeated)


def _of_split(
    loaded: LoadedQuestions, repeats: Mapping[str, str], spec: QuestionSpec
) -> list[Question]:
    own = in_split(loaded.questions, spec.split)
    return [question for question in own if question.id not in repeats]


def _of_difficulty(questions: list[Question], spec: QuestionSpec) -> list[Question]:
    if spec.difficulty == "all" or _have_no_difficulty(questions):
        return questions
    return [question for question in questions if question.difficulty == spec.difficulty]


def _have_no_difficulty(questions: Sequence[Question]) -> bool:
    return bool(questions) and all(question.difficulty is None for question in questions)


def _n_questions(spec: QuestionSpec, eligible: Sequence[Question]) -> int:
    """How many to sample: the mode's default shrinks to what there is, a wish does not."""
    if not eligible:
        raise DataError(f"{_described(spec, eligible)}; try split=all or difficulty=all")
    if spec.n_questions is not None and len(eligible) < spec.n_questions:
        raise DataError(
            f"n_questions={spec.n_questions}: {_described(spec, eligible)}; ask for at most "
            f"{len(eligible)}"
        )
    return min(spec.question_limit, len(eligible))


def _described(spec: QuestionSpec, eligible: Sequence[Question]) -> str:
    what = f"dataset={spec.dataset} has {len(eligible):,} questions with split={spec.split}"
    if not eligible or any(question.difficulty for question in eligible):
        what += f", difficulty={spec.difficulty}"
    return what


def _report_choice(loaded: LoadedQuestions, repeats: Mapping[str, str], spec: QuestionSpec) -> None:
    """Log what split, difficulty and mode leave of the questions."""
    taken = _of_split(loaded, repeats, spec)
    _report_repeats(loaded, repeats, spec)
    if spec.questions and spec.split != "all":
        logger.info(
            "%s: split=%s takes %d of its %d questions; --split all takes all",
            loaded.source,
            spec.split,
            len(taken),
            len(loaded.questions),
        )
    _report_difficulty(taken, spec)
    _report_limit(_of_difficulty(taken, spec), spec)


def _report_repeats(
    loaded: LoadedQuestions, repeats: Mapping[str, str], spec: QuestionSpec
) -> None:
    left_out = [
        question.id for question in in_split(loaded.questions, spec.split) if question.id in repeats
    ]
    if left_out:
        logger.info(
            "%s: split=%s leaves out %d questions that an earlier split asks in the same words, "
            "such as %s, which is %s there",
            loaded.source,
            spec.split,
            len(left_out),
            left_out[0],
            repeats[left_out[0]],
        )


def _report_difficulty(questions: Sequence[Question], spec: QuestionSpec) -> None:
    if spec.difficulty != "all" and _have_no_difficulty(questions):
        logger.info(
            "%s: its questions have no difficulty, so difficulty=%s takes all of them",
            spec.questions or spec.dataset,
            spec.difficulty,
        )


def _report_limit(eligible: Sequence[Question], spec: QuestionSpec) -> None:
    n_eligible, what = len(eligible), _described(spec, eligible)
    if n_eligible < spec.question_limit:
        logger.warning(
            "%s: using all of them instead of the %d of mode=%s",
            what,
            spec.question_limit,
            spec.mode,
        )
    elif spec.questions and spec.n_questions is None and n_eligible > spec.question_limit:
        logger.info(
            "%s: mode=%s asks %d of them; --n_questions %d asks all",
            what,
            spec.mode,
            spec.question_limit,
            n_eligible,
        )
