"""What downloads share: their error, one writer at a time, and a folder for what is unfinished."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from argo_ml.errors import ArgoError, disk_advice, system_reason
from argo_ml.locks import ProcessLock

OnStatus = Callable[[str], None]
"""Receives in a few words what is being done."""


class FetchError(ArgoError):
    """Something that could not be downloaded, verified or written."""


@contextmanager
def exclusive_folder(folder: Path) -> Iterator[None]:
    """Create ``folder`` and hold its lock; what the disk refuses becomes a `FetchError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ProcessLock(folder / ".lock", f"{folder}"):
            yield
    except OSError as error:
        raise FetchError(
            f"{folder}: cannot be written ({system_reason(error)}); "
            f"{disk_advice(error) or 'make it writable'}, or choose another cache_dir"
        ) from None


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """An empty folder inside ``folder``, which what is whole is moved out of.

    What a killed process left there is removed, so enter `exclusive_folder` first.
    """
    for left in folder.glob(".fetch-*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as temporary:
        yield Path(temporary)
