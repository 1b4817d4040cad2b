"""GGUF models kept as Transformers folders, since expanding a GGUF file takes up to a minute.

The digest of a model is that of its GGUF file, so a folder that stands for it is checked against a
digest of its own before it is loaded: after each change of its files, and once where there is none.
"""

from __future__ import annotations

import copy
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import transformers
from safetensors import SafetensorError
from safetensors.torch import save_model

from argo_ml.locks import ProcessLock
from argo_ml.models.digests import files_digest, model_files
from argo_ml.models.local.loading import ModelFiles

logger = logging.getLogger(__name__)

FREE_BYTES = 10 * 2**30
"""Expanded weights are kept where the disk has so much room left beside them."""


SEAL = "contents.sha256"
"""Digest of all other files of a folder."""


def converted_files(files: ModelFiles, digest: str, precision: str, cache_path: Path) -> ModelFiles:
    """The folder that stands for a GGUF file, or ``files`` themselves where there is none yet.

    One that is not what was written, or that an earlier argo_ml wrote without a digest, is removed.
    """
    folder = _folder(digest, precision, cache_path)
    if not folder.is_dir():
        return files
    problem = _problem(folder, cache_path)
    if problem:
        logger.warning("%s %s; expanded anew from %s", folder, problem, files.gguf_file)
        shutil.rmtree(folder, ignore_errors=True)
        return files
    return ModelFiles(files.name, folder, remedy=f"delete {folder} and try again")


def keep_converted(
    model: Any, tokenizer: Any, digest: str, precision: str, cache_path: Path
) -> None:
    """Write a model that was loaded from a GGUF file as a folder, whole or not at all.

    A disk that refuses is logged: the model itself is loaded and usable.
    """
    folder = _folder(digest, precision, cache_path)
    n_bytes = model.get_memory_footprint()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder.parent).free < n_bytes + FREE_BYTES:
            logger.warning(
                "%s: not kept for faster loading (%.1f GB beside %d GB that stay free)",
                folder,
                n_bytes / 1e9,
                FREE_BYTES // 2**30,
            )
            return
        staging = Path(tempfile.mkdtemp(prefix=".converting-", dir=folder.parent))
        try:
            _write(model, tokenizer, staging)
            (staging / SEAL).write_text(files_digest(model_files(staging)))
            # Fails where another process was first; both folders hold the same.
            if not folder.exists():
                os.rename(staging, folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        logger.warning("%s: not kept for faster loading (%s)", folder, error)


@contextmanager
def expanding_alone(digest: str, precision: str, cache_path: Path) -> Iterator[None]:
    """Hold the lock of one expanded model; workers of this machine that need it wait.

    A folder that cannot be written is no reason not to expand a model for this process alone.
    """
    folder = _folder(digest, precision, cache_path)
    with ExitStack() as stack:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = ProcessLock(folder.parent / f".{folder.name}.lock", f"{folder.name}")
            stack.enter_context(lock)
        except OSError as error:
            logger.warning("%s: cannot be locked (%s)", folder, error)
        yield


def _write(model: Any, tokenizer: Any, folder: Path) -> None:
    config = copy.deepcopy(model.config)
    # It says that the weights are those of a GGUF file, which they are no longer.
    vars(config).pop("quantization_config", None)
    config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    save_model(model, str(folder / "model.safetensors"), {"format": "pt"})


def _problem(folder: Path, cache_path: Path) -> str:
    """What is wrong with a folder, empty if nothing."""
    seal = folder / SEAL
    if not seal.is_file():
        return "has no digest"
    try:
        digest = files_digest(model_files(folder), cache_path / "model_digests.json")
        return "" if seal.read_bytes() == digest.encode() else "is damaged"
    except OSError as error:
        return f"cannot be read ({error})"


def _folder(digest: str, precision: str, cache_path: Path) -> Path:
    version = ".".join(transformers.__version__.split(".")[:2])
    name = f"{digest.removeprefix('sha256:')[:16]}-{precision}-transformers-{version}"
    return cache_path / "models" / "converted" / name
