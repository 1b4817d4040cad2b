from __future__ import annotations

import json
import logging
import multiprocessing
import resource
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argo_ml.errors import ArgoError, ConfigError, ModelError
from argo_ml.models.base import Completion, Generation, Prompt, Scores, Scoring, UnfinishedError
from argo_ml.models.cache.caching import CachingModel, CallCache, request_key
from argo_ml.models.cache.store import Entry, model_digest
from argo_ml.models.scripted import Rule, ScriptedModel, Table
from argo_ml.testing.models import LanguageModelSuite
from argo_ml.types import TokenDetail


class CountingModel(ScriptedModel):
    """Counts what it executes, and stops answering after ``n_calls`` calls."""

    def __init__(self, n_calls: int = 1000) -> None:
        super().__init__(Table(default="hash"))
        self.executed: list[list[str]] = []
        self._n_calls = n_calls

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        if len(self.executed) == self._n_calls:
            raise ModelError("the machine is gone")
        self.executed.append([request.prompt.turn for request in requests])
        return super().generate(requests)


class TestCachingModel(LanguageModelSuite):
    @pytest.fixture
    def model(self, tmp_path: Path) -> CachingModel:
        return CachingModel(ScriptedModel(Table(default="hash")), CallCache(tmp_path / "c"), "me")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite"


def asked(user: str) -> Generation:
    return Generation(Prompt("system", user), max_new_tokens=5)


def entry(key: str, billed_to: str = "me", text: str = "text") -> Entry:
    return Entry(key, "generate", f'"{text}"', 3, "1", 0.5, billed_to)


def test_a_stored_call_is_not_executed_again(path: Path) -> None:
    model = CountingModel()
    first = CachingModel(model, CallCache(path), "run/0").generate([asked("a"), asked("b")])
    second = CachingModel(model, CallCache(path), "run/0").generate([asked("b"), asked("a")])
    assert second == first[::-1]
    assert len(model.executed) == 1


def test_scores_come_back_exactly(path: Path) -> None:
    model = ScriptedModel(Table(default="hash"))
    request = Scoring(Prompt("s", "u"), ("one", "two words"))
    [executed] = model.score([request])
    for _ in range(2):
        assert CachingModel(model, CallCache(path), "me").score([request]) == [executed]


def test_the_payer_pays_again_and_others_do_not(path: Path) -> None:
    model = CountingModel()
    for billed_to, paid in (("run/0", True), ("run/1", False), ("run/0", True)):
        [completion] = CachingModel(model, CallCache(path), billed_to).generate([asked("a")])
        assert completion.paid is paid


def test_equal_requests_in_one_list_execute_once(path: Path) -> None:
    model = CountingModel()
    completions = CachingModel(model, CallCache(path), "me").generate([asked("a")] * 3)
    assert completions[0] == completions[1] == completions[2]
    assert model.executed == [["a"]]


def test_finished_slices_survive_a_failure(path: Path) -> None:
    requests = [asked(user) for user in ("aaaa", "bbb", "cc", "d")]
    broken = CountingModel(n_calls=1)
    with pytest.raises(ModelError, match="gone"):
        CachingModel(broken, CallCache(path), "me", slice_size=2).generate(requests)
    model = CountingModel()
    CachingModel(model, CallCache(path), "me", slice_size=2).generate(requests)
    assert broken.executed == [["aaaa", "bbb"]]
    assert model.executed == [["cc", "d"]]


def test_what_had_finished_in_a_slice_survives_the_failure_of_the_rest(path: Path) -> None:
    class Half(CountingModel):
        def generate(self, requests: Sequence[Generation]) -> list[Completion]:
            [first, _] = super().generate(requests)
            raise UnfinishedError("the server is gone", {0: first})

    requests = [asked("aa"), asked("b")]
    with pytest.raises(UnfinishedError, match="the server is gone"):
        CachingModel(Half(), CallCache(path), "me").generate(requests)
    model = CountingModel()
    CachingModel(model, CallCache(path), "me").generate(requests)
    assert model.executed == [["b"]]


def test_slices_hold_requests_of_similar_length(path: Path) -> None:
    model = CountingModel()
    requests = [asked(user) for user in ("a", "long long", "b", "also long")]
    CachingModel(model, CallCache(path), "me", slice_size=2).generate(requests)
    assert model.executed == [["long long", "also long"], ["a", "b"]]


@pytest.mark.parametrize(
    "other",
    [
        Generation(Prompt("system", "user"), 5, stop=("\n", "x")),
        Generation(Prompt("system", "user"), 6),
        Generation(Prompt("system", "user", prefix=" "), 5),
        Generation(Prompt("systemu", "ser"), 5),
        Generation(Prompt("system", "user"), 5, temperature=0.5),
        Generation(Prompt("system", "user"), 5, details=True),
        Generation(Prompt("system", "user"), 5, hidden_state=True),
        Scoring(Prompt("system", "user"), ("a", "b")),
    ],
)
def test_everything_in_a_request_is_part_of_its_key(other: Generation | Scoring) -> None:
    request = Generation(Prompt("system", "user"), 5)
    assert request_key("model", other) != request_key("model", request)
    assert request_key("model", other) != request_key("model 2", other)


@pytest.mark.parametrize(
    ("request_", "key"),
    [
        (
            Generation(Prompt("system", "user", "Answer:", "history "), 5),
            "0c8845de0a53a7aacbf61a3e65348de8b1d5bd24a407a7b5464002ebb828f1f8",
        ),
        (
            Generation(Prompt("system", "user", "Answer:", "history "), 24, ("\n", "Question:")),
            "4158c6321803213899eb4f1153f14d2f55ee7301a8b645a8c1b7572dbb4badc7",
        ),
        (
            Scoring(Prompt("system", "user", "Answer:", "history "), ("a", "b")),
            "0c1c097141d386e875ef27e2579972ed02cedd821c5069d697a3a842f8aa67b1",
        ),
    ],
)
def test_plain_requests_keep_the_keys_of_old_caches(
    request_: Generation | Scoring, key: str
) -> None:
    assert request_key("model", request_) == key


def test_a_seed_is_part_of_the_key_of_a_sampled_request_alone() -> None:
    greedy = [request_key("m", replace(asked("a"), seed=seed)) for seed in (0, 1)]
    sampled = [request_key("m", replace(asked("a"), temperature=1.0, seed=seed)) for seed in (0, 1)]
    assert greedy[0] == greedy[1]
    assert len({*greedy, *sampled}) == 3


def test_entries_of_plain_completions_are_texts_as_in_old_caches(path: Path) -> None:
    cache = CallCache(path)
    requests = [asked("a"), replace(asked("a"), details=True)]
    CachingModel(CountingModel(), cache, "me").generate(requests)
    keys = [request_key(CountingModel().identity, request) for request in requests]
    entries = cache.find(keys)
    plain, detailed_output = (json.loads(entries[key].output) for key in keys)
    assert isinstance(plain, str)
    assert detailed_output.keys() == {"text", "tokens"}
    assert detailed_output["text"] == plain


def test_samples_and_details_are_not_executed_again(path: Path) -> None:
    model = CountingModel()
    requests = [replace(asked("a"), temperature=1.0, seed=seed, details=True) for seed in range(3)]
    first = CachingModel(model, CallCache(path), "me").generate(requests)
    assert CachingModel(model, CallCache(path), "me").generate(requests) == first
    assert len(model.executed) == 1
    assert len({completion.text for completion in first}) == 3
    assert all(completion.tokens for completion in first)


def test_models_do_not_share_calls(path: Path) -> None:
    answers = []
    for text in ("one", "two"):
        model = ScriptedModel(Table(rules=[Rule(contains="a", completion=text)]))
        answers += CachingModel(model, CallCache(path), "me").generate([asked("a")])
    assert [answer.text for answer in answers] == ["one", "two"]


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    text=st.text(),
    values=st.lists(st.floats(allow_nan=False, max_value=0), min_size=1, max_size=4),
    seconds=st.floats(0, 1e6),
    numbers=st.lists(st.tuples(st.text(), *[st.floats(allow_nan=False)] * 3), max_size=3),
    state=st.lists(st.floats(allow_nan=False, width=16), max_size=3).map(tuple),
)
def test_what_was_stored_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    text: str,
    values: list[float],
    seconds: float,
    numbers: list[tuple[str, float, float, float]],
    state: tuple[float, ...],
) -> None:
    tokens = tuple(TokenDetail(*row) for row in numbers)
    completion = Completion(text, 7, 2, seconds, tokens=tokens, hidden_state=state)
    lengths = tuple(range(1, len(values) + 1))
    scores = Scores(tuple(values), lengths, 9, seconds, hidden_state=state)

    class Fixed(ScriptedModel):
        def generate(self, requests: Sequence[Generation]) -> list[Completion]:
            return [completion]

        def score(self, requests: Sequence[Scoring]) -> list[Scores]:
            return [scores]

    path = tmp_path_factory.mktemp("cache") / "calls.sqlite"
    model = CachingModel(Fixed(Table()), CallCache(path), "me")
    for _ in range(2):
        assert model.generate([asked(text)]) == [completion]
        assert model.score([Scoring(Prompt(text, ""), (text,))]) == [scores]


def test_the_first_of_two_writers_wins_and_both_have_paid(path: Path) -> None:
    cache = CallCache(path)
    cache.add("model", [entry("k", "first", "1")])
    stored = cache.add("model", [entry("k", "second", "2"), entry("l", "second", "2")])
    assert [(stored[key].billed_to, stored[key].output) for key in "kl"] == [
        ("second", '"1"'),
        ("second", '"2"'),
    ]
    assert {payer: cache.paid_by(payer).executed for payer in ("first", "second")} == {
        "first": 1,
        "second": 2,
    }


def _write_entries(path: Path, billed_to: str, n_entries: int) -> None:
    cache = CallCache(path)
    for number in range(n_entries):
        cache.add("model", [entry(f"k{number}", billed_to)])


def test_processes_may_write_one_new_file_at_once(path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [
        context.Process(target=_write_entries, args=(path, billed_to, 40)) for billed_to in "abcd"
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    assert CallCache(path).stats().entries == {"generate": 40}


def _write_until_killed(path: Path, n_written: multiprocessing.sharedctypes.Synchronized) -> None:
    cache = CallCache(path)
    while True:
        cache.add("model", [entry(f"k{n_written.value}")])
        n_written.value += 1


def test_a_killed_writer_loses_nothing_it_wrote(path: Path) -> None:
    context = multiprocessing.get_context("fork")
    n_written = context.Value("i", 0)
    writer = context.Process(target=_write_until_killed, args=(path, n_written))
    writer.start()
    while n_written.value < 20 and writer.is_alive():
        pass
    writer.kill()
    writer.join(60)
    n_written_at_least = n_written.value
    assert n_written_at_least >= 20
    keys = [f"k{number}" for number in range(n_written_at_least)]
    assert CallCache(path).find(keys).keys() == set(keys)


def test_more_keys_than_one_statement_takes_are_found(path: Path) -> None:
    cache = CallCache(path)
    keys = [f"k{number}" for number in range(1201)]
    cache.add("model", [entry(key) for key in keys])
    assert cache.find([*keys, "absent"]).keys() == set(keys)


def test_a_file_that_is_no_database_is_set_aside(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(b"not a database" * 100)
    with caplog.at_level(logging.WARNING):
        cache = CallCache(path)
    cache.add("model", [entry("k")])
    [aside] = path.parent.glob("calls.sqlite.corrupt-*")
    assert aside.read_bytes().startswith(b"not a database")
    assert "set aside" in caplog.text
    assert "k" in CallCache(path).find(["k"])


def test_damage_met_later_is_set_aside_and_the_write_goes_on(path: Path) -> None:
    cache = CallCache(path)
    cache.add("model", [entry(f"k{number}", text="x" * 500) for number in range(200)])
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    stored = cache.add("model", [entry("new")])
    assert stored["new"].billed_to == "me"
    assert len(list(path.parent.glob("calls.sqlite.corrupt-*"))) == 1


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    CallCache(path).add("model", [entry("k")])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ArgoError, match="schema version 99, this argo_ml reads 3"):
        CallCache(path)
    assert not list(path.parent.glob("*.corrupt-*"))


def test_a_database_of_something_else_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (a)")
    with pytest.raises(ArgoError, match="database of something else"):
        CallCache(path)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgoError, match="cannot be used") as caught:
        CallCache(tmp_path / "file" / "calls.sqlite")
    assert "\n" not in str(caught.value)


@contextmanager
def largest_file(n_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_line_and_keeps_what_was_stored(path: Path) -> None:
    cache = CallCache(path)
    cache.add("model", [entry("k")])
    with largest_file(60_000), pytest.raises(ArgoError, match="free disk space"):
        for number in range(100):
            cache.add("model", [entry(f"{number}", text="x" * 10_000)])
    assert "k" in CallCache(path).find(["k"])
    assert not list(path.parent.glob("*.corrupt-*"))


def test_stats_are_readable(path: Path) -> None:
    cache = CallCache(path)
    cache.add("model a", [entry("k"), entry("l")])
    cache.add("model b", [Entry("m", "score", "[-1.0]", 3, "[1]", 1.5, "me")])
    first, *models = str(cache.stats()).splitlines()
    assert first.startswith("3 calls (2 generate, 1 score) of 2 models, ")
    assert first.endswith("2 s of model time")
    assert models == [
        f"{model_digest('model a')}  2  model a",
        f"{model_digest('model b')}  1  model b",
    ]


def test_an_empty_cache_has_stats(path: Path) -> None:
    assert str(CallCache(path).stats()).startswith("0 calls (empty) of 0 models")


def test_prune_removes_what_was_not_used_for_so_long(path: Path) -> None:
    now = 0.0
    cache = CallCache(path, clock=lambda: now)
    cache.add("model", [entry("old"), entry("used")])
    now = 10 * 86_400.0
    cache.find(["used"])
    now = 12 * 86_400.0
    assert cache.prune(older_than_days=5).n_entries == 1
    assert cache.find(["old", "used"]).keys() == {"used"}


def test_what_is_removed_is_stored_anew_and_stays_paid_for(path: Path) -> None:
    cache = CallCache(path)
    cache.add("model", [entry("a"), entry("b")])
    cache.remove(["a"])
    assert cache.find(["a", "b"]).keys() == {"b"}
    cache.add("model", [replace(entry("a"), output="mended")])
    assert cache.find(["a"])["a"].output == "mended"
    assert cache.paid_by("me").executed == 3
    assert cache.check().n_recounted == 0


def test_prune_removes_one_model(path: Path) -> None:
    cache = CallCache(path)
    cache.add("a", [entry("k")])
    cache.add("b", [entry("l")])
    assert str(cache.prune(digest=model_digest("a"))).startswith("1 calls removed")
    assert [model.identity for model in cache.stats().models] == ["b"]


def test_prune_without_a_condition_or_with_an_unknown_model_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match="give older_than_days"):
        CallCache(path).prune()
    with pytest.raises(ConfigError, match="model_digest=abc: no such model"):
        CallCache(path).prune(digest="abc")
