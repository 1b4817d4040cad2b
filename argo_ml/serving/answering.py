"""Whole answers: one thread opens documents and model, and runs what waits together.

Models and indexes are used by one thread, requests come in many. What waits while a batch runs is
the next batch, so that requests share calls as questions of a sweep do. Whatever cannot be opened
or fails is opened anew for the next request: a model server that was down is used once it is back,
and what the cache has is answered meanwhile. The questions of a batch that fails are asked alone,
so that one that breaks it fails no other.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import chain

from argo_ml.config import CellSpec
from argo_ml.config.source_fields import SERVER
from argo_ml.datasets import QuestionSet
from argo_ml.engine.loop import Finished
from argo_ml.errors import ArgoError, ConfigError, ModelError
from argo_ml.models import load_model
from argo_ml.models.base import Completion, Generation, LanguageModel, Scores, Scoring
from argo_ml.models.deferred import load_now
from argo_ml.pipeline.episode import Pipeline, run_episode
from argo_ml.serving.batches import BatchThread
from argo_ml.serving.deciding import LoadedPolicy
from argo_ml.serving.priced import PricedPolicy, RequestPrice
from argo_ml.serving.questions import RequestError
from argo_ml.sweep.calibration_source import DIGESTS
from argo_ml.sweep.cells import cell_pipeline
from argo_ml.sweep.context import LocalContext, resolved_as
from argo_ml.types import Question
from argo_ml.waiting import impatient_with_servers

logger = logging.getLogger(__name__)
LARGEST_BATCH = 32
BILLED_TO = "served"
"""In the ledger of calls, whoever pays for those of served requests."""
AHEAD_VARIABLE = "ARGO_ML_OPEN_AHEAD"
"""Environment variable of a server: ``false`` opens model and documents with the first question
that is to be answered, and not when the server starts."""
DECIDES_ONLY = (
    "this policy was published from recorded outcomes and has neither documents nor a model to "
    "answer with; send decide_only: true with your answer and its token_logprobs"
)


@dataclass(frozen=True, slots=True)
class _Job:
    question: Question
    priced: PricedPolicy
    result: Future[Finished] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class _AbsentServer:
    """Stands for a model server that has failed: what the call cache lacks fails at once."""

    model: LanguageModel
    error: ModelError

    @property
    def identity(self) -> str:
        return self.model.identity

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        raise self.error

    def score(self, requests: Sequence[Scoring]) -> list[Scores]:
        raise self.error

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.model.count_tokens(texts)


class AnsweringService:
    """Answers questions by a loaded policy; any number of threads may ask at once."""

    def __init__(self, policy: LoadedPolicy) -> None:
        self._policy = policy
        self._context: LocalContext[CellSpec] | None = None
        self._thread: BatchThread[_Job | None] = BatchThread("answers", self._work, LARGEST_BATCH)

    def open_ahead(self) -> None:
        """Begin to open what answers are made with, and log what is in the way.

        Nobody waits for it but the first requests, which would wait for the same. Whoever asks for
        decisions alone needs nothing of it, and says so by `AHEAD_VARIABLE`.
        """
        is_wanted = os.environ.get(AHEAD_VARIABLE, "true").lower() != "false"
        if is_wanted and not self._policy.published.decides_only:
            self._thread.put(None)

    def answer(self, question: Question, price: RequestPrice) -> Finished:
        """Raises `RequestError` for a question that the model does not take, and `ArgoError` where
        documents, index or model cannot be used now."""
        if self._policy.published.decides_only:
            raise RequestError(DECIDES_ONLY)
        job = _Job(question, self._policy.policies.at(price))
        self._thread.put(job)
        finished = job.result.result()
        if finished.outcome.unanswered:
            raise RequestError(f"the question cannot be asked: {finished.outcome.unanswered}")
        return finished

    @impatient_with_servers()
    def _work(self, batch: list[_Job | None]) -> None:
        asked = [job for job in batch if job is not None]
        if not asked:
            self._try_opening()
            return
        groups = deque([asked])
        is_gone = False
        while groups:
            jobs = groups.popleft()
            try:
                is_gone = is_gone or not self._reconnect()
                context = self._context = self._context or self._opened()
            except BaseException as error:
                _fail(chain(jobs, *groups), error)
                return
            try:
                finished = _run(jobs, context)
            except BaseException as error:
                self._context = self._after(error, context)
                if len(jobs) > 1:
                    groups.extend([job] for job in jobs)
                else:
                    _fail(jobs, error)
            else:
                for job, one in zip(jobs, finished, strict=True):
                    job.result.set_result(one)

    def _try_opening(self) -> None:
        try:
            self._context = self._context or self._opened()
            load_now(self._context.model)
        except Exception as error:
            logger.warning("nothing can be answered yet: %s", error)

    def _after(
        self, error: BaseException, context: LocalContext[CellSpec]
    ) -> LocalContext[CellSpec] | None:
        """What is left of a context that has failed: of one with a model server all but that."""
        if not isinstance(error, ModelError) or not self._policy.spec.model.startswith(SERVER):
            return None
        if isinstance(context.model, _AbsentServer):
            return context
        return replace(context, model=_AbsentServer(context.model, error))

    def _reconnect(self) -> bool:
        """Use a model server again that has failed; whether there is one, or none is needed.

        Where it serves another model all is opened anew, which is refused.
        """
        context = self._context
        if context is None or not isinstance(context.model, _AbsentServer):
            return True
        try:
            model = load_model(context.spec)
        except ArgoError:
            return False
        is_same = model.identity == context.model.identity
        self._context = replace(context, model=model) if is_same else None
        return True

    def _opened(self) -> LocalContext[CellSpec]:
        questions = QuestionSet((Question("asked", "anything"),), "", "")
        policy = self._policy
        return LocalContext.open_for(
            questions, policy.spec, calibration=policy.calibration, check=self._check_contents
        )

    def _check_contents(self, digests: Mapping[str, str]) -> None:
        for name, what in DIGESTS.items():
            before, here = self._policy.published.digests.get(name), digests[name]
            if before != here:
                raise ConfigError(
                    f"this policy was made with {what} ({name} {before}, here {here}); "
                    "sweep again and publish that"
                )


def _run(jobs: Sequence[_Job], context: LocalContext[CellSpec]) -> list[Finished]:
    episodes = [
        run_episode(job.question, job.priced.policy, _pipeline(job.priced, context)) for job in jobs
    ]
    return context.engine(BILLED_TO).run(episodes)


def _fail(jobs: Iterable[_Job], error: BaseException) -> None:
    for job in jobs:
        job.result.set_exception(error)


def _pipeline(priced: PricedPolicy, context: LocalContext[CellSpec]) -> Pipeline:
    spec = resolved_as(priced.spec, context.spec)
    return cell_pipeline(spec, priced.calibration, context.count_tokens)
