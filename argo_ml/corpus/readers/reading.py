"""A document file of any known kind, read in this process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from argo_ml.corpus.readers.base import ReadFile, Reading, UnreadableError
from argo_ml.corpus.readers.html import read_html
from argo_ml.corpus.readers.markdown import read_markdown
from argo_ml.corpus.readers.office import read_docx, read_pdf
from argo_ml.corpus.readers.plain import read_plain
from argo_ml.corpus.readers.rst import read_rst
from argo_ml.errors import one_line, system_reason

READERS: Mapping[str, ReadFile] = MappingProxyType(
    {
        ".docx": read_docx,
        ".htm": read_html,
        ".html": read_html,
        ".md": read_markdown,
        ".pdf": read_pdf,
        ".rst": read_rst,
        ".txt": read_plain,
    }
)

MIB = 1024 * 1024
LARGEST_FILE_MB = 256
LARGEST_TEXT = 64 * 1024 * 1024
"""Characters of all sections of a file together."""

_SHOWN = 200


def read_file(file: Path) -> Reading:
    """Raises `UnreadableError`, whatever a parser stumbles over: one file ends no corpus.

    Lack of memory alone is raised as it is, since what comes after it needs a fresh process.
    """
    try:
        _check_size(file)
        reading = READERS[file.suffix.lower()](file)
    except (UnreadableError, MemoryError):
        raise
    except OSError as error:
        raise UnreadableError(system_reason(error)) from None
    except RecursionError:
        raise UnreadableError("nested too deeply") from None
    except Exception as error:
        detail = f"{type(error).__name__}: {one_line(error)}"
        raise UnreadableError(f"its parser failed ({detail[:_SHOWN]})") from None
    _check_text(reading)
    return reading


def _check_size(file: Path) -> None:
    size_mb = file.stat().st_size / MIB
    if size_mb > LARGEST_FILE_MB:
        raise UnreadableError(f"{size_mb:.0f} MB, of {LARGEST_FILE_MB} MB at most; split it")


def _check_text(reading: Reading) -> None:
    n_characters = sum(
        len(section.text) + sum(map(len, section.titles)) for section in reading.sections
    )
    if n_characters > LARGEST_TEXT:
        raise UnreadableError(
            f"{n_characters / 1e6:.0f} million characters of text, of {LARGEST_TEXT / 1e6:.0f} "
            "million at most; split it"
        )
