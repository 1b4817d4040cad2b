"""A Chroma server: a collection is built under a name of its own and renamed when it is whole."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
from chromadb import Collection, HttpClient
from chromadb.api import ClientAPI
from chromadb.errors import ChromaError, NotFoundError

from argo_ml.addresses import (
    basic_authentication,
    credentials,
    host_in_url,
    http_parts,
    password_advice,
    shown,
)
from argo_ml.corpus.chroma_transport import PATIENCE, ask, make_patient
from argo_ml.corpus.index import (
    IndexContent,
    OnEmbedded,
    chroma_settings,
    create,
    fill,
    incompleteness,
)
from argo_ml.errors import ConfigError, CorpusIndexError, one_line
from argo_ml.models.server.fleet import RetryPolicy
from argo_ml.models.server.wire import GarbageError

BUILDING_INFIX = "-building-"
PORTS = {"http": 8000, "https": 443}
"""Scheme -> port where the address names none."""

OPENING = RetryPolicy(timeout_s=5.0, largest_mb=1)
_ASKED_WHILE_OPENING = (
    "heartbeat",
    "auth/identity",
    "tenants/default_tenant",
    "tenants/default_tenant/databases/default_database",
)
"""What Chroma's client asks for when it is made, without a deadline of its own."""
ABANDONED_S = 24 * 3600.0
"""An unfinished collection of this age belongs to a builder that was killed."""


def _authorization(url: str) -> dict[str, str]:
    user, password = credentials(url)
    if not user and not password:
        return {}
    return {"Authorization": f"Basic {basic_authentication(user, password)}"}


class ServerStore:
    """Collections of the server at ``url``, which may hold a user and a password.

    Raises `CorpusIndexError` if it does not answer.
    """

    def __init__(self, url: str, patience: RetryPolicy = PATIENCE) -> None:
        if advice := password_advice("chroma_url", url):
            raise ConfigError(advice)
        self._url = shown(url)
        parts = http_parts(url)
        if parts is None or parts.path.strip("/"):
            raise ConfigError(f"chroma_url={self._url}: not an address like http://localhost:8000")
        host, port = host_in_url(parts), parts.port or PORTS[parts.scheme]
        headers = _authorization(url)
        self._check_alive(f"{parts.scheme}://{host}:{port}", headers)
        with self._explained():
            self._client: ClientAPI = HttpClient(
                host=host,
                port=port,
                ssl=parts.scheme == "https",
                headers=headers,
                settings=chroma_settings(),
            )
        make_patient(self._client, patience, self._stopped)

    def find(self, name: str, n_passages: int) -> Collection | None:
        with self._explained():
            try:
                collection = self._client.get_collection(name, embedding_function=None)
            except NotFoundError:
                return None
            problem = incompleteness(collection, n_passages)
        if problem:
            raise CorpusIndexError(
                f"chroma_url={self._url}: collection {name} {problem}; delete that collection and "
                "run again"
            )
        return collection

    def build(self, name: str, content: IndexContent, on_progress: OnEmbedded) -> Collection:
        with self._explained():
            self._delete_abandoned(name)
            metadata = {"n_passages": len(content.passages), "started": time.time()}
            temporary = f"{name}{BUILDING_INFIX}{uuid.uuid4().hex[:12]}"
            collection = create(self._client, temporary, metadata)
            try:
                fill(collection, content, self._client.get_max_batch_size(), on_progress)
                self._rename(collection, name)
            finally:
                self._delete_if_there(temporary)
        built = self.find(name, len(content.passages))
        if built is None:
            raise CorpusIndexError(f"chroma_url={self._url}: collection {name} was deleted")
        return built

    def _rename(self, collection: Collection, name: str) -> None:
        """Do nothing where another machine was first: its collection has the same content."""
        try:
            collection.modify(name=name)
        except ChromaError:
            if not self._has(name):
                raise

    def _has(self, name: str) -> bool:
        return any(collection.name == name for collection in self._client.list_collections())

    def _delete_if_there(self, name: str) -> None:
        if self._has(name):
            self._client.delete_collection(name)

    def _delete_abandoned(self, name: str) -> None:
        for collection in self._client.list_collections():
            started = (collection.metadata or {}).get("started")
            if (
                collection.name.startswith(f"{name}{BUILDING_INFIX}")
                and isinstance(started, float)
                and time.time() - started > ABANDONED_S
            ):
                self._client.delete_collection(collection.name)

    def _check_alive(self, address: str, headers: Mapping[str, str]) -> None:
        """Chroma's own client waits for ever where nothing answers."""
        try:
            for path in _ASKED_WHILE_OPENING:
                ask(f"{address}/api/v2/{path}", headers, OPENING).raise_for_status()
        except httpx.HTTPStatusError as error:
            raise self._unreachable(f"HTTP {error.response.status_code}") from None
        except (httpx.HTTPError, GarbageError) as error:
            reason = str(error) if isinstance(error, GarbageError) else type(error).__name__
            raise self._unreachable(reason) from None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (ChromaError, ValueError) as error:
            reason = one_line(error)
            raise CorpusIndexError(f"chroma_url={self._url}: refused ({reason})") from None
        except httpx.HTTPError as error:
            raise self._unreachable(type(error).__name__) from None

    def _stopped(self, reason: str) -> CorpusIndexError:
        return CorpusIndexError(
            f"chroma_url={self._url}: the Chroma server answers no more ({reason}); what is "
            "done is kept: start the server again and run the command again, a sweep with --resume"
        )

    def _unreachable(self, reason: str) -> CorpusIndexError:
        return CorpusIndexError(
            f"chroma_url={self._url}: no Chroma server answers there ({reason}); start one with "
            "chroma run --path FOLDER, or leave chroma_url empty"
        )
