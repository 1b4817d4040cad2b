"""Servers of one model that share its requests; what fails for a passing reason is tried again."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
import tenacity

from argo_ml.addresses import Address, without
from argo_ml.errors import ConfigError, ModelError, one_line
from argo_ml.interruption import is_stopping, pause
from argo_ml.models.server import wire
from argo_ml.models.server.deadlines import deadline, hold_deadlines
from argo_ml.models.server.proxies import is_past_proxies, usable_proxies
from argo_ml.models.server.transfer import complete
from argo_ml.models.server.wire import AnswerType, AwayError, PassingError

logger = logging.getLogger(__name__)

VERSION = "/v1"
_CONNECT_TIMEOUT_S = 10.0
_LIMIT_ADVICE = "; take a smaller server_concurrency, or a larger max_retries"
_NO_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
"""How many requests run at once is up to the caller."""
_AWAY = (
    httpx2.ConnectTimeout,
    httpx2.NetworkError,
    httpx2.ProxyError,
    httpx2.RemoteProtocolError,
)
"""How connections end where no server is, also behind a tunnel or a proxy."""

_MOST_DOUBLINGS = 32
"""Of a pause: all requests that are under way count their failures together."""

LIMIT_FACTOR = 8
"""Limits count by the minute, which the pauses of five tries are to outlast."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait for an answer, and how often and at what distance to ask again.

    ``timeout_s`` is for the whole answer, its last byte included; one of more than ``largest_mb``,
    packed or unpacked, is none. The n-th pause is drawn between 0 and ``first_pause_s`` x
    2^(n-1), at most ``longest_pause_s``. Where a limit of requests is met it is between half of and
    all of `LIMIT_FACTOR` times that, at most ``longest_limit_pause_s``. A server that is away is
    asked again for ``patience_s`` from a request's first failure on, however many tries that takes.
    """

    timeout_s: float = 300.0
    max_retries: int = 5
    first_pause_s: float = 0.5
    longest_pause_s: float = 30.0
    longest_limit_pause_s: float = 60.0
    largest_mb: int = 64
    patience_s: float = 0.0


class Server:
    """A server at one address; after a failure it is left alone until ``rests_until``.

    ``version`` is what its paths have in the place of ``/v1``. Where it takes ``key`` no more,
    ``read_key`` may have another one.
    """

    def __init__(
        self,
        address: Address,
        key: str,
        policy: RetryPolicy,
        transport: httpx2.BaseTransport | None = None,
        read_key: Callable[[], str] = lambda: "",
    ) -> None:
        self.address = address
        self.version = VERSION
        self.rests_until = 0.0
        self.n_running = 0
        self.n_failures = 0
        self.trouble = ""
        self._key = key
        self._read_key = read_key
        self._secrets = (key, *address.secrets)
        self._policy = policy
        if transport is None and is_past_proxies(urlsplit(address.root).hostname or ""):
            transport = httpx2.HTTPTransport(limits=_NO_LIMITS)
        with usable_proxies():
            self._client = self._connected(transport)
        hold_deadlines(self._client)

    def _connected(self, transport: httpx2.BaseTransport | None) -> httpx2.Client:
        address, timeout_s = self.address, self._policy.timeout_s
        return httpx2.Client(
            base_url=address.root,
            auth=(address.user, address.password) if address.user else None,
            headers={"Accept-Encoding": "gzip"},
            timeout=httpx2.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_TIMEOUT_S)),
            limits=_NO_LIMITS,
            transport=transport,
        )

    def request(
        self, path: str, body: Mapping[str, Any] | None, expected: type[AnswerType]
    ) -> AnswerType:
        """Make one try, or a second one where the key has been renewed.

        Raises `PassingError` or `RefusedError` that name no secret.
        """
        key = self._key
        try:
            return self._try(key, path, body, expected)
        except wire.NoAccessError as error:
            try:
                renewed = self._renewed(key)
            except ConfigError as unreadable:
                raise wire.NoAccessError(f"{error}; {unreadable}") from None
            if not renewed:
                raise
        return self._try(renewed, path, body, expected)

    def _try(
        self, key: str, path: str, body: Mapping[str, Any] | None, expected: type[AnswerType]
    ) -> AnswerType:
        try:
            return wire.read(self._answer(key, path, body), expected, self._secrets)
        except httpx2.RequestError as error:
            kind = AwayError if isinstance(error, _AWAY) else PassingError
            raise kind(self._shown(self._reason(error))) from None
        except wire.RefusedError as error:
            raise type(error)(self._shown(str(error))) from None
        except PassingError as error:
            raise type(error)(self._shown(str(error)), error.rest_s) from None

    def _reason(self, error: httpx2.RequestError) -> str:
        if isinstance(error, httpx2.TimeoutException):
            limit = f"request_timeout_s={self._policy.timeout_s:g}, {type(error).__name__}"
            return f"no whole answer in time ({limit})"
        return f"cannot be reached ({one_line(error) or type(error).__name__})"

    def _renewed(self, old: str) -> str:
        """The key that there is now; empty where it is the old one.

        Raises `ConfigError` for one that cannot be read or sent.
        """
        key = self._read_key()
        if key in ("", old):
            return ""
        self._key, self._secrets = key, (key, *self._secrets)
        return key

    def _answer(self, key: str, path: str, body: Mapping[str, Any] | None) -> httpx2.Response:
        method = "GET" if body is None else "POST"
        is_sent = key and not self.address.user
        headers = {"Authorization": f"Bearer {key}"} if is_sent else {}
        if path.startswith(f"{VERSION}/"):
            path = self.version + path.removeprefix(VERSION)
        with (
            deadline(self._policy.timeout_s),
            self._client.stream(method, path, json=body, headers=headers) as response,
        ):
            return complete(response, self._policy.largest_mb)

    def _shown(self, trouble: str) -> str:
        """A server may repeat what it was sent."""
        return f"{self.address}: {without(trouble, self._secrets)}"


class _Patience:
    """Whether the tries of one request are over; patience outlasts them where a server is away.

    While it does, tries at such a server are not among those that other failures have.
    """

    def __init__(self, tries: int, patience_s: float) -> None:
        self._tries = tries
        self._patience_s = patience_s
        self._until = 0.0
        self._n_away = 0

    def __call__(self, state: tenacity.RetryCallState) -> bool:
        now = time.monotonic()
        self._until = self._until or now + self._patience_s
        if not isinstance(_error_of(state), AwayError):
            return state.attempt_number - self._n_away >= self._tries
        is_over = now >= self._until
        self._n_away += not is_over
        return is_over and state.attempt_number >= self._tries


def _error_of(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


@dataclass(slots=True)
class Affinity:
    """Of related requests: ``server`` answered the last one, and gets the next while it is ready.

    What it keeps of a prompt is known to no other one.
    """

    server: Server | None = None


class Fleet:
    """Asks the server that has least to do, and another one where that fails."""

    def __init__(self, servers: Sequence[Server], retry_policy: RetryPolicy) -> None:
        self._servers = tuple(servers)
        self._retry_policy = retry_policy
        self._tries = retry_policy.max_retries + len(self._servers)
        self._backoff = tenacity.wait_random_exponential(
            multiplier=retry_policy.first_pause_s, max=retry_policy.longest_pause_s
        )
        half = {
            "multiplier": retry_policy.first_pause_s * LIMIT_FACTOR / 2,
            "max": retry_policy.longest_limit_pause_s / 2,
        }
        self._limit_backoff = tenacity.wait_combine(
            tenacity.wait_exponential(**half), tenacity.wait_random_exponential(**half)
        )
        self._lock = threading.Lock()
        self._is_waiting = False

    def __str__(self) -> str:
        return ", ".join(str(server.address) for server in self._servers)

    def request(
        self,
        path: str,
        body: Mapping[str, Any] | None,
        expected: type[AnswerType],
        affinity: Affinity | None = None,
    ) -> AnswerType:
        """POST ``body`` to ``path`` below the root, or GET it where there is none.

        Every server has its first try beside ``max_retries`` further ones, and more while all that
        fail are away and patience lasts. Raises `RefusedError` for what no further try would
        change, `ModelError` once all tries are spent, and `KeyboardInterrupt` in the place of a
        pause where a stop is asked for.
        """
        retrying = tenacity.Retrying(
            stop=_Patience(self._tries, self._retry_policy.patience_s),
            wait=self._pause_s,
            retry=tenacity.retry_if_exception_type(PassingError),
            before_sleep=self._tell_of_waiting,
            sleep=pause,
        )
        try:
            answer: AnswerType = retrying(self._try, path, body, expected, affinity)
            return answer
        except tenacity.RetryError as error:
            last = error.last_attempt.exception()
            kind = wire.RefusedError if isinstance(last, wire.GarbageError) else ModelError
            advice = _LIMIT_ADVICE if isinstance(last, wire.LimitError) else ""
            tries = error.last_attempt.attempt_number
            raise kind(f"{self._troubles() or last} ({tries} tries){advice}") from None

    def _try(
        self,
        path: str,
        body: Mapping[str, Any] | None,
        expected: type[AnswerType],
        affinity: Affinity | None,
    ) -> AnswerType:
        with self._taken(affinity or Affinity()) as server:
            return server.request(path, body, expected)

    @contextlib.contextmanager
    def _taken(self, affinity: Affinity) -> Iterator[Server]:
        server = affinity.server = self._take(affinity.server)
        try:
            yield server
        except PassingError as error:
            self._failed(server, error)
            raise
        else:
            server.n_failures, server.trouble = 0, ""
            self._is_waiting = False
        finally:
            with self._lock:
                server.n_running -= 1

    def _take(self, preferred: Server | None) -> Server:
        """The least busy server that is ready; where all rest, the one that rests least.

        Of those that are ready the ``preferred`` one comes first, and of equally busy ones that
        which has failed less often, so that all are tried.
        """
        with self._lock:
            now = time.monotonic()
            server = min(
                self._servers,
                key=lambda candidate: (
                    max(now, candidate.rests_until),
                    candidate is not preferred,
                    candidate.n_running,
                    candidate.n_failures,
                ),
            )
            server.n_running += 1
            return server

    def _failed(self, server: Server, error: PassingError) -> None:
        with self._lock:
            server.n_failures += 1
            policy = self._retry_policy
            n_doublings = min(server.n_failures, _MOST_DOUBLINGS)
            own_s = min(policy.first_pause_s * 2**n_doublings, policy.longest_pause_s)
            server.rests_until = time.monotonic() + max(own_s, error.rest_s)
            server.trouble = str(error)

    def _pause_s(self, state: tenacity.RetryCallState) -> float:
        """None where another server is ready, else at least what the server has asked for."""
        now = time.monotonic()
        if any(server.rests_until <= now for server in self._servers):
            return 0.0
        error = _error_of(state)
        requested_s = error.rest_s if isinstance(error, PassingError) else 0.0
        if isinstance(error, wire.LimitError) and not requested_s:
            return self._limit_backoff(state)
        return max(self._backoff(state), requested_s)

    def _tell_of_waiting(self, state: tenacity.RetryCallState) -> None:
        """Log what is waited for, once until a server answers."""
        is_away = isinstance(_error_of(state), AwayError)
        if not is_away or state.attempt_number < self._tries or is_stopping():
            return
        with self._lock:
            is_told, self._is_waiting = self._is_waiting, True
            troubles = self._troubles()
        if troubles and not is_told:
            logger.warning("%s; waiting, %g s at most", troubles, self._retry_policy.patience_s)

    def _troubles(self) -> str:
        return "; ".join(server.trouble for server in self._servers if server.trouble)
