"""What a model's files are, known before its weights are read or downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from argo_ml.config import ModelSpec
from argo_ml.errors import ModelError
from argo_ml.models.digests import files_digest, model_files
from argo_ml.models.presets import ModelSource, SourceKind


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """``folder`` has at least the model's configuration and tokenizer.

    ``contents`` changes with any of the files; ``commit`` is the hub's, empty for local files.
    """

    folder: Path
    contents: str
    commit: str = ""


def find_files(spec: ModelSpec, source: ModelSource) -> SourceFiles | None:
    """Files of this machine, or of the commit that the hub has now; None for any other source.

    Raises `ModelError` for what cannot be read or reached.
    """
    if source.kind is SourceKind.HUB:
        from argo_ml.models.local import hub

        model = hub.find(source.location, source.revision)
        folder = hub.fetch_small_files(model)
        return SourceFiles(folder, f"{model.model_id}@{folder.name}", folder.name)
    if source.kind not in (SourceKind.FOLDER, SourceKind.GGUF):
        return None
    folder = Path(source.location)
    contents = contents_digest(spec.model, folder, source.gguf_file, spec.cache_path)
    return SourceFiles(folder, contents)


def contents_digest(model: str, folder: Path, gguf_file: str, cache_path: Path) -> str:
    """Stands for the files of ``model``. Raises `ModelError` where they cannot be read."""
    try:
        paths = [folder / gguf_file] if gguf_file else model_files(folder)
        return f"sha256:{files_digest(paths, cache_path / 'model_digests.json')}"
    except OSError as error:
        raise ModelError(f"model={model}: cannot be read ({error})") from None
