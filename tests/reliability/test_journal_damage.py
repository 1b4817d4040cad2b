"""A sweep that is resumed over a damaged journal ends as one that was never interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from builders import small_study
from builders.places import linked_cache
from builders.result_builders import row

from argo_ml.config import SweepSpec, build
from argo_ml.engine.shards import Shard
from argo_ml.errors import TrackingError
from argo_ml.results.shard import ShardRecord
from argo_ml.sweep.journal import Journal
from argo_ml.sweep.running import run_sweep
from argo_ml.types import Question
from benchmarks.reliability import journal as damages

CELLS = ("cell a", "cell b")
SHARDS = [Shard(index, (Question(f"q{index}", "?", ("yes",)),)) for index in range(5)]


def record(index: int, cells: Sequence[str] = CELLS) -> ShardRecord:
    return ShardRecord(
        {cell: [row(f"q{index}", [], {}, correct=False)] for cell in cells},
        {cell: [{"question": f"q{index}"}] for cell in cells},
        {},
        {cell: [[]] for cell in cells},
    )


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "sweep") as opened:
        for index in range(5):
            opened.write(index, record(index))
        yield opened


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (damages.swap, {0, 1}),
        (damages.cut, {1}),
        (damages.cut_within_the_first_line, {1}),
        (damages.empty, {2}),
        (damages.flip_a_bit, {0}),
        (damages.change_an_answer, {0}),
        (damages.remove, {0}),
        (damages.put_a_folder_in_its_place, {3}),
        (damages.add_a_copy_of_another_name, set()),
        (damages.add_a_shard_that_the_sweep_does_not_have, set()),
        (damages.add_a_file_of_something_else, set()),
        (damages.take_the_form_of_an_earlier_version, {0}),
    ],
)
def test_what_cannot_be_used_is_set_aside_with_one_warning(
    journal: Journal,
    tmp_path: Path,
    damage: Callable[[Sequence[Path]], None],
    lost: set[int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = tmp_path / "sweep"
    damage(sorted(folder.glob("shard-*.json")))
    journal.keep_usable(SHARDS, CELLS)
    assert {index for index in range(5) if index not in journal} == lost
    n_aside = len(list(folder.glob("*.set-aside")))
    assert len(caplog.messages) == (1 if n_aside else 0)
    for index in set(range(5)) - lost:
        assert journal.read(index) == record(index)


def test_records_of_other_cells_or_questions_are_run_again(journal: Journal) -> None:
    journal.write(1, record(1, ("cell a", "cell c")))
    journal.write(2, record(3))
    journal.keep_usable(SHARDS, CELLS)
    assert [index in journal for index in range(5)] == [True, False, False, True, True]


def test_a_journal_that_nobody_harmed_is_kept_in_silence(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    journal.keep_usable(SHARDS, list(reversed(CELLS)))
    assert list(journal.records()) == [record(index) for index in range(5)]
    assert caplog.messages == []


def test_a_record_that_is_damaged_or_deleted_meanwhile_is_one_line(
    journal: Journal, tmp_path: Path
) -> None:
    (tmp_path / "sweep" / "shard-00003.json").unlink()
    with pytest.raises(TrackingError, match=r"No such file.* resume the sweep"):
        list(journal.records())


def test_a_deleted_folder_is_made_again(journal: Journal) -> None:
    journal.remove()
    journal.write(0, record(0))
    assert 0 in journal


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrackingError, match="choose another cache_dir, then resume") as error:
        Journal(tmp_path / "file" / "sweeps" / "abc")
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_figures")
def test_a_sweep_over_a_damaged_journal_ends_as_one_that_was_not_interrupted(
    warm_cache: Path, tracking_uri: str, tmp_path: Path
) -> None:
    parameters = small_study.write(tmp_path)
    values = {**parameters, "shard_size": "1", "tracking_uri": tracking_uri}
    whole = {**values, "cache_dir": str(linked_cache(warm_cache, tmp_path / "whole"))}
    expected = damages.comparable(run_sweep(build(SweepSpec, whole)))
    cache_dir = str(linked_cache(warm_cache, tmp_path / "cache"))
    begun = damages.begin(tmp_path, {**values, "cache_dir": cache_dir})
    records = begun.records
    assert len(records) >= 4
    damages.swap(records)
    damages.empty(records)
    damages.put_a_folder_in_its_place(records)
    damages.add_a_copy_of_another_name(records)
    assert begun.resume() == expected
