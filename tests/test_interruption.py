"""A polite stop, in this process and as a user sends it to a sweep."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from argo_ml.errors import ModelError
from argo_ml.interruption import checkpoint, finishing_batches, in_batches, pause, uninterrupted
from argo_ml.models.base import Completion, Generation
from argo_ml.models.cache.caching import CachingModel, CallCache
from argo_ml.models.scripted import ScriptedModel
from argo_ml.progress import ignore_progress
from argo_ml.sweep.stages import _until
from argo_ml.testing.models import generation


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_waits_for_the_checkpoint(
    number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), finishing_batches(), caplog.at_level(logging.WARNING):
        os.kill(os.getpid(), number)
        reached = True
        checkpoint()
    assert reached
    assert "stopping when the present batch is finished" in caplog.text
    checkpoint()


def test_a_second_one_does_not() -> None:
    with pytest.raises(KeyboardInterrupt), finishing_batches():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the second signal was not raised")
    checkpoint()


def test_a_stop_ends_a_pause() -> None:
    started = time.monotonic()
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(KeyboardInterrupt), finishing_batches():
        pause(60)
    assert time.monotonic() - started < 10
    pause(0.01)


def test_a_signal_to_what_has_ended_by_an_error_stops_nothing_later() -> None:
    with pytest.raises(ModelError), finishing_batches():
        os.kill(os.getpid(), signal.SIGINT)
        raise ModelError("gone")
    with finishing_batches():
        checkpoint()


def test_a_signal_that_came_to_no_checkpoint_waits_for_the_next_batch() -> None:
    with finishing_batches():
        os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), finishing_batches():
        checkpoint()


@pytest.mark.parametrize("n_whole", [0, 1, 2])
def test_a_batch_is_used_before_the_signal_that_came_while_it_was_made_is_obeyed(
    n_whole: int,
) -> None:
    def made() -> Iterator[int]:
        for number in range(2):
            if number == n_whole:
                os.kill(os.getpid(), signal.SIGINT)
            yield number
        os.kill(os.getpid(), signal.SIGINT)

    used: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        used.extend(in_batches(made()))
    assert used == list(range(2))[: n_whole + 1]
    checkpoint()


def test_a_signal_in_the_batch_that_decides_is_obeyed() -> None:
    log = SimpleNamespace(is_decided=False)

    def run(*asked: object) -> Iterator[str]:
        with finishing_batches():
            os.kill(os.getpid(), signal.SIGINT)
        log.is_decided = True
        yield "a shard"

    executor: Any = SimpleNamespace(run=run)
    finished: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        finished.extend(_until(cast(Any, log), executor, [], ignore_progress))
    checkpoint()


def test_what_is_not_to_be_interrupted_ends_first(caplog: pytest.LogCaptureFixture) -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), uninterrupted(), caplog.at_level(logging.WARNING):
        os.kill(os.getpid(), signal.SIGINT)
        with uninterrupted():
            pass
        reached = True
    assert reached
    assert caplog.messages == ["stopping when what is being stored is stored; again: at once"]
    with uninterrupted():
        pass


def test_a_second_signal_interrupts_even_that() -> None:
    with pytest.raises(KeyboardInterrupt), uninterrupted(), uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the second signal was not raised")
    with uninterrupted():
        pass


def test_what_was_kept_waiting_goes_to_the_handler_that_was_there() -> None:
    with pytest.raises(KeyboardInterrupt), finishing_batches():
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGTERM)
        checkpoint()
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGTERM)
            assert not seen
        assert seen == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_handlers_are_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    for block in (finishing_batches, uninterrupted):
        with block():
            assert signal.getsignal(signal.SIGTERM) != before
        assert signal.getsignal(signal.SIGTERM) == before


def test_other_threads_are_left_alone() -> None:
    seen = []

    def work() -> None:
        with finishing_batches(), uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


class Interrupted(ScriptedModel):
    """Gets a signal while it answers."""

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        os.kill(os.getpid(), signal.SIGTERM)
        return super().generate(requests)


def test_the_batch_under_way_is_stored_and_no_other_is_begun(tmp_path: Path) -> None:
    (tmp_path / "script.json").write_text('{"default": "hash"}')
    cache = CallCache(tmp_path / "calls.sqlite")
    model = CachingModel(Interrupted.read(tmp_path / "script.json"), cache, "me", slice_size=2)
    requests = [generation(f"question {n}") for n in range(6)]
    with pytest.raises(KeyboardInterrupt), finishing_batches():
        model.generate(requests)
    assert cache.stats().entries["generate"] == 2
