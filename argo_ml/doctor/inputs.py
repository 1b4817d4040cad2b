"""What a sweep reads: questions, documents, and models that are here or can be fetched.

Nothing of this imports PyTorch, Chroma (but for other retrievers than the default) or MLflow, so
that it takes seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from argo_ml.config import EMBEDDED_EMBEDDER, DoctorSpec
from argo_ml.config.source_fields import DENSE
from argo_ml.corpus.embedder_files import find_embedder
from argo_ml.corpus.query_length import REMEDY, long_questions
from argo_ml.datasets import QuestionSet, load_questions, own_documents
from argo_ml.devices import Gpu, disk, open_driver
from argo_ml.devices.base import GB
from argo_ml.devices.choosing import choose_gpus
from argo_ml.devices.visible import VISIBLE, visible_indices
from argo_ml.doctor.check import Check, Status, attempted, ok, refused, warning
from argo_ml.doctor.disk_space import check_disk
from argo_ml.doctor.gpus import list_gpus
from argo_ml.errors import ArgoError, ModelError
from argo_ml.models.presets import ModelSource, SourceKind, resolve

HUB_VARIABLE = "HF_ENDPOINT"
HUB = "https://huggingface.co"
OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
HUB_TIMEOUT_S = 2.0
OTHER_MODELS = (
    "give the folder of its weights as model=FOLDER, a server as model=server:NAME with "
    "server_urls=URL, or the embedded model as model=smollm2-135m"
)
OTHER_EMBEDDERS = (
    "give the folder of its weights as embedding_model=FOLDER, or the embedded one as "
    f"embedding_model={EMBEDDED_EMBEDDER}"
)
NO_GPUS = "give gpus=auto for what there is, or a server as model=server:NAME with server_urls=URL"
EMBEDDED_DATA = "or take the embedded questions and documents: dataset=atlas"
_FIRST_MODULE = "0_*"
"""Folder of an embedder that the transformer is in, where that is not the embedder's own."""


def input_checks(spec: DoctorSpec) -> Iterator[Check]:
    """What is missing most often, all of it; none raises for what it looks at."""
    yield attempted("questions", check_questions, spec)
    yield attempted("documents", check_documents, spec)
    yield attempted("embedder", check_embedder_files, spec)
    yield attempted("model", check_weights, spec)
    with open_driver() as driver:
        yield check_wanted_gpus(spec, list_gpus(driver))
    yield attempted("disk", check_disk, spec)


def check_questions(spec: DoctorSpec) -> Check:
    try:
        questions = load_questions(spec)
    except ArgoError as error:
        check = refused("questions", error)
        return check if spec.dataset == "atlas" else _with_atlas(check, spec)
    detail = f"{len(questions.questions)} of {questions.source or spec.dataset}"
    concern = _unread_ends(spec, questions)
    if concern:
        return warning("questions", f"{detail}; {concern}", REMEDY)
    return ok("questions", detail)


def _unread_ends(spec: DoctorSpec, questions: QuestionSet) -> str:
    """What is said of questions that the embedding model reads in part; nothing of a model that is
    not here, of which its own check says so."""
    try:
        folder = _embedder_folder(spec.embedding_model)
    except ArgoError:
        return ""
    return long_questions(spec, folder, questions.questions) if folder else ""


def _embedder_folder(embedding_model: str) -> Path | None:
    """Where it is on this machine. Raises `ModelError`."""
    if _is_hub_id(embedding_model):
        return _cached_embedder(embedding_model)
    return find_embedder(embedding_model)


def check_documents(spec: DoctorSpec) -> Check:
    """Whether they are there, and what finds and orders them; they are not read."""
    try:
        if spec.retriever != DENSE or spec.reranker:
            # Importing Chroma takes seconds.
            from argo_ml.corpus.ranking import check_ranking

            check_ranking(spec)
        if not spec.searches_documents:
            return ok("documents", spec.given_documents)
        place = spec.documents or own_documents(spec.dataset, spec).source
    except ArgoError as error:
        return _with_atlas(refused("documents", error), spec)
    path = Path(place).expanduser()
    if spec.documents and not path.exists():
        detail = f"documents={place}: no such folder or file"
        return _with_atlas(Check("documents", Status.ERROR, detail), spec)
    if path.is_dir() and not any(file.is_file() for file in path.rglob("*")):
        detail = f"documents={place}: no file in it"
        return _with_atlas(Check("documents", Status.ERROR, detail), spec)
    return ok("documents", place)


def _with_atlas(check: Check, spec: DoctorSpec) -> Check:
    if spec.dataset == "atlas" and not spec.documents:
        return check
    fix = ", ".join(part for part in (check.fix, EMBEDDED_DATA) if part)
    return Check(check.name, check.status, check.detail, fix)


def check_weights(spec: DoctorSpec) -> Check:
    """Whether the model is here, or could be downloaded now; it is not loaded."""
    try:
        source = resolve(spec.model, spec.cache_path)
    except ArgoError as error:
        return refused("model", error)
    if source.kind is SourceKind.SCRIPTED and not Path(source.location).is_file():
        return Check("model", Status.ERROR, f"{source.location}: no such file")
    if source.kind is not SourceKind.HUB or is_downloaded(source.location, source.revision):
        return ok("model", f"{spec.model} (not loaded)")
    check = check_download("model", on_hub(spec.model, source.location), OTHER_MODELS)
    return check if check.status is Status.ERROR else with_room(check, source)


def check_embedder_files(spec: DoctorSpec) -> Check:
    """Whether the embedding model is here, or could be downloaded now; it is not loaded."""
    name = spec.embedding_model
    try:
        if not _is_hub_id(name):
            return ok("embedder", f"{name} is in {find_embedder(name)} (not loaded)")
    except ArgoError as error:
        return refused("embedder", error)
    if _embedder_is_cached(name):
        return ok("embedder", f"{name} (not loaded)")
    return check_download("embedder", on_hub(name, name), OTHER_EMBEDDERS)


def _is_hub_id(embedding_model: str) -> bool:
    path = Path(embedding_model).expanduser()
    is_path = path.is_absolute() or embedding_model.startswith(".") or path.is_dir()
    return embedding_model.count("/") == 1 and embedding_model != EMBEDDED_EMBEDDER and not is_path


def _cached_embedder(embedding_model: str) -> Path | None:
    from argo_ml.models.local import hub

    model_id, _, revision = embedding_model.partition("@")
    return hub.cached_folder(model_id, revision, "modules.json")


def _embedder_is_cached(embedding_model: str) -> bool:
    from argo_ml.models.local import hub

    folder = _cached_embedder(embedding_model)
    places = () if folder is None else (folder, *folder.glob(_FIRST_MODULE))
    return any(map(hub.has_weights, places))


def on_hub(name: str, location: str) -> str:
    """What is said of a model that is not on this machine."""
    known = name if name == location else f"{name}: {location}"
    return f"{known} is on the hub, not on this machine"


def check_download(part: str, detail: str, others: str) -> Check:
    """What is not here is an error where the hub does not answer, which ``others`` do without."""
    if hub_answers():
        return to_download(part, detail)
    return Check(part, Status.ERROR, f"{detail}, and {_hub()} does not answer", others)


def to_download(part: str, detail: str) -> Check:
    return warning(part, detail, "nothing: the first run downloads it")


def with_room(check: Check, source: ModelSource) -> Check:
    """The check of a model to download with its size, or an error where it does not fit into what
    is free where the hub keeps models."""
    from argo_ml.models.local import hub

    try:
        needed = hub.bytes_to_download(source.location, source.revision)
    except ModelError:
        return check
    if not needed:
        return check
    place = hub.cache_place()
    free = disk.free_bytes(place)
    detail = f"{check.detail}: {needed / GB:.1f} GB go to {place}"
    if needed <= free:
        return Check(check.name, check.status, detail, check.fix)
    detail = f"{detail}, which has {free / GB:.1f} GB free"
    return Check(check.name, Status.ERROR, detail, "free some space there, or set HF_HOME")


def is_downloaded(model_id: str, revision: str) -> bool:
    """Whether the hub's cache on this machine has the model with all its weights."""
    from argo_ml.models.local import hub

    folder = hub.cached_folder(model_id, revision)
    return folder is not None and hub.has_weights(folder)


def hub_answers() -> bool:
    """Whether the model hub could be asked for a model now."""
    import requests

    if any(os.environ.get(name, "0") not in ("", "0") for name in OFFLINE_VARIABLES):
        return False
    try:
        requests.head(_hub(), timeout=HUB_TIMEOUT_S)
    except requests.RequestException:
        return False
    return True


def _hub() -> str:
    given = os.environ.get(HUB_VARIABLE, "")
    return given if urlsplit(given).scheme else HUB


def check_wanted_gpus(spec: DoctorSpec, gpus: tuple[Gpu, ...]) -> Check:
    """Whether the GPUs that are asked for are there and may be seen, by the driver alone."""
    visible = visible_indices(gpus, os.environ.get(VISIBLE))
    try:
        chosen = choose_gpus(spec.device, spec.gpus, len(visible))
    except ModelError as error:
        return Check("GPUs", Status.ERROR, str(error).removesuffix("; use device=cpu"), NO_GPUS)
    names: dict[int | None, str] = {gpu.index: gpu.name for gpu in gpus}
    names[None] = "a part of a GPU"
    return ok("GPUs", ", ".join(names[visible[number]] for number in chosen) or "none in use")
