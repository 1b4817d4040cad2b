"""How requests reach a Chroma server: with a deadline each, and again after what may pass.

Chroma's own client waits for ever and asks once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx
import tenacity
from chromadb.api import ClientAPI

from argo_ml.models.server.fleet import RetryPolicy
from argo_ml.models.server.wire import PASSING

PATIENCE = RetryPolicy(timeout_s=60.0)
"""As for model servers, with less time for an answer."""
_PASSING = PASSING - {409}
"""By 409 Chroma says that a collection is there already."""
_CONNECT_TIMEOUT_S = 10.0


class _PassingStatusError(Exception):
    def __init__(self, response: httpx.Response) -> None:
        super().__init__(f"HTTP {response.status_code}")
        self.response = response


class PatientTransport(httpx.BaseTransport):
    """Sends by another transport; ``unreachable`` makes the error for when all tries are spent.

    ``timeout_s`` of the policy is for a whole answer, its last byte included.

    Passages are added under their ids, so that a request which was carried out although its answer
    was lost may be made again.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport,
        patience: RetryPolicy,
        unreachable: Callable[[str], Exception],
    ) -> None:
        self._inner = inner
        self._patience = patience
        self._unreachable = unreachable

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        patience = self._patience
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(1 + patience.max_retries),
            wait=tenacity.wait_random_exponential(patience.first_pause_s, patience.longest_pause_s),
            retry=tenacity.retry_if_exception_type((httpx.TransportError, _PassingStatusError)),
        )
        try:
            return retrying(self._send, request)
        except tenacity.RetryError as error:
            last = error.last_attempt.exception()
        if isinstance(last, _PassingStatusError):
            return last.response
        tries = f"{1 + patience.max_retries} tries"
        raise self._unreachable(f"{type(last).__name__}, {tries}") from None

    def close(self) -> None:
        self._inner.close()

    def _send(self, request: httpx.Request) -> httpx.Response:
        ends = time.monotonic() + self._patience.timeout_s
        limit = httpx.Timeout(self._patience.timeout_s, connect=_CONNECT_TIMEOUT_S)
        request.extensions = {**request.extensions, "timeout": limit.as_dict()}
        answer = self._inner.handle_request(request)
        response = httpx.Response(
            answer.status_code, headers=answer.headers, content=_body(answer, ends), request=request
        )
        if response.status_code in _PASSING:
            raise _PassingStatusError(response)
        return response


def _body(answer: httpx.Response, ends: float) -> bytes:
    """The whole body, as it is encoded."""
    parts = []
    try:
        for part in _chunks(answer):
            if time.monotonic() > ends:
                raise httpx.ReadTimeout("the answer is not complete at its deadline")
            parts.append(part)
    finally:
        answer.close()
    return b"".join(parts)


def _chunks(answer: httpx.Response) -> Iterator[bytes]:
    if not isinstance(answer.stream, httpx.SyncByteStream):
        raise TypeError("the transport answers as an asynchronous one")
    yield from answer.stream


def make_patient(
    client: ClientAPI, patience: RetryPolicy, unreachable: Callable[[str], Exception]
) -> None:
    """Let all further requests of ``client`` go through a `PatientTransport`.

    Chroma offers no setting for it; clients of one address share their connections.
    """
    session = client._server._session  # type: ignore[attr-defined]
    transport = session._transport
    if isinstance(transport, PatientTransport):
        transport = transport._inner
    session._transport = PatientTransport(transport, patience, unreachable)
