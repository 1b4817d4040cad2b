"""vLLM out of an environment that the user names: it pins other versions of torch than this one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from argo_ml.config import ModelSpec
from argo_ml.errors import ConfigError, ModelError
from argo_ml.library_settings import is_own
from argo_ml.models.engines.base import (
    EngineFiles,
    PreparedServer,
    gpu_environment,
    is_editable,
    longest_context,
)
from argo_ml.models.engines.process import Command, free_port
from argo_ml.models.presets import ModelSource, SourceKind
from argo_ml.models.server.opening import VLLM_REQUESTS
from argo_ml.models.source_files import SourceFiles
from argo_ml.models.source_files import find_files as find_source_files

ENGINE = "engine=vllm"
READY_S = 1800.0
"""Weights may have to be downloaded first, and kernels compiled."""
CONTEXT_NAMES = (
    *("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_seq_length"),
    *("max_sequence_length", "model_max_length", "max_target_positions"),
)
"""What `config.json` calls the tokens that a model takes; vLLM goes by the least of them."""
KEY_VARIABLE = "VLLM_API_KEY"
"""With it the server would take no request without that key; it listens on loopback alone."""
OWN_SETTINGS = ("PYTORCH_ALLOC_CONF",)
"""Good for a model in this process; vLLM's tensor parallelism ends in an error with them
(https://github.com/vllm-project/vllm/issues/42609). What the user has set stays."""
PATIENCE_S = 30.0
"""Workers give back their GPUs' memory before they end."""


def find_files(spec: ModelSpec, source: ModelSource) -> EngineFiles:
    """Raises `ConfigError` for a model that it does not take, `ModelError` for one not there."""
    if source.kind is SourceKind.GGUF:
        raise ConfigError(
            f"{ENGINE}: model={spec.model} is a GGUF file, which vLLM does not run well; "
            "use engine=llamacpp, or a folder or hub id"
        )
    packages = _packages(Path(_program(spec.engine_path)))
    known = _source_files(spec, source)
    context = _context(known.folder, longest_context(spec))
    return EngineFiles(known.contents, packages, context)


def prepare(spec: ModelSpec, source: ModelSource, files: EngineFiles) -> PreparedServer:
    """Its identity has the files and the precision, which the server itself does not tell.

    Raises `ModelError` for GPUs that are not there.
    """
    program, environment = _program(spec.engine_path), gpu_environment(spec)
    commit = _source_files(spec, source).commit
    port = free_port()
    arguments = [
        *(program, "serve", source.location),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--served-model-name", source.location),
        *("--max-model-len", str(files.context)),
        "--enable-prefix-caching",
    ]
    if commit:
        arguments += ["--revision", commit]
    if spec.precision != "auto":
        arguments += ["--dtype", spec.precision]
    if len(spec.gpus) > 1:
        arguments += ["--tensor-parallel-size", str(len(spec.gpus))]
    left_out = [name for name in OWN_SETTINGS if is_own(name)] + [KEY_VARIABLE]
    command = Command(ENGINE, arguments, port, environment, left_out, READY_S, PATIENCE_S)
    identity = f"vllm {files.contents} dtype={spec.precision}"
    n_at_once = spec.server_concurrency or VLLM_REQUESTS
    return PreparedServer(command, source.location, identity, n_at_once)


def _source_files(spec: ModelSpec, source: ModelSource) -> SourceFiles:
    files = find_source_files(spec, source)
    assert files is not None
    return files


def _packages(program: Path) -> list[str]:
    """All that is installed beside ``program``, in its environment.

    Empty where vLLM itself is not among it, or is code that may change where it is.
    """
    environment = program.resolve().parent.parent
    folders = sorted(environment.glob("lib/python3*/site-packages/*.dist-info"))
    own = [folder for folder in folders if folder.name.startswith("vllm-")]
    if not own or any(map(_is_editable, own)):
        return []
    return [folder.stem for folder in folders]


def _is_editable(folder: Path) -> bool:
    try:
        return is_editable((folder / "direct_url.json").read_text("utf-8"))
    except FileNotFoundError:
        return False


def _context(folder: Path, longest: int) -> int:
    """The tokens that the model takes, at most ``longest``; vLLM refuses to serve more.

    Raises `ModelError`.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        known = {**config, **(config.get("text_config") or {})}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ModelError(f"{ENGINE}: {folder}/config.json cannot be read ({error})") from None
    sizes = [size for name in CONTEXT_NAMES if isinstance(size := known.get(name), int)]
    return min([*sizes, longest])


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
