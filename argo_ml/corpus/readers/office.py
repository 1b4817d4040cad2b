"""PDF files, by way of MarkItDown, and Word files, by way of mammoth."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from argo_ml.corpus.readers.base import Reading, Section, UnreadableError
from argo_ml.corpus.readers.html import html_sections

_HYPHENATED = re.compile(r"([^\W\d_])-\n([^\W\d_])")
_PARSERS = ("pdfminer", "pdfplumber", "mammoth")


def read_pdf(path: Path) -> Reading:
    """A PDF as one section, since its text does not show its headings."""
    text = _pdf_text(path)
    return Reading([Section((), _HYPHENATED.sub(r"\1\2", text).replace("\f", "\n\n"))])


def read_docx(path: Path) -> Reading:
    """Sections of a Word file by its headings, with formulas as LaTeX and without pictures."""
    import mammoth  # type: ignore[import-untyped]
    from markitdown.converter_utils.docx.pre_process import pre_process_docx

    with path.open("rb") as file, _silenced():
        try:
            prepared = pre_process_docx(file)
            markup = mammoth.convert_to_html(prepared, convert_image=_nothing).value
        except MemoryError:
            raise
        # Parsers of what other programs wrote raise whatever they stumble over.
        except Exception as error:
            raise UnreadableError(_reason(path, type(error), error)) from None
    return Reading(html_sections(markup))


def _nothing(image: Any) -> list[Any]:
    return []


def _pdf_text(path: Path) -> str:
    """Importing MarkItDown takes a second or two: only where it is needed."""
    from markitdown import FileConversionException, MarkItDown, UnsupportedFormatException
    from markitdown.converters import PdfConverter

    # With all converters, a damaged PDF would be taken for plain text.
    converter = MarkItDown(enable_builtins=False, enable_plugins=False)
    converter.register_converter(PdfConverter())
    try:
        with _silenced():
            return str(converter.convert_local(path).markdown)
    except (FileConversionException, UnsupportedFormatException) as error:
        attempts = getattr(error, "attempts", None) or []
        causes = [attempt.exc_info for attempt in attempts if attempt.exc_info]
        kind, cause = causes[-1][:2] if causes else (None, None)
        if isinstance(cause, MemoryError):
            raise cause from None
        raise UnreadableError(_reason(path, kind, cause)) from None


def _reason(path: Path, kind: type[BaseException] | None, cause: BaseException | None) -> str:
    suffix = path.suffix.removeprefix(".").lower()
    if kind is None:
        return f"not a {suffix} file"
    detail = next(iter(str(cause).splitlines()), "")
    return f"not a readable {suffix} file ({': '.join(filter(None, (kind.__name__, detail)))})"


@contextmanager
def _silenced() -> Iterator[None]:
    """The parsers complain at length about files that they can read."""
    loggers = [logging.getLogger(name) for name in _PARSERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
