"""Model, embedder and the folder of indexes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from argo_ml.config import EMBEDDED_EMBEDDER, DoctorSpec, ModelSpec, shared_fields
from argo_ml.corpus.embedder_files import find_embedder
from argo_ml.devices.disk import nearest_place
from argo_ml.doctor.check import Check, Status, ok, refused, warning
from argo_ml.doctor.inputs import is_downloaded
from argo_ml.errors import ArgoError, system_reason
from argo_ml.models import load_model
from argo_ml.models.deferred import load_now
from argo_ml.models.presets import ModelSource, SourceKind, resolve

_MODEL = "model"
_EMBEDDER = "embedder"
_FIRST_MODULE = "0_*"
"""Folder of an embedder that the transformer is in, where that is not the embedder's own."""


def check_model(spec: DoctorSpec) -> Check:
    """Present, and unless ``quick`` loadable; nothing large is downloaded to find out."""
    try:
        source = resolve(spec.model, spec.cache_path)
        if source.kind is SourceKind.HUB and not _weights_are_here(source, spec.quick):
            return warning(
                _MODEL,
                f"{spec.model}: {source.location} is on the hub, not on this machine",
                "nothing: the first run downloads it",
            )
        if source.kind is SourceKind.SCRIPTED and not Path(source.location).is_file():
            return Check(_MODEL, Status.ERROR, f"{source.location}: no such file")
        if spec.quick and source.kind is not SourceKind.SERVER:
            return ok(_MODEL, f"{spec.model} is present (not loaded: quick)")
        model = load_now(load_model(_model_spec(spec)))
        return ok(_MODEL, f"{spec.model} loads: {model.identity}")
    except ArgoError as error:
        return refused(_MODEL, error)


def _weights_are_here(source: ModelSource, quick: bool) -> bool:
    """Whether loading would download nothing; the hub is asked what there is unless ``quick``."""
    if quick:
        return is_downloaded(source.location, source.revision)
    from argo_ml.models.local import hub

    model = hub.find(source.location, source.revision)
    if model.folder is not None:
        hub.check_whole(model.model_id, model.folder)
        return True
    return all(hub.cached_folder(model.model_id, model.revision, name) for name in model.weights)


def check_embedder(spec: DoctorSpec) -> Check:
    name = spec.embedding_model
    try:
        if _is_hub_id(name) and not _embedder_is_cached(name):
            return warning(
                _EMBEDDER,
                f"{name} is on the hub, not on this machine",
                "nothing: the first run downloads it",
            )
        if spec.quick:
            where = "present" if _is_hub_id(name) else f"in {find_embedder(name)}"
            return ok(_EMBEDDER, f"{name} is {where} (not loaded: quick)")
        from argo_ml.corpus.embedding import embedder_of

        embedder = embedder_of(spec)
        n_dimensions = embedder.embed_queries(["Does it embed?"]).shape[1]
        return ok(_EMBEDDER, f"{name} loads and embeds into {n_dimensions} dimensions")
    except ArgoError as error:
        return refused(_EMBEDDER, error)


def _is_hub_id(embedding_model: str) -> bool:
    path = Path(embedding_model).expanduser()
    is_path = path.is_absolute() or embedding_model.startswith(".") or path.is_dir()
    return embedding_model.count("/") == 1 and embedding_model != EMBEDDED_EMBEDDER and not is_path


def _embedder_is_cached(embedding_model: str) -> bool:
    from argo_ml.models.local import hub

    model_id, _, revision = embedding_model.partition("@")
    folder = hub.cached_folder(model_id, revision, "modules.json")
    places = () if folder is None else (folder, *folder.glob(_FIRST_MODULE))
    return any(map(hub.has_weights, places))


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
