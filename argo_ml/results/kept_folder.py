"""A folder for files that are read as long as something refers to it."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path


class KeptFolder:
    """A temporary folder, deleted with the last reference to this object or at the end, and where a
    block that it is entered for fails."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="argo-ml-"))
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def __enter__(self) -> KeptFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._finalizer()
