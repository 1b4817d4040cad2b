from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from argo_ml.errors import TrackingError
from argo_ml.results.records import QuestionResult
from argo_ml.results.shard import ShardRecord
from argo_ml.sweep.journal import Journal

ROW = QuestionResult(
    question_id="q1",
    answer="Paris",
    choice=2,
    correct=True,
    exact_match=1.0,
    token_f1=1.0,
    contains=1.0,
    parsed=True,
    actions=("retrieve", "reason"),
    retrieval_successes=1,
    decomposer_fallbacks=0,
    cost=0.13,
    stop_reason="threshold",
    decomposer_calls=1,
    reader_calls=1,
    reasoner_calls=1,
    synthesizer_calls=1,
    lm_calls_paid=3,
    prompt_tokens=400,
    completion_tokens=30,
    lm_seconds=0.1 + 0.2,
)
RECORD = ShardRecord(
    results={"cell": [ROW]},
    trajectories={"cell": [{"question": "Où?", "progress": 0.1 + 0.2}]},
    passages={"p1": {"id": "p1", "text": "…"}},
)


def test_stored_shard_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    with Journal(tmp_path / "sweep") as journal:
        journal.write(0, RECORD)

        assert journal.read(0) == RECORD


def test_only_written_shards_are_in_it(tmp_path: Path) -> None:
    with Journal(tmp_path / "sweep") as journal:
        journal.write(3, RECORD)

        assert 3 in journal
        assert 0 not in journal


def test_records_come_in_the_order_of_shards(tmp_path: Path) -> None:
    with Journal(tmp_path / "sweep") as journal:
        for index in (10, 2):
            journal.write(index, ShardRecord({}, {"cell": [{"shard": index}]}, {}))

        assert [record.trajectories["cell"][0]["shard"] for record in journal.records()] == [2, 10]


def test_half_written_shard_is_not_taken_for_whole(tmp_path: Path) -> None:
    with Journal(tmp_path / "sweep") as journal:
        (tmp_path / "sweep" / "shard-00000.partial").write_text('{"results": {')

        assert 0 not in journal
        assert list(journal.records()) == []


def test_a_journal_that_cannot_be_opened_is_free_for_the_next_try(tmp_path: Path) -> None:
    (tmp_path / "sweep").write_text("in the way")
    with pytest.raises(TrackingError, match="finished shards cannot be kept there"):
        Journal(tmp_path / "sweep").__enter__()
    (tmp_path / "sweep").unlink()
    with Journal(tmp_path / "sweep") as journal:
        assert list(journal.records()) == []


def test_second_process_is_refused(tmp_path: Path) -> None:
    with (
        Journal(tmp_path / "abc"),
        pytest.raises(
            TrackingError, match=rf"'abc' is being run by process {os.getpid()} on .+ since"
        ),
        Journal(tmp_path / "abc"),
    ):
        pass


def test_lock_is_free_after_the_first_is_done(tmp_path: Path) -> None:
    with Journal(tmp_path / "abc") as journal:
        journal.write(0, RECORD)

    with Journal(tmp_path / "abc") as journal:
        assert 0 in journal


def test_shard_with_a_question_that_could_not_be_asked_is_forgotten(tmp_path: Path) -> None:
    unanswered = ROW.model_copy(update={"correct": False, "unanswered": "too long"})
    with Journal(tmp_path / "abc") as journal:
        journal.write(0, RECORD)
        journal.write(1, replace(RECORD, results={"cell": [ROW], "other": [unanswered]}))
        assert 1 in journal

    with Journal(tmp_path / "abc") as journal:
        assert (0 in journal, 1 in journal) == (True, False)


def test_removed_journal_is_empty(tmp_path: Path) -> None:
    with Journal(tmp_path / "abc") as journal:
        journal.write(0, RECORD)
        journal.remove()

        assert 0 not in journal
