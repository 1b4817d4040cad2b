"""A PostgreSQL server on loopback, from whatever the system has installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import places

DEBIAN = Path("/usr/lib/postgresql")
USER = "postgres"


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The URL of an empty database; the test is skipped where PostgreSQL is not installed."""
    initdb = _program("initdb")
    # It refuses to run as root, and reaches no folder that root alone may enter.
    user = USER if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="argo-postgresql-"))
    try:
        if user is not None:
            _own(folder, user)
        data, port = folder / "data", places.free_port()
        _run([initdb, "-D", str(data), "-U", USER, "-A", "trust", "-N"], user)
        options = ["-D", str(data), "-p", str(port), "-k", str(folder), "-F"]
        process = subprocess.Popen(
            [_program("postgres"), *options, "-h", "127.0.0.1"],
            user=user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_until_ready(port)
            yield f"postgresql+psycopg2://{USER}@127.0.0.1:{port}/postgres"
        finally:
            # PostgreSQL's fast shutdown: the polite one waits for every client to leave.
            process.send_signal(signal.SIGINT)
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str:
    places_to_look = [os.environ.get("PATH", ""), *map(str, sorted(DEBIAN.glob("*/bin")))]
    found = shutil.which(name, path=os.pathsep.join(places_to_look))
    if found is None:
        pytest.skip(f"PostgreSQL's {name} is not installed (Debian: apt install postgresql)")
    return found


def _own(folder: Path, user: str) -> None:
    try:
        shutil.chown(folder, user)
    except LookupError:
        pytest.skip(f"PostgreSQL does not run as root, and there is no user {user}")


def _run(command: list[str], user: str | None) -> None:
    subprocess.run(command, check=True, capture_output=True, user=user, cwd="/")


def _wait_until_ready(port: int, timeout_s: float = 30) -> None:
    import psycopg2

    deadline = time.monotonic() + timeout_s
    while True:
        try:
            psycopg2.connect(host="127.0.0.1", port=port, user=USER, dbname=USER).close()
            return
        except psycopg2.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
