"""vLLM out of an environment that the user names: it pins other versions of torch than this one."""

from __future__ import annotations

import shutil
from pathlib import Path

from argo_ml.config import ModelSpec
from argo_ml.errors import ConfigError, ModelError
from argo_ml.models.engines.llamacpp import LONGEST_CONTEXT, environment
from argo_ml.models.engines.process import Command, free_port
from argo_ml.models.presets import ModelSource, SourceKind

ENGINE = "engine=vllm"
READY_S = 1800.0
"""Weights may have to be downloaded first, and kernels compiled."""
PATIENCE_S = 30.0
"""Workers give back their GPUs' memory before they end."""


def make_command(spec: ModelSpec, source: ModelSource) -> tuple[Command, str]:
    """How the server is started, and the name of its model there.

    Raises `ConfigError` for a model that it does not take, `ModelError` where it is not there.
    """
    if source.kind is SourceKind.GGUF:
        raise ConfigError(
            f"{ENGINE}: model={spec.model} is a GGUF file, which vLLM does not run well; "
            "use engine=llamacpp, or a folder or hub id"
        )
    port = free_port()
    arguments = [
        *(_program(spec.engine_path), "serve", source.location),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--served-model-name", source.location),
        *("--max-model-len", str(LONGEST_CONTEXT)),
        "--enable-prefix-caching",
    ]
    if source.revision:
        arguments += ["--revision", source.revision]
    if spec.precision != "auto":
        arguments += ["--dtype", spec.precision]
    if len(spec.gpus) > 1:
        arguments += ["--tensor-parallel-size", str(len(spec.gpus))]
    command = Command(ENGINE, arguments, port, environment(spec), READY_S, PATIENCE_S)
    return command, source.location


def _program(given: str) -> str:
    """The program ``vllm``, by itself, in an environment's folder or on PATH."""
    if not given:
        program = shutil.which("vllm")
        if program is None:
            raise ModelError(
                f"{ENGINE}: there is no vllm on PATH; install it into an environment of its own "
                "(python3 -m venv ~/vllm && ~/vllm/bin/pip install vllm) and name that as "
                "engine_path=~/vllm"
            )
        return program
    path = Path(given).expanduser()
    for candidate in (path, path / "bin" / "vllm"):
        if candidate.is_file():
            return str(candidate)
    raise ModelError(f"{ENGINE}: engine_path={given}: has no program vllm; name its environment")
