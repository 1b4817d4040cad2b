"""A model of the hub as a local folder at one commit."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub.hf_api import ModelInfo

from argo_ml.errors import ModelError, one_line
from argo_ml.parsing import parse_json

logger = logging.getLogger(__name__)

METADATA_TIMEOUT_S = 10
SMALL_FILES = ("*.json", "*.model", "*.txt", "*.jinja")
WEIGHTS = ("model*.safetensors", "*.safetensors", "pytorch_model*.bin", "*.bin")
"""Kinds of weight files, the preferred one first; files in sub-folders are other formats."""
_WHOLE = ("model.safetensors", "pytorch_model.bin")
_INDEXES = "*.index.json"
_SHARD = re.compile(r"-\d+-of-\d+\.")
OTHER_FORMATS = ("consolidated*", "params*")
"""The same weights and settings once more, as the makers' own software reads them."""


class UnreachableHubError(Exception):
    """The hub cannot be reached, or is not to be asked; the message says why."""


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model that the hub has, or, with a ``folder``, a copy that was downloaded before."""

    model_id: str
    revision: str
    small_files: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    folder: Path | None = None


def find(model_id: str, revision: str = "", endpoint: str | None = None) -> HubModel:
    """Ask the hub for the files of a model.

    Where the hub cannot be reached, a copy downloaded earlier is used; ``HF_HUB_OFFLINE=1`` does
    not ask at all. ``endpoint`` is the hub's address if not the usual one. Raises `ModelError`.
    """
    try:
        info = model_info(model_id, revision, endpoint)
    except UnreachableHubError as error:
        return _downloaded_before(model_id, revision, str(error))
    return _hub_model(model_id, revision, info)


def model_info(
    model_id: str,
    revision: str,
    endpoint: str | None = None,
    parameter: str = "model",
    with_sizes: bool = False,
) -> ModelInfo:
    """What the hub says of a model. Raises `UnreachableHubError`, and `ModelError` that names the
    ``parameter`` for a model that it has not."""
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled

    try:
        with explained(model_id, revision, parameter):
            return HfApi(endpoint=endpoint).model_info(
                model_id,
                revision=revision or None,
                timeout=METADATA_TIMEOUT_S,
                files_metadata=with_sizes,
            )
    except (httpx2.RequestError, OfflineModeIsEnabled) as error:
        raise UnreachableHubError(str(error) or type(error).__name__) from None


def fetch_small_files(model: HubModel, endpoint: str | None = None) -> Path:
    """The folder with the model's configuration and tokenizer. Raises `ModelError`."""
    return _fetch(model, model.small_files, endpoint)


def fetch_weights(model: HubModel, endpoint: str | None = None) -> Path:
    """The folder with everything that loading the model needs, named by its commit.

    Raises `ModelError`.
    """
    folder = _fetch(model, (*model.small_files, *model.weights), endpoint)
    if model.folder is not None:
        check_whole(model.model_id, folder)
    return folder


def cached_folder(model_id: str, revision: str, file: str = "config.json") -> Path | None:
    """The folder of the hub's cache on this machine that has a file of the model."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(model_id, file, revision=revision or None)
    return Path(path).parent if isinstance(path, str) else None


def bytes_to_download(model_id: str, revision: str = "", endpoint: str | None = None) -> int:
    """Bytes of the model's weights that are not in the hub's cache, as the hub says; 0 where it
    does not say. Raises `ModelError` for a model that it has not."""
    try:
        info = model_info(model_id, revision, endpoint, with_sizes=True)
    except UnreachableHubError:
        return 0
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    return sum(
        sizes[name]
        for name in _hub_model(model_id, revision, info).weights
        if cached_folder(model_id, revision, name) is None
    )


def cache_place() -> Path:
    """Where models of the hub are downloaded to."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def has_weights(folder: Path) -> bool:
    """Whether a copy has all weights: a whole file of them, or every file that an index names."""
    if any((folder / name).exists() for name in _WHOLE):
        return True
    indexes = list(folder.glob(_INDEXES))
    if indexes:
        return any(_has_all(index) for index in indexes)
    files = [path.name for kind in WEIGHTS for path in folder.glob(kind) if path.exists()]
    return any(not _SHARD.search(name) and not _is_other_format(name) for name in files)


def _has_all(index: Path) -> bool:
    try:
        names = set(parse_json(index.read_bytes())["weight_map"].values())
        return all((index.parent / name).exists() for name in names)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


def check_whole(model_id: str, folder: Path) -> None:
    """Raises `ModelError` for a copy of an unreachable hub that lacks weights."""
    if not has_weights(folder):
        raise ModelError(
            f"model={model_id}: the hub cannot be reached, and the copy that is here lacks "
            "weights; give a local folder, or fetch it while online"
        )


def _hub_model(model_id: str, revision: str, info: ModelInfo) -> HubModel:
    files = [file.rfilename for file in info.siblings or [] if "/" not in file.rfilename]
    names = [name for name in files if not _is_other_format(name)]
    small = [name for name in names if any(fnmatch(name, kind) for kind in SMALL_FILES)]
    kinds = [[name for name in names if fnmatch(name, kind)] for kind in WEIGHTS]
    weights: list[str] = next((kind for kind in kinds if kind), [])
    if not weights or "config.json" not in small:
        raise ModelError(
            f"model={model_id}: the hub has no config.json with .safetensors or .bin weights "
            "there; use the repository of the original weights"
        )
    return HubModel(model_id, revision, tuple(small), tuple(weights))


def _is_other_format(name: str) -> bool:
    return any(fnmatch(name, kind) for kind in OTHER_FORMATS)


def _fetch(model: HubModel, names: tuple[str, ...], endpoint: str | None) -> Path:
    if model.folder is not None:
        return model.folder
    import httpx2
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        with explained(model.model_id, model.revision):
            folder = snapshot_download(
                model.model_id,
                revision=model.revision or None,
                allow_patterns=list(names),
                endpoint=endpoint,
                etag_timeout=METADATA_TIMEOUT_S,
            )
    except (httpx2.RequestError, LocalEntryNotFoundError) as error:
        raise ModelError(
            f"model={model.model_id}: the download broke off ({one_line(error)}); "
            "run it again to continue"
        ) from None
    return Path(folder)


def _downloaded_before(model_id: str, revision: str, reason: str) -> HubModel:
    folder = cached_folder(model_id, revision)
    if folder is None:
        raise ModelError(
            f"model={model_id}: the hub cannot be reached ({one_line(reason)}) and no copy is "
            "here; give a local folder, or fetch it while online"
        )
    logger.info("model=%s: the hub cannot be reached, using the copy in %s", model_id, folder)
    return HubModel(model_id, revision, folder=folder)


@contextmanager
def explained(model_id: str, revision: str, parameter: str = "model") -> Iterator[None]:
    """Turn the hub's refusals into a `ModelError` that names the ``parameter``."""
    from huggingface_hub import errors

    name = f"{parameter}={model_id}"
    try:
        yield
    except errors.GatedRepoError:
        raise ModelError(
            f"{name}: its owner asks you to accept terms; do so at "
            f"https://huggingface.co/{model_id}, then run hf auth login or set HF_TOKEN"
        ) from None
    except errors.RevisionNotFoundError:
        raise ModelError(
            f"{name}@{revision}: the hub has no such revision; "
            "use a branch, a tag or a commit of that model"
        ) from None
    except errors.RepositoryNotFoundError:
        raise ModelError(
            f"{name}: the hub has no such model, or it is private; check the spelling, "
            "or run hf auth login"
        ) from None
    except errors.HFValidationError:
        raise ModelError(f"{name}: not a hub id; it reads org/name") from None
    except errors.HfHubHTTPError as error:
        raise ModelError(
            f"{name}: the hub refused it ({one_line(error)}); try again later, or "
            "give a local folder"
        ) from None
