"""A folder of documents, or a FlashRAG corpus, as documents with their section titles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from argo_ml.corpus.cleaning import plain_line, plain_text
from argo_ml.corpus.flashrag import read_corpus_lines
from argo_ml.corpus.folders import list_folder
from argo_ml.corpus.isolated_reading import DEFAULT_LIMITS, ReadingLimits, read_all
from argo_ml.corpus.readers import READERS, Section, UnreadableError
from argo_ml.corpus.rejected import NO_TEXT, NOTICES, GuessedEncoding, RejectedFile
from argo_ml.errors import DataError
from argo_ml.types import Document

JSONL = ".jsonl"
WHAT_WORKS = f"give a folder of {' '.join(READERS)} files, or a FlashRAG corpus ({JSONL})"

_RULE_LINE = re.compile(
    r"^[ \t]*(?=(([=\-~*_#^+])\2{3,}[ \t]*))\1(?![^\n]*[^\W_])\n?", re.MULTILINE
)
"""A line of one sign, without a letter or digit after it."""
_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*\n")
_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class DocumentSet:
    """Documents that were read; ``ignored`` are files of kinds that are not, and `NOTICES`."""

    documents: tuple[Document, ...]
    rejected: tuple[RejectedFile, ...] = ()
    ignored: tuple[str, ...] = ()
    guessed: tuple[GuessedEncoding, ...] = ()


def read_documents(
    location: str, limits: ReadingLimits = DEFAULT_LIMITS, kept_in: Path | None = None
) -> DocumentSet:
    """Documents of a folder, a single file, or a FlashRAG corpus.

    Ids are paths relative to the folder, with the number of the section where there are several,
    so they do not depend on where the folder lies. Hidden files are skipped, and files that
    go beyond ``limits`` are rejected. A file is parsed once for a folder ``kept_in``. Raises
    `DataError` if no text is found.
    """
    path = Path(location).expanduser()
    if path.suffix == JSONL and path.is_file():
        document_set = _read_corpus(path)
    elif path.is_dir():
        document_set = _read_folder(path, limits, kept_in)
    elif path.suffix.lower() in READERS and path.is_file():
        document_set = _read_files({path.name: path}, limits, kept_in)
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


def _read_folder(folder: Path, limits: ReadingLimits, kept_in: Path | None) -> DocumentSet:
    listing = list_folder(folder)
    known = {
        name: file
        for name, file in listing.files.items()
        if file.suffix.lower() in READERS and file.stem not in NOTICES
    }
    read = _read_files(known, limits, kept_in)
    return DocumentSet(
        read.documents,
        tuple(sorted((*listing.rejected, *read.rejected), key=lambda rejected: rejected.name)),
        tuple(name for name in listing.files if name not in known),
        read.guessed,
    )


def _read_files(
    files: Mapping[str, Path], limits: ReadingLimits, kept_in: Path | None
) -> DocumentSet:
    documents: list[Document] = []
    rejected, guessed = [], []
    readings = read_all(list(files.values()), limits, kept_in)
    for (name, file), reading in zip(files.items(), readings, strict=True):
        try:
            if isinstance(reading, UnreadableError):
                raise reading
            documents.extend(_file_documents(file, name, reading.sections))
        except UnreadableError as error:
            rejected.append(RejectedFile(name, str(error)))
            continue
        if reading.guess:
            guessed.append(GuessedEncoding(name, reading.guess))
    return DocumentSet(tuple(documents), tuple(rejected), (), tuple(guessed))


def _file_documents(file: Path, name: str, sections: list[Section]) -> list[Document]:
    """One document per section; raises `UnreadableError` for a file without text."""
    with_text = [
        Section(tuple(filter(None, map(plain_line, section.titles))), text)
        for section in sections
        if (text := _clean(section.text))
    ]
    if not with_text:
        raise UnreadableError(NO_TEXT)
    several = len(with_text) > 1
    return [
        Document(
            id=f"{name}:{number}" if several else name,
            text=section.text,
            title=" > ".join(section.titles) or _title_of(file),
            source=name,
        )
        for number, section in enumerate(with_text, 1)
    ]


def _clean(text: str) -> str:
    """The text without ruled lines and runs of blank lines; empty if there is no word in it."""
    text = _RULE_LINE.sub("", plain_text(text))
    text = _BLANK_LINES.sub("\n\n", text).strip()
    return text if _WORD.search(text) else ""


def _title_of(file: Path) -> str:
    return plain_line(file.stem.replace("_", " ").replace("-", " "))


def _emptiness(document_set: DocumentSet) -> str:
    if document_set.rejected:
        first = document_set.rejected[0]
        n_rejected = len(document_set.rejected)
        return f"no usable text ({n_rejected} rejected, the first is {first.name}: {first.reason})"
    if document_set.ignored:
        return f"none of its {len(document_set.ignored)} files is of a known kind"
    return "empty"
