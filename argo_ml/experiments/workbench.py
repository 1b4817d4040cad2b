"""Everything that the cells of an experiment share, opened once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from argo_ml.config import ExperimentSpec
from argo_ml.corpus import Corpus, open_corpus
from argo_ml.datasets import QuestionSet, load_questions
from argo_ml.engine import Engine
from argo_ml.engine.stages import StageTimes
from argo_ml.models import load_model
from argo_ml.models.base import LanguageModel
from argo_ml.models.cache import CachingModel, CallCache
from argo_ml.models.call_store import model_digest
from argo_ml.observing import PASSAGES, Report, unobserved
from argo_ml.pipeline import prompts
from argo_ml.tracking.runs import InputDataset


@dataclass(frozen=True, slots=True)
class Workbench:
    questions: QuestionSet
    corpus: Corpus
    model: LanguageModel
    cache: CallCache

    @classmethod
    def open(cls, spec: ExperimentSpec, report: Report = unobserved) -> Workbench:
        """Load questions first: they are the cheapest to be wrong."""
        questions = load_questions(spec)
        model = load_model(spec)
        corpus = open_corpus(spec, partial(report, PASSAGES))
        return cls(questions, corpus, model, CallCache(spec.calls_path))

    @property
    def digests(self) -> dict[str, str]:
        return {
            "questions_digest": self.questions.digest,
            "corpus_digest": self.corpus.digest,
            "model_digest": model_digest(self.model.identity),
            "prompts_digest": prompts.digest(),
        }

    def inputs(self, spec: ExperimentSpec) -> list[InputDataset]:
        questions, corpus = self.questions, self.corpus
        return [
            InputDataset(
                f"{spec.dataset}-{spec.difficulty}-{spec.split}",
                questions.digest,
                questions.source,
                "questions",
                len(questions.questions),
            ),
            InputDataset("corpus", corpus.digest, corpus.source, "corpus", corpus.n_passages),
        ]

    def engine(self, payer: str, times: StageTimes | None = None) -> Engine:
        """An engine whose executed calls are remembered as paid by ``payer``."""
        model = CachingModel(self.model, self.cache, payer)
        return Engine(model, self.corpus.retriever, times)
