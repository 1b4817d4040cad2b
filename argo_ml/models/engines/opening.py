"""From a model's name to a model behind a server that this process starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argo_ml.addresses import Address
from argo_ml.config import ModelSpec
from argo_ml.devices import limits
from argo_ml.errors import ConfigError
from argo_ml.models.engines import llamacpp, vllm
from argo_ml.models.engines.process import EngineProcess
from argo_ml.models.presets import resolve
from argo_ml.models.server.fleet import RetryPolicy, Server
from argo_ml.models.server.model import ServerModel
from argo_ml.models.server.opening import describe_server, make_model, policy_of
from argo_ml.models.server.wire import AnswerType


class EngineServer(Server):
    """A server that is started before a request, and again where it has ended."""

    def __init__(self, process: EngineProcess, policy: RetryPolicy) -> None:
        super().__init__(Address.parse(process.url), "", policy)
        self._process = process

    def request(
        self, path: str, body: Mapping[str, Any] | None, expected: type[AnswerType]
    ) -> AnswerType:
        """Raises as `Server` does, and `RefusedError` where the server does not stay alive."""
        self._process.make_ready()
        answer = super().request(path, body, expected)
        self._process.has_answered()
        return answer


def open_engine_model(spec: ModelSpec) -> ServerModel:
    """Start the server that ``spec.engine`` names; it ends with the model or this process.

    Raises `ConfigError` and `ModelError` before any request where it cannot serve the model.
    """
    if spec.quantization != "none":
        raise ConfigError(
            f"quantization={spec.quantization}: engine={spec.engine} runs a model as its file is; "
            "leave quantization out"
        )
    source = resolve(spec.model, spec.cache_path)
    if spec.engine == "vllm":
        prepared = vllm.prepare(spec, source)
    else:
        prepared = llamacpp.prepare(spec, source, limits.available_bytes())
    server = EngineServer(EngineProcess(prepared.command), policy_of(spec))
    description = describe_server(server, prepared.name, spec)
    # What waits for a slot waits within the time that its request may take.
    own = spec.model_copy(update={"server_concurrency": prepared.n_at_once})
    identity = f"{prepared.identity} {description.manner}"
    return make_model(identity, description, [server], own)
