"""From addresses to a `ServerModel`: is each there, what does it serve, what can it do."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from argo_ml.addresses import Address, password_advice
from argo_ml.config import ModelSpec
from argo_ml.errors import ConfigError, ModelError
from argo_ml.models.presets import SERVER
from argo_ml.models.server.fleet import Fleet, RetryPolicy, Server
from argo_ml.models.server.keys import api_key
from argo_ml.models.server.model import ServerModel
from argo_ml.models.server.prompting import ByTokens, Prompting, find_prompting
from argo_ml.models.server.scoring import EchoScoring
from argo_ml.models.server.wire import ModelCard, ModelList, NoAccessError, RefusedError, Version

_RETRIES_WHILE_OPENING = 2
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _ServerDescription:
    """What one server turned out to be."""

    identity: str
    prompting: Prompting
    can_score: bool


def open_server_model(spec: ModelSpec) -> ServerModel:
    """Ask every server what it serves; all must serve the same.

    Raises:
        ConfigError: a key that cannot be sent, or not safely.
        ModelError: a server that cannot be reached, is none, or serves another model.
    """
    name = spec.model.removeprefix(SERVER)
    retry_policy = RetryPolicy(
        timeout_s=spec.request_timeout_s,
        max_retries=spec.max_retries,
        largest_mb=spec.max_answer_mb,
    )
    for url in spec.server_urls:
        if advice := password_advice("server_urls", url):
            raise ConfigError(advice)
    addresses = [Address.parse(url) for url in spec.server_urls]
    servers = [Server(at, api_key(at), retry_policy) for at in addresses]
    brief = replace(retry_policy, max_retries=min(retry_policy.max_retries, _RETRIES_WHILE_OPENING))
    descriptions = [_describe(Fleet([server], brief), name) for server in servers]
    _check_same(servers, descriptions)
    prompting = replace(descriptions[0].prompting, fleet=Fleet(servers, retry_policy))
    scoring = None
    if descriptions[0].can_score and isinstance(prompting, ByTokens):
        scoring = EchoScoring(prompting)
    elif spec.answering == "likelihood":
        logger.warning(
            "%s gives no log-probabilities of prompts: choices are answered by their number "
            "(answering=number) instead of by likelihood",
            addresses[0],
        )
    return ServerModel(descriptions[0].identity, prompting, scoring, spec.server_concurrency)


def _describe(fleet: Fleet, name: str) -> _ServerDescription:
    card = _served(fleet, name)
    prompting = find_prompting(fleet, card.id)
    can_score = isinstance(prompting, ByTokens) and EchoScoring(prompting).works
    identity = " ".join(
        part
        for part in (
            "server",
            card.id,
            f"root={card.root}" if card.root and card.root != card.id else "",
            f"weights={card.meta.n_params}/{card.meta.size}" if card.meta else "",
            _software(fleet, card),
            f"prompts={prompting.describe()}",
            f"scores={'echo' if can_score else 'none'}",
        )
        if part
    )
    return _ServerDescription(identity, prompting, can_score)


def _served(fleet: Fleet, name: str) -> ModelCard:
    """The model that the server calls ``name``, or its only one where that is empty."""
    try:
        cards = fleet.request("/v1/models", None, ModelList).data
    except NoAccessError:
        raise
    except ModelError as error:
        raise ModelError(
            f"server_urls: {error}; start an OpenAI-compatible server there, or correct the address"
        ) from None
    names = ", ".join(card.id for card in cards) or "none"
    if not name and len(cards) == 1:
        return cards[0]
    for card in cards:
        if card.id == name:
            return card
    wish = f"model=server:{name}"
    if name:
        raise ModelError(f"{wish}: {fleet} serves no such model; it serves: {names}")
    raise ModelError(f"{wish}: {fleet} serves {len(cards)} models; name one of: {names}")


def _software(fleet: Fleet, card: ModelCard) -> str:
    """Name and version without its patch level, as far as the server tells them."""
    try:
        version = ".".join(fleet.request("/version", None, Version).version.split(".")[:2])
    except RefusedError:
        version = ""
    return "=".join(part for part in (card.owned_by, version) if part)


def _check_same(servers: Sequence[Server], descriptions: Sequence[_ServerDescription]) -> None:
    for server, other in zip(servers, descriptions, strict=True):
        if other.identity != descriptions[0].identity:
            raise ModelError(
                f"server_urls: {servers[0].address} and {server.address} do not serve the same: "
                f"{descriptions[0].identity!r} and {other.identity!r}"
            )
