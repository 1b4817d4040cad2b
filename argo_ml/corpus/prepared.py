"""What splitting a corpus came to, kept so that a known corpus is not split again.

It is named by the documents, the settings, the embedder and the code that splits, and found by that
name alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import overload

import argo_ml.corpus
from argo_ml.corpus.splitting import SplitSettings
from argo_ml.models.sealed_json import (
    code_digest,
    content_key,
    installed_version,
    read_sealed,
    write_sealed,
)
from argo_ml.types import Document, Passage


@dataclass(frozen=True, slots=True)
class SplitCorpus:
    """``digest`` is the corpus's, ``unknown_share`` that of tokens unknown to the embedder."""

    digest: str
    n_passages: int
    unknown_share: float


class DeferredPassages(Sequence[Passage]):
    """``n_passages`` passages that ``make`` makes when one of them is needed."""

    def __init__(self, n_passages: int, make: Callable[[], Sequence[Passage]]) -> None:
        self._n_passages = n_passages
        self._make = make

    @cached_property
    def _made(self) -> Sequence[Passage]:
        return self._make()

    def __len__(self) -> int:
        return self._n_passages

    @overload
    def __getitem__(self, place: int) -> Passage: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Passage]: ...

    def __getitem__(self, place: int | slice) -> Passage | Sequence[Passage]:
        return self._made[place]


def split_key(documents: Sequence[Document], settings: SplitSettings, embedder: str) -> str:
    """Stands for all that decides what splitting comes to."""
    digest = hashlib.sha256()
    for document in documents:
        row = [document.id, document.text, document.title, document.source]
        digest.update(json.dumps(row).encode())
    code = code_digest(list(map(Path, argo_ml.corpus.__path__)))
    splitter = installed_version("langchain-text-splitters")
    return content_key([digest.hexdigest(), asdict(settings), embedder, code, splitter])


def kept_split(folder: Path, key: str) -> SplitCorpus | None:
    kept = read_sealed(_path(folder, key))
    return None if kept is None else SplitCorpus(**kept)


def keep_split(folder: Path, key: str, split: SplitCorpus) -> None:
    write_sealed(_path(folder, key), asdict(split))


def _path(folder: Path, key: str) -> Path:
    return folder / "splits" / f"{key}.json"
