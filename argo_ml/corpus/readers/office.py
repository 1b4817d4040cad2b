"""PDF, Word and HTML files, by way of MarkItDown."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from argo_ml.corpus.readers.base import Section, UnreadableError
from argo_ml.corpus.readers.markdown import markdown_sections

_HYPHENATED = re.compile(r"(\w)-\n(\w)")
_PARSERS = ("pdfminer", "pdfplumber", "mammoth")


def read_pdf(path: Path) -> list[Section]:
    """A PDF as one section, since its text does not show its headings."""
    text, _ = _convert(path)
    return [Section((), _HYPHENATED.sub(r"\1\2", text).replace("\f", "\n\n"))]


def read_marked_up(path: Path) -> list[Section]:
    """Sections of a Word or HTML file; a page's title comes above its headings."""
    text, title = _convert(path)
    sections = markdown_sections(text)
    if not title:
        return sections
    return [
        section
        if section.titles[:1] == (title,)
        else Section((title, *section.titles), section.text)
        for section in sections
    ]


def _convert(path: Path) -> tuple[str, str]:
    """Markdown and title. Importing MarkItDown takes a second or two: only where it is needed."""
    from markitdown import (
        DocumentConverter,
        FileConversionException,
        MarkItDown,
        UnsupportedFormatException,
    )
    from markitdown.converters import DocxConverter, HtmlConverter, PdfConverter

    # With all converters, a damaged PDF would be taken for plain text.
    converter = MarkItDown(enable_builtins=False, enable_plugins=False)
    kinds: tuple[Callable[[], DocumentConverter], ...] = (
        DocxConverter,
        HtmlConverter,
        PdfConverter,
    )
    for kind in kinds:
        converter.register_converter(kind())
    try:
        with _silenced():
            result = converter.convert_local(path)
    except (FileConversionException, UnsupportedFormatException) as error:
        raise UnreadableError(_reason(error, path)) from None
    return result.markdown, (result.title or "").strip()


def _reason(error: Exception, path: Path) -> str:
    kind = path.suffix.removeprefix(".").lower()
    attempts = getattr(error, "attempts", None) or []
    causes = [attempt.exc_info for attempt in attempts if attempt.exc_info]
    if not causes:
        return f"not a {kind} file"
    exception_type, exception, _ = causes[-1]
    detail = str(exception).splitlines()[0] if str(exception) else ""
    return (
        f"not a readable {kind} file ({': '.join(filter(None, (exception_type.__name__, detail)))})"
    )


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
