"""GGUF models kept as Transformers folders, since expanding a GGUF file takes up to a minute."""

from __future__ import annotations

import copy
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import transformers
from safetensors import SafetensorError
from safetensors.torch import save_model

from argo_ml.models.local.loading import ModelFiles

logger = logging.getLogger(__name__)

LIMIT_BYTES = 2 * 2**30
"""Larger expanded weights are not kept: their disk space costs more than the time they save."""


def converted_files(files: ModelFiles, digest: str, precision: str, cache_path: Path) -> ModelFiles:
    """The folder that stands for a GGUF file, or ``files`` themselves where there is none yet."""
    folder = _folder(digest, precision, cache_path)
    if not folder.is_dir():
        return files
    return ModelFiles(files.name, folder, remedy=f"delete {folder} and try again")


def keep_converted(
    model: Any, tokenizer: Any, digest: str, precision: str, cache_path: Path
) -> None:
    """Write a model that was loaded from a GGUF file as a folder, whole or not at all.

    A disk that refuses is logged: the model itself is loaded and usable.
    """
    folder = _folder(digest, precision, cache_path)
    if model.get_memory_footprint() > LIMIT_BYTES:
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".converting-", dir=folder.parent))
        try:
            _write(model, tokenizer, staging)
            # Fails where another process was first; both folders hold the same.
            if not folder.exists():
                os.rename(staging, folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        logger.warning("%s: not kept for faster loading (%s)", folder, error)


def _write(model: Any, tokenizer: Any, folder: Path) -> None:
    config = copy.deepcopy(model.config)
    # It says that the weights are those of a GGUF file, which they are no longer.
    vars(config).pop("quantization_config", None)
    config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    save_model(model, str(folder / "model.safetensors"), {"format": "pt"})


def _folder(digest: str, precision: str, cache_path: Path) -> Path:
    version = ".".join(transformers.__version__.split(".")[:2])
    name = f"{digest.removeprefix('sha256:')[:16]}-{precision}-transformers-{version}"
    return cache_path / "models" / "converted" / name
