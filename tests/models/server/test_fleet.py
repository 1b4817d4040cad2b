"""What is tried again, where and when; servers are functions, without a network."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import httpx2
import pytest

from argo_ml.addresses import Address
from argo_ml.config import ModelSpec
from argo_ml.errors import ConfigError, ModelError
from argo_ml.interruption import finishing_batches
from argo_ml.models.server.fleet import Fleet, RetryPolicy, Server
from argo_ml.models.server.opening import policy_of
from argo_ml.models.server.wire import NoAccessError, RefusedError, Version
from argo_ml.waiting import impatient_with_servers

ServerReply = Callable[[httpx2.Request], httpx2.Response]
QUICK = RetryPolicy(timeout_s=5, max_retries=3, first_pause_s=0.001, longest_pause_s=0.002)
FINE = httpx2.Response(200, json={"version": "1"})
DOWN = httpx2.Response(503)


class Scripted:
    """Answers one after the other, the last one for ever."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.n_asked = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        answer = self.answers[min(self.n_asked, len(self.answers) - 1)]
        self.n_asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


def fleet(*answers: ServerReply, key: str = "", retry_policy: RetryPolicy = QUICK) -> Fleet:
    servers = [
        Server(Address(f"http://host{number}"), key, QUICK, httpx2.MockTransport(answer))
        for number, answer in enumerate(answers)
    ]
    return Fleet(servers, retry_policy)


def version(servers: Fleet) -> str:
    return servers.request("/version", None, Version).version


@pytest.mark.parametrize(
    "trouble",
    [
        DOWN,
        httpx2.Response(429),
        httpx2.Response(200, text="<html>"),
        httpx2.ReadTimeout("slow"),
        httpx2.ConnectError("refused"),
        httpx2.RemoteProtocolError("gone"),
    ],
)
def test_what_passes_is_tried_again(trouble: httpx2.Response | Exception) -> None:
    server = Scripted(trouble, trouble, trouble, FINE)
    assert version(fleet(server)) == "1"
    assert server.n_asked == 4


def test_tries_end() -> None:
    server = Scripted(httpx2.ConnectError("Connection refused"))
    with pytest.raises(ModelError) as caught:
        version(fleet(server))
    assert str(caught.value) == "http://host0: cannot be reached (Connection refused) (4 tries)"
    assert server.n_asked == 4


def test_a_refusal_is_not_tried_again() -> None:
    server = Scripted(httpx2.Response(404))
    with pytest.raises(RefusedError, match="http://host0: HTTP 404"):
        version(fleet(server))
    assert server.n_asked == 1


def test_garbage_that_stays_is_a_refusal() -> None:
    with pytest.raises(RefusedError, match="answers '<html>'"):
        version(fleet(Scripted(httpx2.Response(200, text="<html>"))))


def test_another_server_takes_over_at_once() -> None:
    retry_policy = RetryPolicy(first_pause_s=60, longest_pause_s=60)
    dead, alive = Scripted(httpx2.ConnectError("refused")), Scripted(FINE)
    both = fleet(dead, alive, retry_policy=retry_policy)
    for _ in range(5):
        assert version(both) == "1"
    assert (dead.n_asked, alive.n_asked) == (1, 5)


def test_all_servers_are_named_when_all_are_gone() -> None:
    with pytest.raises(ModelError, match=r"http://host0: .*one.*; http://host1: .*two") as caught:
        version(fleet(Scripted(httpx2.ConnectError("one")), Scripted(httpx2.ConnectError("two"))))
    assert "\n" not in str(caught.value)


def test_the_other_server_is_tried_although_the_first_is_ready_again() -> None:
    at_once = RetryPolicy(max_retries=0, first_pause_s=0, longest_pause_s=0)
    dead, alive = Scripted(httpx2.ConnectError("refused")), Scripted(FINE)
    assert version(fleet(dead, alive, retry_policy=at_once)) == "1"
    assert (dead.n_asked, alive.n_asked) == (1, 1)


def test_a_server_that_asks_for_time_gets_it() -> None:
    busy = Scripted(httpx2.Response(429, headers={"retry-after": "0.2"}), FINE)
    started = time.monotonic()
    version(fleet(busy))
    assert time.monotonic() - started >= 0.2


def test_the_key_is_sent_and_never_shown() -> None:
    headers = []

    def repeat(request: httpx2.Request) -> httpx2.Response:
        headers.append(request.headers["authorization"])
        return httpx2.Response(400, json={"error": headers[-1]})

    with pytest.raises(RefusedError) as caught:
        version(fleet(repeat, key="k3y"))
    assert headers == ["Bearer k3y"]
    assert "k3y" not in str(caught.value)
    assert "Bearer ***" in str(caught.value)


@pytest.mark.parametrize(
    ("before", "status", "content"),
    [
        (190, 400, '{{"error": {{"message": "{text}"}}}}'),
        (30, 400, '{{"error": {{"message": "no", "param": "{text}"}}}}'),
        (50, 200, "{text}"),
    ],
)
def test_a_key_where_an_error_is_cut_is_not_shown_in_part(
    before: int, status: int, content: str
) -> None:
    text = "x" * before + "sk-s3cret-k3y-of-mine"
    server = Scripted(httpx2.Response(status, text=content.format(text=text)))
    with pytest.raises(RefusedError) as caught:
        fleet(server, key="sk-s3cret-k3y-of-mine").request("/version", None, Version)
    assert "sk-" not in str(caught.value)


def test_user_and_password_take_the_place_of_the_key() -> None:
    headers = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        headers.append((request.headers["authorization"], str(request.url)))
        return FINE

    address = Address.parse("http://me:secret@host/v1")
    version(Fleet([Server(address, "k3y", QUICK, httpx2.MockTransport(answer))], QUICK))
    assert headers == [("Basic bWU6c2VjcmV0", "http://host/version")]


def test_a_limit_that_says_no_time_is_given_more_than_a_failure() -> None:
    policy = RetryPolicy(max_retries=3, first_pause_s=0.02, longest_limit_pause_s=0.2)
    busy = Scripted(httpx2.Response(429), httpx2.Response(429), FINE)
    started = time.monotonic()
    version(fleet(busy, retry_policy=policy))
    # Half of 8 times the first pause, and half of the longest one.
    assert time.monotonic() - started >= 0.08 + 0.1


def test_a_limit_that_stays_names_what_would_help() -> None:
    with pytest.raises(ModelError, match=r"HTTP 429 .*\(4 tries\); take a smaller server_concurr"):
        version(fleet(Scripted(httpx2.Response(429))))


def test_a_server_that_is_away_is_waited_for_and_one_line_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reset = httpx2.RemoteProtocolError("Server disconnected")
    gone: list[httpx2.Response | Exception] = [
        httpx2.ConnectError("refused"),
        DOWN,
        httpx2.ConnectTimeout("slow"),
        reset,
    ]
    server = Scripted(*gone * 5, FINE)
    assert version(fleet(server, retry_policy=replace(QUICK, patience_s=60))) == "1"
    assert server.n_asked == 21
    line = "http://host0: cannot be reached (Server disconnected); waiting, 60 s at most"
    assert caplog.text.count(line) == caplog.text.count("waiting") == 1


def test_patience_with_a_server_that_is_away_ends() -> None:
    server = Scripted(httpx2.ConnectError("refused"))
    started = time.monotonic()
    with pytest.raises(ModelError, match=r"cannot be reached \(refused\) \(\d+ tries\)"):
        version(fleet(server, retry_policy=replace(QUICK, patience_s=0.2)))
    assert time.monotonic() - started >= 0.2
    assert server.n_asked > 4


@pytest.mark.parametrize("trouble", [httpx2.Response(500), httpx2.ReadTimeout("slow")])
def test_a_server_that_is_there_and_fails_is_not_waited_for(
    trouble: httpx2.Response | Exception,
) -> None:
    server = Scripted(trouble)
    with pytest.raises(ModelError, match="4 tries"):
        version(fleet(server, retry_policy=replace(QUICK, patience_s=60)))
    assert server.n_asked == 4


@pytest.mark.parametrize(
    "trouble", [httpx2.Response(429), httpx2.Response(500), httpx2.ReadTimeout("slow")]
)
def test_a_failure_after_a_server_was_away_has_all_its_tries(
    trouble: httpx2.Response | Exception,
) -> None:
    policy = replace(QUICK, patience_s=60, longest_limit_pause_s=0.002)
    away = httpx2.ConnectError("refused")
    server = Scripted(*[away] * 10, trouble, trouble, trouble, FINE)
    assert version(fleet(server, retry_policy=policy)) == "1"
    for_good = Scripted(*[away] * 10, trouble)
    with pytest.raises(ModelError, match="14 tries"):
        version(fleet(for_good, retry_policy=policy))


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("delay_s", [0, 0.1])
def test_a_stop_ends_the_pause_and_nothing_is_tried_again(status: int, delay_s: float) -> None:
    trouble = Scripted(httpx2.Response(status, headers={"retry-after": "60"}))

    def stop_and_fail(request: httpx2.Request) -> httpx2.Response:
        threading.Timer(delay_s, os.kill, (os.getpid(), signal.SIGTERM)).start()
        return trouble(request)

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), finishing_batches():
        version(fleet(stop_and_fail, retry_policy=replace(QUICK, patience_s=60)))
    assert trouble.n_asked == 1
    assert time.monotonic() - started < 10


def test_any_number_of_failures_has_a_pause() -> None:
    many = RetryPolicy(max_retries=1100, first_pause_s=1e-6, longest_pause_s=1e-6)
    with pytest.raises(ModelError, match="1101 tries"):
        version(fleet(Scripted(httpx2.ConnectError("refused")), retry_policy=many))


def test_a_server_is_waited_for_in_runs_alone_and_where_anything_is_tried_again() -> None:
    spec = ModelSpec(model="server:m", server_urls=("http://host/v1",))
    assert policy_of(spec).patience_s == 300
    assert policy_of(spec.model_copy(update={"max_retries": 0})).patience_s == 0
    with impatient_with_servers():
        assert policy_of(spec).patience_s == 0


class Locked:
    """Takes one key, and repeats others in its refusal."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.sent: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request.headers["authorization"].removeprefix("Bearer "))
        if self.sent[-1] == self.key:
            return FINE
        return httpx2.Response(401, json={"error": f"{self.sent} have ended"})


def locked_fleet(locked: Locked, read_key: Callable[[], str]) -> Fleet:
    transport = httpx2.MockTransport(locked)
    server = Server(Address("https://host"), "f1rst-key", QUICK, transport, read_key)
    return Fleet([server], QUICK)


def test_a_key_that_has_ended_is_read_again_and_the_request_made_again() -> None:
    locked = Locked("s3cond-key")
    servers = locked_fleet(locked, lambda: "s3cond-key")
    assert [version(servers), version(servers)] == ["1", "1"]
    assert locked.sent == ["f1rst-key", "s3cond-key", "s3cond-key"]


@pytest.mark.parametrize(("renewed", "n_asked"), [("f1rst-key", 1), ("", 1), ("s3cond-key", 2)])
def test_a_key_that_is_refused_is_tried_once_and_never_shown(renewed: str, n_asked: int) -> None:
    locked = Locked("th1rd-key")
    with pytest.raises(NoAccessError, match="HTTP 401") as caught:
        version(locked_fleet(locked, lambda: renewed))
    assert len(locked.sent) == n_asked
    assert "-key" not in str(caught.value)


def test_a_key_file_that_cannot_be_read_any_more_is_named_beside_the_refusal() -> None:
    def read_key() -> str:
        raise ConfigError("ARGO_ML_API_KEY_FILE=/key: cannot be read (No such file or directory)")

    with pytest.raises(NoAccessError, match=r"HTTP 401.*; ARGO_ML_API_KEY_FILE=/key: cannot be"):
        version(locked_fleet(Locked("s3cond-key"), read_key))
