"""Everything that the cells of an experiment share, opened once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from argo_ml.calibration.record import Calibration
from argo_ml.config import CellSpec, ContextSpec, EpisodeFields
from argo_ml.corpus.base import Corpus
from argo_ml.corpus.opening import CheckDigest, any_digest, open_corpus
from argo_ml.datasets import QuestionSet, load_questions
from argo_ml.engine import Engine
from argo_ml.engine.stages import StageTimes
from argo_ml.errors import ConfigError
from argo_ml.mdp.process import MDPSpec, Solution, solve
from argo_ml.models import load_model
from argo_ml.models.base import (
    CountsTokens,
    HasBatchLimit,
    HasContext,
    LanguageModel,
    ReportsEvents,
    TokenCounts,
    can_score,
)
from argo_ml.models.cache.caching import CachingModel, CallCache
from argo_ml.models.cache.store import model_digest
from argo_ml.models.capacity import requests_at_once
from argo_ml.models.counting import CountTokens, counted_once, kept_counts
from argo_ml.pipeline import prompts
from argo_ml.progress import PASSAGES, OnProgress, ignore_progress
from argo_ml.results.artifacts import CALIBRATION_DIGEST
from argo_ml.sweep.calibration_source import (
    check_contents,
    check_judged,
    check_usable,
    open_calibration,
)
from argo_ml.sweep.cells import (
    Cell,
    cell_id,
    cell_pipeline,
    cell_policy,
    cell_process,
    policy_table,
)
from argo_ml.sweep.executors import Executor, LocalExecutor
from argo_ml.tracking.input_datasets import InputDataset

logger = logging.getLogger(__name__)

SpecType = TypeVar("SpecType", bound=ContextSpec)
EpisodeSpec = TypeVar("EpisodeSpec", bound=EpisodeFields)
CheckContents = Callable[[Mapping[str, str]], None]
"""Raises `ArgoError` for digests of model, corpus and prompts that are not the wanted ones."""
SomeSpec = TypeVar("SomeSpec", bound=ContextSpec, covariant=True)


class ExperimentContext(Protocol[SomeSpec]):
    """What the cells of an experiment share, wherever it is."""

    @property
    def spec(self) -> SomeSpec:
        """What was asked for, as the model can carry it out."""

    @property
    def questions(self) -> QuestionSet: ...

    @property
    def digests(self) -> dict[str, str]: ...

    @property
    def inputs(self) -> list[InputDataset]:
        """The questions and the corpus as MLflow records them."""

    @property
    def calibration(self) -> Calibration | None:
        """The calibration that the spec names, checked against everything else here."""

    @property
    def tokens(self) -> TokenCounts:
        """Tokens computed until now; none of a backend that does not make up its batches itself."""

    @property
    def events(self) -> Sequence[str]:
        """What the model did when memory ran out, as far as it is known here."""

    @property
    def batch_tokens(self) -> int | None:
        """The most tokens of a batch that it came to; None where that is not known here."""

    @property
    def context_tokens(self) -> int:
        """Most tokens of a prompt and its answer that a server takes; 0 where that is not known."""

    @property
    def executes_here(self) -> bool:
        """Whether all calls are executed on this machine, with its call cache."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...

    def executor(self, cells: Sequence[Cell], billed_to: str, times: StageTimes) -> Executor:
        """What runs shards through ``cells``; executed calls are remembered as ``billed_to``'s."""


@dataclass(frozen=True)
class LocalContext(Generic[SomeSpec]):
    """An experiment context in this process."""

    spec: SomeSpec
    questions: QuestionSet
    corpus: Corpus
    model: LanguageModel
    cache: CallCache
    calibration: Calibration | None = None

    @classmethod
    def open(
        cls,
        spec: SpecType,
        on_progress: OnProgress = ignore_progress,
        questions: QuestionSet | None = None,
        calibration: Calibration | None = None,
    ) -> LocalContext[SpecType]:
        """Open what ``spec`` names; questions and calibration first, the cheapest to be wrong."""
        questions = questions or load_questions(spec)
        context = cls.open_for(questions, spec, on_progress, calibration)
        if context.calibration is not None:
            asked, is_begun = questions.questions, questions.is_begun
            check_judged(context.calibration, context.spec, asked, is_begun)
        return context

    @classmethod
    def open_for(
        cls,
        questions: QuestionSet,
        spec: SpecType,
        on_progress: OnProgress = ignore_progress,
        calibration: Calibration | None = None,
        check: CheckContents | None = None,
    ) -> LocalContext[SpecType]:
        """Open everything else for these questions, which need not be of any split.

        ``check`` may refuse the contents before documents are embedded; that a calibration was made
        with them is checked there as well.
        """
        _check_cache_folder(spec.cache_path)
        calibration = calibration or open_calibration(spec)
        spec = resolve_precision(spec, calibration)
        model = load_model(spec)
        if check is None and calibration is not None:
            check = partial(check_contents, calibration, spec)
        check_corpus = any_digest if check is None else _corpus_check(check, model)
        corpus = open_corpus(spec, partial(on_progress, PASSAGES), check_corpus)
        resolved = resolve_similarity(_resolve_answering(spec, model), corpus, calibration)
        cache = CallCache(spec.calls_path)
        context = LocalContext(resolved, questions, corpus, model, cache, calibration)
        if calibration is not None:
            check_usable(calibration, resolved, context.digests)
        return context

    def with_spec(self, spec: SpecType) -> LocalContext[SpecType]:
        """The same with another spec, which must name what is open here."""
        return LocalContext(
            spec, self.questions, self.corpus, self.model, self.cache, self.calibration
        )

    @property
    def digests(self) -> dict[str, str]:
        return {
            "questions_digest": self.questions.digest,
            **_contents(self.model, self.corpus.digest),
            **({CALIBRATION_DIGEST: self.calibration.digest} if self.calibration else {}),
        }

    @property
    def inputs(self) -> list[InputDataset]:
        spec, questions, corpus = self.spec, self.questions, self.corpus
        has_difficulties = any(question.difficulty for question in questions.questions)
        kind = (spec.difficulty,) if has_difficulties else ()
        own = _resolved_name(spec.questions) or spec.dataset
        return [
            InputDataset(
                "-".join((own, *kind, spec.split)),
                questions.digest,
                questions.source,
                "questions",
                len(questions.questions),
            ),
            InputDataset(
                _resolved_name(spec.documents) or "corpus",
                corpus.digest,
                corpus.source,
                "corpus",
                corpus.n_passages,
            ),
        ]

    @property
    def tokens(self) -> TokenCounts:
        return self.model.tokens if isinstance(self.model, CountsTokens) else TokenCounts()

    @property
    def events(self) -> Sequence[str]:
        return self.model.events if isinstance(self.model, ReportsEvents) else ()

    @property
    def batch_tokens(self) -> int | None:
        return self.model.batch_tokens if isinstance(self.model, HasBatchLimit) else None

    @property
    def context_tokens(self) -> int:
        return self.model.context if isinstance(self.model, HasContext) else 0

    @property
    def executes_here(self) -> bool:
        return True

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._counts(texts)

    @cached_property
    def _counts(self) -> CountTokens:
        return counted_once(kept_counts(self.model, self.cache))

    def executor(self, cells: Sequence[Cell], billed_to: str, times: StageTimes) -> Executor:
        make_engine = partial(self.engine, billed_to, times)
        return LocalExecutor(make_engine, cells, self.requests_at_once)

    def requests_at_once(self) -> int:
        """How many the model works on at once, as far as it is known by now."""
        return requests_at_once(self.model)

    def engine(self, billed_to: str, times: StageTimes | None = None) -> Engine:
        """An engine whose executed calls are remembered as paid by ``billed_to``."""
        model = CachingModel(self.model, self.cache, billed_to)
        return Engine(model, self.corpus.retriever, times, self.cache.kept_open)


def _resolved_name(path: str) -> str:
    """The last part of a whole path, however it was written; empty where none is given."""
    return Path(path).expanduser().resolve().name if path else ""


def _contents(model: LanguageModel, corpus_digest: str) -> dict[str, str]:
    """What decides, beside the questions, what an experiment finds."""
    return {
        "corpus_digest": corpus_digest,
        "model_digest": model_digest(model.identity),
        "prompts_digest": prompts.prompts_digest(),
    }


def _corpus_check(check: CheckContents, model: LanguageModel) -> CheckDigest:
    return lambda corpus_digest: check(_contents(model, corpus_digest))


class Resolved(Protocol):
    """What model, documents and calibration have made of a spec."""

    @property
    def answering(self) -> Any: ...

    @property
    def min_similarity(self) -> float | None: ...

    @property
    def precision(self) -> Any: ...


def resolved_as(spec: EpisodeSpec, opened: Resolved) -> EpisodeSpec:
    """``spec`` as it can be carried out with what was opened."""
    names = ("answering", "min_similarity", "precision")
    return spec.model_copy(update={name: getattr(opened, name) for name in names})


def _resolve_answering(spec: SpecType, model: LanguageModel) -> SpecType:
    """``spec`` as it can be carried out: by number where the model cannot score choices."""
    if spec.answering == "likelihood" and not can_score(model):
        return spec.model_copy(update={"answering": "number"})
    return spec


def resolve_precision(spec: SpecType, calibration: Calibration | None) -> SpecType:
    """``spec`` with the calibration's precision, so that its model is the same one."""
    made_with = calibration.spec.get("precision", "auto") if calibration else "auto"
    if spec.precision != "auto" or made_with == "auto":
        return spec
    return spec.model_copy(update={"precision": made_with})


def _check_cache_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise ConfigError(f"cache_dir={path}: is a file; name a folder")


def resolve_similarity(spec: SpecType, corpus: Corpus, calibration: Calibration | None) -> SpecType:
    """``spec`` with a number for ``min_similarity``.

    It is the calibration's, so that steps find what they found there; that of the corpus, where it
    is the user's own; else what it always was.
    """
    if spec.min_similarity is not None:
        return spec
    of_calibration = calibration and calibration.spec.get("min_similarity")
    measured = None
    if isinstance(of_calibration, (int, float)):
        value = float(of_calibration)
    else:
        measured = corpus.measure_limit() if spec.documents else None
        value = measured.min_similarity if measured else spec.similarity_limit
    if measured:
        logger.info(
            "min_similarity is %.2f on this corpus: as similar are %.0f %% of the passages of "
            "other documents to a sentence, and %.0f %% of sentences less to their own passage",
            value,
            100 * measured.unrelated_above,
            100 * measured.related_below,
        )
    return spec.model_copy(update={"min_similarity": value})


def prepare_cells(specs: Sequence[CellSpec], context: ExperimentContext[ContextSpec]) -> list[Cell]:
    """Solve each price once and give every cell its policy."""
    solutions: dict[MDPSpec, Solution] = {}
    calibration = context.calibration
    cells = []
    for spec in specs:
        mdp = cell_process(spec, calibration)
        if mdp not in solutions:
            solutions[mdp] = solve(mdp)
        policy = cell_policy(spec, solutions[mdp], calibration)
        cells.append(
            Cell(
                spec=spec,
                id=cell_id(spec, context.digests),
                policy=policy,
                pipeline=cell_pipeline(spec, calibration, context.count_tokens),
                table=policy_table(solutions[mdp], policy),
            )
        )
    return cells
