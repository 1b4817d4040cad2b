"""A folder of documents, or a FlashRAG corpus, as documents with their section titles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from argo_ml.corpus.flashrag import read_corpus_lines
from argo_ml.corpus.readers import READERS, Section, UnreadableError
from argo_ml.errors import DataError
from argo_ml.types import Document

JSONL = ".jsonl"
WHAT_WORKS = f"give a folder of {' '.join(READERS)} files, or a FlashRAG corpus ({JSONL})"

NOTICES = frozenset({"ATTRIBUTION", "COPYING", "LICENCE", "LICENSE", "NOTICE"})
"""Names, in capitals, of files about the rights in a folder's documents: no documents."""

NO_TEXT = "no text"
"""Why a page that only lists other pages is rejected."""

_RULE_LINE = re.compile(r"^[ \t]*([=\-~*_#^+])\1{3,}[ \t]*\n?", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*\n")
_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class RejectedFile:
    """A file, or a line of one, that could not be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class DocumentSet:
    """Documents that were read; ``n_ignored`` counts files of kinds that are not, and `NOTICES`."""

    documents: tuple[Document, ...]
    rejected: tuple[RejectedFile, ...] = ()
    n_ignored: int = 0


def read_documents(location: str) -> DocumentSet:
    """Documents of a folder, a single file, or a FlashRAG corpus.

    Ids are paths relative to the folder, with the number of the section where there are several,
    so they do not depend on where the folder lies. Hidden files are skipped. Raises `DataError`
    if no text is found.
    """
    path = Path(location).expanduser()
    if path.suffix == JSONL and path.is_file():
        document_set = _read_corpus(path)
    elif path.is_dir():
        document_set = _read_folder(path)
    elif path.suffix.lower() in READERS and path.is_file():
        document_set = _read_files(path.parent, [path])
    else:
        problem = "cannot be read as documents" if path.exists() else "no such folder or file"
        raise DataError(f"documents={location}: {problem}; {WHAT_WORKS}")
    if not document_set.documents:
        raise DataError(f"documents={location}: {_emptiness(document_set)}; {WHAT_WORKS}")
    return document_set


def _read_corpus(path: Path) -> DocumentSet:
    documents, rejected = [], []
    for line in read_corpus_lines(path):
        if isinstance(line, Document):
            documents.append(line)
        else:
            rejected.append(RejectedFile(f"{path.name}:{line.number}", line.reason))
    return DocumentSet(tuple(documents), tuple(rejected))


def _read_folder(folder: Path) -> DocumentSet:
    files = sorted(_visible_files(folder), key=lambda file: file.relative_to(folder).as_posix())
    known = [file for file in files if file.suffix.lower() in READERS and file.stem not in NOTICES]
    read = _read_files(folder, known)
    return DocumentSet(read.documents, read.rejected, len(files) - len(known))


def _visible_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.is_file():
            yield path


def _read_files(folder: Path, files: Sequence[Path]) -> DocumentSet:
    documents: list[Document] = []
    rejected = []
    for file in files:
        name = file.relative_to(folder).as_posix()
        try:
            documents.extend(_file_documents(file, name))
        except UnreadableError as error:
            rejected.append(RejectedFile(name, str(error)))
        except OSError as error:
            rejected.append(RejectedFile(name, error.strerror or str(error)))
    return DocumentSet(tuple(documents), tuple(rejected))


def _file_documents(file: Path, name: str) -> list[Document]:
    """One document per section; raises `UnreadableError` for a file without text."""
    sections = [
        Section(section.titles, text)
        for section in READERS[file.suffix.lower()](file)
        if (text := _clean(section.text))
    ]
    if not sections:
        raise UnreadableError(NO_TEXT)
    several = len(sections) > 1
    return [
        Document(
            id=f"{name}:{number}" if several else name,
            text=section.text,
            title=" > ".join(section.titles) or _title_of(file),
            source=name,
        )
        for number, section in enumerate(sections, 1)
    ]


def _clean(text: str) -> str:
    """The text without ruled lines and runs of blank lines; empty if there is no word in it."""
    text = _BLANK_LINES.sub("\n\n", _RULE_LINE.sub("", text)).strip()
    return text if _WORD.search(text) else ""


def _title_of(file: Path) -> str:
    return file.stem.replace("_", " ").replace("-", " ").strip()


def _emptiness(document_set: DocumentSet) -> str:
    if document_set.rejected:
        first = document_set.rejected[0]
        n_rejected = len(document_set.rejected)
        return f"no usable text ({n_rejected} rejected, the first is {first.name}: {first.reason})"
    if document_set.n_ignored:
        return f"none of its {document_set.n_ignored} files is of a known kind"
    return "empty"
