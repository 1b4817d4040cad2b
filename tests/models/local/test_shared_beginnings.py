from __future__ import annotations

from argo_ml.models.local.shared_beginnings import Wave, waves

LONG = list(range(96))
MANY = 1000


def rows(found: list[Wave]) -> list[list[int]]:
    return [wave.rows for wave in found]


def test_prompts_wait_for_one_that_begins_as_they_do() -> None:
    prompts = [[*LONG, 1], [*LONG, 2], [*LONG[:64], 3]]

    first, last = waves(prompts, [0, 0, 0], MANY, 64)

    assert first == Wave([0], [97])
    assert last == Wave([1, 2], [97, 65])


def test_what_nobody_waits_for_is_kept_where_there_is_room() -> None:
    prompts = [[*LONG, *LONG, 1], [*LONG, 2], [7] * 90]

    assert waves(prompts, [0, 0, 0], 17, 64)[0] == Wave([0, 2], [193, 90])
    assert waves(prompts, [0, 0, 0], 16, 64)[0] == Wave([0, 2], [96, 0])


def test_nothing_waits_where_a_wave_costs_more_than_it_saves() -> None:
    prompts = [[*LONG[:32], 1], [*LONG[:32], 2], [*LONG[:32], 3]]

    assert waves(prompts, [0, 0, 0], MANY, 64) == [Wave([0, 1, 2], [33, 33, 33])]
    assert rows(waves(prompts, [0, 0, 0], MANY, 63)) == [[0], [1, 2]]


def test_nothing_waits_for_a_single_block() -> None:
    prompts = [[*LONG[:16], *[n] * 20] for n in range(100, 120)]

    assert rows(waves(prompts, [0] * 20, MANY, 0)) == [list(range(20))]


def test_what_is_known_already_is_nothing_to_wait_for() -> None:
    prompts = [[*LONG, 1], [*LONG, 2]]

    assert rows(waves(prompts, [96, 96], MANY, 0)) == [[0, 1]]
    assert rows(waves(prompts, [32, 32], MANY, 64)) == [[0, 1]]
    assert rows(waves(prompts, [32, 32], MANY, 63)) == [[0], [1]]


def test_waves_follow_one_another_along_a_tree() -> None:
    ends = [[*LONG, *[n] * 32] for n in (200, 201)]
    prompts = [*([*end, 1] for end in ends), *([*end, 2] for end in ends)]

    assert rows(waves(prompts, [0] * 4, MANY, 0)) == [[0], [1, 2], [3]]


def test_a_prompt_of_known_blocks_alone_computes_its_last() -> None:
    assert rows(waves([LONG, LONG], [0, 0], MANY, 79)) == [[0], [1]]
    assert rows(waves([LONG, LONG], [0, 0], MANY, 80)) == [[0, 1]]


def test_no_more_is_waited_for_than_can_be_kept() -> None:
    others = [1000 + token for token in LONG]
    prompts = [[*LONG, 1], [*others, 1], [*LONG, 2], [*others, 2]]

    assert rows(waves(prompts, [0] * 4, 12, 64)) == [[0, 1], [2, 3]]
    assert rows(waves(prompts, [0] * 4, 11, 64)) == [[0, 1, 3], [2]]
    assert rows(waves(prompts, [0] * 4, 5, 64)) == [[0, 1, 2, 3]]
    assert rows(waves(prompts, [0] * 4, 0, 64)) == [[0, 1, 2, 3]]


def test_no_prompts_are_no_waves() -> None:
    assert waves([], [], MANY, 64) == []
