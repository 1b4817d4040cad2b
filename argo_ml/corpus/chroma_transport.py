"""How requests reach a Chroma server: with a deadline each, and again after what may pass.

Chroma's own client waits for ever and asks once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx
import httpx2
import tenacity
from chromadb.api import ClientAPI

from argo_ml.interruption import pause
from argo_ml.models.server.deadlines import deadline, hold_deadlines
from argo_ml.models.server.fleet import RetryPolicy
from argo_ml.models.server.transfer import whole_body
from argo_ml.models.server.wire import PASSING, GarbageError

PATIENCE = RetryPolicy(timeout_s=60.0, largest_mb=256)
"""As for model servers, with less time for an answer, and more room for vectors."""
_PASSING = PASSING - {409}
"""By 409 Chroma says that a collection is there already."""
_CONNECT_TIMEOUT_S = 10.0


class _PassingStatusError(Exception):
    def __init__(self, response: httpx.Response) -> None:
        super().__init__(f"HTTP {response.status_code}")
        self.response = response


_PASSING_ERRORS = (httpx.TransportError, GarbageError, _PassingStatusError)


class PatientTransport(httpx.BaseTransport):
    """Sends by another transport; ``unreachable`` makes the error for when all tries are spent.

    ``timeout_s`` of the policy is for a whole answer, its last byte included, and ``largest_mb``
    the most that one may take, packed and unpacked.

    Passages are added under their ids, so that a request which was carried out although its answer
    was lost may be made again.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport,
        patience: RetryPolicy,
        unreachable: Callable[[str], Exception],
    ) -> None:
        self.inner = inner
        self._patience = patience
        self._unreachable = unreachable

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        patience = self._patience
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(1 + patience.max_retries),
            wait=tenacity.wait_random_exponential(patience.first_pause_s, patience.longest_pause_s),
            retry=tenacity.retry_if_exception_type(_PASSING_ERRORS),
            sleep=pause,
        )
        try:
            return retrying(self._send, request)
        except tenacity.RetryError as error:
            last = error.last_attempt.exception()
        if isinstance(last, _PassingStatusError):
            return last.response
        reason = str(last) if isinstance(last, GarbageError) else type(last).__name__
        tries = f"{1 + patience.max_retries} tries"
        raise self._unreachable(f"{reason}, {tries}") from None

    def close(self) -> None:
        self.inner.close()

    def _send(self, request: httpx.Request) -> httpx.Response:
        response = send_whole(self.inner, request, self._patience)
        if response.status_code in _PASSING:
            raise _PassingStatusError(response)
        return response


def send_whole(
    transport: httpx.BaseTransport, request: httpx.Request, policy: RetryPolicy
) -> httpx.Response:
    """One try, with its whole body.

    Raises `httpx.TransportError`, also where the deadline has passed, and `GarbageError`.
    """
    connect_s = min(policy.timeout_s, _CONNECT_TIMEOUT_S)
    limit = httpx.Timeout(policy.timeout_s, connect=connect_s)
    request.extensions = {**request.extensions, "timeout": limit.as_dict()}
    request.headers["Accept-Encoding"] = "gzip"
    with deadline(policy.timeout_s):
        answer = transport.handle_request(request)
        try:
            content = _body(answer, policy.largest_mb)
        finally:
            answer.close()
    headers = {"content-type": answer.headers.get("content-type", "")}
    return httpx.Response(answer.status_code, headers=headers, content=content, request=request)


def _body(answer: httpx.Response, largest_mb: int) -> bytes:
    if not isinstance(answer.stream, httpx.SyncByteStream):
        raise TypeError("the transport answers as an asynchronous one")
    try:
        return whole_body(answer.stream, answer.headers.get("content-encoding", ""), largest_mb)
    except httpx2.ReadTimeout as error:
        raise httpx.ReadTimeout(str(error)) from None


def ask(url: str, headers: Mapping[str, str], policy: RetryPolicy) -> httpx.Response:
    """One try of a GET, with a connection of its own; raises as `send_whole` does."""
    with httpx.Client(headers=headers) as client:
        hold_deadlines(client)
        request = client.build_request("GET", url)
        return send_whole(client._transport_for_url(request.url), request, policy)


def make_patient(
    client: ClientAPI, patience: RetryPolicy, unreachable: Callable[[str], Exception]
) -> None:
    """Let all further requests of ``client`` go through a `PatientTransport`.

    Chroma offers no setting for it; clients of one address share their connections.
    """
    session = client._server._session  # type: ignore[attr-defined]

    def patient(transport: httpx.BaseTransport) -> PatientTransport:
        inner = transport.inner if isinstance(transport, PatientTransport) else transport
        return PatientTransport(inner, patience, unreachable)

    hold_deadlines(session)
    session._transport = patient(session._transport)
    session._mounts = {
        pattern: transport and patient(transport) for pattern, transport in session._mounts.items()
    }
