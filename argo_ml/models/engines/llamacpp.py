"""llama.cpp's server out of the wheel `xllamacpp`: can it run here, and how is it started."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_ml.config import ModelSpec
from argo_ml.errors import ConfigError, ModelError
from argo_ml.models.digests import files_digest
from argo_ml.models.engines.gguf_header import read_shape
from argo_ml.models.engines.process import Command, free_port
from argo_ml.models.presets import ModelSource, SourceKind

ENGINE = "engine=llamacpp"
PACKAGE = "xllamacpp"
LONGEST_CONTEXT = 4096
"""Tokens of a prompt and its answer together, where the model takes as many."""
INSTRUCTIONS = ("avx2", "bmi2", "f16c", "fma")
"""Of an x86 processor, which the wheel's CPU build uses without asking."""
_SERVER = Path(__file__).with_name("llamacpp_server.py")
_PROCESSOR = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class PreparedServer:
    """How a server is started, and what tells its model and software from others."""

    command: Command
    identity: str


def prepare(spec: ModelSpec, source: ModelSource, free_bytes: int) -> PreparedServer:
    """Raises `ConfigError` and `ModelError` where the server cannot run or serve the model."""
    path = _gguf_path(spec.model, source)
    version = _check_installed()
    _check_processor()
    shape = read_shape(path)
    settings: dict[str, Any] = {
        "path": str(path),
        "name": path.stem,
        "port": free_port(),
        "threads": n_threads(spec.threads),
        "context": min(shape.context, LONGEST_CONTEXT),
        "bytes_per_token": shape.bytes_per_token,
        "weight_bytes": path.stat().st_size,
        "most_slots": spec.server_concurrency,
        "free_bytes": free_bytes,
        "use_gpus": spec.device != "cpu",
    }
    arguments = [sys.executable, str(_SERVER), json.dumps(settings)]
    command = Command(ENGINE, arguments, settings["port"], environment(spec))
    digest = files_digest([path], spec.cache_path / "model_digests.json")
    return PreparedServer(command, f"llamacpp sha256:{digest} {PACKAGE}={version}")


def n_threads(given: int | None) -> int:
    """As many as were asked for, else one fewer than this process may use: with all of them a
    busy neighbour slows the server down to a tenth."""
    return given or max(1, len(_own_processors()) - 1)


def environment(spec: ModelSpec) -> Mapping[str, str]:
    """The GPUs that were chosen, as CUDA takes them."""
    return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, spec.gpus))} if spec.gpus else {}


def missing_instructions(flags: Iterable[str]) -> list[str]:
    present = set(flags)
    return [name for name in INSTRUCTIONS if name not in present]


def _gguf_path(model: str, source: ModelSource) -> Path:
    if source.kind is not SourceKind.GGUF:
        raise ConfigError(
            f"{ENGINE}: model={model} is no GGUF file; give one, or engine=auto or engine=vllm"
        )
    return Path(source.location) / source.gguf_file


def _check_installed() -> str:
    """The version. Raises `ModelError` where the package is not there."""
    if importlib.util.find_spec(PACKAGE) is None:
        raise ModelError(
            f"{ENGINE}: {PACKAGE} is not installed; pip install 'argo_ml[llamacpp]', or engine=auto"
        )
    return importlib.metadata.version(PACKAGE)


def _check_processor() -> None:
    if platform.machine() not in ("x86_64", "AMD64") or not _PROCESSOR.is_file():
        return
    for line in _PROCESSOR.read_text().splitlines():
        if line.startswith("flags"):
            missing = missing_instructions(line.partition(":")[2].split())
            if missing:
                raise ModelError(
                    f"{ENGINE}: this processor lacks {', '.join(missing)}, which {PACKAGE}'s CPU "
                    f"build needs; pip install --no-binary {PACKAGE} {PACKAGE}, or engine=auto"
                )
            return


def _own_processors() -> Sequence[int]:
    if hasattr(os, "sched_getaffinity"):
        return list(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
