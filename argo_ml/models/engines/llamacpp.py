"""llama.cpp's server out of the wheel `xllamacpp`: can it run here, and how is it started."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import math
import os
import platform
import re
import string
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_ml.config import ModelSpec
from argo_ml.devices import limits
from argo_ml.devices.cuda import count_visible_gpus
from argo_ml.errors import ConfigError, ModelError
from argo_ml.models.digests import files_digest
from argo_ml.models.engines.base import (
    LONGEST_CONTEXT,
    EngineFiles,
    PreparedServer,
    gpu_environment,
    is_editable,
    longest_context,
)
from argo_ml.models.engines.gguf_header import read_shape
from argo_ml.models.engines.process import Command, free_port, run_briefly
from argo_ml.models.presets import ModelSource, SourceKind
from argo_ml.models.server.opening import REQUESTS

ENGINE = "engine=llamacpp"
PACKAGE = "xllamacpp"
RESERVE_BYTES = 2**30
"""Kept free beside weights and keys and values, for what is computed."""
SHARE_OF_MEMORY = 0.5
"""Of a CPU's free memory: others compute there as well."""
BYTES_PER_THREAD_S = 16e9
"""Prompt tokens/s of a CPU's thread times bytes of weights: SmolLM2-135M in Q4_1, 98 MB, was read
at 320 tokens/s by two of them (AVX2)."""
CONTEXT_STEP = 256
"""llama.cpp rounds the context of a slot up to a multiple of it, within the model's own."""
PROMPT_TOKENS = 1024
"""A long prompt of an episode."""
INSTRUCTIONS = ("avx2", "bmi2", "f16c", "fma")
"""Of an x86 processor, which the wheel's CPU build uses without asking."""
_FIRST_PART = re.compile(r"-00001-of-(\d{5})\.gguf\Z")
"""How gguf-split of llama.cpp names it."""
_SERVER = Path(__file__).with_name("llamacpp_server.py")
_PROCESSOR = Path("/proc/cpuinfo")
_CPU_BUILD = (
    "the xllamacpp that is installed can use no GPU (PyPI has its CPU build); "
    "install its GPU build (https://github.com/xorbitsai/xllamacpp)"
)
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A GGUF file, or the first of a model that is split.

    ``weight_bytes`` are those of all parts, and ``bytes_per_token`` is what keys and values of one
    token take.
    """

    path: Path
    weight_bytes: int
    context: int
    bytes_per_token: int


@dataclass(frozen=True, slots=True)
class ListedGpu:
    """A GPU that the wheel can use, by the wheel's name of it (``CUDA0``)."""

    name: str
    free_bytes: int


def find_files(spec: ModelSpec, source: ModelSource) -> EngineFiles:
    """Raises `ConfigError` and `ModelError` where the server cannot run or serve the model."""
    path = _gguf_path(spec.model, source)
    _check_installed()
    _check_processor()
    file = served_file(path, longest_context(spec))
    digest = files_digest(parts_of(path), spec.cache_path / "model_digests.json")
    return EngineFiles(f"sha256:{digest}", _build(), file.context)


def prepare(
    spec: ModelSpec, source: ModelSource, files: EngineFiles, free_bytes: int
) -> PreparedServer:
    """``free_bytes`` is the free memory of the CPU.

    Raises `ModelError` for GPUs that are not there or that the server cannot use.
    """
    path = _gguf_path(spec.model, source)
    file = served_file(path, longest_context(spec))
    environment = gpu_environment(spec)
    gpus = usable_gpus(spec, environment)
    settings: dict[str, Any] = {
        "path": str(path),
        "name": path.stem,
        "port": free_port(),
        "threads": n_threads(spec.threads),
        "context": file.context,
        "slots": n_slots(spec, file, gpus, free_bytes),
        "use_gpus": bool(gpus),
    }
    arguments = [sys.executable, str(_SERVER), json.dumps(settings)]
    command = Command(ENGINE, arguments, settings["port"], environment)
    version = importlib.metadata.version(PACKAGE)
    identity = f"llamacpp {files.contents} {PACKAGE}={version}{_computed_by(gpus)}"
    return PreparedServer(command, "", identity, settings["slots"])


def usable_gpus(spec: ModelSpec, environment: Mapping[str, str]) -> list[ListedGpu]:
    """The GPUs that the wheel can use in this environment; none for the CPU.

    Raises `ModelError` where GPUs were asked for and it can use none.
    """
    if spec.device == "cpu":
        return []
    printed = run_briefly([sys.executable, str(_SERVER)], ENGINE, environment)
    gpus = [ListedGpu(*listed) for listed in json.loads(printed.splitlines()[-1])]
    if gpus:
        return gpus
    if spec.gpus or spec.device == "cuda":
        wish = f"gpus={','.join(map(str, spec.gpus))}" if spec.gpus else "device=cuda"
        raise ModelError(f"{ENGINE}: {wish}: {_CPU_BUILD}, engine=auto, or device=cpu")
    if n_gpus := count_visible_gpus():
        logger.warning("%s: GPUs here: %d, of which none is used: %s", ENGINE, n_gpus, _CPU_BUILD)
    return []


def n_slots(spec: ModelSpec, file: ServedFile, gpus: Sequence[ListedGpu], free_bytes: int) -> int:
    """How many prompts of the whole context are computed at once; at least one.

    As many as there is memory for, and on a CPU as it reads in time.
    """
    most = spec.server_concurrency or REQUESTS
    if gpus:
        free_bytes = sum(gpu.free_bytes for gpu in gpus)
    else:
        free_bytes = int(free_bytes * SHARE_OF_MEMORY)
        most = min(most, n_read_in_time(file, n_threads(spec.threads), spec.request_timeout_s))
    room = free_bytes - file.weight_bytes - RESERVE_BYTES
    return max(1, min(most, room // max(1, file.context * file.bytes_per_token)))


def n_read_in_time(file: ServedFile, threads: int, timeout_s: float) -> int:
    """Prompts that a CPU reads side by side in half the time that a request may take."""
    tokens_per_s = threads * BYTES_PER_THREAD_S / max(1, file.weight_bytes)
    return int(tokens_per_s * timeout_s / 2 / PROMPT_TOKENS)


def n_threads(given: int | None) -> int:
    """As many as were asked for, else this process's share (OMP_NUM_THREADS, which Ray sets for
    its workers), at most one fewer than it may use: with all of them a busy neighbour slows the
    server down to a tenth."""
    most = max(1, limits.n_cores() - 1)
    share = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return given or min(most, int(share) if share.isdecimal() and int(share) else most)


def _computed_by(gpus: Sequence[ListedGpu]) -> str:
    """Nothing for the CPU, whose calls were always known so."""
    return (
        f" gpus={'+'.join(sorted({gpu.name.rstrip(string.digits) for gpu in gpus}))}"
        if gpus
        else ""
    )


def served_file(path: Path, longest: int = LONGEST_CONTEXT) -> ServedFile:
    """What ``path`` is, served with a context of ``longest`` tokens, rounded up, at most."""
    shape = read_shape(path)
    context = min(shape.context, math.ceil(longest / CONTEXT_STEP) * CONTEXT_STEP)
    weight_bytes = sum(part.stat().st_size for part in parts_of(path))
    return ServedFile(path, weight_bytes, context, shape.bytes_per_token)


def parts_of(path: Path) -> list[Path]:
    """The files of a model that is split, of which llama.cpp is given the first.

    Raises `ModelError` where one of them is not there.
    """
    first = _FIRST_PART.search(path.name)
    if first is None:
        return [path]
    begin, n_parts = path.name[: first.start()], int(first[1])
    names = (f"{begin}-{number:05}-of-{first[1]}.gguf" for number in range(1, n_parts + 1))
    parts = [path.with_name(name) for name in names]
    missing = next((part.name for part in parts if not part.is_file()), None)
    if missing:
        raise ModelError(f"model={path}: is one of {n_parts} files, and {missing} is not there")
    return parts


def missing_instructions(flags: Iterable[str]) -> list[str]:
    present = set(flags)
    return [name for name in INSTRUCTIONS if name not in present]


def _gguf_path(model: str, source: ModelSource) -> Path:
    if source.kind is not SourceKind.GGUF:
        raise ConfigError(
            f"{ENGINE}: model={model} is no GGUF file; give one, or engine=auto or engine=vllm"
        )
    return Path(source.location) / source.gguf_file


def _build() -> list[str]:
    """The wheel by its files, since builds for other processors have the same version; empty where
    they may change."""
    wheel = importlib.metadata.distribution(PACKAGE)
    files = wheel.read_text("RECORD")
    if not files or is_editable(wheel.read_text("direct_url.json") or ""):
        return []
    return [f"{PACKAGE}={wheel.version}", hashlib.sha256(files.encode()).hexdigest()]


def _check_installed() -> None:
    """Raises `ModelError` where the package is not there."""
    if importlib.util.find_spec(PACKAGE) is None:
        raise ModelError(
            f"{ENGINE}: {PACKAGE} is not installed; pip install 'argo_ml[llamacpp]', or engine=auto"
        )


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
