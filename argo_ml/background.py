"""Work in threads that keep no process from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

ResultType = TypeVar("ResultType")


def begin(name: str, work: Callable[[], ResultType]) -> Future[ResultType]:
    """What ``work`` comes to, in a thread of this name.

    An executor's threads are waited for at the end of a process, however long a store does not
    answer them.
    """
    future: Future[ResultType] = Future()
    threading.Thread(target=fulfil, args=(future, work), name=name, daemon=True).start()
    return future


def fulfil(future: Future[ResultType], work: Callable[[], ResultType]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        # Raised where the result is waited for.
        future.set_exception(error)
