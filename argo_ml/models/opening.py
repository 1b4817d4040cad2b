"""From a model's source to a `TransformersModel`: find, check, load."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from argo_ml.config import ExperimentSpec
from argo_ml.errors import ModelError
from argo_ml.models import hub, loading
from argo_ml.models.batch_memory import batch_limit
from argo_ml.models.converted import converted_files, keep_converted
from argo_ml.models.digests import files_digest, model_files
from argo_ml.models.loading import Files, Machine
from argo_ml.models.packed_linear import pack_linear_layers
from argo_ml.models.placement import choose_precision
from argo_ml.models.presets import ModelSource, SourceKind
from argo_ml.models.transformers_model import TransformersModel

logger = logging.getLogger(__name__)


def open_transformers_model(spec: ExperimentSpec, source: ModelSource) -> TransformersModel:
    """Find, check and load a model.

    Devices and memory are checked before weights are downloaded or read. Raises `ModelError`.
    """
    machine = Machine.look(spec.device, spec.gpus)
    precision = choose_precision(spec.precision, bool(machine.free_bytes), machine.has_bfloat16)
    if source.kind is SourceKind.HUB:
        return _open_hub(spec, source, machine, precision)
    files = Files(spec.model, Path(source.location), source.gguf_file)
    digest = _digest(files, spec.cache_path)
    if not files.gguf_file:
        return _load(spec, files, digest, machine, precision)
    kept = converted_files(files, digest, precision, spec.cache_path)
    if kept is not files:
        return _load(spec, kept, digest, machine, precision)
    logger.info("expanding %s (once; may take a minute)", files.gguf_file)
    with loading.reading_gguf_once():
        return _load(spec, files, digest, machine, precision)


def _open_hub(
    spec: ExperimentSpec, source: ModelSource, machine: Machine, precision: str
) -> TransformersModel:
    found = hub.find(source.location, source.revision)
    small = Files(spec.model, hub.fetch_small_files(found))
    needed = loading.weight_bytes(small, loading.load_config(small), precision)
    machine.check_fits(spec.model, needed)
    folder = hub.fetch_weights(found)
    contents = f"{found.model_id}@{folder.name}"
    return _load(spec, Files(spec.model, folder), contents, machine, precision)


def _load(
    spec: ExperimentSpec, files: Files, contents: str, machine: Machine, precision: str
) -> TransformersModel:
    config = loading.load_config(files)
    needed = loading.weight_bytes(files, config, precision)
    machine.check_fits(files.name, needed)
    tokenizer = loading.load_tokenizer(files)
    model = loading.load_weights(files, config, precision, machine, needed)
    if files.gguf_file:
        keep_converted(model, tokenizer, contents, precision, spec.cache_path)
    pack_linear_layers(model)
    limit = spec.batch_tokens or _batch_limit(spec, model)
    return TransformersModel(model, tokenizer, contents, precision, limit, spec.prefix_cache_mb)


def _batch_limit(spec: ExperimentSpec, model: Any) -> int:
    """What the memory that the loaded model has left allows, its prefix cache set aside."""
    machine = Machine.look(spec.device, spec.gpus)
    free = machine.batch_bytes - spec.prefix_cache_mb * 2**20
    return batch_limit(model.config, model.dtype.itemsize, free)


def _digest(files: Files, cache_path: Path) -> str:
    memo_path = cache_path / "model_digests.json"
    try:
        paths = [files.folder / files.gguf_file] if files.gguf_file else model_files(files.folder)
        return f"sha256:{files_digest(paths, memo_path)}"
    except OSError as error:
        raise ModelError(f"model={files.name}: cannot be read ({error})") from None
