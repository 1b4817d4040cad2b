"""Weights and tokenizer from a folder or a GGUF file, checked before they are loaded."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import gguf
import psutil
import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    modeling_gguf_pytorch_utils,
)
from transformers.utils import logging as transformers_logging

from argo_ml.errors import ModelError
from argo_ml.models import placement

# Transformers annotates these in part only, and some of it wrongly.
_models: Any = AutoModelForCausalLM
_gguf_utils: Any = modeling_gguf_pytorch_utils
_logging: Any = transformers_logging
_gguf: Any = gguf

_BROKEN = (
    OSError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    ImportError,
    RuntimeError,
    EOFError,
    struct.error,
    SafetensorError,
)
"""What the libraries raise for files that are missing, damaged or of an unknown kind."""


@dataclass(frozen=True, slots=True)
class Files:
    """A model on disk.

    ``name`` is what the user called it and ``remedy`` what they can do if it is broken.
    """

    name: str
    folder: Path
    gguf_file: str = ""
    remedy: str = "fetch it again or use another model"

    @property
    def arguments(self) -> dict[str, Any]:
        """How Transformers' ``from_pretrained`` is told about them."""
        options: dict[str, Any] = {"local_files_only": True}
        if self.gguf_file:
            options["gguf_file"] = self.gguf_file
        return options


@dataclass(frozen=True, slots=True)
class Machine:
    """Free memory of the GPUs to use, by id, and whether they have bfloat16; empty: the CPU."""

    free_bytes: Mapping[int, int]
    has_bfloat16: bool

    @classmethod
    def look(cls, device: str, gpus: tuple[int, ...]) -> Machine:
        """What is there now. Raises `ModelError` for a device or GPU that is not."""
        n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        chosen = placement.choose_gpus(device, gpus, n_gpus)
        free = {gpu: torch.cuda.mem_get_info(gpu)[0] for gpu in chosen}
        return cls(free, bool(free) and torch.cuda.is_bf16_supported(including_emulation=False))

    @property
    def batch_bytes(self) -> int:
        """Free memory for batches: layers that are spread take equal parts of every GPU."""
        if self.free_bytes:
            return len(self.free_bytes) * min(self.free_bytes.values())
        return int(psutil.virtual_memory().available)

    def check_fits(self, name: str, needed_bytes: int) -> None:
        if self.free_bytes:
            where = f"GPU {','.join(map(str, self.free_bytes))}"
            placement.check_fits(name, needed_bytes, sum(self.free_bytes.values()), where)
        else:
            free = psutil.virtual_memory().available
            placement.check_fits(name, needed_bytes, free, "this machine")


def load_config(files: Files) -> Any:
    """The configuration alone, without weights. Raises `ModelError`."""
    with _quiet(), _broken_files_named(files):
        return AutoConfig.from_pretrained(files.folder, **files.arguments)


def load_tokenizer(files: Files) -> Any:
    """Raises `ModelError`."""
    with _quiet(), _broken_files_named(files):
        return AutoTokenizer.from_pretrained(files.folder, **files.arguments)


def weight_bytes(files: Files, config: Any, precision: str) -> int:
    """Memory that the weights will take, from the configuration alone.

    Weights that are stored quantised stay so, except those of GGUF files, which Transformers
    expands: they are counted by the size of their files. Raises `ModelError`.
    """
    if getattr(config, "quantization_config", None) and not files.gguf_file:
        return sum(path.stat().st_size for path in files.folder.glob("*.safetensors"))
    with _quiet(), _broken_files_named(files), torch.device("meta"):
        skeleton = _models.from_config(config, dtype=getattr(torch, precision))
    return int(skeleton.get_memory_footprint())


def load_weights(files: Files, config: Any, precision: str, machine: Machine, needed: int) -> Any:
    """The model in ``precision`` where `placement.place` puts it. Raises `ModelError`."""
    where = placement.place(needed, machine.free_bytes)
    options = {"max_memory": where.max_memory} if where.max_memory else {}
    with _quiet(), _broken_files_named(files):
        try:
            model, report = _models.from_pretrained(
                files.folder,
                config=config,
                dtype=getattr(torch, precision),
                device_map=where.device_map,
                output_loading_info=True,
                **options,
                **files.arguments,
            )
        except torch.OutOfMemoryError:
            raise ModelError(
                f"model={files.name}: GPU memory ran out while loading; "
                "use a smaller model, a lower precision or more GPUs"
            ) from None
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(
            f"model={files.name}: its weights lack {len(missing)} tensors, such as {missing[0]}; "
            f"{files.remedy}"
        )
    return model.eval()


@contextmanager
def reading_gguf_once() -> Iterator[None]:
    """Parse a GGUF file once, where Transformers does for configuration, tokenizer and weights.

    Parsing takes ten seconds for a vocabulary of 50,000.
    """
    original = _gguf.GGUFReader
    _gguf.GGUFReader = lru_cache(maxsize=1)(original)
    try:
        yield
    finally:
        _gguf.GGUFReader = original


@contextmanager
def _broken_files_named(files: Files) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except _BROKEN as error:
        place = files.folder / files.gguf_file if files.gguf_file else files.folder
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(
            f"model={files.name}: {place} cannot be loaded ({reason[:300]}); {files.remedy}"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without progress bars and notices; what goes wrong is raised or checked by the caller."""
    level = _logging.get_verbosity()
    had_bars = _logging.is_progress_bar_enabled()
    bars = _gguf_utils.tqdm
    _logging.set_verbosity_error()
    _logging.disable_progress_bar()
    # GGUF files have a bar of their own, which the library's switch does not reach.
    _gguf_utils.tqdm = partial(bars, disable=True)
    try:
        yield
    finally:
        _gguf_utils.tqdm = bars
        _logging.set_verbosity(level)
        if had_bars:
            _logging.enable_progress_bar()
