"""Model, embedder and the folder of indexes."""

from __future__ import annotations

import tempfile

from argo_ml.config import DoctorSpec, ModelSpec, shared_fields
from argo_ml.devices.disk import nearest_place
from argo_ml.doctor.check import Check, Status, ok, refused
from argo_ml.doctor.inputs import (
    check_embedder_files,
    check_weights,
    on_hub,
    to_download,
    with_room,
)
from argo_ml.errors import ArgoError, system_reason
from argo_ml.models import load_model
from argo_ml.models.deferred import load_now
from argo_ml.models.precision import with_precision
from argo_ml.models.presets import ModelSource, SourceKind, resolve

_MODEL = "model"
_EMBEDDER = "embedder"


def check_model(spec: DoctorSpec) -> Check:
    """Present, and unless ``quick`` loadable; nothing large is downloaded to find out."""
    try:
        source = resolve(spec.model, spec.cache_path)
        is_of_hub = source.kind is SourceKind.HUB and not spec.quick
        seen = _check_hub(spec, source) if is_of_hub else check_weights(spec)
        is_not_loaded = spec.quick and source.kind is not SourceKind.SERVER
        if seen.status is not Status.OK or is_not_loaded:
            return seen
        model = load_now(load_model(_model_spec(with_precision(spec))))
        return ok(_MODEL, f"{spec.model} loads: {model.identity}")
    except ArgoError as error:
        return refused(_MODEL, error)


def _check_hub(spec: DoctorSpec, source: ModelSource) -> Check:
    """Whether loading would download nothing, as the hub says. Raises `ModelError`."""
    from argo_ml.models.local import hub

    model = hub.find(source.location, source.revision)
    if model.folder is not None:
        hub.check_whole(model.model_id, model.folder)
    elif not all(hub.cached_folder(model.model_id, model.revision, name) for name in model.weights):
        return with_room(to_download(_MODEL, on_hub(spec.model, source.location)), source)
    return ok(_MODEL, f"{spec.model} is present")


def check_embedder(spec: DoctorSpec) -> Check:
    """Present, and unless ``quick`` loadable."""
    seen = check_embedder_files(spec)
    if spec.quick or seen.status is not Status.OK:
        return seen
    try:
        from argo_ml.corpus.embedding import embedder_of

        embedder = embedder_of(spec)
        name, size = spec.embedding_model, embedder.embed_queries(["Does it embed?"]).shape[1]
        return ok(_EMBEDDER, f"{name} loads and embeds into {size} dimensions")
    except ArgoError as error:
        return refused(_EMBEDDER, error)


def _model_spec(spec: DoctorSpec) -> ModelSpec:
    return ModelSpec(**shared_fields(spec, ModelSpec))


def check_index_folder(spec: DoctorSpec) -> Check:
    folder = spec.indexes_path
    try:
        tempfile.TemporaryFile(dir=nearest_place(folder)).close()
    except OSError as error:
        detail = f"{folder} cannot be written ({system_reason(error)})"
        return Check("index folder", Status.ERROR, detail, "choose another cache_dir")
    return ok("index folder", f"{folder} is writable")
