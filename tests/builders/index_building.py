"""An index that is built by a process of its own, which tests may kill."""

from __future__ import annotations

import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from argo_ml.corpus.documents import DocumentSet
from argo_ml.corpus.embedded_store import EmbeddedStore
from argo_ml.corpus.opening import index_documents
from argo_ml.corpus.splitting import SplitSettings
from argo_ml.testing.embedders import WordEmbedder
from argo_ml.types import Document
from builders import workers

DOCUMENTS = DocumentSet(tuple(Document(f"d{n}", f"document number {n}") for n in range(1200)))


@dataclass(frozen=True)
class Builder:
    """The process, and what it says: its progress, and at last what has become of the index."""

    process: BaseProcess
    lines: Connection

    def last_line(self) -> str:
        line = ""
        try:
            while True:
                line = self.lines.recv()
        except EOFError:
            return line


def start(folder: Path, pause: float) -> Builder:
    """Builds the index of `DOCUMENTS`; pauses so many seconds after every batch."""
    context = workers.context()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_build, args=(folder, pause, sender))
    process.start()
    sender.close()
    return Builder(process, receiver)


def _build(folder: Path, pause: float, lines: Connection) -> None:
    def report(n_done: int, n_total: int) -> None:
        lines.send(f"progress {n_done}")
        time.sleep(pause)

    split, store = SplitSettings(40, 0), EmbeddedStore(folder)
    corpus = index_documents(DOCUMENTS, "", split, WordEmbedder(), store, folder, report)
    asked = range(0, 1200, 10)
    hits = corpus.retriever.retrieve([f"document number {n}" for n in asked], 1)
    n_right = sum(hit.passage.id == f"d{n}" for n, [hit] in zip(asked, hits, strict=True))
    lines.send(f"{'built' if corpus.was_built else 'found'} {n_right}")
