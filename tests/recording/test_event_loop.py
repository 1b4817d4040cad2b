"""The loop of a recording's coroutines, where it cannot begin."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from argo_ml.recording.event_loop import EventLoop


async def answered() -> str:
    return "Paris"


def test_a_loop_that_cannot_begin_says_so_and_lets_nobody_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(main: Coroutine[Any, Any, None]) -> None:
        main.close()
        raise OSError("too many open files")

    loop, coroutine = EventLoop(), answered()
    monkeypatch.setattr(asyncio, "run", refuse)
    with pytest.raises(OSError, match="too many open files"):
        loop.result_of(coroutine)
    loop.close()
    coroutine.close()
