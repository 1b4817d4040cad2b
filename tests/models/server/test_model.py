"""The backend against servers in processes of their own, and what happens when one goes wrong.

``llamacpp`` is llama.cpp's own server, ``vllm`` and ``chat`` are played by `ModelServer`.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from builders import llama_servers, model_servers
from builders.llama_servers import LlamaServer
from builders.model_servers import RunningServer, StartServer, open_model
from builders.places import free_port

from argo_ml.config import ExperimentSpec
from argo_ml.errors import ConfigError, ModelError
from argo_ml.models import LanguageModel, load_model
from argo_ml.models.base import Generation, Prompt, Scoring, UnfinishedError, can_score
from argo_ml.models.cache.caching import CachingModel, CallCache
from argo_ml.models.server.fleet import Server
from argo_ml.models.unfit import SomeUnfitError
from argo_ml.testing.model_server import TROUBLES, ModelServer, ServerSettings
from argo_ml.testing.models import (
    CHOICES,
    QUESTIONS,
    SYSTEM,
    CompletionSuite,
    LanguageModelSuite,
    detailed,
    generation,
    scoring,
)

pytestmark = pytest.mark.slow

Opened = Callable[[str], LanguageModel]
KilledAt = Callable[[int, LlamaServer], None]


class TestOverTokens(LanguageModelSuite):
    @pytest.fixture
    def model(self, opened: Opened) -> LanguageModel:
        return opened("vllm")


class TestOverTemplate(LanguageModelSuite):
    relative_tolerance = llama_servers.RELATIVE_TOLERANCE

    @pytest.fixture
    def model(self, opened: Opened) -> LanguageModel:
        return opened("llamacpp")


class TestOverChat(CompletionSuite):
    @pytest.fixture
    def model(self, opened: Opened) -> LanguageModel:
        return opened("chat")


@pytest.fixture(scope="module")
def opened(served: RunningServer, request: pytest.FixtureRequest) -> Opened:
    """One model for every kind of server: opening one asks what the server can do."""

    @cache
    def open_kind(kind: str) -> LanguageModel:
        if kind == "llamacpp":
            llama: LlamaServer = request.getfixturevalue("llama")
            return open_model(llama.url)
        return open_model(f"{served.url}/{kind}/v1")

    return open_kind


@pytest.fixture(scope="module")
def local(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """The same model in this process."""
    folder = tmp_path_factory.mktemp("cache")
    return load_model(ExperimentSpec(model=str(tiny_folder), cache_dir=folder, device="cpu"))


def generations(n_requests: int = 12) -> list[Generation]:
    return [
        Generation(Prompt(SYSTEM, f"Number {n}?", "Answer:", history="Facts: none.\n\n"), 5)
        for n in range(n_requests)
    ]


def scorings(n_requests: int = 6) -> list[Scoring]:
    return [Scoring(Prompt(SYSTEM, f"Number {n}?", "Answer:"), CHOICES) for n in range(n_requests)]


@pytest.mark.parametrize("kind", ["vllm", "llamacpp"])
def test_completions_equal_those_of_the_model_in_this_process(
    opened: Opened, local: LanguageModel, kind: str
) -> None:
    remote = opened(kind)
    for completion, expected in zip(
        remote.generate(generations()), local.generate(generations()), strict=True
    ):
        assert (completion.text, completion.prompt_tokens) == (
            expected.text,
            expected.prompt_tokens,
        )


@pytest.mark.parametrize(("kind", "tolerance"), [("vllm", 1e-3), ("llamacpp", 0.05)])
def test_details_equal_those_of_the_model_in_this_process(
    opened: Opened, local: LanguageModel, kind: str, tolerance: float
) -> None:
    requests = [replace(request, details=True) for request in generations(4)]
    remote = opened(kind).generate(requests)
    for completion, expected in zip(remote, local.generate(requests), strict=True):
        assert completion.text == expected.text
        for token, other in zip(completion.tokens, expected.tokens, strict=True):
            assert token.text == other.text
            assert token.log_probability == pytest.approx(other.log_probability, abs=tolerance)
            assert token.gap == pytest.approx(other.gap, abs=2 * tolerance)
            assert 0 < token.entropy <= other.entropy + tolerance


@pytest.mark.parametrize("kind", ["vllm", "llamacpp", "chat"])
def test_draws_differ_by_seed(opened: Opened, kind: str) -> None:
    [request] = generations(1)
    requests = [replace(request, temperature=2.0, seed=seed) for seed in (-1, 1, 2**40)]
    completions = opened(kind).generate(requests)
    assert len({completion.text for completion in completions}) == 3


@pytest.fixture(scope="module")
def with_few_tokens(
    tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    log = tmp_path_factory.mktemp("few") / "log"
    with model_servers.running(tiny_folder, log, most_top=5) as server:
        yield server


@pytest.mark.parametrize("kind", ["vllm", "llamacpp", "chat"])
def test_a_server_that_tells_of_fewer_tokens_is_asked_for_those(
    with_few_tokens: RunningServer, served: RunningServer, kind: str
) -> None:
    requests = [replace(request, details=True) for request in generations(3)]
    with_all = open_model(f"{served.url}/{kind}/v1")
    expected = with_all.generate(requests)
    model = open_model(f"{with_few_tokens.url}/{kind}/v1")
    assert model.identity == f"{with_all.identity} details=5"
    completions = model.generate(requests)
    for few, many in zip(completions, expected, strict=True):
        assert few.text == many.text
        for token, other in zip(few.tokens, many.tokens, strict=True):
            assert token.gap == pytest.approx(other.gap)
            assert token.entropy < other.entropy


@pytest.fixture(scope="module")
def without_tokens(
    tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    log = tmp_path_factory.mktemp("without") / "log"
    with model_servers.running(tiny_folder, log, most_top=0) as server:
        yield server


@pytest.mark.parametrize("kind", ["vllm", "llamacpp", "chat"])
def test_a_server_without_log_probabilities_says_what_works_instead(
    without_tokens: RunningServer, kind: str
) -> None:
    model = open_model(f"{without_tokens.url}/{kind}/v1")
    with pytest.raises(ModelError, match="use a policy that needs none") as caught:
        model.generate([detailed(QUESTIONS[0])])
    assert "\n" not in str(caught.value)
    assert model.generate([generation(QUESTIONS[0])])[0].tokens == ()


def test_a_prompt_that_is_too_long_is_no_lack_of_log_probabilities(served: RunningServer) -> None:
    model = open_model(f"{served.url}/vllm/v1")
    with pytest.raises(ModelError, match="maximum context length"):
        model.generate([Generation(Prompt(SYSTEM, "word " * 820), 8, details=True)])


@pytest.mark.parametrize(
    ("kind", "relative"), [("vllm", 1e-6), ("llamacpp", llama_servers.RELATIVE_TOLERANCE)]
)
def test_scores_equal_those_of_the_model_in_this_process(
    opened: Opened, local: LanguageModel, kind: str, relative: float
) -> None:
    remote = opened(kind)
    for scores, expected in zip(remote.score(scorings()), local.score(scorings()), strict=True):
        assert scores.lengths == expected.lengths
        assert scores.prompt_tokens == expected.prompt_tokens
        assert scores.log_likelihoods == pytest.approx(
            expected.log_likelihoods, rel=relative, abs=1e-3
        )


@pytest.mark.parametrize("kind", ["vllm", "llamacpp"])
def test_tokens_are_counted_by_the_server(opened: Opened, local: LanguageModel, kind: str) -> None:
    texts = ["", "one", "Suva is the capital of Fiji."]
    assert opened(kind).count_tokens(texts) == local.count_tokens(texts)


def test_seconds_add_up_to_the_time_that_passed(opened: Opened) -> None:
    model = opened("vllm")
    started = time.perf_counter()
    completions = model.generate(generations())
    passed = time.perf_counter() - started
    assert 0.5 * passed < sum(item.seconds for item in completions) <= passed


@pytest.mark.parametrize("n_allowed", [1, 3])
def test_as_many_requests_run_at_once_as_are_allowed(
    start_server: StartServer, n_allowed: int
) -> None:
    with start_server(delay_s=0.1) as server:
        model = open_model(f"{server.url}/vllm/v1", server_concurrency=n_allowed)
        model.generate(generations(6))
        assert max(line["most"] for line in server.completions()) == n_allowed


def test_one_name_need_not_be_given(served: RunningServer) -> None:
    model = open_model(f"{served.url}/vllm/v1", name="")
    assert model.identity.startswith("server tiny test=1.2 prompts=tokens:")


def test_identity_is_not_that_of_the_address(served: RunningServer) -> None:
    with_version = open_model(f"{served.url}/vllm/v1").identity
    assert open_model(f"{served.url}/vllm").identity == with_version
    assert served.url not in with_version
    assert open_model(f"{served.url}/chat").identity != with_version


def test_a_server_that_cannot_score_says_so_once(
    served: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "argo_ml"):
        models = [open_model(f"{served.url}/{kind}/v1") for kind in ("llamacpp", "chat")]
        open_model(f"{served.url}/vllm/v1")
        open_model(f"{served.url}/chat/v1", answering="number")
    notices = [record.message for record in caplog.records]
    # The tiny model's text is random, so that it comes to no end in a chat.
    assert sum("does not come to the end" in notice for notice in notices) == 2
    assert sum("answered by their number (answering=number)" in notice for notice in notices) == 2
    assert len(notices) == 4
    for model in models:
        assert not can_score(model)
        with pytest.raises(ModelError, match="use answering=number"):
            model.score(scorings(1))


@pytest.fixture(scope="module")
def expected(served: RunningServer) -> list[object]:
    return results(open_model(f"{served.url}/vllm/v1"))


def results(model: LanguageModel) -> list[object]:
    """Everything but seconds."""
    completions = model.generate(generations())
    scores = model.score(scorings())
    counts = model.count_tokens([f"{'word ' * n}" for n in range(10)])
    return [
        *((item.text, item.prompt_tokens, item.completion_tokens) for item in completions),
        *((item.log_likelihoods, item.lengths) for item in scores),
        *counts,
    ]


def test_one_request_in_ten_failing_changes_no_number(
    start_server: StartServer, expected: list[object]
) -> None:
    with start_server(fail_every=10, silence_s=1.2) as server:
        url = f"{server.url}/vllm/v1"
        model = open_model(url, request_timeout_s=1.0, server_concurrency=4)
        assert results(model) == expected
        assert server.troubles() == set(TROUBLES)


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> KilledAt:
    """Kills a server just before it would get the request of that number from now on."""

    def arrange(n_requests: int, server: LlamaServer) -> None:
        counted, request = itertools.count(1), Server.request

        def kill_before(own: Server, *arguments: Any) -> Any:
            if own.address.root in server.url and next(counted) == n_requests:
                server.process.kill()
                server.process.wait()
            return request(own, *arguments)

        monkeypatch.setattr(Server, "request", kill_before)

    return arrange


def test_another_llama_server_takes_over_from_one_that_is_killed(
    llama_spec: ExperimentSpec, llama: LlamaServer, opened: Opened, killed_at: KilledAt
) -> None:
    with llama_servers.running(llama_spec) as dying:
        model = open_model(dying.url, llama.url, server_concurrency=2)
        expected = [item.text for item in opened("llamacpp").generate(generations())]
        killed_at(6, dying)
        assert [item.text for item in model.generate(generations())] == expected
        assert not dying.process.is_running()


def test_a_llama_server_that_is_killed_loses_nothing_that_was_finished(
    llama_spec: ExperimentSpec, llama: LlamaServer, killed_at: KilledAt, tmp_path: Path
) -> None:
    cache = CallCache(tmp_path / "calls.sqlite")
    with llama_servers.running(llama_spec) as dying:
        model = open_model(dying.url, server_concurrency=1, max_retries=0)
        killed_at(6, dying)
        with pytest.raises(UnfinishedError, match="cannot be reached"):
            CachingModel(model, cache, "me").generate(generations())
    # A request is a completion, and what its prompt is by the template.
    n_kept = cache.stats().entries["generate"]
    assert 2 <= n_kept <= 5

    again = open_model(llama.url)
    completions = CachingModel(again, cache, "another").generate(generations())
    assert sum(item.paid for item in completions) == len(generations()) - n_kept
    assert [item.text for item in completions] == [
        item.text for item in again.generate(generations())
    ]


def test_a_second_server_takes_over_from_one_that_dies(
    start_server: StartServer, expected: list[object]
) -> None:
    with start_server("a", die_after=8) as first, start_server("b") as second:
        urls = f"{first.url}/vllm/v1", f"{second.url}/vllm/v1"
        assert results(open_model(*urls, server_concurrency=4)) == expected
        assert not first.process.is_alive()
        assert len(first.asked()) > 2
        assert len(second.asked()) > 10


def test_a_server_that_dies_alone_loses_nothing_that_was_finished(
    start_server: StartServer, served: RunningServer, tmp_path: Path
) -> None:
    cache = CallCache(tmp_path / "calls.sqlite")
    with start_server(die_after=7) as dying:
        model = open_model(f"{dying.url}/vllm/v1", server_concurrency=2, max_retries=0)
        with pytest.raises(UnfinishedError, match="cannot be reached") as caught:
            CachingModel(model, cache, "me").generate(generations())
        assert "\n" not in str(caught.value)
        assert dying.url in str(caught.value)
    kept = cache.stats().entries["generate"]
    # Three completions were for finding out what the server can do.
    assert 2 <= kept <= 4

    again = open_model(f"{served.url}/vllm/v1")
    n_before = len(served.asked())
    completions = CachingModel(again, cache, "me").generate(generations())

    assert len(served.asked()) - n_before == 12 - kept
    assert [item.text for item in completions] == [
        item.text for item in again.generate(generations())
    ]


def test_no_server_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ModelError, match="start an OpenAI-compatible server there") as caught:
        open_model(f"{url}/v1")
    assert str(caught.value).startswith(f"server_urls: {url}: cannot be reached")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("trouble", ["html", "json"])
def test_garbage_in_the_place_of_a_server(start_server: StartServer, trouble: str) -> None:
    with (
        start_server(fail_every=1, troubles=(trouble,)) as server,
        pytest.raises(ModelError, match="no answer of an OpenAI-compatible server"),
    ):
        open_model(f"{server.url}/chat/v1", max_retries=0)


def test_something_else_listens_there(served: RunningServer) -> None:
    with pytest.raises(ModelError, match=r"server_urls: http\S+/other: HTTP 404 Not Found"):
        open_model(f"{served.url}/other/v1")


def test_another_models_name_lists_what_is_served(served: RunningServer) -> None:
    with pytest.raises(ModelError, match=r"model=server:big: .*serves no such model.*: tiny$"):
        open_model(f"{served.url}/vllm/v1", name="big")


def test_servers_of_different_models_do_not_share_a_load(served: RunningServer) -> None:
    with pytest.raises(ModelError, match="do not serve the same"):
        open_model(f"{served.url}/vllm/v1", f"{served.url}/chat/v1")


def test_a_prompt_longer_than_the_context_is_refused(served: RunningServer) -> None:
    model = open_model(f"{served.url}/vllm/v1")
    long = Generation(Prompt(SYSTEM, "word " * 820), 8)
    with pytest.raises(SomeUnfitError) as caught:
        model.generate([generation(QUESTIONS[0]), long, generation(QUESTIONS[1])])
    assert list(caught.value.refused) == [1]
    assert "HTTP 400 Bad Request (maximum context length" in caught.value.refused[1]
    assert sorted(caught.value.finished) == [0, 2]


def test_a_choice_without_text_is_refused(served: RunningServer) -> None:
    model = open_model(f"{served.url}/vllm/v1")
    with pytest.raises(ModelError, match="choice='': has no text"):
        model.score([Scoring(Prompt(SYSTEM, "?", "Answer: "), ("",))])


@pytest.fixture(scope="module")
def locked(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    log = tmp_path_factory.mktemp("locked") / "log"
    with model_servers.running(tiny_folder, log, key="s3cret-k3y") as server:
        yield server


def test_a_key_opens_and_none_or_another_does_not(
    locked: RunningServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"{locked.url}/vllm/v1"
    with pytest.raises(ModelError, match=r"HTTP 401 Unauthorized.*set ARGO_ML_API_KEY"):
        open_model(url)
    monkeypatch.setenv("ARGO_ML_API_KEY", "wr0ng-k3y")
    with pytest.raises(ModelError, match="wrong key: Bearer") as caught:
        open_model(url)
    assert "wr0ng-k3y" not in str(caught.value)
    monkeypatch.setenv("ARGO_ML_API_KEY", "s3cret-k3y")
    with caplog.at_level(logging.DEBUG):
        model = open_model(url)
        model.generate([generation(QUESTIONS[0])])
        model.score([scoring(QUESTIONS[0])])
    assert "s3cret" not in model.identity + repr(vars(model)) + caplog.text


def test_a_key_that_has_ended_is_read_again_from_its_file(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, server = tmp_path / "key", ModelServer(ServerSettings(str(tiny_folder), key="f1rst-k3y"))
    monkeypatch.setenv("ARGO_ML_API_KEY_FILE", str(file))
    file.write_text("f1rst-k3y\n")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        model = open_model(f"{server.url}/vllm/v1")
        server.settings = replace(server.settings, key="s3cond-k3y")
        with pytest.raises(ModelError, match="HTTP 401"):
            model.generate([generation(QUESTIONS[0])])
        file.write_text("s3cond-k3y\n")
        assert model.generate([generation(QUESTIONS[0])])
    finally:
        server.shutdown()
        server.server_close()


def test_a_key_that_cannot_be_sent(served: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGO_ML_API_KEY", "two words")
    with pytest.raises(ConfigError, match="ARGO_ML_API_KEY holds white space"):
        open_model(f"{served.url}/vllm/v1")
