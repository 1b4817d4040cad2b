"""Weights and tokenizer from a folder or a GGUF file, checked before they are loaded."""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import gguf
import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    modeling_gguf_pytorch_utils,
)
from transformers.utils import logging as transformers_logging

from argo_ml.devices import DriverError, driver_indices, limits, open_driver
from argo_ml.devices.choosing import choose_gpus
from argo_ml.devices.cuda import count_gpus
from argo_ml.errors import ModelError, one_line
from argo_ml.models.local.batching import is_out_of_memory
from argo_ml.models.local.conversion_report import conversion_errors_raised
from argo_ml.models.local.skeleton import Skeleton
from argo_ml.models.local.stored_quantization import expands_mxfp4, stored_quantization
from argo_ml.models.placement import plan as placement
from argo_ml.models.placement.batch_memory import fitting_tokens
from argo_ml.models.placement.plan import Demand, Device, PlacementPlan

logger = logging.getLogger(__name__)

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


AMPERE = (8, 0)
"""CUDA's compute capability of the first GPUs with bfloat16."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on disk.

    ``name`` is what the user called it and ``remedy`` what they can do if it is broken.
    """

    name: str
    folder: Path
    gguf_file: str = ""
    remedy: str = "fetch it again or use another model"

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments that make Transformers' ``from_pretrained`` read them."""
        options: dict[str, Any] = {"local_files_only": True}
        if self.gguf_file:
            options["gguf_file"] = self.gguf_file
        return options


@dataclass(frozen=True, slots=True)
class Machine:
    """The GPUs that may be used, whether all of them must be, and whether they have bfloat16.

    No GPUs: the CPU, with what this process may take of its free memory.
    """

    gpus: tuple[Device, ...]
    may_choose: bool
    has_bfloat16: bool
    cpu_free_bytes: int

    @classmethod
    def detect(cls, device: str, gpus: tuple[int, ...]) -> Machine:
        """What this machine has now. Raises `ModelError` for a device or GPU that it lacks."""
        chosen = choose_gpus(device, gpus, count_gpus())
        devices = _devices(chosen)
        free_bytes = min(limits.available_bytes(), limits.room_bytes())
        return cls(devices, not gpus, _have_bfloat16(chosen), free_bytes)

    def plans(self, demand: Demand) -> Iterator[PlacementPlan]:
        """Where the model goes, and where instead when memory runs out there."""
        if not self.gpus:
            cpu = placement.plan_cpu(demand, self.cpu_free_bytes)
            return iter((cpu, cpu))
        return chain(
            [placement.plan_gpus(demand, self.gpus, self.may_choose)],
            placement.fallbacks(demand, self.gpus, self.may_choose),
        )


def _devices(chosen: Sequence[int]) -> tuple[Device, ...]:
    """The chosen GPUs, by the driver where it can: CUDA claims memory on every GPU it reads."""
    from_driver = _devices_from_driver() if len(chosen) > 1 else {}
    return tuple(from_driver.get(index) or _device_from_cuda(index) for index in chosen)


def _have_bfloat16(chosen: Sequence[int]) -> bool:
    """Whether each of these GPUs computes in bfloat16: NVIDIA's from Ampere on, and AMD's."""
    if torch.version.hip is not None:
        return bool(chosen)
    capabilities = [torch.cuda.get_device_capability(index) for index in chosen]
    return bool(capabilities) and min(capabilities) >= AMPERE


def _device_from_cuda(index: int) -> Device:
    free, _ = torch.cuda.mem_get_info(index)
    return Device(index, free, torch.cuda.get_device_name(index))


def _devices_from_driver() -> dict[int, Device]:
    """PyTorch's number -> GPU; empty where the driver does not answer or may count otherwise."""
    if os.environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
        return {}
    with open_driver() as driver:
        try:
            gpus = {gpu.index: gpu for gpu in driver.gpus()} if driver else {}
        except DriverError:
            return {}
    numbers = driver_indices(list(gpus.values()), os.environ.get("CUDA_VISIBLE_DEVICES"))
    known = [(number, gpus[index]) for number, index in numbers.items()]
    return {
        number: Device(number, gpu.free_bytes, gpu.name) for number, gpu in known if gpu.free_bytes
    }


def load_config(files: ModelFiles) -> Any:
    """The configuration alone, without weights. Raises `ModelError`."""
    with _quiet(), _broken_files_named(files):
        return AutoConfig.from_pretrained(files.folder, **files.arguments)


def load_tokenizer(files: ModelFiles) -> Any:
    """Raises `ModelError`."""
    with _quiet(), _broken_files_named(files):
        return AutoTokenizer.from_pretrained(files.folder, **files.arguments)


def make_demand(
    files: ModelFiles,
    config: Any,
    precision: str,
    quantization: str,
    prefix_bytes: int,
    on_gpu: bool,
) -> Demand:
    """What the model needs, from the configuration alone. Raises `ModelError`."""
    stored = "none" if files.gguf_file else stored_quantization(config, on_gpu)
    is_quantised = bool(getattr(config, "quantization_config", None))
    if on_gpu and expands_mxfp4(config):
        _tell_of_expansion(files.name)
    with _quiet(), _broken_files_named(files):
        skeleton = Skeleton(config, precision, quantization if stored == "none" else stored)
        # Said here of a configuration that does not tell the sizes of its layers.
        fitting_tokens(config, placement.ITEM_BYTES[precision], 0, skeleton.n_layers)
    coarser = () if files.gguf_file or is_quantised else placement.COARSER[quantization]
    return Demand(skeleton, config, precision, prefix_bytes, coarser)


@lru_cache
def _tell_of_expansion(name: str) -> None:
    """One line a model, which is planned several times."""
    logger.warning(
        "model=%s: its experts are stored in 4 bit (MXFP4) and are expanded here, which takes four "
        "times the memory; to keep them as they are Transformers needs `pip install kernels`, "
        "Triton 3.4 and GPUs of compute capability 7.5",
        name,
    )


def load_weights(
    files: ModelFiles, config: Any, precision: str, quantization: str, plan: PlacementPlan
) -> Any:
    """The model in ``precision`` where ``plan`` puts it.

    Raises `ModelError`, and torch's `OutOfMemoryError` where the plan was too hopeful.
    """
    options = {} if quantization == "none" else _quantization_options(quantization, precision)
    with _quiet(), _broken_files_named(files), conversion_errors_raised():
        model, report = _models.from_pretrained(
            files.folder,
            config=config,
            dtype=getattr(torch, precision),
            device_map=dict(plan.device_map),
            output_loading_info=True,
            **options,
            **files.arguments,
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(
            f"model={files.name}: its weights lack {len(missing)} tensors, such as {missing[0]}; "
            f"{files.remedy}"
        )
    return model.eval()


def check_quantization(quantization: str, on_gpu: bool) -> None:
    """Raises `ModelError` where bitsandbytes is not installed, or has no GPU to work on."""
    if quantization == "none":
        return
    if find_spec("bitsandbytes") is None:
        raise ModelError(
            f"quantization={quantization}: bitsandbytes is not installed; "
            'pip install "argo_ml[quantization]"'
        )
    if not on_gpu:
        raise ModelError(f"quantization={quantization}: needs a CUDA GPU; leave it out on the CPU")


def check_file_quantization(files: ModelFiles, quantization: str) -> None:
    """Raises `ModelError` for a GGUF file, whose own quantised weights are expanded."""
    if files.gguf_file and quantization != "none":
        raise ModelError(
            f"quantization={quantization}: {files.gguf_file} is a GGUF file, whose weights are "
            "expanded when it is read; leave it out, or use the folder or hub id of the original "
            "weights"
        )


def _quantization_options(quantization: str, precision: str) -> dict[str, Any]:
    """NF4 with double quantisation (Dettmers et al. 2023, QLoRA), or LLM.int8()."""
    config: Any = BitsAndBytesConfig
    if quantization == "8bit":
        return {"quantization_config": config(load_in_8bit=True)}
    four_bit = config(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, precision),
    )
    return {"quantization_config": four_bit}


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
def _broken_files_named(files: ModelFiles) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        if is_out_of_memory(error):
            raise torch.OutOfMemoryError(str(error)) from None
        place = files.folder / files.gguf_file if files.gguf_file else files.folder
        reason = one_line(error) or type(error).__name__
        raise ModelError(
            f"model={files.name}: {place} cannot be loaded ({reason[:300]}); {files.remedy}"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence progress bars and notices; what goes wrong is raised or checked by the caller."""
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
