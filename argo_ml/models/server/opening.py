"""From addresses to a `ServerModel`: is each there, what does it serve, what can it do."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from functools import partial

from argo_ml.addresses import Address, password_advice
from argo_ml.config import ModelSpec
from argo_ml.config.source_fields import SERVER
from argo_ml.errors import ConfigError, ModelError
from argo_ml.models.reasoning import marked_thinking
from argo_ml.models.server.contexts import LARGER, check_context, check_room
from argo_ml.models.server.finding import find_n_top, find_prompting
from argo_ml.models.server.fleet import VERSION, Fleet, RetryPolicy, Server
from argo_ml.models.server.keys import api_key
from argo_ml.models.server.model import ServerModel
from argo_ml.models.server.prompting import MOST_TOP, ByChat, ByTemplate, ByTokens, Prompting
from argo_ml.models.server.scoring import ChoiceScoring, find_scoring, same_way
from argo_ml.models.server.wire import (
    ModelCard,
    ModelList,
    NoAccessError,
    NotThereError,
    Properties,
    RefusedError,
    Version,
)
from argo_ml.waiting import server_patience_s

REQUESTS = 16
"""Requests under way at once to servers of which nothing is known."""
VLLM_REQUESTS = 128
"""To one vLLM: it computes up to 256 or more, as many as its memory holds, and lets others wait."""
MOST_REQUESTS = 1024
_RETRIES_WHILE_OPENING = 2
N_NAMES = 10
"""Most names that are shown of what a server has; gateways have hundreds."""
_GEMINI_PREFIX = "models/"
"""Google lists models with it, and takes them without."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerDescription:
    """What one server turned out to be; ``context`` is 0 where it does not tell.

    Of the most probable tokens at each place of an answer it tells ``n_top``. It computes
    ``n_at_once`` requests together, 0 where that is not known or the user has said how many.
    """

    name: str
    software: str
    prompting: Prompting
    scoring: ChoiceScoring | None
    context: int
    n_top: int = MOST_TOP
    n_at_once: int = 0

    @property
    def identity(self) -> str:
        return f"server {self.name} {self.manner}".replace("  ", " ")

    @property
    def manner(self) -> str:
        """Its software, and how it is asked."""
        scores = self.scoring.name if self.scoring else "none"
        fewer = f"details={self.n_top}" if self.n_top < MOST_TOP else ""
        parts = (self.software, f"prompts={self.prompting.describe()}", f"scores={scores}", fewer)
        return " ".join(part for part in parts if part)


def open_server_model(spec: ModelSpec) -> ServerModel:
    """Ask every server what it serves; all must serve the same.

    Raises:
        ConfigError: a key that cannot be sent, or not safely.
        ModelError: a server that cannot be reached, is none, or serves another model.
    """
    name = spec.model.removeprefix(SERVER)
    for url in spec.server_urls:
        if advice := password_advice("server_urls", url):
            raise ConfigError(advice)
    addresses = [Address.parse(url) for url in spec.server_urls]
    policy = policy_of(spec)
    servers = [Server(at, api_key(at), policy, read_key=partial(api_key, at)) for at in addresses]
    descriptions = [describe_server(server, name, spec) for server in servers]
    _check_same(servers, descriptions)
    n_at_once = spec.server_concurrency or requests_of_all(descriptions)
    return make_model(descriptions[0].identity, descriptions[0], servers, spec, n_at_once)


def requests_of_all(descriptions: Sequence[ServerDescription]) -> int:
    """Requests that all together compute; where that is not known of one, a careful number."""
    known = [description.n_at_once for description in descriptions]
    return min(sum(known), MOST_REQUESTS) if all(known) else REQUESTS


def policy_of(spec: ModelSpec) -> RetryPolicy:
    return RetryPolicy(
        timeout_s=spec.request_timeout_s,
        max_retries=spec.max_retries,
        largest_mb=spec.max_answer_mb,
        patience_s=server_patience_s() if spec.max_retries else 0.0,
    )


def describe_server(
    server: Server, name: str, spec: ModelSpec, where: str = "", larger: str = LARGER
) -> ServerDescription:
    """Ask a server what it serves under ``name``.

    Raises `ModelError`: where its context is too small it is named as ``where``, by its address
    unless given, and ``larger`` says what helps.
    """
    policy = policy_of(spec)
    n_retries = min(policy.max_retries, _RETRIES_WHILE_OPENING)
    fleet = Fleet([server], replace(policy, max_retries=n_retries, patience_s=0.0))
    if not server.address.has_version:
        server.version = _version_of(server, fleet)
    card = _served(server, fleet, name)
    where = where or str(server.address)
    check_context(where, card.context, spec, larger)
    prompting = find_prompting(fleet, card.id)
    if card.meta is None and isinstance(prompting, ByTemplate):
        # A router of llama.cpp loads a model when it is first asked, and knows its size from then.
        card = _served(server, fleet, card.id)
        check_context(where, card.context, spec, larger)
    if prompting.thinks:
        check_room(where, card.context, spec, larger)
    root = f"root={card.root}" if card.root and card.root != card.id else ""
    weights = f"weights={card.meta.n_params}/{card.meta.size}" if card.meta else ""
    software = " ".join(part for part in (root, weights, _software(fleet, card)) if part)
    n_top, scoring = find_n_top(prompting), find_scoring(prompting)
    n_at_once = 0 if spec.server_concurrency else _n_at_once(fleet, card, prompting)
    return ServerDescription(card.id, software, prompting, scoring, card.context, n_top, n_at_once)


def _n_at_once(fleet: Fleet, card: ModelCard, prompting: Prompting) -> int:
    if isinstance(prompting, ByTokens):
        return VLLM_REQUESTS if card.owned_by == "vllm" else 0
    if isinstance(prompting, ByTemplate):
        # It only tells how many; what else is wrong with a server, other requests say.
        with contextlib.suppress(ModelError):
            return fleet.request("/props", None, Properties).total_slots
    return 0


def make_model(
    identity: str,
    description: ServerDescription,
    servers: Sequence[Server],
    spec: ModelSpec,
    n_at_once: int = REQUESTS,
) -> ServerModel:
    """The model behind ``servers``, which all are as described."""
    prompting = replace(description.prompting, fleet=Fleet(servers, policy_of(spec)))
    scoring = same_way(description.scoring, prompting)
    if isinstance(prompting, ByChat) and not prompting.fields.draws_greedily:
        logger.warning(
            "%s takes no temperature: its answers are drawn, so that the first one to a request, "
            "which is kept, is one of several",
            servers[0].address,
        )
    warn_of_numbers(str(servers[0].address), scoring is not None, spec)
    return ServerModel(
        identity + marked_thinking(spec.thinking_tokens),
        prompting,
        scoring,
        n_at_once,
        description.n_top,
        description.context,
        spec.thinking_tokens,
    )


def warn_of_numbers(where: str, can_score: bool, spec: ModelSpec) -> None:
    if not can_score and spec.answering == "likelihood":
        logger.warning(
            "%s gives no log-probabilities of choices: they are answered by their number "
            "(answering=number) instead of by likelihood",
            where,
        )


def _version_of(server: Server, fleet: Fleet) -> str:
    """Empty where the address itself is that of the models, else ``/v1``.

    Where neither path lists them it is the one where something is, which says what is wrong.
    """
    refusing = []
    for version in (VERSION, ""):
        server.version = version
        try:
            fleet.request(f"{VERSION}/models", None, ModelList)
        except NoAccessError:
            return version
        except NotThereError:
            continue
        except RefusedError:
            refusing.append(version)
        except ModelError:
            break
        else:
            return version
    return next(iter(refusing), VERSION)


def _served(server: Server, fleet: Fleet, name: str) -> ModelCard:
    """The model that the server calls ``name``, or its only one where that is empty."""
    try:
        cards = fleet.request("/v1/models", None, ModelList).data
    except NoAccessError:
        raise
    except ModelError as error:
        raise ModelError(
            f"server_urls: {error}; start an OpenAI-compatible server there, or correct the address"
        ) from None
    if not name and len(cards) == 1:
        return cards[0]
    for card in cards:
        if name and card.id.removeprefix(_GEMINI_PREFIX) == name.removeprefix(_GEMINI_PREFIX):
            return card
    for card in cards if len(cards) > 1 else ():
        # A server of one model may answer to any name.
        if _stands_for(card.id, name):
            return card.model_copy(update={"id": name})
    if name and server.address.is_azure_openai:
        # It lists models that could be deployed, and takes the names of deployments.
        return ModelCard(id=name)
    names = _nearest(name, [card.id for card in cards])
    wish = f"model=server:{name}"
    if name:
        raise ModelError(f"{wish}: {fleet} serves no such model; it serves: {names}")
    raise ModelError(f"{wish}: {fleet} serves {len(cards)} models; name one of: {names}")


def _stands_for(listed: str, name: str) -> bool:
    """Whether a listed name is that of a model with variants, or a pattern of names.

    Gateways take NAME:VARIANT and list NAME (OpenRouter, Hugging Face), or list ``vendor/*``
    (LiteLLM).
    """
    return name.startswith(f"{listed}:") or ("*" in listed and fnmatchcase(name, listed))


def _nearest(name: str, listed: Sequence[str]) -> str:
    """Those of the listed names that are most like this one, and how many more there are."""
    shown = sorted(listed, key=lambda other: -SequenceMatcher(None, name, other).ratio())
    n_more = len(listed) - N_NAMES
    more = [f"and {n_more} more"] if n_more > 0 else []
    return ", ".join([*shown[:N_NAMES], *more]) or "none"


def _software(fleet: Fleet, card: ModelCard) -> str:
    """Name and version without its patch level, as far as the server tells them."""
    try:
        version = ".".join(fleet.request("/version", None, Version).version.split(".")[:2])
    except RefusedError:
        version = ""
    return "=".join(part for part in (card.owned_by, version) if part)


def _check_same(servers: Sequence[Server], descriptions: Sequence[ServerDescription]) -> None:
    for server, other in zip(servers, descriptions, strict=True):
        if other.identity != descriptions[0].identity:
            raise ModelError(
                f"server_urls: {servers[0].address} and {server.address} do not serve the same: "
                f"{descriptions[0].identity!r} and {other.identity!r}"
            )
        if other.context != descriptions[0].context:
            raise ModelError(
                f"server_urls: {servers[0].address} and {server.address} serve contexts of "
                f"{descriptions[0].context} and {other.context} tokens; start them with the same"
            )
