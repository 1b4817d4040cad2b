"""Who has executed how many calls, counted beside at the model itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from argo_ml.errors import ModelError
from argo_ml.models.base import (
    Completion,
    Generation,
    InterruptedRequests,
    Prompt,
    UnfinishedError,
)
from argo_ml.models.cache.caching import CachingModel, CallCache
from argo_ml.models.cache.store import Entry
from argo_ml.models.cache.summaries import Payment
from argo_ml.models.scripted import ScriptedModel, Table

REQUESTS = [Generation(Prompt("system", f"question {n}"), max_new_tokens=3) for n in range(6)]


class WatchedModel(ScriptedModel):
    """Counts what it executes, and calls ``before`` the first time that it is asked."""

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        super().__init__(Table(default="hash"))
        self.n_executed = 0
        self._before = before

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        before, self._before = self._before, lambda: None
        before()
        self.n_executed += len(requests)
        return super().generate(requests)


@pytest.fixture
def cache(tmp_path: Path) -> CallCache:
    return CallCache(tmp_path / "calls.sqlite")


def test_of_two_that_execute_a_call_at_once_both_pay(cache: CallCache) -> None:
    model = WatchedModel(lambda: CachingModel(model, cache, "b").generate(REQUESTS))
    served = CachingModel(model, cache, "a").generate(REQUESTS)
    again = CachingModel(model, cache, "a").generate(REQUESTS)
    assert all(completion.paid for completion in [*served, *again])
    paid = {payer: payment.executed for payer, payment in cache.ledger().payments.items()}
    assert paid == {"a": 6, "b": 6}
    assert model.n_executed == cache.ledger().total.executed == 12


def test_a_call_executed_twice_for_one_run_is_paid_twice(cache: CallCache) -> None:
    model = WatchedModel(lambda: CachingModel(model, cache, "a").generate(REQUESTS[:2]))
    CachingModel(model, cache, "a").generate(REQUESTS)
    assert model.n_executed == cache.paid_by("a").executed == 8


def test_who_only_reads_pays_nothing(cache: CallCache) -> None:
    CachingModel(WatchedModel(), cache, "a").generate(REQUESTS)
    served = CachingModel(WatchedModel(), cache, "b").generate(REQUESTS)
    assert not any(completion.paid for completion in served)
    assert cache.paid_by("b") == Payment()


def test_what_was_under_way_at_a_kill_stays_unsettled(cache: CallCache) -> None:
    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    with pytest.raises(Killed):
        CachingModel(WatchedModel(die), cache, "a", slice_size=4).generate(REQUESTS)
    assert cache.paid_by("a") == Payment(unsettled=4)
    CachingModel(WatchedModel(), cache, "a").generate(REQUESTS)
    paid = cache.paid_by("a")
    assert (paid.executed, paid.unsettled) == (6, 4)


def test_calls_that_a_model_says_have_failed_are_settled(cache: CallCache) -> None:
    class Half(WatchedModel):
        def generate(self, requests: Sequence[Generation]) -> list[Completion]:
            raise UnfinishedError("gone", {0: super().generate(requests[:1])[0]})

    with pytest.raises(ModelError):
        CachingModel(Half(), cache, "a").generate(REQUESTS)
    paid = cache.paid_by("a")
    assert (paid.executed, paid.unsettled) == (1, 0)


def test_what_was_answered_before_an_interruption_is_kept_and_settled(cache: CallCache) -> None:
    class Interrupted(WatchedModel):
        def generate(self, requests: Sequence[Generation]) -> list[Completion]:
            [first, *_] = super().generate(requests[:1])
            raise InterruptedRequests({0: first}, n_under_way=2)

    with pytest.raises(KeyboardInterrupt):
        CachingModel(Interrupted(), cache, "a").generate(REQUESTS)
    paid = cache.paid_by("a")
    assert (paid.executed, paid.unsettled) == (1, 2)
    model = WatchedModel()
    CachingModel(model, cache, "a").generate(REQUESTS)
    assert model.n_executed == 5


def test_a_run_pays_for_its_parts_and_for_no_other_run(cache: CallCache) -> None:
    for number, payer in enumerate(("run", "run/0/1", "run/1/0", "run0", "ru")):
        cache.add("model", [Entry(f"{number:064}", "generate", '"x"', 10, "2", 0.5, payer)])
    assert cache.paid_by("run") == Payment(3, 0, 30, 6, 1.5)
    assert cache.paid_by("run", parts_only=True).executed == 2
    assert str(cache.ledger()).splitlines()[-1] == (
        "all  5 calls, 50 prompt and 10 other tokens, 2 s"
    )


def test_the_ledger_outlives_what_is_pruned(cache: CallCache) -> None:
    CachingModel(WatchedModel(), cache, "a").generate(REQUESTS)
    assert cache.prune(older_than_days=0).n_entries == 6
    assert cache.paid_by("a").executed == 6


@pytest.mark.parametrize(
    "change",
    [
        "executed = 99",
        "payer = 'b'",
        "seconds = 'x'",
        "checksum = 0",
        "payer = CAST(x'ff61' AS TEXT)",
    ],
)
def test_a_damaged_total_is_what_the_calls_add_up_to(
    cache: CallCache, tmp_path: Path, change: str
) -> None:
    CachingModel(WatchedModel(), cache, "a").generate(REQUESTS)
    expected = cache.ledger().payments
    with closing(sqlite3.connect(tmp_path / "calls.sqlite")) as connection, connection:
        connection.execute(f"UPDATE payments SET {change}")
    assert cache.ledger().payments == {}
    checked = cache.check()
    assert (checked.n_removed, checked.n_recounted, checked.is_sound) == (0, 1, False)
    assert "1 entries of the ledger did not" in str(checked)
    assert cache.ledger().payments == expected
    assert cache.check().is_sound


def test_a_damaged_total_is_counted_again_when_more_is_added(
    cache: CallCache, tmp_path: Path
) -> None:
    CachingModel(WatchedModel(), cache, "a").generate(REQUESTS[:4])
    with closing(sqlite3.connect(tmp_path / "calls.sqlite")) as connection, connection:
        connection.execute("UPDATE payments SET executed = 99")
    CachingModel(WatchedModel(), cache, "a").generate(REQUESTS)
    assert cache.paid_by("a").executed == 6


def test_embedded_queries_and_counted_tokens_are_nobodys_calls(cache: CallCache) -> None:
    for number, kind in enumerate(("embed", "count")):
        cache.add("model", [Entry(f"{number:064}", kind, '"x"', 0, "0", 0.0, "")])
    assert cache.ledger().payments == {}


def test_a_ledger_is_told_from_others_for_good_and_pays_nothing(
    cache: CallCache, tmp_path: Path
) -> None:
    own = cache.ledger_id()
    other = CallCache(tmp_path / "other.sqlite")

    assert other.ledger_id() not in ("", own)
    assert cache.ledger().payments == {}
    with (tmp_path / "calls.sqlite").open("r+b") as file:
        file.write(bytes(100))
    assert cache.ledger_id() == own
