"""A server on loopback that sends bytes as they are given: too slowly, too much, or no HTTP."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterable, Iterator


@contextlib.contextmanager
def sending(parts: Iterable[bytes], pause_s: float = 0.0) -> Iterator[str]:
    """Sends ``parts`` to whoever connects first; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65_536)
                    for part in parts:
                        connection.sendall(part)
                        time.sleep(pause_s)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread.join(5)
