"""Content digests of model files, remembered by size and modification time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

logger = logging.getLogger(__name__)

MODEL_SUFFIXES = (".safetensors", ".bin", ".json", ".gguf", ".model", ".txt", ".jinja")


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def files_digest(paths: Iterable[Path], memo_path: Path | None = None) -> str:
    """Digest over names and contents; a file whose size and time are known is not read again.

    ``memo_path`` is a JSON file of the digests computed so far; without it all files are read.
    Concurrent writers may lose one another's entries, which costs a second reading alone.
    """
    memo = read_memo(memo_path) if memo_path else {}
    known = len(memo)
    digest = hashlib.sha256()
    for path in sorted(paths):
        status = path.stat()
        stamp = f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"
        if stamp not in memo:
            memo[stamp] = file_sha256(path)
        digest.update(f"{path.name} {memo[stamp]}\n".encode())
    if memo_path and len(memo) > known:
        _write_memo(memo_path, memo)
    return digest.hexdigest()


def model_files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix in MODEL_SUFFIXES and path.is_file()]


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write through a temporary file beside ``path``, so that nobody reads half of it.

    It has the permissions of what it replaces, or those of any new file.
    """
    encoded = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with half.open("xb") as file:
            file.write(encoded)
        # There may be none to replace, or a file system that knows no permissions.
        with contextlib.suppress(OSError):
            shutil.copymode(path, half)
        half.replace(path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise


def _write_memo(path: Path, memo: dict[str, str]) -> None:
    try:
        write_atomically(path, json.dumps(memo, indent=0))
    except OSError as error:
        logger.warning("%s: cannot be written (%s); models are read whole again", path, error)


def read_memo(path: Path) -> dict[str, str]:
    """What is remembered; nothing if the file is missing or damaged."""
    try:
        memo = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return memo if isinstance(memo, dict) else {}
