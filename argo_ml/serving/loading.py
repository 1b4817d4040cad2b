"""A published policy in Python, by the URI of its model or a folder."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_ml.config import expanded
from argo_ml.errors import ConfigError
from argo_ml.library_settings import set_library_defaults
from argo_ml.serving.answering import AnsweringService
from argo_ml.serving.deciding import LoadedPolicy, PolicyDecision
from argo_ml.serving.priced import amounts
from argo_ml.serving.published import FOLDER, POLICY, PublishedPolicy
from argo_ml.serving.questions import read_asked
from argo_ml.types import Action, Evidence

_URI = re.compile(r"[a-z][\w+.-]+:/", re.IGNORECASE)
_REGISTERED = re.compile(r"models:/(?!m-[0-9a-f]{32}/?$)[^/@]+(.*)")
"""A registered model by its name, and what says which version; a model's id is no such name."""
_NO_POLICY = "holds no published policy; publish one with argo-ml publish"


@dataclass(frozen=True, slots=True)
class PolicyAnswer:
    """An answer with what it rests on and what it took.

    ``parsed`` is False where the model's reply could not be read, which a sweep counts as wrong.
    ``cost`` is the price of the actions in shares of a right answer, ``amount`` that in the
    caller's own unit, where prices are in one.
    """

    text: str
    choice: int | None
    actions: tuple[str, ...]
    passages: tuple[Evidence, ...]
    p_hat: float | None
    expected_gain: float | None
    cost: float
    strategy: str
    retrieval_cost: float
    amount: float | None = None
    parsed: bool = True


class Policy:
    """Decides about answers that are there, and answers questions itself."""

    def __init__(self, loaded: LoadedPolicy) -> None:
        self._loaded = loaded
        self._answers = AnsweringService(loaded)

    def __repr__(self) -> str:
        published = self.published
        names = ", ".join(f"{own.strategy} at {own.retrieval_cost:g}" for own in published.prices)
        return f"{type(self).__name__}({names}; sweep {published.sweep_id})"

    @property
    def published(self) -> PublishedPolicy:
        return self._loaded.published

    def decide(
        self,
        question: str,
        answer: str | None = None,
        token_logprobs: tuple[Any, ...] | list[Any] = (),
        price: float | None = None,
        **more: Any,
    ) -> PolicyDecision:
        """The decision about ``answer``, as `LoadedPolicy.decide` makes it."""
        return self._loaded.decide(question, answer, token_logprobs, price, **more)

    def answer(
        self,
        question: str,
        choices: tuple[str, ...] = (),
        price: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        question_id: str = "",
        **prices: float,
    ) -> PolicyAnswer:
        """Answer from the documents with the model that the policy was published with.

        ``metadata`` is what the questions of the sweep had, such as their source, and
        ``question_id`` the one that they had, by which strategies draw. ``prices`` are
        in a unit of your own: ``value_of_correct``, ``price_per_retrieval`` and so on. Raises
        `ArgoError` where documents or model cannot be used, or the question cannot be asked.
        """
        given = {
            "question": question,
            "choices": choices,
            "metadata": metadata or {},
            "question_id": question_id,
        }
        asked = read_asked({**given, "retrieval_cost": price, **prices})
        at = self._loaded.price_of(asked)
        outcome = self._answers.answer(asked.as_question(), at).outcome
        return PolicyAnswer(
            text=outcome.answer.text,
            choice=outcome.answer.choice,
            actions=tuple(step.action.value for step in outcome.steps),
            passages=outcome.retrieved,
            p_hat=outcome.expected.confidence,
            expected_gain=outcome.expected_at_first.gain,
            cost=outcome.cost,
            strategy=self.published.strategy_at(at.retrieval_cost),
            retrieval_cost=at.retrieval_cost,
            amount=amounts(at, outcome.usage, outcome.count(Action.RETRIEVE)).get("amount"),
            parsed=outcome.answer.parsed,
        )


def load_policy(uri: str, tracking_uri: str = "") -> Policy:
    """The policy of ``models:/NAME@ALIAS``, or of a folder that holds one.

    Raises `ArgoError` for what is no published policy.
    """
    if not _URI.match(uri):
        return Policy(LoadedPolicy.read(_policy_folder(expanded(uri, "policy"))))
    if (registered := _REGISTERED.match(uri)) and not registered[1]:
        raise ConfigError(f"policy={uri}: names no version; take {uri}@champion or {uri}/1")
    with tempfile.TemporaryDirectory() as target:
        downloaded = _policy_folder(_downloaded(uri, tracking_uri, target))
        if not (downloaded / POLICY).is_file():
            raise ConfigError(f"policy={uri}: {_NO_POLICY}")
        return Policy(LoadedPolicy.read(downloaded))


def _policy_folder(folder: Path) -> Path:
    """The folder itself, or that of a downloaded model."""
    inside = folder / "artifacts" / FOLDER
    return inside if (inside / POLICY).is_file() else folder


def _downloaded(uri: str, tracking_uri: str, target: str) -> Path:
    """Of a registered model the policy alone: its code is that of hundreds of files."""
    set_library_defaults()
    import mlflow

    from argo_ml.tracking.runs import open_client
    from argo_ml.tracking.stores import first_line, is_of_a_store

    open_client(tracking_uri, create=False)
    wanted = f"{uri.rstrip('/')}/artifacts/{FOLDER}" if _REGISTERED.match(uri) else uri
    try:
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=wanted, dst_path=target))
    except Exception as error:
        if not is_of_a_store(error):
            raise
        if "No such artifact" in str(error):
            raise ConfigError(f"policy={uri}: {_NO_POLICY}") from None
        raise ConfigError(f"policy={uri}: cannot be loaded ({first_line(error)})") from None
