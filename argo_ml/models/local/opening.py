"""From a model's source to a `TransformersModel`: find, check, load."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from argo_ml.config import ModelSpec
from argo_ml.devices import limits
from argo_ml.errors import ModelError
from argo_ml.models.chat import ChatFormat
from argo_ml.models.local import hub, loading
from argo_ml.models.local.converted import converted_files, expanding_alone, keep_converted
from argo_ml.models.local.float32_head import use_float32_head
from argo_ml.models.local.loading import Machine, ModelFiles
from argo_ml.models.local.packed_linear import pack_linear_layers
from argo_ml.models.local.planning import does_not_fit, nearest
from argo_ml.models.local.recovery import RecoveringModel
from argo_ml.models.local.spread import share_copies
from argo_ml.models.local.transformers_model import TransformersModel, context_tokens
from argo_ml.models.placement.batch_memory import fitting_cpu_tokens
from argo_ml.models.placement.plan import Demand, PlacementPlan, choose_precision
from argo_ml.models.presets import ModelSource, SourceKind
from argo_ml.models.reasoning import check_thinking_room
from argo_ml.models.source_files import contents_digest

logger = logging.getLogger(__name__)


def open_transformers_model(spec: ModelSpec, source: ModelSource) -> RecoveringModel:
    """Find, check and load a model.

    Devices and memory are checked before weights are downloaded or read. Raises `ModelError`.
    """
    machine = Machine.detect(spec.device, spec.gpus)
    precision = choose_precision(spec.precision, bool(machine.gpus), machine.has_bfloat16)
    if source.gguf_file:
        own = ModelFiles(spec.model, Path(source.location), source.gguf_file)
        loading.check_file_quantization(own, spec.quantization)
    loading.check_quantization(spec.quantization, bool(machine.gpus))
    loader = _Loader(spec, machine, precision)
    if source.kind is SourceKind.HUB:
        return _open_hub(loader, source)
    files = ModelFiles(spec.model, Path(source.location), source.gguf_file)
    digest = contents_digest(files.name, files.folder, files.gguf_file, spec.cache_path)
    if not files.gguf_file:
        return loader.open(files, digest)
    kept = converted_files(files, digest, precision, spec.cache_path)
    if kept is not files:
        return loader.open(kept, digest)
    with expanding_alone(digest, precision, spec.cache_path):
        # Another process may have been expanding it until now.
        kept = converted_files(files, digest, precision, spec.cache_path)
        if kept is files:
            logger.info("expanding %s (once; may take a minute)", files.gguf_file)
            with loading.reading_gguf_once():
                return loader.open(files, digest)
    return loader.open(kept, digest)


def _open_hub(loader: _Loader, source: ModelSource) -> RecoveringModel:
    model = hub.find(source.location, source.revision)
    loader.plans(ModelFiles(loader.spec.model, hub.fetch_small_files(model)))
    folder = hub.fetch_weights(model)
    return loader.open(ModelFiles(loader.spec.model, folder), f"{model.model_id}@{folder.name}")


@dataclass(frozen=True, slots=True)
class _Loader:
    """From files to a model, on one machine in one precision."""

    spec: ModelSpec
    machine: Machine
    precision: str

    def plans(self, files: ModelFiles) -> Iterator[PlacementPlan]:
        """Raises `ModelError`, with what would fit, where the model does not."""
        demand = self._demand(files)
        plans = self.machine.plans(demand)
        first = next(plans)
        if not first.fits:
            raise ModelError(does_not_fit(self.spec.model, demand, first, self.machine))
        # The others are planned when memory has run out.
        return chain([first], plans)

    def _demand(self, files: ModelFiles) -> Demand:
        return loading.make_demand(
            files,
            loading.load_config(files),
            self.precision,
            self.spec.quantization,
            self.spec.prefix_cache_mb * 2**20,
            bool(self.machine.gpus),
        )

    def open(self, files: ModelFiles, contents: str) -> RecoveringModel:
        def load(plan: PlacementPlan, on_event: Callable[[str], None]) -> TransformersModel:
            return self._load(files, contents, plan, on_event)

        def advice() -> str:
            # Others may have taken since what was free when the model was opened.
            now = Machine.detect(self.spec.device, self.spec.gpus)
            return nearest(self._demand(files), now)

        return RecoveringModel(files.name, load, self.plans(files), advice)

    def _load(
        self, files: ModelFiles, contents: str, plan: PlacementPlan, on_event: Callable[[str], None]
    ) -> TransformersModel:
        spec, quantization = self.spec, self.spec.quantization
        own_bytes = limits.own_bytes()
        config = loading.load_config(files)
        tokenizer = loading.load_tokenizer(files)
        if ChatFormat(tokenizer).may_think:
            check_thinking_room(spec, context_tokens(config))
        model = loading.load_weights(files, config, self.precision, quantization, plan)
        if files.gguf_file:
            keep_converted(model, tokenizer, contents, self.precision, spec.cache_path)
        # What a lower precision rounded to equal logits before is another model.
        logits = " logits=float32" if use_float32_head(model) else ""
        pack_linear_layers(model)
        share_copies(model)
        stored = "" if quantization == "none" else f"/{quantization}"
        numbers = f"{self.precision}{stored}{logits}"
        # In half precision answers may depend on the batch, which no other process is to decide.
        follows_memory = not (plan.uses or spec.batch_tokens) and self.precision == "float32"
        fitting = partial(fitting_now, plan, own_bytes) if follows_memory else None
        return TransformersModel(
            model,
            tokenizer,
            contents,
            numbers,
            spec.batch_tokens or plan.batch_tokens,
            plan.prefix_bytes,
            on_event,
            spec.engine,
            fitting,
            spec.thinking_tokens,
        )


def fitting_now(plan: PlacementPlan, own_bytes: int) -> int:
    """The largest batch that this machine's memory has room for now.

    What this process has taken since it had ``own_bytes``, before it loaded the model, is there for
    batches: it keeps the memory of one and uses it for the next.
    """
    taken = limits.own_bytes() - own_bytes - plan.weight_bytes
    free_bytes = min(limits.available_bytes() + taken, limits.room_bytes() - plan.weight_bytes)
    return fitting_cpu_tokens(plan.token_bytes, free_bytes - plan.prefix_bytes)
