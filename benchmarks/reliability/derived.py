"""Flipped bits and cut ends of what is derived: the files of an index, weights out of a GGUF."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

from argo_ml.config import CacheFields
from argo_ml.corpus.base import Corpus
from argo_ml.corpus.documents import DocumentSet
from argo_ml.corpus.embedded_store import EmbeddedStore
from argo_ml.corpus.opening import index_documents
from argo_ml.corpus.splitting import SplitSettings
from argo_ml.errors import ArgoError
from argo_ml.models.digests import files_digest
from argo_ml.models.embedded_model import fetch_embedded_model
from argo_ml.models.local.converted import converted_files
from argo_ml.models.local.loading import ModelFiles
from argo_ml.testing.embedders import WordEmbedder
from argo_ml.types import Document, Evidence
from benchmarks.reliability.counting import Counts

N_INDEX_CASES = 200
N_WEIGHT_CASES = 40
N_DOCUMENTS = 1100
"""Chroma writes vectors to files of their own from 1,000 passages on."""
QUERIES = [f"document number {number}" for number in range(0, N_DOCUMENTS, 50)]


def index_campaign(folder: Path, n_cases: int = 0, seed: int = 0) -> list[Counts]:
    """Flip one bit, or cut the end, of one of the files of an index that is then opened."""
    pristine = folder / "pristine"
    expected = found_by(open_index(pristine))
    generator = random.Random(seed)
    counts = {name: Counts(name) for name in ("one bit of an index", "an index cut off")}
    for number in range(n_cases or N_INDEX_CASES):
        indexes = folder / f"case-{number}"
        shutil.copytree(pristine, indexes)
        name = [*counts][number % 4 == 3]
        damage_a_file(indexes, generator, cut=name == "an index cut off")
        counts[name].add(*index_outcomes(indexes, expected, counts[name].examples))
        shutil.rmtree(indexes)
    return list(counts.values())


def open_index(indexes: Path) -> Corpus:
    documents = tuple(
        Document(f"d{number}", f"This is document number {number}.", f"Title {number}", "here")
        for number in range(N_DOCUMENTS)
    )
    store, embedder = EmbeddedStore(indexes), WordEmbedder()
    settings = SplitSettings(40, 0)
    return index_documents(DocumentSet(documents), "", settings, embedder, store, indexes)


def found_by(corpus: Corpus) -> list[tuple[Evidence, ...]]:
    return corpus.retriever.retrieve(QUERIES, 5)


def damage_a_file(folder: Path, generator: random.Random, cut: bool) -> Path:
    """A file at random, each as likely as it is long but none never."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    [file] = generator.choices(files, [path.stat().st_size + 10_000 for path in files])
    size = file.stat().st_size
    if cut:
        os.truncate(file, generator.randrange(size))
        return file
    flip(file, generator.randrange(8 * size))
    return file


def flip(file: Path, bit: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(bit // 8)
        byte = opened.read(1)[0]
        opened.seek(bit // 8)
        opened.write(bytes([byte ^ 1 << bit % 8]))


def index_outcomes(
    indexes: Path, expected: Sequence[tuple[Evidence, ...]], examples: list[str]
) -> list[str]:
    try:
        corpus = open_index(indexes)
        named = ["built_anew" if corpus.was_built else "unharmed"]
        if found_by(corpus) != expected:
            named.append("wrong_values")
        return named if not open_index(indexes).was_built else [*named, "unhealed"]
    except ArgoError as error:
        examples.append(str(error))
        return ["refused"]
    except Exception as error:
        examples.append(repr(error))
        return ["raw_exceptions"]


def weights_campaign(folder: Path, n_cases: int = 0, seed: int = 0) -> list[Counts]:
    """Flip one bit of the expanded weights of the embedded model, which then must not be used."""
    cache = CacheFields().cache_path
    gguf = fetch_embedded_model(cache)
    files = ModelFiles("embedded", gguf.parent, gguf.name)
    digest = f"sha256:{files_digest([gguf], cache / 'model_digests.json')}"
    kept = converted_files(files, digest, "float32", cache)
    if kept is files:
        raise SystemExit("run argo-ml answer once, so that the embedded model is expanded")
    expansion = folder / "models" / "converted" / kept.folder.name
    shutil.copytree(kept.folder, folder / "pristine")
    generator, counts = random.Random(seed), Counts("one bit of expanded weights")
    for _ in range(n_cases or N_WEIGHT_CASES):
        shutil.copytree(folder / "pristine", expansion, copy_function=os.link)
        damaged = damage_a_file(expansion, generator, cut=False)
        is_used = converted_files(files, digest, "float32", folder) is not files
        counts.add("wrong_values" if is_used else "expanded anew")
        if expansion.exists():
            shutil.rmtree(expansion)
        _restore(folder / "pristine" / damaged.name, kept.folder / damaged.name)
    return [counts]


def _restore(file: Path, source: Path) -> None:
    file.unlink()
    shutil.copy(source, file)
