"""Derived values kept as JSON beside the digest of their text: whole and unchanged, or made again.

A file is written beside its place and renamed, so that nobody reads half of it. One that does not
match its digest counts as missing.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from argo_ml.errors import system_reason
from argo_ml.models.digests import files_digest, write_atomically

logger = logging.getLogger(__name__)


def read_sealed(path: Path) -> Any:
    """What was kept at ``path``, of JSON's types; None where nothing is, or it is damaged."""
    try:
        digest, _, text = path.read_text(encoding="utf-8").partition("\n")
        return json.loads(text) if digest == _digest(text) else None
    except (OSError, ValueError, RecursionError):
        return None


def write_sealed(path: Path, content: object) -> None:
    """Keep ``content``, of JSON's types; a disk that refuses is logged: it can be made again."""
    text = json.dumps(content, separators=(",", ":"))
    try:
        write_atomically(path, f"{_digest(text)}\n{text}")
    except OSError as error:
        logger.info("%s: not kept for later (%s)", path, system_reason(error))


def content_key(content: object) -> str:
    """A name for what ``content``, of JSON's types, decides."""
    return _digest(json.dumps(content, sort_keys=True))[:32]


def code_digest(folders: Sequence[Path]) -> str:
    """Digest of the Python files in these folders: what they compute may change with them."""
    return files_digest(path for folder in folders for path in folder.rglob("*.py"))


def installed_version(package: str) -> str:
    """The version of an installed package, known without importing it; empty where it is not."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
