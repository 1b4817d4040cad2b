"""Ports and cache folders that tests of several folders need."""

from __future__ import annotations

import socket
from pathlib import Path


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def linked_cache(shared: Path, folder: Path) -> Path:
    """Make ``folder`` a cache of its own, but for models, indexes and the atlas of ``shared``."""
    folder.mkdir()
    for name in ("models", "indexes", "atlas"):
        (folder / name).symlink_to(shared / name)
    return folder
