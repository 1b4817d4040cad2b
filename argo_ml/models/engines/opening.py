"""From a model's name to a model in a server that this process starts when a call is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from argo_ml.addresses import Address
from argo_ml.config import ModelSpec
from argo_ml.devices import limits
from argo_ml.errors import ConfigError
from argo_ml.models.deferred import Deferred, memory_place, now_or_later
from argo_ml.models.engines import llamacpp, vllm
from argo_ml.models.engines.base import EngineFiles
from argo_ml.models.engines.process import EngineProcess
from argo_ml.models.presets import ModelSource, resolve
from argo_ml.models.server.contexts import check_context, check_room
from argo_ml.models.server.fleet import RetryPolicy, Server
from argo_ml.models.server.model import ServerModel
from argo_ml.models.server.opening import (
    describe_server,
    make_model,
    policy_of,
    warn_of_numbers,
)
from argo_ml.models.server.wire import AnswerType

OTHER_MODEL = "take another model"
"""What helps where a model itself takes no more."""


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


@dataclass(frozen=True, slots=True)
class StartedBefore:
    """What a server turned out to be when it was started."""

    identity: str
    can_score: bool
    thinks: bool


class DeferredServer(Deferred[ServerModel]):
    """A model behind a server that ``load`` starts at the first call."""

    def __init__(
        self, before: StartedBefore, context: int, load: Callable[[], ServerModel]
    ) -> None:
        super().__init__(before.identity, load)
        self.can_score = before.can_score
        self.context = context


def open_engine_model(spec: ModelSpec) -> ServerModel | Deferred[ServerModel]:
    """The model in a server that ``spec.engine`` names, which ends with the model or this process.

    It is started now unless it was started before with the same files, software and options.
    Raises `ConfigError` and `ModelError` before any request where it cannot serve the model.
    """
    if spec.quantization != "none":
        raise ConfigError(
            f"quantization={spec.quantization}: engine={spec.engine} runs a model as its file is; "
            "leave quantization out"
        )
    source = resolve(spec.model, spec.cache_path)
    files = (vllm if spec.engine == "vllm" else llamacpp).find_files(spec, source)
    check_context(_named(spec), files.context, spec, OTHER_MODEL)
    place = memory_place(spec, files.contents, files.versions) if files.versions else None
    start = partial(_start, spec, source, files)
    return now_or_later(place, start, _describe, partial(_later, spec, files))


def _describe(model: ServerModel) -> Mapping[str, Any]:
    return asdict(StartedBefore(model.identity, model.can_score, model.thinks))


def _later(
    spec: ModelSpec, files: EngineFiles, known: Any, start: Callable[[], ServerModel]
) -> DeferredServer:
    before = StartedBefore(**known)
    if before.thinks:
        check_room(_named(spec), files.context, spec, OTHER_MODEL)
    warn_of_numbers(f"engine={spec.engine}", before.can_score, spec)
    return DeferredServer(before, files.context, start)


def _named(spec: ModelSpec) -> str:
    return f"engine={spec.engine}: model={spec.model}"


def _start(spec: ModelSpec, source: ModelSource, files: EngineFiles) -> ServerModel:
    if spec.engine == "vllm":
        prepared = vllm.prepare(spec, source, files)
    else:
        prepared = llamacpp.prepare(spec, source, files, limits.available_bytes())
    server = EngineServer(EngineProcess(prepared.command), policy_of(spec))
    description = describe_server(server, prepared.name, spec, _named(spec), OTHER_MODEL)
    identity = f"{prepared.identity} {description.manner}"
    # What waits for a slot waits within the time that its request may take.
    return make_model(identity, description, [server], spec, prepared.n_at_once)
